/* types/types_time: see types_time.h. It knows no zone: text comes with its offset, as the
 * session has it, and goes out in UTC. */
#include "types/types_time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
/* The first of the year 294247, which 64 bits of microseconds since 1970 do not hold whole. */
#define DAY_END INT64_C(106751982)

/* Days since 1970-01-01 of a date with astronomical year (0 is 1 BC). Years begin in March here, so
 * that the leap day is the last of its year. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void civil_date(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    assert(year != NULL && month != NULL && day != NULL);
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

struct cursor {
    const char *at;
    const char *end;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* A number of `least` to `most` digits (most at most 9). */
static bool take_number(struct cursor *c, int least, int most, int64_t *value)
{
    int digits = 0;
    *value = 0;
    while (digits < most && c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        *value = *value * 10 + (*c->at++ - '0');
        digits++;
    }
    return digits >= least;
}

static bool take_date(struct cursor *c, int64_t *year, int64_t *month, int64_t *day)
{
    return take_number(c, 4, 7, year) && take(c, '-') && take_number(c, 2, 2, month) &&
           take(c, '-') && take_number(c, 2, 2, day) && *month >= 1 && *month <= 12 && *day >= 1;
}

static bool take_time(struct cursor *c, int64_t *us)
{
    int64_t hour, minute, second, fraction = 0;
    if (!take_number(c, 2, 2, &hour) || !take(c, ':') || !take_number(c, 2, 2, &minute) ||
        !take(c, ':') || !take_number(c, 2, 2, &second))
        return false;
    if (hour > 24 || minute > 59 || second > 59)
        return false;
    if (take(c, '.')) {
        const char *first = c->at;
        if (!take_number(c, 1, 9, &fraction))
            return false;
        for (long digits = c->at - first; digits < 9; digits++)
            fraction *= 10;
    }
    *us = ((hour * 60 + minute) * 60 + second) * US_PER_SECOND + fraction / 1000;
    return true;
}

/* Z, or a sign and hh, hh:mm or hh:mm:ss; nothing is UTC. */
static bool take_offset(struct cursor *c, int64_t *seconds)
{
    *seconds = 0;
    if (c->at == c->end || *c->at == ' ' || take(c, 'Z'))
        return true;
    bool east = take(c, '+');
    if (!east && !take(c, '-'))
        return false;
    int64_t hour, minute = 0, second = 0;
    if (!take_number(c, 2, 2, &hour) || hour > 15)
        return false;
    if (take(c, ':') && (!take_number(c, 2, 2, &minute) || minute > 59))
        return false;
    if (take(c, ':') && (!take_number(c, 2, 2, &second) || second > 59))
        return false;
    *seconds = (hour * 60 + minute) * 60 + second;
    if (!east)
        *seconds = -*seconds;
    return true;
}

/* The era behind a date, and nothing after it. */
static bool take_era(struct cursor *c, int64_t *year)
{
    if (c->end - c->at == 3 && memcmp(c->at, " BC", 3) == 0) {
        *year = 1 - *year;
        c->at += 3;
    }
    return c->at == c->end && *year >= -4713;
}

bool date_parse(struct span text, int64_t *day)
{
    assert(day != NULL);
    struct cursor c = {text.ptr, text.ptr + text.len};
    int64_t year, month, day_of_month;
    if (!take_date(&c, &year, &month, &day_of_month) || !take_era(&c, &year) ||
        day_of_month > days_of_month(year, month))
        return false;
    *day = days_from_date(year, month, day_of_month);
    return true;
}

bool time_of_day_parse(struct span text, int64_t *us, int64_t *offset_s)
{
    assert(us != NULL && offset_s != NULL);
    struct cursor c = {text.ptr, text.ptr + text.len};
    return take_time(&c, us) && *us <= SECONDS_PER_DAY * US_PER_SECOND &&
           take_offset(&c, offset_s) && c.at == c.end;
}

bool civil_parse(struct span text, struct civil_time *civil)
{
    assert(civil != NULL);
    assert(text.ptr != NULL);
    struct cursor c = {text.ptr, text.ptr + text.len};
    int64_t year, month, day;
    if (!take_date(&c, &year, &month, &day) || !(take(&c, ' ') || take(&c, 'T')) ||
        !take_time(&c, &civil->us) || civil->us >= SECONDS_PER_DAY * US_PER_SECOND ||
        !take_offset(&c, &civil->offset_s))
        return false;
    if (!take_era(&c, &year) || day > days_of_month(year, month))
        return false;
    civil->day = days_from_date(year, month, day);
    return true;
}

bool timestamp_parse(struct span text, int64_t *unix_us)
{
    assert(unix_us != NULL);
    assert(text.ptr != NULL);
    struct civil_time civil;
    if (!civil_parse(text, &civil) || civil.day >= DAY_END)
        return false;
    *unix_us = (civil.day * SECONDS_PER_DAY - civil.offset_s) * US_PER_SECOND + civil.us;
    return true;
}

size_t timestamp_format(int64_t postgres_us, bool offset, char text[TIMESTAMP_TEXT_MAX])
{
    const int64_t us_per_day = SECONDS_PER_DAY * US_PER_SECOND;
    int64_t days = postgres_us / us_per_day + POSTGRES_EPOCH_US / us_per_day;
    int64_t us = postgres_us % us_per_day;
    if (us < 0) {
        us += us_per_day;
        days--;
    }
    int64_t year, month, day;
    civil_date(days, &year, &month, &day);
    bool before_christ = year <= 0;
    int64_t seconds = us / US_PER_SECOND;
    int length =
        snprintf(text, TIMESTAMP_TEXT_MAX,
                 "%04" PRId64 "-%02" PRId64 "-%02" PRId64 " %02" PRId64 ":%02" PRId64 ":%02" PRId64,
                 before_christ ? 1 - year : year, month, day, seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
    assert(length > 0 && length < TIMESTAMP_TEXT_MAX - 16);
    size_t len = (size_t)length;
    int64_t fraction = us % US_PER_SECOND;
    if (fraction != 0) {
        len += (size_t)snprintf(text + len, TIMESTAMP_TEXT_MAX - len, ".%06" PRId64, fraction);
        while (text[len - 1] == '0')
            len--;
    }
    const char *end = offset ? (before_christ ? "+00 BC" : "+00") : (before_christ ? " BC" : "");
    snprintf(text + len, TIMESTAMP_TEXT_MAX - len, "%s", end);
    return len + strlen(end);
}
