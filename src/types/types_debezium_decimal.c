/* types_debezium_decimal: decimals as Kafka Connect writes them: the bytes of the unscaled number
 * in base64, a double, or text. The digits are PostgreSQL's and become binary here, so that nothing
 * is rounded whatever the precision; only the mode `double` rounds, as it says. */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Nine decimal digits become a part of a number of 32-bit limbs at once. */
#define CHUNK_DIGITS 9

/* digits × 10^-scale; no digits: 0. */
struct decimal {
    bool minus;
    struct span digits;
    int32_t scale;
};

/* numeric's modifier is ((precision << 16) | scale) + 4, the scale of 11 bits with a sign
 * (PostgreSQL, src/backend/utils/adt/numeric.c). */
#define NUMERIC_MODIFIER_MIN 4

int32_t types_debezium_scale(int32_t modifier)
{
    assert(modifier >= -1);
    if (modifier < NUMERIC_MODIFIER_MIN)
        return 0;
    return (((modifier - NUMERIC_MODIFIER_MIN) & 0x7FF) ^ 1024) - 1024;
}

struct span types_debezium_zero(int32_t scale, struct arena *arena)
{
    assert(arena != NULL);
    size_t behind = scale > 0 ? (size_t)scale : 0;
    char *text = arena_alloc_bytes(arena, behind + 2);
    memset(text, '0', behind + 2);
    text[1] = '.';
    return (struct span){text, behind > 0 ? behind + 2 : 1};
}

static bool decimal_parse(struct span text, struct arena *arena, struct decimal *decimal)
{
    bool minus = text.len > 0 && text.ptr[0] == '-';
    size_t from = minus ? 1 : 0;
    char *digits = arena_alloc_bytes(arena, text.len);
    size_t count = 0, point = SIZE_MAX;
    for (size_t i = from; i < text.len; i++) {
        if (text.ptr[i] == '.' && point == SIZE_MAX) {
            point = count;
            continue;
        }
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        digits[count++] = text.ptr[i];
    }
    if (count == 0)
        return false;
    *decimal = (struct decimal){
        .minus = minus,
        .digits = {digits, count},
        .scale = point == SIZE_MAX ? 0 : (int32_t)(count - point),
    };
    return true;
}

static void decimal_strip(struct decimal *decimal)
{
    while (decimal->scale > 0 && decimal->digits.ptr[decimal->digits.len - 1] == '0') {
        decimal->digits.len--;
        decimal->scale--;
        if (decimal->digits.len == 0) {
            *decimal = (struct decimal){.digits = SPAN_LITERAL("0")};
            return;
        }
    }
}

/* Adds one to the magnitude, whose digits are in memory that is the decimal's alone. */
static struct span one_more(struct span digits, struct arena *arena)
{
    char *more = arena_alloc_bytes(arena, digits.len + 1);
    more[0] = '0';
    memcpy(more + 1, digits.ptr, digits.len);
    size_t at = digits.len;
    while (more[at] == '9')
        more[at--] = '0';
    more[at]++;
    return (struct span){more, digits.len + 1};
}

static void decimal_rescale(struct decimal *decimal, int32_t scale, struct arena *arena)
{
    size_t len = decimal->digits.len;
    if (scale >= decimal->scale) {
        size_t more = (size_t)(scale - decimal->scale);
        char *digits = arena_alloc_bytes(arena, len + more);
        memcpy(digits, decimal->digits.ptr, len);
        memset(digits + len, '0', more);
        decimal->digits = (struct span){digits, len + more};
    } else {
        size_t less = (size_t)(decimal->scale - scale);
        bool up = less <= len && decimal->digits.ptr[len - less] >= '5';
        decimal->digits.len = less < len ? len - less : 0;
        if (up)
            decimal->digits = one_more(decimal->digits, arena);
    }
    decimal->scale = scale;
}

/* ---- Two's complement ---- */

/* Little-endian limbs of the magnitude; returns how many are in use. */
static size_t magnitude(struct span digits, uint32_t *limbs)
{
    size_t used = 0;
    for (size_t at = 0; at < digits.len;) {
        size_t rest = (digits.len - at) % CHUNK_DIGITS;
        size_t take = rest != 0 ? rest : CHUNK_DIGITS;
        uint64_t carry = 0, power = 1;
        for (size_t i = 0; i < take; i++, power *= 10)
            carry = carry * 10 + (uint64_t)(digits.ptr[at + i] - '0');
        for (size_t i = 0; i < used; i++) {
            carry += limbs[i] * power;
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry != 0)
            limbs[used++] = (uint32_t)carry;
        at += take;
    }
    return used;
}

static struct span decimal_bytes(const struct decimal *decimal, struct arena *arena)
{
    size_t size = decimal->digits.len / CHUNK_DIGITS + 2;
    uint32_t *limbs = arena_alloc(arena, size * sizeof *limbs);
    size_t used = magnitude(decimal->digits, limbs);
    size_t len = used * 4 + 1;
    char *bytes = arena_alloc_bytes(arena, len);
    bytes[0] = 0;
    for (size_t i = 0; i < used * 4; i++)
        bytes[len - 1 - i] = (char)(unsigned char)(limbs[i / 4] >> (i % 4 * 8));
    unsigned carry = 1;
    for (size_t i = len; decimal->minus && i-- > 0;) {
        carry += (unsigned char)~(unsigned char)bytes[i];
        bytes[i] = (char)(unsigned char)carry;
        carry >>= 8;
    }
    /* As few bytes as keep the sign: a byte that only repeats the sign of the next one is none. */
    size_t skip = 0;
    while (skip + 1 < len &&
           (unsigned char)bytes[skip] == (((unsigned char)bytes[skip + 1] & 0x80) != 0 ? 0xFF : 0))
        skip++;
    return (struct span){bytes + skip, len - skip};
}

/* ---- Modes ---- */

/* No form in two's complement: null under `precise`, as Debezium warns and writes. */
static int write_not_finite(struct json_writer *w, struct span text, enum debezium_decimal mode)
{
    bool nan = span_equal_text(text, "NaN");
    if (mode == DEBEZIUM_DECIMAL_PRECISE || mode == DEBEZIUM_DECIMAL_NUMBER) {
        json_write_null(w);
        return 1;
    }
    if (mode == DEBEZIUM_DECIMAL_DOUBLE)
        json_write_string(w, text);
    else if (nan)
        json_write_text(w, "NAN");
    else
        json_write_text(w, text.ptr[0] == '-' ? "NEGATIVE_INFINITY" : "POSITIVE_INFINITY");
    return 0;
}

static void shortest_text(double value, char *text, size_t size)
{
    for (int digits = 0; digits < 17; digits++) {
        snprintf(text, size, "%.*e", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

/* The nearest double; one beyond all doubles is infinite. */
static int write_double(struct json_writer *w, struct span text, struct arena *arena,
                        struct error *err)
{
    char *end = NULL;
    const char *terminated = arena_text(arena, text);
    double value = strtod(terminated, &end);
    if (end != terminated + text.len)
        return types_bad_text(text, "a number", err);
    if (isinf(value)) {
        json_write_text(w, value < 0 ? "-Infinity" : "Infinity");
        return 0;
    }
    char shortest[40];
    shortest_text(value, shortest, sizeof shortest);
    return types_debezium_float(w, span_of(shortest), false, err);
}

static void write_bytes(struct json_writer *w, const struct decimal *decimal, struct arena *arena)
{
    json_write_string(w, types_base64(decimal_bytes(decimal, arena), BASE64_STANDARD, arena));
}

/* Digits without zeros in front, at least one. */
static struct span significant(struct span digits)
{
    while (digits.len > 1 && digits.ptr[0] == '0') {
        digits.ptr++;
        digits.len--;
    }
    return digits;
}

/* As Java's BigDecimal prints it: with an exponent where the scale is negative, or the first digit
 * stands more than six places behind the point. */
static void write_number(struct json_writer *w, const struct decimal *decimal, struct arena *arena)
{
    struct span digits = significant(decimal->digits);
    struct buf out = BUF_EMPTY;
    int64_t scale = decimal->scale, exponent = (int64_t)digits.len - 1 - scale;
    bool zero = span_equal_text(digits, "0");
    buf_add_text(&out, decimal->minus && !zero ? "-" : "");
    if (scale < 0 || exponent < -6) {
        buf_add_char(&out, digits.ptr[0]);
        if (digits.len > 1)
            buf_add_format(&out, ".%.*s", (int)digits.len - 1, digits.ptr + 1);
        if (exponent != 0)
            buf_add_format(&out, "E%+" PRId64, exponent);
    } else if (exponent < 0) {
        buf_add_format(&out, "0.%.*d%.*s", (int)(-exponent - 1), 0, SPAN_ARG(digits));
    } else {
        size_t before = digits.len - (size_t)scale;
        buf_add(&out, (struct span){digits.ptr, before});
        if (scale > 0)
            buf_add_format(&out, ".%.*s", (int)scale, digits.ptr + before);
    }
    json_write_raw(w, arena_copy(arena, buf_span(&out)));
    buf_fini(&out);
}

static void write_variable(struct json_writer *w, const struct decimal *decimal,
                           struct arena *arena)
{
    json_write_begin_object(w);
    json_write_member_i64(w, "scale", decimal->scale);
    json_write_name(w, "value");
    write_bytes(w, decimal, arena);
    json_write_end_object(w);
}

static void write_scaled(struct json_writer *w, const struct decimal *decimal,
                         enum debezium_decimal mode, struct arena *arena)
{
    if (mode == DEBEZIUM_DECIMAL_NUMBER)
        write_number(w, decimal, arena);
    else
        write_bytes(w, decimal, arena);
}

int types_debezium_numeric(struct json_writer *w, struct span text, int32_t modifier,
                           enum debezium_decimal mode, struct arena *arena, struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    if (span_equal_text(text, "NaN") || span_equal_text(text, "Infinity") ||
        span_equal_text(text, "-Infinity"))
        return write_not_finite(w, text, mode);
    if (mode == DEBEZIUM_DECIMAL_DOUBLE)
        return write_double(w, text, arena, err);
    struct decimal decimal;
    if (!decimal_parse(text, arena, &decimal))
        return types_bad_text(text, "a number", err);
    if (mode == DEBEZIUM_DECIMAL_STRING) {
        json_write_string(w, text);
    } else if (modifier < NUMERIC_MODIFIER_MIN) {
        decimal_strip(&decimal);
        write_variable(w, &decimal, arena);
    } else {
        decimal_rescale(&decimal, types_debezium_scale(modifier), arena);
        write_scaled(w, &decimal, mode, arena);
    }
    return 0;
}

/* "$1,234.11", "-$0.50" (lc_monetary C): everything but digits and the point is ornament. */
static bool money_text(struct span text, struct arena *arena, struct span *plain)
{
    char *out = arena_alloc_bytes(arena, text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c >= '0' && c <= '9') || c == '.' || (c == '-' && i == 0))
            out[len++] = c;
        else if (c != '$' && c != ',')
            return false;
    }
    *plain = (struct span){out, len};
    return true;
}

int types_debezium_money(struct json_writer *w, struct span text, uint32_t fraction_digits,
                         enum debezium_decimal mode, struct arena *arena, struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    struct span plain;
    struct decimal decimal;
    if (!money_text(text, arena, &plain) || !decimal_parse(plain, arena, &decimal))
        return types_bad_text(text, "an amount of money", err);
    if (mode == DEBEZIUM_DECIMAL_DOUBLE)
        return write_double(w, plain, arena, err);
    if (mode == DEBEZIUM_DECIMAL_STRING) {
        json_write_string(w, plain);
        return 0;
    }
    decimal_rescale(&decimal, (int32_t)fraction_digits, arena);
    write_scaled(w, &decimal, mode, arena);
    return 0;
}
