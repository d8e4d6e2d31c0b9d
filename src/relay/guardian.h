/* relay/guardian: is what the server keeps for the relay about to be lost, and when? Does the relay
 * get on? A verdict over looks at the origin; it asks nobody and knows no clock. */
#ifndef WALFERRY_RELAY_GUARDIAN_H
#define WALFERRY_RELAY_GUARDIAN_H

#include "model/status.h"

#define GUARDIAN_LOOKS 16

struct guardian_look {
    int64_t at_us; /* monotonic */
    bool present;
    bool lost;
    bool due;                /* it is lost at the server's next checkpoint */
    int64_t room_bytes;      /* what can be written until it is lost; -1: no limit is known */
    uint64_t retained_bytes; /* what is kept */
    uint64_t lag_bytes;      /* the part of it that has not been confirmed */
    uint64_t current_lsn;    /* the end of what was written */
    struct position committed;
};

struct guardian_options {
    int64_t stands_us;     /* a position that has not moved for so long stands, */
    uint64_t stands_bytes; /* where that much was written meanwhile */
};

struct guardian_verdict {
    enum wal_risk risk;
    int64_t
        seconds_left; /* until it is lost, if all goes on like this; -1: it does not come nearer */
    bool stands;
    int64_t stands_s; /* where it does: for how long */
    uint64_t stands_bytes;
};

struct guardian {
    struct guardian_look looks[GUARDIAN_LOOKS]; /* the newest ones, in turn */
    uint32_t count;                             /* all there were */
    struct guardian_look moved; /* the first look that saw the position that holds now */
    struct guardian_verdict verdict;
    int64_t safer_us; /* since when the risk has been lower than the verdict's; 0: it is not */
};

/* Nothing is known of the time before: at first, and after looks that failed. But a position that
 * stood then, and is the same, stands. */
void guardian_forget(struct guardian *guardian);
/* The verdict lives in the guardian until the next look. A higher risk is told at once, a lower one
 * once it has been lower for ten seconds. */
const struct guardian_verdict *guardian_judge(struct guardian *guardian,
                                              const struct guardian_look *look,
                                              const struct guardian_options *options);

#endif
