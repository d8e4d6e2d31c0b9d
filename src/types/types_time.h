/* types/types_time: PostgreSQL's timestamps, as text and as microseconds. Internal to the module.
 *
 * The calendar is the proleptic Gregorian one without leap seconds, as PostgreSQL has it; the year
 * before 1 AD is 1 BC. */
#ifndef WALFERRY_TYPES_TYPES_TIME_H
#define WALFERRY_TYPES_TYPES_TIME_H

#include "base/span.h"
#include "base/time.h"

#include <stdint.h>

/* "294276-12-31 23:59:59.999999+00 BC" and room to spare. */
#define TIMESTAMP_TEXT_MAX 48

/* "2024-02-29 13:14:15.000016+05:30", with T for the blank, Z for the offset, a fraction of one to
 * nine digits (cut to microseconds), offsets to the second, " BC" behind it. Without offset: UTC.
 * False where it is anything else: infinity, a year above 294246. */
bool timestamp_parse(struct span text, int64_t *unix_us);
/* Of microseconds since 2000, because those since 1970 do not hold PostgreSQL's last 29 years. In
 * UTC; with "+00" where offset is asked for. Returns the length. */
size_t timestamp_format(int64_t postgres_us, bool offset, char text[TIMESTAMP_TEXT_MAX]);

/* A date and a time of day as they are written, and how far the zone is east of UTC. */
struct civil_time {
    int64_t day; /* since 1970-01-01 */
    int64_t us;  /* of the day: to 86400000000, which is 24:00 */
    int64_t offset_s;
};

/* "2024-02-29", also of six or seven digits of year, " BC" behind it; without bounds of its own. */
bool date_parse(struct span text, int64_t *day);
/* "13:14:15.000016+05:30"; the offset may be missing. "24:00:00" is one. */
bool time_of_day_parse(struct span text, int64_t *us, int64_t *offset_s);
/* As timestamp_parse, but what is written is not brought to UTC, so every year of PostgreSQL's is
 * read. */
bool civil_parse(struct span text, struct civil_time *civil);
/* Year as astronomers count: 0 is 1 BC. */
void civil_date(int64_t day, int64_t *year, int64_t *month, int64_t *day_of_month);

#endif
