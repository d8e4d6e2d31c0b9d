/* route/route_jq_number: see route_jq_number.h. A number is compared as its significant digits and
 * the place of its point, so that nothing is rounded on the way. */
#include "route/route_jq_number.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than a double ever needs; a number with more significant digits is not held. */
#define DIGITS_MAX 17
#define EXPONENT_MAX 9999

/* 0.DIGITS times ten to the power of point; no digits: zero. */
struct decimal {
    bool negative;
    bool too_long; /* more digits than DIGITS_MAX: the rest is not kept */
    uint32_t count;
    char digits[DIGITS_MAX + 1];
    int64_t point;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void add_digit(struct decimal *d, char c, uint32_t *zeros)
{
    if (c == '0') {
        *zeros += d->count > 0; /* they count only where a digit follows */
        return;
    }
    for (; *zeros > 0 && d->count < DIGITS_MAX; --*zeros)
        d->digits[d->count++] = '0';
    if (d->count == DIGITS_MAX || *zeros > 0)
        d->too_long = true;
    else
        d->digits[d->count++] = c;
    *zeros = 0;
}

static int64_t exponent_of(struct span text, size_t at)
{
    bool negative = at < text.len && text.ptr[at] == '-';
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        at++;
    int64_t value = 0;
    for (; at < text.len; at++)
        if (value <= EXPONENT_MAX)
            value = value * 10 + (text.ptr[at] - '0');
    return negative ? -value : value;
}

static struct decimal read_decimal(struct span text)
{
    struct decimal d = {.negative = text.len > 0 && text.ptr[0] == '-'};
    uint32_t zeros = 0;
    bool behind_point = false;
    size_t at = d.negative ? 1 : 0;
    for (; at < text.len && (is_digit(text.ptr[at]) || text.ptr[at] == '.'); at++) {
        if (text.ptr[at] == '.') {
            behind_point = true;
            continue;
        }
        add_digit(&d, text.ptr[at], &zeros);
        bool significant = d.count > 0;
        if (!behind_point && significant)
            d.point++;
        else if (behind_point && !significant)
            d.point--;
    }
    if (at < text.len)
        d.point += exponent_of(text, at + 1);
    if (d.count == 0)
        d.point = 0;
    return d;
}

/* The fewest digits that lead back to the value: 15 always do where so few were written. */
static struct decimal shortest(double value)
{
    char text[JQ_NUMBER_TEXT_MAX];
    for (int digits = 15;; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (digits == DIGITS_MAX || strtod(text, NULL) == value)
            return read_decimal(span_of(text));
    }
}

static bool is_equal(const struct decimal *a, const struct decimal *b)
{
    return !a->too_long && a->count == b->count && memcmp(a->digits, b->digits, a->count) == 0 &&
           a->point == b->point;
}

/* Most numbers by far. 15 digits are below 2 to the power of 53. */
static bool read_integer(struct span text, double *value)
{
    size_t first = text.ptr[0] == '-' ? 1 : 0;
    int64_t sum = 0;
    if (text.len - first > 15 || text.len == first)
        return false;
    for (size_t i = first; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        sum = sum * 10 + (text.ptr[i] - '0');
    }
    if (first == 1 && sum == 0)
        return false; /* -0 is a double of its own */
    *value = first == 1 ? -(double)sum : (double)sum;
    return true;
}

bool jq_number_read(struct span text, double *value)
{
    assert(text.len > 0 && value != NULL);
    char copy[400];
    if (read_integer(text, value))
        return true;
    struct decimal wanted = read_decimal(text);
    if (wanted.too_long || wanted.point > 310 || wanted.point < -330)
        return false;
    if (text.len < sizeof copy) {
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
    } else { /* zeros, most of it */
        snprintf(copy, sizeof copy, "%s0.%.*se%lld", wanted.negative ? "-" : "", (int)wanted.count,
                 wanted.digits, (long long)wanted.point);
    }
    *value = strtod(copy, NULL);
    if (!isfinite(*value))
        return false;
    if (wanted.count <= 15 && wanted.point < 300 && wanted.point > -300)
        return true;
    struct decimal held = shortest(*value);
    return is_equal(&wanted, &held);
}

static size_t put(char *text, size_t at, const char *bytes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        text[at++] = bytes == NULL ? '0' : bytes[i];
    return at;
}

/* Digits, with zeros and a point where they belong. */
static size_t write_plain(const struct decimal *d, char *text)
{
    int64_t count = d->count;
    int64_t before = d->point < 0 ? 0 : d->point < count ? d->point : count;
    size_t at = put(text, 0, "-", d->negative ? 1 : 0);
    at = before == 0 ? put(text, at, NULL, 1) : put(text, at, d->digits, before);
    at = put(text, at, NULL, d->point - before); /* none where the point is inside */
    if (before == count)
        return at;
    at = put(text, at, ".", 1);
    at = put(text, at, NULL, -d->point);
    return put(text, at, d->digits + before, count - before);
}

static size_t write_integer(uint32_t value, char *text)
{
    char digits[10];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    memcpy(text, digits + at, sizeof digits - at);
    text[sizeof digits - at] = '\0';
    return sizeof digits - at;
}

size_t jq_number_write(double value, char text[JQ_NUMBER_TEXT_MAX])
{
    assert(isfinite(value));
    if (fabs(value) < 1e9 && value == (double)(int32_t)value && !signbit(value))
        return write_integer((uint32_t)value, text);
    struct decimal d = shortest(value);
    if (d.count == 0)
        return (size_t)snprintf(text, JQ_NUMBER_TEXT_MAX, "-0");
    if (d.point > -6 && d.point <= 21)
        return write_plain(&d, text);
    return (size_t)snprintf(text, JQ_NUMBER_TEXT_MAX, "%s%c%s%.*se%lld", d.negative ? "-" : "",
                            d.digits[0], d.count > 1 ? "." : "", (int)d.count - 1, d.digits + 1,
                            (long long)d.point - 1);
}
