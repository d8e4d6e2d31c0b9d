/* relay/retry: the commands retry and drop, at their place in the log.
 *
 * Letters are read when an epoch opens (relay/replay.h), so the first that meets such a command
 * ends its epoch there and asks for them; the next one begins at that very transaction, with
 * everything before it committed, and carries it out: messages, marks and what is let go of are in
 * the batch at hand, and so in one Kafka transaction with the progress behind them. A letter that
 * fails again stays, and with it the later ones of its key where keys are held. */
#ifndef WALFERRY_RELAY_RETRY_H
#define WALFERRY_RELAY_RETRY_H

#include "relay/fill.h"
#include "relay/replay.h"

/* What the reader lends to it; the pointers outlive it. */
struct retry {
    struct filler *filler;
    struct quarantine *quarantine;
    struct replay *replay;
    struct letter_reader *letters;
    const char *letter_topic;
    uint64_t done_lsn; /* final LSN of the transaction of the last one; 0: none was */
};

struct retry_outcome {
    uint32_t sent; /* letters that are events again */
    uint32_t dropped;
    uint32_t left;   /* letters that stay */
    uint32_t lifted; /* keys that are let go of */
    bool more;       /* there are others: another command is wanted, with after = last */
    struct change_id last;
    char why[300]; /* the first that stays; "": none does */
};

enum retried {
    RETRY_FAILED = -1, /* *err: the epoch must end */
    RETRY_DONE,
    RETRY_REFUSED, /* outcome->why: nothing was done */
    RETRY_WAITS    /* letters are wanted that were not read: end the epoch, read them */
};

/* command: a message whose command is a retry or a drop. */
enum retried retry_carry_out(struct retry *retry, const struct change *command, struct batch *batch,
                             struct retry_outcome *outcome, struct error *err);

#endif
