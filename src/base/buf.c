/* base/buf: how a buf grows. It never gives memory back before buf_fini() and checks no contents: a
 * NUL inside is a byte like any other. */
#include "base/buf.h"

#include "base/bigendian.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_fini(struct buf *buf)
{
    free(buf->ptr);
    *buf = BUF_EMPTY;
}

char *buf_grow(struct buf *buf, size_t extra)
{
    assert(extra < SIZE_MAX / 4);
    assert(buf->len <= buf->size);
    if (buf->size - buf->len < extra) {
        size_t size = buf->size < 64 ? 64 : buf->size * 2;
        if (size < buf->len + extra)
            size = buf->len + extra;
        char *ptr = realloc(buf->ptr, size);
        if (ptr == NULL)
            abort();
        buf->ptr = ptr;
        buf->size = size;
    }
    return buf->ptr + buf->len;
}

void buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    vsnprintf(buf_reserve(buf, (size_t)length + 1), (size_t)length + 1, format, again);
    va_end(again);
    buf->len += (size_t)length;
}

void buf_add_u8(struct buf *buf, uint8_t value)
{
    buf_add_char(buf, (char)value);
}

void buf_add_u16(struct buf *buf, uint16_t value)
{
    bigendian_put_u16(buf_reserve(buf, sizeof value), value);
    buf->len += sizeof value;
}

void buf_add_u32(struct buf *buf, uint32_t value)
{
    bigendian_put_u32(buf_reserve(buf, sizeof value), value);
    buf->len += sizeof value;
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    bigendian_put_u64(buf_reserve(buf, sizeof value), value);
    buf->len += sizeof value;
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->ptr;
}
