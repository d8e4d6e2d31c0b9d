/* types_debezium_time: dates and times as Debezium writes them: counted from 1970, or in ISO 8601.
 * Without a zone they are read as UTC. Infinity has the numbers that Debezium's own arithmetic
 * gives it. */
#include "types/types_debezium_internal.h"

#include "types/types_time.h"

#include <assert.h>
#include <inttypes.h>

#define US_PER_DAY INT64_C(86400000000)
/* Room for a date, or for a time. */
#define PUT_MAX 32
#define SECONDS_PER_DAY INT64_C(86400)
#define MS_PER_DAY INT64_C(86400000)
/* 1677-09-22 to 2262-04-10: the days that 64 bits of nanoseconds hold whole. */
#define NANOS_FIRST_DAY (-106751)
#define NANOS_LAST_DAY 106750
/* What PostgreSQL's driver for Java has for infinity, in days and in microseconds. */
#define INFINITY_DAYS (-INT64_C(2147472692))
#define MINUS_INFINITY_DAYS (-INT64_C(2147472691))
#define INFINITY_US INT64_C(9223372036825200000)
#define MINUS_INFINITY_US (-INT64_C(9223372036832400000))

/* So many digits, zeros before them; a value of more is cut. Where they end. */
static char *put_digits(char *at, uint64_t value, int digits)
{
    for (int i = digits; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

/* A year of four digits has no sign; a later one has; before 1 AD it is negative, 0 is 1 BC. */
static int put_date(char out[PUT_MAX], int64_t day)
{
    int64_t year, month, day_of_month;
    civil_date(day, &year, &month, &day_of_month);
    char *at = out;
    int digits = 4;
    if (year > 9999 || year < 0)
        *at++ = year < 0 ? '-' : '+';
    uint64_t shown = (uint64_t)(year < 0 ? -year : year);
    for (uint64_t limit = 10000; limit <= shown && digits < 19; limit *= 10)
        digits++;
    at = put_digits(at, shown, digits);
    *at++ = '-';
    at = put_digits(at, (uint64_t)month, 2);
    *at++ = '-';
    return (int)(put_digits(at, (uint64_t)day_of_month, 2) - out);
}

#define FRACTION_SHORTEST 7

/* digits: of the fraction, 0 to 6, or FRACTION_SHORTEST. */
static int put_time(char out[PUT_MAX], int64_t us, uint32_t digits)
{
    uint64_t s = (uint64_t)us / 1000000;
    char *at = put_digits(out, s / 3600, 2);
    *at++ = ':';
    at = put_digits(at, s / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, s % 60, 2);
    *at++ = '.';
    (void)put_digits(at, (uint64_t)us % 1000000, 6);
    if (digits == FRACTION_SHORTEST)
        for (digits = 6; digits > 0 && out[8 + digits] == '0';)
            digits--;
    return digits == 0 ? 8 : (int)(9 + digits);
}

static void write_date_time(struct json_writer *w, int64_t day, int64_t us, uint32_t digits)
{
    char out[2 * PUT_MAX];
    int len = put_date(out, day);
    out[len++] = 'T';
    len += put_time(out + len, us, digits);
    out[len++] = 'Z';
    json_write_string(w, (struct span){out, (size_t)len});
}

static int infinity_of(struct span text)
{
    return span_equal_text(text, "infinity") ? 1 : span_equal_text(text, "-infinity") ? -1 : 0;
}

/* A java.util.Date as a header has it: what is before the second day of 1970 is taken for a time of
 * day, a midnight for a date. */
static void write_java_date(struct json_writer *w, int64_t ms)
{
    char out[2 * PUT_MAX];
    int64_t day = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0 ? 1 : 0), rest = ms - day * MS_PER_DAY;
    bool time_alone = ms < MS_PER_DAY;
    int len = time_alone ? 0 : put_date(out, day);
    int from = !time_alone && out[0] == '+' ? 1 : 0;
    if (time_alone || rest != 0) {
        if (!time_alone)
            out[len++] = 'T';
        len += put_time(out + len, rest * 1000, 3);
        out[len++] = 'Z';
    }
    json_write_raw(w, (struct span){out + from, (size_t)(len - from)});
}

int types_debezium_date(struct json_writer *w, struct span text, enum debezium_time mode,
                        struct error *err)
{
    assert(w != NULL && err != NULL);
    int64_t day;
    int infinity = infinity_of(text);
    if (infinity != 0)
        day = infinity > 0 ? INFINITY_DAYS : MINUS_INFINITY_DAYS;
    else if (!date_parse(text, &day))
        return types_bad_text(text, "a date", err);
    if (mode == DEBEZIUM_TIME_DATES) {
        write_java_date(w, day * MS_PER_DAY);
        return 0;
    }
    if (mode != DEBEZIUM_TIME_ISOSTRING) {
        json_write_i64(w, day);
        return 0;
    }
    char out[PUT_MAX];
    int len = put_date(out, day);
    out[len++] = 'Z';
    json_write_string(w, (struct span){out, (size_t)len});
    return 0;
}

/* What a µs value is under a mode; precision decides under the adaptive ones. */
static int64_t in_units(int64_t us, uint32_t precision, enum debezium_time mode)
{
    if (mode == DEBEZIUM_TIME_NANOSECONDS)
        return us * 1000;
    if (mode == DEBEZIUM_TIME_CONNECT || (mode != DEBEZIUM_TIME_MICROSECONDS && precision <= 3))
        return us >= 0 || us % 1000 == 0 ? us / 1000 : us / 1000 - 1;
    return us;
}

int types_debezium_time(struct json_writer *w, struct span text, uint32_t precision,
                        enum debezium_time mode, struct error *err)
{
    assert(w != NULL && precision <= 6);
    int64_t us, offset_s;
    if (!time_of_day_parse(text, &us, &offset_s))
        return types_bad_text(text, "a time", err);
    if (mode == DEBEZIUM_TIME_ADAPTIVE_TIME_MICROSECONDS)
        mode = DEBEZIUM_TIME_MICROSECONDS;
    if (mode == DEBEZIUM_TIME_DATES) {
        write_java_date(w, us / 1000);
        return 0;
    }
    if (mode != DEBEZIUM_TIME_ISOSTRING) {
        json_write_i64(w, in_units(us, precision, mode));
        return 0;
    }
    char out[PUT_MAX];
    int len = put_time(out, us % US_PER_DAY, FRACTION_SHORTEST);
    out[len++] = 'Z';
    json_write_string(w, (struct span){out, (size_t)len});
    return 0;
}

int types_debezium_timetz(struct json_writer *w, struct span text, struct error *err)
{
    assert(w != NULL && err != NULL);
    int64_t us, offset_s;
    if (!time_of_day_parse(text, &us, &offset_s))
        return types_bad_text(text, "a time", err);
    us = (us - offset_s * 1000000 + 2 * US_PER_DAY) % US_PER_DAY;
    char out[PUT_MAX];
    int len = put_time(out, us, FRACTION_SHORTEST);
    out[len++] = 'Z';
    json_write_string(w, (struct span){out, (size_t)len});
    return 0;
}

static void write_infinity(struct json_writer *w, bool positive, uint32_t precision,
                           enum debezium_time mode)
{
    int64_t us = positive ? INFINITY_US : MINUS_INFINITY_US;
    int64_t day = us / US_PER_DAY, rest = us % US_PER_DAY;
    if (mode == DEBEZIUM_TIME_ISOSTRING)
        write_date_time(w, rest < 0 ? day - 1 : day, rest < 0 ? rest + US_PER_DAY : rest,
                        FRACTION_SHORTEST);
    else if (mode == DEBEZIUM_TIME_NANOSECONDS)
        json_write_i64(w, positive ? INT64_MAX : INT64_MIN);
    else if (mode == DEBEZIUM_TIME_DATES)
        write_java_date(w, us / 1000);
    else
        json_write_i64(w, in_units(us, precision, mode));
}

/* The last 29 years of PostgreSQL's are beyond 64 bits of microseconds since 1970: Debezium takes
 * the greatest number for the seconds and adds the fraction, so it wraps round. */
static int64_t micros(const struct civil_time *civil)
{
    int64_t second = civil->day * SECONDS_PER_DAY + civil->us / 1000000;
    if (second <= INT64_MAX / 1000000)
        return second * 1000000 + civil->us % 1000000;
    return (int64_t)((uint64_t)INT64_MAX + (uint64_t)(civil->us % 1000000));
}

int types_debezium_timestamp(struct json_writer *w, struct span text, uint32_t precision,
                             enum debezium_time mode, struct error *err)
{
    assert(w != NULL && precision <= 6);
    struct civil_time civil;
    if (infinity_of(text) != 0) {
        write_infinity(w, infinity_of(text) > 0, precision, mode);
        return 0;
    }
    if (!civil_parse(text, &civil))
        return types_bad_text(text, "a timestamp", err);
    int64_t ms = civil.day * SECONDS_PER_DAY * 1000 + civil.us / 1000;
    if (mode == DEBEZIUM_TIME_ISOSTRING) {
        write_date_time(w, civil.day, civil.us, FRACTION_SHORTEST);
    } else if (mode == DEBEZIUM_TIME_NANOSECONDS &&
               (civil.day < NANOS_FIRST_DAY || civil.day > NANOS_LAST_DAY)) {
        json_write_null(w);
        return 1;
    } else if (mode == DEBEZIUM_TIME_NANOSECONDS) {
        json_write_i64(w, micros(&civil) * 1000);
    } else if (mode == DEBEZIUM_TIME_DATES) {
        write_java_date(w, ms);
    } else if (mode == DEBEZIUM_TIME_CONNECT ||
               (mode != DEBEZIUM_TIME_MICROSECONDS && precision <= 3)) {
        json_write_i64(w, ms);
    } else {
        json_write_i64(w, micros(&civil));
    }
    return 0;
}

int types_debezium_timestamptz(struct json_writer *w, struct span text, uint32_t precision,
                               struct error *err)
{
    assert(w != NULL && precision <= 6);
    struct civil_time civil;
    if (infinity_of(text) != 0) {
        json_write_string(w, text);
        return 0;
    }
    if (!civil_parse(text, &civil))
        return types_bad_text(text, "a timestamp", err);
    int64_t us = civil.us - civil.offset_s * 1000000;
    int64_t days = us < 0 ? -1 : us / US_PER_DAY;
    write_date_time(w, civil.day + days, us - days * US_PER_DAY, precision);
    return 0;
}
