/* decode_reader: a cursor over one message that cannot leave it.
 *
 * Every length comes from the wire, so every read checks what is left. The first failure is kept
 * and puts the cursor at the end: later reads fail too and give zeros, so a parser may read a run
 * of fields and look at `failed` once. Big-endian, as all of PostgreSQL's protocol. */
#ifndef WALFERRY_DECODE_DECODE_READER_H
#define WALFERRY_DECODE_DECODE_READER_H

#include "base/bigendian.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct reader {
    const char *start;
    const char *at;
    const char *end;
    bool failed;
    size_t failed_at;  /* offset into the message; meaningful once failed */
    char problem[160]; /* the same; not initialised before */
};

static inline void reader_init(struct reader *r, struct span bytes)
{
    r->start = bytes.ptr;
    r->at = bytes.ptr;
    r->end = bytes.ptr + bytes.len;
    r->failed = false;
}

/* Keeps the first problem only. */
void reader_fail(struct reader *r, const char *format, ...)
    __attribute__((cold, format(printf, 2, 3)));

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline bool reader_has(struct reader *r, size_t wanted)
{
    if (__builtin_expect(reader_left(r) >= wanted, 1))
        return true;
    reader_fail(r, "%zu bytes wanted, %zu left", wanted, reader_left(r));
    return false;
}

static inline uint8_t read_u8(struct reader *r)
{
    if (!reader_has(r, 1))
        return 0;
    return (uint8_t)*r->at++;
}

static inline uint16_t read_u16(struct reader *r)
{
    if (!reader_has(r, 2))
        return 0;
    uint16_t value = bigendian_u16(r->at);
    r->at += sizeof value;
    return value;
}

static inline uint32_t read_u32(struct reader *r)
{
    if (!reader_has(r, 4))
        return 0;
    uint32_t value = bigendian_u32(r->at);
    r->at += sizeof value;
    return value;
}

static inline uint64_t read_u64(struct reader *r)
{
    if (!reader_has(r, 8))
        return 0;
    uint64_t value = bigendian_u64(r->at);
    r->at += sizeof value;
    return value;
}

static inline struct span read_bytes(struct reader *r, size_t len)
{
    if (!reader_has(r, len))
        return (struct span){"", 0};
    struct span bytes = {r->at, len};
    r->at += len;
    return bytes;
}

/* A string that ends with a NUL inside the message; the NUL is passed over and not counted. */
static inline struct span read_string(struct reader *r)
{
    const char *nul = reader_left(r) == 0 ? NULL : memchr(r->at, '\0', reader_left(r));
    if (nul == NULL) {
        reader_fail(r, "a string without its end");
        return (struct span){"", 0};
    }
    struct span text = {r->at, (size_t)(nul - r->at)};
    r->at = nul + 1;
    return text;
}

/* Microseconds since 2000-01-01 on the wire, of the Unix epoch here. */
int64_t read_time(struct reader *r);

#endif
