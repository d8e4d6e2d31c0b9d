/* json/json_utf8: see json_utf8.h. */
#include "json/json_utf8.h"

#include <assert.h>
#include <stdbool.h>

static bool continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/*  first byte    second byte   length     (RFC 3629, section 4)
 *  00..7F                      1
 *  C2..DF        80..BF        2
 *  E0            A0..BF        3
 *  ED            80..9F        3
 *  E1..EF        80..BF        3
 *  F0            90..BF        4
 *  F1..F3        80..BF        4
 *  F4            80..8F        4 */
size_t json_utf8_length(const char *at, const char *end)
{
    assert(at < end);
    const unsigned char *c = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    if (c[0] < 0x80)
        return 1;
    if (c[0] < 0xC2 || c[0] > 0xF4 || left < 2 || !continues(c[1]))
        return 0;
    if (c[0] < 0xE0)
        return 2;
    if (left < 3 || !continues(c[2]))
        return 0;
    if (c[0] < 0xF0)
        return (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ? 0 : 3;
    if (left < 4 || !continues(c[3]))
        return 0;
    return (c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F) ? 0 : 4;
}

size_t json_utf8_encode(uint32_t code, char *out)
{
    assert(code <= 0x10FFFF);
    assert(code < 0xD800 || code > 0xDFFF);
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}
