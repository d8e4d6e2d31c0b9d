/* relay/retention_rule: which transactions are published by what Kafka has committed, so that
 * retention.c may delete their rows? Pure but for its buffers.
 *
 * Polling says it itself: those that the snapshot `prev` of the committed record sees. Of a stream
 * a pair (S, L) is taken: S a snapshot, and L the place to which WAL was written, read behind it.
 *   - Whoever S sees had written its commit by then (PostgreSQL takes a transaction out of the
 *     running ones behind that), so its commit lies before L.
 *   - Once committed progress is at L or beyond, all before L is published or passed over. So is
 *     all that S sees, and S takes the place of the snapshot before it.
 *   - L must have been flushed before a crash of the server: what a crash took back, another
 *     transaction of the same id may write anew.
 * One pair at a time waits: taken anew at each look it would never be passed. Rows of a transaction
 * that is open, however long, are in no snapshot; those around it are.
 *
 * A relay that another one has succeeded, and does not know it yet, deletes only what its own
 * committed progress has passed: the successor began there or beyond. Nothing that is known
 * outlives its epoch, for the next one may begin at an earlier place (rebase). */
#ifndef WALFERRY_RELAY_RETENTION_RULE_H
#define WALFERRY_RELAY_RETENTION_RULE_H

#include "base/buf.h"
#include "config/config.h"
#include "model/position.h"
#include "source/source.h"

#include <pthread.h>

/* What the epoch that runs has committed. */
struct retention_basis {
    bool open;
    uint64_t epoch; /* counts them, from 1 */
    const struct config_relay *config;
    uint64_t system_identifier; /* of the server that it reads */
    uint32_t timeline;
    struct position committed;
    bool polls;
    struct buf snapshot; /* polls: prev of the committed record; empty: not known */
};

/* Part of the relay; the basis is under its mutex. */
struct retention {
    pthread_t thread;
    struct retention_basis basis;
};

struct retention_rule {
    uint64_t epoch;           /* that all below is of */
    struct buf seen;          /* what this snapshot sees is published; empty: nothing is known */
    bool taken;               /* the next one is, */
    bool durable;             /* and no crash can take back what it sees */
    struct poll_guard target; /* when that was; without its snapshot, which is: */
    struct buf next;
};

/* now: what the server has answered since *basis was copied. */
void retention_look(struct retention_rule *rule, const struct retention_basis *basis,
                    const struct poll_guard *now);
void retention_rule_fini(struct retention_rule *rule);
/* Is it the server that the epoch reads? */
bool retention_is_there(const struct retention_basis *basis, const struct poll_guard *now);

#endif
