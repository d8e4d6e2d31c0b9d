/* types_bytes: bytes as base64 (RFC 4648, with padding under both alphabets) and as hexadecimal
 * digits, and these back. */
#include "types/types_internal.h"

#include "base/utf8.h"

#include <assert.h>

struct span types_base64(struct span bytes, enum base64_alphabet alphabet, struct arena *arena)
{
    assert(arena != NULL && bytes.ptr != NULL);
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char digits[64];
    memcpy(digits, common, 62);
    digits[62] = alphabet == BASE64_STANDARD ? '+' : '-';
    digits[63] = alphabet == BASE64_STANDARD ? '/' : '_';
    char *out = arena_alloc_bytes(arena, (bytes.len + 2) / 3 * 4);
    char *at = out;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t word = (uint32_t)(unsigned char)bytes.ptr[i] << 16;
        if (left > 1)
            word |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        if (left > 2)
            word |= (unsigned char)bytes.ptr[i + 2];
        *at++ = digits[word >> 18];
        *at++ = digits[word >> 12 & 63];
        *at++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[word & 63] : '=';
    }
    return (struct span){out, (size_t)(at - out)};
}

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool types_from_base64(struct span text, struct arena *arena, struct span *bytes)
{
    assert(arena != NULL);
    assert(bytes != NULL);
    size_t len = text.len, padding = 0;
    while (padding < 2 && len > 0 && text.ptr[len - 1] == '=') {
        padding++;
        len--;
    }
    if (text.len % 4 != 0)
        return false;
    char *out = arena_alloc_bytes(arena, text.len / 4 * 3), *at = out;
    uint32_t word = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = i < len ? digit_of(text.ptr[i]) : 0;
        if (digit < 0)
            return false;
        word = word << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        *at++ = (char)(word >> 16);
        *at++ = (char)(word >> 8);
        *at++ = (char)word;
    }
    *bytes = (struct span){out, text.len / 4 * 3 - padding};
    return true;
}

void types_write_bytes(struct json_writer *writer, struct span bytes, struct arena *scratch)
{
    assert(writer != NULL && scratch != NULL);
    if (bytes.ptr == NULL || utf8_is_valid(bytes.ptr, bytes.ptr + bytes.len)) {
        json_write_string(writer, bytes);
        return;
    }
    json_write_begin_object(writer);
    json_write_member_string(writer, "base64", types_base64(bytes, BASE64_STANDARD, scratch));
    json_write_end_object(writer);
}

char *types_put_hex(char *out, const char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    assert(out != NULL);
    for (size_t i = 0; i < count; i++) {
        *out++ = digits[(unsigned char)bytes[i] >> 4];
        *out++ = digits[(unsigned char)bytes[i] & 15];
    }
    return out;
}

#define BAD 0x80
#define BAD6 BAD, BAD, BAD, BAD, BAD, BAD
#define BAD16 BAD6, BAD6, BAD, BAD, BAD, BAD
#define LETTERS BAD, 10, 11, 12, 13, 14, 15, BAD, BAD, BAD, BAD6

/* Value of a hexadecimal digit, or BAD where it is none, so that one test serves a whole run. */
static const unsigned char HEX_VALUE[256] = {
    BAD16, BAD16,   BAD16, 0,       1,     2,     3,     4,     5,     6,     7,     8,     9,
    BAD6,  LETTERS, BAD16, LETTERS, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16,
};

bool types_unhex(struct span text, struct arena *arena, struct span *bytes)
{
    assert(arena != NULL && bytes != NULL);
    const unsigned char *in = (const unsigned char *)text.ptr;
    size_t count = text.len / 2;
    char *out = arena_alloc_bytes(arena, count);
    unsigned seen = text.len % 2 == 0 ? 0 : BAD;
    for (size_t i = 0; i < count; i++) {
        unsigned high = HEX_VALUE[in[2 * i]], low = HEX_VALUE[in[2 * i + 1]];
        seen |= high | low;
        out[i] = (char)(unsigned char)((high << 4 | low) & 0xFF);
    }
    *bytes = (struct span){out, count};
    return (seen & BAD) == 0;
}
