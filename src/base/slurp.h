/* base/slurp: all of a file, or of what else a descriptor gives, into memory. */
#ifndef WALFERRY_BASE_SLURP_H
#define WALFERRY_BASE_SLURP_H

#include "base/buf.h"

#include <stddef.h>

/* Adds what is there to *out, `max` bytes in all at most. 0, or -1 with errno: EFBIG beyond that.
 * A signal does not end slurp(); slurp_fd() ends with EINTR, and goes on where it is called again.
 * A pipe is waited for, 10 s or wait_ms in all: ENODATA beyond that. */
int slurp(const char *path, size_t max, struct buf *out);
int slurp_within(const char *path, size_t max, int wait_ms, struct buf *out);
int slurp_fd(int fd, size_t max, struct buf *out);

#endif
