/* base/time: instants as numbers and as text. Reads no clock (base/clock does) and knows no time
 * zone but UTC; PostgreSQL's own text forms are types/'s.
 *
 * An instant is microseconds since 1970-01-01 UTC, the Unix epoch. */
#ifndef WALFERRY_BASE_TIME_H
#define WALFERRY_BASE_TIME_H

#include "base/span.h"

#include <stdint.h>

/* 2000-01-01 00:00 UTC, from which PostgreSQL counts microseconds (PostgreSQL 15 documentation,
 * 8.5 and 55.4), as an instant. */
#define POSTGRES_EPOCH_US INT64_C(946684800000000)
/* 9999-12-31T23:59:59.999999Z: the end of what RFC 3339 can say. */
#define TIME_MAX_US INT64_C(253402300799999999)

/* "2024-05-01T12:00:00.000000Z" and its NUL. */
#define TIME_TEXT_MAX 28

/* RFC 3339, UTC, with a fraction of 3 or 6 digits, cut and not rounded. us: 0 to TIME_MAX_US.
 * Returns text. */
const char *time_format(int64_t us, int digits, char text[TIME_TEXT_MAX]);
/* Accepts what time_format prints with 6 digits, and nothing else. */
bool time_parse(struct span text, int64_t *us);

#endif
