/* relay/pace: how much may be on its way to the broker, and for how long a Kafka transaction stays
 * open.
 *
 * It learns from what was acknowledged and never from what was handed over. Its state is the
 * relay's and outlives epochs: where one ended for a reason of size or time, the next begins
 * smaller, and grows again while all goes well. Pure: times and bytes in, answers out. */
#ifndef WALFERRY_RELAY_PACE_H
#define WALFERRY_RELAY_PACE_H

#include "base/reason.h"

#include <stdbool.h>
#include <stdint.h>

/* Begins as zeros. */
struct pace {
    uint64_t window_bytes;     /* may be unacknowledged; one message may always be */
    uint64_t window_max_bytes; /* delivery.memory_limit */
    int64_t timeout_us;        /* delivery.transaction_timeout_ms */
    uint32_t trouble;          /* halvings of a transaction's time */
    uint32_t commits;          /* since `trouble` changed */

    uint64_t handed_bytes;   /* in this epoch */
    uint64_t in_flight_peak; /* in this epoch, bytes */
    uint64_t round_end;      /* the round is over once so many of them are acknowledged; 0: none */
    int64_t round_us;        /* when it began */
    uint64_t round_acked;    /* bytes acknowledged when it began */
    bool round_full;         /* something had to wait for the window in it */
    int64_t grown_us;        /* when the window changed */
    struct pace_speed {      /* in full rounds */
        uint64_t bytes;
        int64_t us;
    } speed, before;  /* with this window, and with the one of half its size; us 0: unknown */
    int64_t tried_us; /* when a larger window was no faster; 0: never */
};

/* An epoch begins, perhaps under another configuration. */
void pace_begin(struct pace *pace, uint64_t memory_limit, int64_t timeout_us, int64_t now_us);
/* May `bytes` be handed over while in_flight bytes are unacknowledged? */
bool pace_takes(struct pace *pace, uint64_t in_flight, uint64_t bytes);
/* They were; in_flight counts them. */
void pace_handed(struct pace *pace, uint64_t in_flight, uint64_t bytes, int64_t now_us);
/* So much is unacknowledged now. */
void pace_acknowledged(struct pace *pace, uint64_t in_flight, int64_t now_us);
void pace_committed(struct pace *pace);
/* The epoch ended with this reason. */
void pace_failed(struct pace *pace, enum reason reason);
/* The age at which a Kafka transaction is committed with what it has; split_us: without trouble. */
int64_t pace_split_us(const struct pace *pace, int64_t split_us);

#endif
