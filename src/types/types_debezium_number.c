/* types_debezium_number: numbers as Java and Kafka Connect write them. PostgreSQL prints the fewest
 * digits that tell a float apart from its neighbours, and so does Java from 19 on, but for two
 * kinds of rare numbers; else only where the point and the exponent stand differs. (Older Javas
 * print digits that are not needed of one float in ten.) */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A float of PostgreSQL has at most 17; more is no float. */
#define FLOAT_DIGITS_MAX 32

/* 0.d1 d2 … × 10^exponent, d1 not 0; no digits: zero. */
struct decimal_float {
    bool minus;
    char digits[FLOAT_DIGITS_MAX];
    int count;
    int exponent;
};

static bool parse_exponent(struct span text, size_t at, int *exponent)
{
    bool minus = at < text.len && text.ptr[at] == '-';
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        at++;
    if (at == text.len || text.len - at > 4)
        return false;
    int value = 0;
    for (; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
        value = value * 10 + (text.ptr[at] - '0');
    }
    *exponent += minus ? -value : value;
    return true;
}

/* [-]digits[.digits][e[+-]digits] */
static bool parse_float(struct span text, struct decimal_float *f)
{
    *f = (struct decimal_float){.minus = text.len > 0 && text.ptr[0] == '-'};
    size_t at = f->minus ? 1 : 0;
    bool point = false, some = false;
    for (; at < text.len && text.ptr[at] != 'e'; at++) {
        char c = text.ptr[at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return false;
        some = true;
        if (f->count > 0 || c != '0') {
            if (f->count == FLOAT_DIGITS_MAX)
                return false;
            f->digits[f->count++] = c;
            f->exponent += point ? 0 : 1;
        } else if (point) {
            f->exponent--;
        }
    }
    if (at < text.len && !parse_exponent(text, at + 1, &f->exponent))
        return false;
    while (f->count > 0 && f->digits[f->count - 1] == '0')
        f->count--;
    return some;
}

/* Java has at least two digits and takes the two that are nearest. That is another number than the
 * single digit only among the smallest that there are, where one decade holds few. */
static void widen(struct decimal_float *f, bool is_float4)
{
    if (f->count != 1 || f->exponent > (is_float4 ? -42 : -320))
        return;
    char text[16];
    snprintf(text, sizeof text, "%ce%d", f->digits[0], f->exponent - 1);
    double value = is_float4 ? (double)strtof(text, NULL) : strtod(text, NULL);
    snprintf(text, sizeof text, "%.1e", value);
    f->digits[0] = text[0];
    f->digits[1] = text[2];
    f->count = text[2] == '0' ? 1 : 2;
    f->exponent = (int)strtol(text + 4, NULL, 10) + 1;
}

/* PostgreSQL does not trust a decimal that lies half-way to a neighbour to be read as the even one
 * of the two, Java does: so one digit less may do. */
static void narrow(struct decimal_float *f, bool is_float4)
{
    if (f->count < 6)
        return;
    char text[48];
    snprintf(text, sizeof text, "%c.%.*se%d", f->digits[0], f->count - 1, f->digits + 1,
             f->exponent - 1);
    double value = is_float4 ? (double)strtof(text, NULL) : strtod(text, NULL);
    snprintf(text, sizeof text, "%.*e", f->count - 2, value);
    double less = is_float4 ? (double)strtof(text, NULL) : strtod(text, NULL);
    struct decimal_float shorter;
    if (less == value && !isinf(value) && parse_float(span_of(text), &shorter)) {
        shorter.minus = f->minus;
        *f = shorter;
    }
}

/* Digits on both sides of the point; exponent -2 to 7. */
static size_t put_plain(char *out, const struct decimal_float *f)
{
    char *at = out;
    if (f->exponent <= 0)
        *at++ = '0';
    for (int i = 0; i < f->exponent; i++)
        *at++ = i < f->count ? f->digits[i] : '0';
    *at++ = '.';
    for (int i = f->exponent; i < 0; i++)
        *at++ = '0';
    for (int i = f->exponent > 0 ? f->exponent : 0; i < f->count; i++)
        *at++ = f->digits[i];
    if (f->count <= f->exponent || f->count == 0)
        *at++ = '0';
    return (size_t)(at - out);
}

static size_t put_scientific(char *out, size_t size, const struct decimal_float *f)
{
    return (size_t)snprintf(out, size, "%c.%.*sE%d", f->digits[0], f->count > 1 ? f->count - 1 : 1,
                            f->count > 1 ? f->digits + 1 : "0", f->exponent - 1);
}

int types_debezium_float(struct json_writer *w, struct span text, bool is_float4, struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    if (span_equal_text(text, "NaN") || span_equal_text(text, "Infinity") ||
        span_equal_text(text, "-Infinity")) {
        if (w->escapes == JSON_ESCAPES_HEADER)
            json_write_raw(w, text);
        else
            json_write_string(w, text);
        return 0;
    }
    struct decimal_float f;
    if (!parse_float(text, &f))
        return types_bad_text(text, "a number", err);
    widen(&f, is_float4);
    narrow(&f, is_float4);
    char out[64] = "-";
    size_t len = f.minus ? 1 : 0;
    if (f.count == 0 || (f.exponent >= -2 && f.exponent <= 7))
        len += put_plain(out + len, &f);
    else
        len += put_scientific(out + len, sizeof out - len, &f);
    json_write_raw(w, (struct span){out, len});
    return 0;
}
