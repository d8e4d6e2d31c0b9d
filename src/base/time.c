/* base/time: the one place where RFC 3339 is written and read. Dates are the C library's, which
 * does not say of a date that it does not exist: time_parse prints what it has read and compares.
 */
#include "base/time.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

const char *time_format(int64_t us, int digits, char text[TIME_TEXT_MAX])
{
    assert(us >= 0 && us <= TIME_MAX_US);
    assert(digits == 3 || digits == 6);
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    int fraction = (int)(us % US_PER_S);
    size_t len = strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, TIME_TEXT_MAX - len, ".%0*dZ", digits,
             digits == 6 ? fraction : fraction / 1000);
    return text;
}

static bool take_digits(const char *at, size_t count, int *value)
{
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *value = *value * 10 + (at[i] - '0');
    }
    return true;
}

bool time_parse(struct span text, int64_t *us)
{
    static const char shape[] = "0000-00-00T00:00:00.000000Z";
    assert(us != NULL);
    if (text.len != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (shape[i] != '0' && text.ptr[i] != shape[i])
            return false;
    struct tm utc = {0};
    int fraction;
    if (!take_digits(text.ptr, 4, &utc.tm_year) || !take_digits(text.ptr + 5, 2, &utc.tm_mon) ||
        !take_digits(text.ptr + 8, 2, &utc.tm_mday) ||
        !take_digits(text.ptr + 11, 2, &utc.tm_hour) ||
        !take_digits(text.ptr + 14, 2, &utc.tm_min) ||
        !take_digits(text.ptr + 17, 2, &utc.tm_sec) || !take_digits(text.ptr + 20, 6, &fraction) ||
        utc.tm_year < 1970)
        return false;
    utc.tm_year -= 1900;
    utc.tm_mon -= 1;
    int64_t read = (int64_t)timegm(&utc) * US_PER_S + fraction;
    char again[TIME_TEXT_MAX];
    if (read < 0 || read > TIME_MAX_US || !span_equal_text(text, time_format(read, 6, again)))
        return false;
    *us = read;
    return true;
}
