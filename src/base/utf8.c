/* base/utf8: see utf8.h. It decodes nothing and replaces nothing: a caller asks how long a
 * sequence is, or cuts. */
#include "base/utf8.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

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
size_t utf8_length(const char *at, const char *end)
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

bool utf8_is_valid(const char *at, const char *end)
{
    assert(at <= end);
    while (at < end) {
        size_t length = (unsigned char)*at < 0x80 ? 1 : utf8_length(at, end);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* A first byte says how long its sequence is meant to be. */
static size_t meant_length(unsigned char first)
{
    if (first < 0xC2 || first > 0xF4)
        return 1;
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

bool utf8_cut_off(const char *at, const char *end)
{
    assert(at < end);
    size_t left = (size_t)(end - at);
    if (left >= meant_length((unsigned char)*at))
        return false;
    for (size_t i = 1; i < left; i++)
        if (!continues((unsigned char)at[i]))
            return false;
    return true;
}

void utf8_trim(char *text)
{
    char *end = text + strlen(text);
    for (char *at = end; at > text && end - at < 4;)
        if (!continues((unsigned char)*--at)) {
            if (utf8_cut_off(at, end))
                *at = '\0';
            return;
        }
}
