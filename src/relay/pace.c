/* relay/pace: see pace.h.
 *
 * What is on its way is measured in rounds: a round begins with a message and is over when all that
 * was handed over up to then is acknowledged. Rounds shall last an eighth of the time-out at most,
 * so that nothing waits for long inside librdkafka, where a record is given up after three quarters
 * of it, and so that a transaction which is cut at half of the time-out is committed well before
 * its end. */
#include "relay/pace.h"

#include <assert.h>

/* A window begins with this part of the memory. */
#define START_DIVISOR 16
#define WINDOW_MIN_BYTES 1024
/* After trouble: this part of what was on its way at most. */
#define FAILED_DIVISOR 4
/* The longest useful round, and the one from which the window shrinks, as parts of the time-out. */
#define ROUND_DIVISOR 16
#define ROUND_LONG_DIVISOR 8
/* Some brokers let a burst pass before they throttle, so a window that was full for so long, and no
 * shorter, is doubled; while there was trouble of late, after a whole time-out. */
#define GROW_DIVISOR 8
/* Twice the window is worth it where it makes a quarter more a second. */
#define FASTER_DIVIDEND 4
#define FASTER_DIVISOR 5
/* A transaction's time is halved so often at most, and doubled after so many commits. */
#define TROUBLE_MAX 4
#define COMMITS_OF_TRUST 8

static uint64_t at_least_min(uint64_t bytes)
{
    return bytes > WINDOW_MIN_BYTES ? bytes : WINDOW_MIN_BYTES;
}

void pace_begin(struct pace *pace, uint64_t memory_limit, int64_t timeout_us, int64_t now_us)
{
    assert(memory_limit > 0 && timeout_us > 0);
    uint64_t window = pace->window_bytes;
    if (window == 0)
        window = memory_limit / START_DIVISOR;
    if (window > memory_limit)
        window = memory_limit;
    *pace = (struct pace){.window_bytes = at_least_min(window),
                          .window_max_bytes = at_least_min(memory_limit),
                          .timeout_us = timeout_us,
                          .trouble = pace->trouble,
                          .commits = pace->commits,
                          .grown_us = now_us};
}

bool pace_takes(struct pace *pace, uint64_t in_flight, uint64_t bytes)
{
    if (in_flight == 0 || in_flight + bytes <= pace->window_bytes)
        return true;
    pace->round_full = true;
    return false;
}

void pace_handed(struct pace *pace, uint64_t in_flight, uint64_t bytes, int64_t now_us)
{
    pace->handed_bytes += bytes;
    if (in_flight > pace->in_flight_peak)
        pace->in_flight_peak = in_flight;
    if (pace->round_end != 0)
        return;
    pace->round_end = pace->handed_bytes;
    pace->round_acked = pace->handed_bytes - in_flight;
    pace->round_full = false;
    pace->round_us = now_us;
}

static void set_window(struct pace *pace, uint64_t bytes, int64_t now_us)
{
    pace->window_bytes =
        bytes < pace->window_max_bytes ? at_least_min(bytes) : pace->window_max_bytes;
    pace->grown_us = now_us;
    pace->before = pace->speed;
    pace->speed = (struct pace_speed){0};
}

/* A round that lasts is not waited for: what it holds would be handed over anew meanwhile. */
static void shrink(struct pace *pace, int64_t now_us)
{
    double wanted_us = (double)(pace->timeout_us / ROUND_DIVISOR);
    double took_us = (double)(now_us - pace->round_us);
    set_window(pace, (uint64_t)((double)pace->window_bytes * wanted_us / took_us), now_us);
    pace->before = (struct pace_speed){0};
    pace->round_us = now_us;
    if (pace->trouble == 0)
        pace->trouble = 1;
    pace->commits = 0;
}

static bool is_faster(struct pace_speed now, struct pace_speed before)
{
    return before.us == 0 || (double)now.bytes * (double)before.us * FASTER_DIVIDEND >
                                 (double)before.bytes * (double)now.us * FASTER_DIVISOR;
}

/* A window that is no faster than half of it only fills a queue. */
static void grow(struct pace *pace, int64_t now_us)
{
    int64_t after_us = pace->trouble > 0 ? pace->timeout_us : pace->timeout_us / GROW_DIVISOR;
    bool tried = pace->tried_us != 0 && now_us - pace->tried_us < pace->timeout_us;
    if (now_us - pace->grown_us < after_us || pace->speed.us == 0)
        return;
    if (!is_faster(pace->speed, pace->before)) {
        pace->tried_us = now_us;
        set_window(pace, pace->window_bytes / 2, now_us);
        pace->before = (struct pace_speed){0};
    } else if (!tried && pace->window_bytes < pace->window_max_bytes) {
        set_window(pace, pace->window_bytes * 2, now_us);
    }
}

static void end_round(struct pace *pace, uint64_t acked, int64_t now_us)
{
    int64_t took_us = now_us - pace->round_us;
    pace->round_end = 0;
    if (pace->round_full) {
        pace->speed.bytes += acked - pace->round_acked;
        pace->speed.us += took_us;
    }
    if (took_us > pace->timeout_us / ROUND_LONG_DIVISOR)
        shrink(pace, now_us);
    else if (took_us > pace->timeout_us / ROUND_DIVISOR)
        pace->grown_us = now_us;
    else if (pace->round_full)
        grow(pace, now_us);
}

void pace_acknowledged(struct pace *pace, uint64_t in_flight, int64_t now_us)
{
    assert(in_flight <= pace->handed_bytes);
    uint64_t acked = pace->handed_bytes - in_flight;
    if (pace->round_end == 0)
        return;
    if (acked >= pace->round_end)
        end_round(pace, acked, now_us);
    else if (now_us - pace->round_us > pace->timeout_us / ROUND_LONG_DIVISOR)
        shrink(pace, now_us);
}

void pace_committed(struct pace *pace)
{
    if (pace->trouble == 0 || ++pace->commits < COMMITS_OF_TRUST)
        return;
    pace->trouble--;
    pace->commits = 0;
}

/* Where less at a time may help. A producer whose transaction the broker has ended for its age is
 * told that it is fenced. */
static bool is_of_size_or_time(enum reason reason)
{
    return reason == REASON_DELIVERY_TIMEOUT || reason == REASON_DELIVERY_FAILED ||
           reason == REASON_TRANSACTION_TIMEOUT || reason == REASON_TRANSACTION_ABORTED ||
           reason == REASON_COMMIT_OUTCOME_UNKNOWN || reason == REASON_PRODUCER_FATAL ||
           reason == REASON_FENCED || reason == REASON_BROKER_TIMEOUT;
}

void pace_failed(struct pace *pace, enum reason reason)
{
    if (!is_of_size_or_time(reason) || pace->window_bytes == 0)
        return; /* 0: it never began */
    uint64_t bytes = pace->window_bytes;
    if (pace->in_flight_peak > 0 && pace->in_flight_peak < bytes)
        bytes = pace->in_flight_peak;
    pace->window_bytes = at_least_min(bytes / FAILED_DIVISOR);
    pace->trouble += pace->trouble < TROUBLE_MAX ? 1 : 0;
    pace->commits = 0;
}

int64_t pace_split_us(const struct pace *pace, int64_t split_us)
{
    return split_us >> pace->trouble;
}
