/* base/slurp: see slurp.h. Opening a pipe that nobody writes to would wait for ever, and with it
 * whoever is to hear of a SIGTERM; so nothing here blocks but a wait with an end. */
#include "base/slurp.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 10000

int slurp_fd(int fd, size_t max, struct buf *out)
{
    assert(fd >= 0 && out != NULL);
    for (;;) {
        ssize_t got = read(fd, buf_reserve(out, 8192), 8192);
        if (got <= 0)
            return (int)got;
        out->len += (size_t)got;
        if (out->len > max) {
            errno = EFBIG;
            return -1;
        }
    }
}

/* Until there is something, or its end. */
static int wait_for(int fd, int64_t deadline_us)
{
    struct pollfd fds = {.fd = fd, .events = POLLIN};
    for (;;) {
        int64_t left_us = deadline_us - clock_monotonic_us();
        int ready = left_us > 0 ? poll(&fds, 1, (int)(left_us / US_PER_MS) + 1) : 0;
        if (ready > 0)
            return 0;
        if (ready == 0)
            errno = ENODATA;
        if (errno != EINTR)
            return -1;
    }
}

/* A pipe without a writer is at its end for who reads, and not for who waits. */
static bool is_pipe(int fd)
{
    struct stat what;
    return fstat(fd, &what) == 0 && S_ISFIFO(what.st_mode);
}

int slurp_within(const char *path, size_t max, int wait_ms, struct buf *out)
{
    assert(path != NULL && wait_ms > 0);
    int64_t deadline_us = clock_monotonic_us() + wait_ms * US_PER_MS;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    int result = is_pipe(fd) ? wait_for(fd, deadline_us) : 0;
    bool ended = result < 0;
    while (!ended) {
        result = slurp_fd(fd, max, out);
        bool waits = result < 0 && errno == EAGAIN;
        if (waits)
            result = wait_for(fd, deadline_us);
        ended = !(waits && result == 0) && !(result < 0 && errno == EINTR);
    }
    int why = errno;
    close(fd);
    errno = why;
    return result;
}

int slurp(const char *path, size_t max, struct buf *out)
{
    return slurp_within(path, max, WAIT_MS, out);
}
