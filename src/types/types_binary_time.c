/* types_binary_time: the binary forms of dates, times and intervals as the text that PostgreSQL
 * prints with ISO dates, UTC and IntervalStyle `postgres` (date_send, timetz_send, interval_send,
 * …; EncodeInterval in src/backend/utils/adt/datetime.c). */
#include "types/types_internal.h"

#include "types/types_time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define US_PER_SECOND INT64_C(1000000)
#define POSTGRES_EPOCH_DAY 10957 /* 2000-01-01 */

/* INT32_MAX and INT32_MIN stand for the infinities. */
struct span types_binary_date(int32_t since_2000, struct arena *arena)
{
    assert(arena != NULL);
    if (since_2000 == INT32_MAX || since_2000 == INT32_MIN)
        return since_2000 > 0 ? arena_copy(arena, SPAN_LITERAL("infinity"))
                              : arena_copy(arena, SPAN_LITERAL("-infinity"));
    int64_t year, month, day;
    civil_date((int64_t)since_2000 + POSTGRES_EPOCH_DAY, &year, &month, &day);
    bool before_christ = year <= 0;
    return span_of(arena_format(arena, "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "%s",
                                before_christ ? 1 - year : year, month, day,
                                before_christ ? " BC" : ""));
}

/* Without trailing zeros of the fraction. Returns the length. */
static int put_clock(char *out, size_t size, const char *sign, uint64_t us)
{
    uint64_t s = us / US_PER_SECOND;
    int len = snprintf(out, size, "%s%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64, sign,
                       s / 3600, s / 60 % 60, s % 60, us % US_PER_SECOND);
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
    return len;
}

struct span types_binary_time(int64_t us, struct arena *arena)
{
    assert(arena != NULL);
    char text[48];
    put_clock(text, sizeof text, "", (uint64_t)us);
    return arena_copy(arena, span_of(text));
}

/* west_s: seconds west of Greenwich, as PostgreSQL keeps a zone. */
struct span types_binary_timetz(int64_t us, int32_t west_s, struct arena *arena)
{
    assert(arena != NULL);
    char text[64];
    int len = put_clock(text, sizeof text, "", (uint64_t)us);
    int32_t s = west_s < 0 ? -west_s : west_s;
    len += snprintf(text + len, sizeof text - (size_t)len, "%c%02" PRId32, west_s <= 0 ? '+' : '-',
                    s / 3600);
    if (s % 3600 != 0)
        len += snprintf(text + len, sizeof text - (size_t)len, ":%02" PRId32, s / 60 % 60);
    if (s % 60 != 0)
        snprintf(text + len, sizeof text - (size_t)len, ":%02" PRId32, s % 60);
    return arena_copy(arena, span_of(text));
}

/* ---- Intervals ---- */

struct interval_text {
    char text[128];
    int len;
    bool minus; /* the part before was negative, so a positive one says so */
};

static void put_part(struct interval_text *t, int64_t value, const char *unit)
{
    if (value == 0)
        return;
    t->len += snprintf(t->text + t->len, sizeof t->text - (size_t)t->len, "%s%s%" PRId64 " %s%s",
                       t->len > 0 ? " " : "", t->minus && value > 0 ? "+" : "", value, unit,
                       value == 1 ? "" : "s");
    t->minus = value < 0;
}

struct span types_binary_interval(int64_t us, int32_t days, int32_t months, struct arena *arena)
{
    assert(arena != NULL);
    struct interval_text t = {.len = 0};
    put_part(&t, months / 12, "year");
    put_part(&t, months % 12, "mon");
    put_part(&t, days, "day");
    if (us != 0 || t.len == 0) {
        if (t.len > 0)
            t.text[t.len++] = ' ';
        const char *sign = us < 0 ? "-" : t.minus ? "+" : "";
        put_clock(t.text + t.len, sizeof t.text - (size_t)t.len, sign,
                  us < 0 ? -(uint64_t)us : (uint64_t)us);
    } else {
        t.text[t.len] = '\0';
    }
    return arena_copy(arena, span_of(t.text));
}
