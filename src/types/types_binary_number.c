/* types_binary_number: the binary forms of numbers as the text that PostgreSQL prints
 * (numeric_send, float8send, cash_send, …; src/backend/utils/adt). Floats have the fewest digits
 * that tell them apart, as extra_float_digits = 3 gives them. */
#include "types/types_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- numeric ---- */

enum {
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xC000,
    NUMERIC_INFINITY = 0xD000,
    NUMERIC_MINUS_INFINITY = 0xF000,
    NUMERIC_GROUPS_MAX = 32768 + 4096
};

static int u16_at(struct span bytes, size_t at)
{
    return (unsigned char)bytes.ptr[at] << 8 | (unsigned char)bytes.ptr[at + 1];
}

/* The group of four digits of that weight; beyond what was sent it is 0. */
static int group_at(struct span bytes, int count, int first_weight, int weight)
{
    int index = first_weight - weight;
    return index < 0 || index >= count ? 0 : u16_at(bytes, 8 + 2 * (size_t)index);
}

static char *put_group(char *out, int group)
{
    for (int power = 1000; power > 0; power /= 10)
        *out++ = (char)('0' + group / power % 10);
    return out;
}

/* Groups of base 10000 from 10^(4 × weight) down; dscale digits are printed behind the point. */
static struct span numeric_digits(struct span bytes, struct arena *arena)
{
    int count = u16_at(bytes, 0), weight = (int16_t)u16_at(bytes, 2), scale = u16_at(bytes, 6);
    int first = weight > 0 ? weight : 0;
    char *text = arena_alloc_bytes(arena, 4 * (size_t)first + 4 + (size_t)scale + 8);
    char *at = text, *begin;
    if (u16_at(bytes, 4) == NUMERIC_NEGATIVE)
        *at++ = '-';
    begin = at;
    for (int w = first; w >= 0; w--)
        at = put_group(at, group_at(bytes, count, weight, w));
    size_t zeros = 0;
    while (begin + zeros + 1 < at && begin[zeros] == '0')
        zeros++;
    memmove(begin, begin + zeros, (size_t)(at - begin) - zeros);
    at -= zeros;
    if (scale > 0) {
        *at++ = '.';
        char *fraction = at;
        for (int w = -1; fraction + scale > at; w--)
            at = put_group(at, group_at(bytes, count, weight, w));
        at = fraction + scale;
    }
    return (struct span){text, (size_t)(at - text)};
}

int types_binary_numeric(struct span bytes, struct arena *arena, struct span *text,
                         struct error *err)
{
    assert(arena != NULL && text != NULL);
    if (bytes.len < 8 || bytes.len != 8 + 2 * (size_t)u16_at(bytes, 0))
        return error_data(err, REASON_BAD_VALUE, "a binary numeric of %zu bytes", bytes.len);
    for (size_t i = 8; i < bytes.len; i += 2)
        if (u16_at(bytes, i) > 9999)
            return error_data(err, REASON_BAD_VALUE, "a binary numeric with a group beyond 9999");
    switch (u16_at(bytes, 4)) {
    case NUMERIC_NAN:
        *text = arena_copy(arena, SPAN_LITERAL("NaN"));
        return 0;
    case NUMERIC_INFINITY:
        *text = arena_copy(arena, SPAN_LITERAL("Infinity"));
        return 0;
    case NUMERIC_MINUS_INFINITY:
        *text = arena_copy(arena, SPAN_LITERAL("-Infinity"));
        return 0;
    default:
        *text = numeric_digits(bytes, arena);
        return 0;
    }
}

/* ---- Floats ---- */

/* Is that the decimal "d.ddde±dd", digit for digit? What lies half-way between two floats has more
 * digits than a long double tells of a decimal that is only near it. */
static bool is_exactly(long double value, const char *text)
{
    char digits[96];
    snprintf(digits, sizeof digits, "%.64Le", value);
    const char *text_e = strchr(text, 'e'), *digits_e = strchr(digits, 'e');
    size_t len = text_e != NULL ? (size_t)(text_e - text) : 0;
    if (len == 0 || digits_e == NULL || memcmp(text, digits, len) != 0 ||
        strtol(text_e + 1, NULL, 10) != strtol(digits_e + 1, NULL, 10))
        return false;
    for (const char *c = digits + len; c < digits_e; c++)
        if (*c != '0' && *c != '.')
            return false;
    return true;
}

/* Is the decimal half-way to a neighbour? PostgreSQL does not trust it to be read back. */
static bool on_the_edge(const char *text, double value, bool is_float4)
{
    double away = value < 0 ? -INFINITY : INFINITY;
    double beyond =
        is_float4 ? (double)nextafterf((float)value, (float)away) : nextafter(value, away);
    double before = is_float4 ? (double)nextafterf((float)value, 0) : nextafter(value, 0);
    return is_exactly(((long double)value + (long double)beyond) / 2, text) ||
           is_exactly(((long double)value + (long double)before) / 2, text);
}

/* "d.ddde±dd" of as few digits as give the value back. */
static int shortest(double value, bool is_float4, char *text, size_t size)
{
    int most = is_float4 ? 9 : 17;
    for (int digits = 0; digits < most; digits++) {
        int len = snprintf(text, size, "%.*e", digits, value);
        double back = is_float4 ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (back == value && (back == 0 || !on_the_edge(text, value, is_float4)))
            return len;
    }
    return 0;
}

/* An exponent below -4, or of all the digits that a type is sure to hold, is printed as such. */
struct span types_binary_float(double value, bool is_float4, struct arena *arena)
{
    assert(arena != NULL);
    if (isnan(value))
        return arena_copy(arena, SPAN_LITERAL("NaN"));
    if (isinf(value))
        return value < 0 ? arena_copy(arena, SPAN_LITERAL("-Infinity"))
                         : arena_copy(arena, SPAN_LITERAL("Infinity"));
    char text[48];
    shortest(value, is_float4, text, sizeof text);
    const char *e = strchr(text, 'e');
    int exponent = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < (is_float4 ? 6 : 15)) {
        int digits = (int)(e - text) - (value < 0 || signbit(value) ? 1 : 0);
        int behind = (digits > 1 ? digits - 2 : 0) - exponent;
        snprintf(text, sizeof text, "%.*f", behind > 0 ? behind : 0, value);
    }
    return arena_copy(arena, span_of(text));
}

/* ---- money ---- */

/* "-$1,234.11", as lc_monetary C has it. */
struct span types_binary_money(int64_t cents, struct arena *arena)
{
    assert(arena != NULL);
    uint64_t rest = cents < 0 ? -(uint64_t)cents : (uint64_t)cents;
    char text[48];
    size_t at = sizeof text;
    for (int digit = 0; digit < 3 || rest > 0; digit++) {
        if (digit == 2)
            text[--at] = '.';
        else if (digit > 2 && (digit - 2) % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    }
    text[--at] = '$';
    if (cents < 0)
        text[--at] = '-';
    return arena_copy(arena, (struct span){text + at, sizeof text - at});
}
