/* types_md5: see types_md5.h. Block by block; the last one or two are padded in memory of their
 * own. */
#include "types/types_md5.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

enum { BLOCK_BYTES = 64 };

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round) {
    case 0:
        return (b & c) | (~b & d);
    case 1:
        return (d & b) | (~d & c);
    case 2:
        return b ^ c ^ d;
    default:
        return c ^ (b | ~d);
    }
}

static void add_block(uint32_t state[4], const unsigned char *block)
{
    static const unsigned shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const unsigned steps[4] = {1, 5, 3, 7}, firsts[4] = {0, 1, 5, 0};
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (unsigned i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
                   (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16;
        uint32_t constant = (uint32_t)(4294967296.0 * fabs(sin((double)(i + 1))));
        uint32_t word = words[(firsts[round] + steps[round] * (i % 16)) % 16];
        uint32_t next = b + rotate(a + mix(round, b, c, d) + constant + word, shifts[round][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void md5(struct span bytes, unsigned char digest[MD5_BYTES])
{
    assert(bytes.ptr != NULL && digest != NULL);
    uint32_t state[4] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
    size_t whole = bytes.len / BLOCK_BYTES * BLOCK_BYTES, rest = bytes.len - whole;
    for (size_t at = 0; at < whole; at += BLOCK_BYTES)
        add_block(state, (const unsigned char *)bytes.ptr + at);
    unsigned char last[2 * BLOCK_BYTES] = {0};
    memcpy(last, bytes.ptr + whole, rest);
    last[rest] = 0x80;
    size_t padded = rest < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    uint64_t bits = (uint64_t)bytes.len * 8;
    for (unsigned i = 0; i < 8; i++)
        last[padded - 8 + i] = (unsigned char)(bits >> 8 * i);
    for (size_t at = 0; at < padded; at += BLOCK_BYTES)
        add_block(state, last + at);
    for (unsigned i = 0; i < MD5_BYTES; i++)
        digest[i] = (unsigned char)(state[i / 4] >> i % 4 * 8);
}
