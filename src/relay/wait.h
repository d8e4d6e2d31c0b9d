/* relay/wait: what a step wants before it is called again. Steps never sleep; the loops do. */
#ifndef WALFERRY_RELAY_WAIT_H
#define WALFERRY_RELAY_WAIT_H

#include <stdint.h>

#define WAIT_FDS_MAX 2

struct wait {
    int fds[WAIT_FDS_MAX]; /* readable: call again */
    int fd_count;
    int64_t deadline_us; /* monotonic: call again then, whatever happens; at most now: at once */
};

static inline void wait_until(struct wait *wait, int64_t deadline_us)
{
    if (deadline_us < wait->deadline_us)
        wait->deadline_us = deadline_us;
}

static inline void wait_for_fd(struct wait *wait, int fd)
{
    if (fd >= 0 && wait->fd_count < WAIT_FDS_MAX)
        wait->fds[wait->fd_count++] = fd;
}

#endif
