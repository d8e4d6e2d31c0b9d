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

#endif
