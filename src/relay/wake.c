/* relay/wake: see wake.h. A count is never asked for, only whether one is there. */
#include "relay/wake.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int wake_open(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void wake_raise(int fd)
{
    uint64_t one = 1;
    ssize_t done = write(fd, &one, sizeof one);
    (void)done; /* the counter cannot overflow in a lifetime */
}

void wake_lower(int fd)
{
    uint64_t value;
    ssize_t done = read(fd, &value, sizeof value);
    (void)done;
}
