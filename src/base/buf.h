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

/* buf_reserve() where there is no room yet. */
char *buf_grow(struct buf *buf, size_t extra);

/* Room for `extra` more bytes; returns where they go. The caller adds to len what it wrote. */
static inline char *buf_reserve(struct buf *buf, size_t extra)
{
    return buf->size - buf->len < extra ? buf_grow(buf, extra) : buf->ptr + buf->len;
}

static inline void buf_add(struct buf *buf, struct span bytes)
{
    if (bytes.len == 0)
        return;
    memcpy(buf_reserve(buf, bytes.len), bytes.ptr, bytes.len);
    buf->len += bytes.len;
}

static inline void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, span_of(text));
}

static inline void buf_add_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->len++;
}

void buf_add_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Big-endian integers, as PostgreSQL's protocol has them. */
void buf_add_u8(struct buf *buf, uint8_t value);
void buf_add_u16(struct buf *buf, uint16_t value);
void buf_add_u32(struct buf *buf, uint32_t value);
void buf_add_u64(struct buf *buf, uint64_t value);
/* The bytes with a NUL behind them that len does not count; valid until the next change. */
const char *buf_text(struct buf *buf);

#endif
