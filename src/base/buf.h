/* base/buf: a byte string that grows.
 *
 * For what is built up piece by piece and lives longer than an arena (a status message, a progress
 * record, a page). Growth doubles; buf_reset() keeps the memory. Allocation failure aborts. */
#ifndef WALFERRY_BASE_BUF_H
#define WALFERRY_BASE_BUF_H

#include "base/span.h"

#include <stdint.h>

struct buf {
    char *ptr;
    size_t len;
    size_t size;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0})

void buf_fini(struct buf *buf);

static inline void buf_reset(struct buf *buf)
{
    buf->len = 0;
}

static inline struct span buf_span(const struct buf *buf)
{
    return (struct span){buf->ptr != NULL ? buf->ptr : "", buf->len};
}

/* Room for `extra` more bytes; returns where they go. The caller adds to len what it wrote. */
char *buf_reserve(struct buf *buf, size_t extra);
void buf_add(struct buf *buf, struct span bytes);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_add_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Big-endian integers, as PostgreSQL's protocol has them. */
void buf_add_u8(struct buf *buf, uint8_t value);
void buf_add_u16(struct buf *buf, uint16_t value);
void buf_add_u32(struct buf *buf, uint32_t value);
void buf_add_u64(struct buf *buf, uint64_t value);
/* The bytes with a NUL behind them that len does not count; valid until the next change. */
const char *buf_text(struct buf *buf);

#endif
