/* base/slurp: see slurp.h. */
#include "base/slurp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

int slurp(const char *path, size_t max, struct buf *out)
{
    assert(path != NULL && out != NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result;
    do
        result = slurp_fd(fd, max, out);
    while (result < 0 && errno == EINTR);
    int why = errno;
    close(fd);
    errno = why;
    return result;
}
