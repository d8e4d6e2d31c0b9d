/* types_debezium_interval: intervals as Debezium writes them. The text is that of IntervalStyle
 * `postgres`: "1 year 2 mons -3 days +04:05:06.78". Debezium adds the parts up as doubles, months
 * at 30.4375 days, and cuts to microseconds; so does this, in the same order, for the same bytes.
 */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAYS_PER_MONTH (365.25 / 12.0)

struct interval {
    int64_t years, months, days, hours, minutes;
    int64_t us; /* of the seconds */
};

struct cursor {
    const char *at;
    const char *end;
};

static bool take_sign(struct cursor *c)
{
    bool minus = c->at < c->end && *c->at == '-';
    if (c->at < c->end && (*c->at == '-' || *c->at == '+'))
        c->at++;
    return minus;
}

/* 1 to 18 digits. */
static bool take_digits(struct cursor *c, int64_t *value)
{
    const char *first = c->at;
    *value = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - first < 18)
        *value = *value * 10 + (*c->at++ - '0');
    return c->at > first;
}

static bool take_word(struct cursor *c, struct span *word)
{
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    *word = (struct span){c->at, 0};
    while (c->at < c->end && *c->at >= 'a' && *c->at <= 'z') {
        c->at++;
        word->len++;
    }
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    return word->len > 0;
}

/* ":05:06.78" behind the hours. */
static bool take_clock(struct cursor *c, bool minus, struct interval *i)
{
    int64_t seconds, fraction = 0;
    if (*c->at++ != ':' || !take_digits(c, &i->minutes) || c->at == c->end || *c->at++ != ':' ||
        !take_digits(c, &seconds))
        return false;
    if (c->at < c->end && *c->at == '.') {
        const char *first = ++c->at;
        if (!take_digits(c, &fraction) || c->at - first > 6)
            return false;
        for (long digits = c->at - first; digits < 6; digits++)
            fraction *= 10;
    }
    i->us = seconds * 1000000 + fraction;
    if (minus) {
        i->hours = -i->hours;
        i->minutes = -i->minutes;
        i->us = -i->us;
    }
    return c->at == c->end;
}

static bool parse(struct span text, struct interval *i)
{
    *i = (struct interval){0};
    struct cursor c = {text.ptr, text.ptr + text.len};
    while (c.at < c.end) {
        struct span unit;
        int64_t value;
        bool minus = take_sign(&c);
        if (!take_digits(&c, &value))
            return false;
        if (c.at < c.end && *c.at == ':') {
            i->hours = value;
            return take_clock(&c, minus, i);
        }
        if (!take_word(&c, &unit))
            return false;
        value = minus ? -value : value;
        if (span_starts_with(unit, SPAN_LITERAL("year")))
            i->years = value;
        else if (span_starts_with(unit, SPAN_LITERAL("mon")))
            i->months = value;
        else if (span_starts_with(unit, SPAN_LITERAL("day")))
            i->days = value;
        else
            return false;
    }
    return text.len > 0;
}

static double seconds_of(const struct interval *i)
{
    int64_t whole = i->us / 1000000;
    return (double)whole + (double)(i->us % 1000000) / 1e6;
}

/* As Java casts. */
static int64_t to_i64(double value)
{
    if (value >= 9223372036854775808.0)
        return INT64_MAX;
    return value < -9223372036854775808.0 ? INT64_MIN : (int64_t)value;
}

static int64_t micros(const struct interval *i)
{
    double days = (double)(i->years * 12 + i->months) * DAYS_PER_MONTH + (double)i->days;
    double minutes = (days * 24.0 + (double)i->hours) * 60.0 + (double)i->minutes;
    double seconds = minutes * 60.0 + seconds_of(i);
    return to_i64(seconds * 1e6);
}

/* Debezium prints the double, cut to nanoseconds: where it lies below the decimal, one less. */
static int put_seconds(char *out, size_t size, const struct interval *i)
{
    int64_t us = i->us < 0 ? -i->us : i->us;
    int len = snprintf(out, size, "%s%" PRId64 ".%06" PRId64, i->us < 0 ? "-" : "", us / 1000000,
                       us % 1000000);
    double exact = strtod(out, NULL), summed = seconds_of(i);
    if (i->us < 0 ? summed > exact : summed < exact)
        len = snprintf(out, size, "%s%" PRId64 ".%09" PRId64, i->us < 0 ? "-" : "", us / 1000000,
                       us % 1000000 * 1000 - 1);
    while (out[len - 1] == '0')
        len--;
    return out[len - 1] == '.' ? len - 1 : len;
}

/* All parts, zeros too; of the seconds no trailing zeros. */
static void write_iso(struct json_writer *w, const struct interval *i)
{
    char text[160];
    int len = snprintf(text, sizeof text,
                       "P%" PRId64 "Y%" PRId64 "M%" PRId64 "DT%" PRId64 "H%" PRId64 "M", i->years,
                       i->months, i->days, i->hours, i->minutes);
    len += put_seconds(text + len, sizeof text - (size_t)len - 1, i);
    text[len++] = 'S';
    json_write_string(w, (struct span){text, (size_t)len});
}

int types_debezium_interval(struct json_writer *w, struct span text, enum debezium_interval mode,
                            struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    struct interval interval;
    if (!parse(text, &interval))
        return types_bad_text(text, "an interval", err);
    if (mode == DEBEZIUM_INTERVAL_STRING)
        write_iso(w, &interval);
    else
        json_write_i64(w, micros(&interval));
    return 0;
}
