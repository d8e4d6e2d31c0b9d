/* publish/kafka_txn: the transactions of a session, one after the other, each through the handle
 * whose turn it is. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_TXN_H
#define WALFERRY_PUBLISH_KAFKA_TXN_H

#include "publish/kafka_failure.h"
#include "publish/kafka_flight.h"
#include "publish/kafka_read.h"
#include "publish/kafka_session.h"

/* IDLE ─open→ OPEN ─record→ RECORDED ─flushed→ ENDING ─committed→ IDLE. Where events go out beside
 * the transaction OPEN means that they may; it begins with RECORDED. */
enum kafka_phase { KAFKA_IDLE, KAFKA_OPEN, KAFKA_RECORDED, KAFKA_ENDING };

#define KAFKA_TXN_RECORDS 3

struct kafka_txn {
    struct kafka_session *session;
    struct kafka_flight *flight; /* its events */
    struct kafka_failure *failure;
    char key[KAFKA_KEY_MAX]; /* of the progress record */
    uint32_t mark;           /* version of the records */
    struct buf note;         /* goes with the next record; empty: none */
    bool note_produced;      /* in this transaction */
    enum kafka_phase phase;
    bool in_transaction; /* begin_transaction was called and not yet ended */
    bool recovered;      /* I2 */
    bool claimed; /* the first commit on these handles is done: crash points count from then on */
    bool outcome_unknown;         /* I5 */
    uint32_t records_outstanding; /* of ours (progress, note), produced and not reported */
    int64_t begun_us;             /* monotonic: the transaction, or its first event */
    /* The newest records that are known to be committed, and have not been written by others since:
     * the last one first. */
    struct buf records[KAFKA_TXN_RECORDS];
    /* Offset up to which progress was read; -1: a commit behind it has proved that it was all. */
    int64_t read_end;
    int64_t first_offset; /* of what is ours in this transaction; negative: not told */
};

/* All three outlive it. */
void kafka_txn_init(struct kafka_txn *txn, struct kafka_session *session,
                    struct kafka_flight *flight, struct kafka_failure *failure);
void kafka_txn_fini(struct kafka_txn *txn);
/* Progress was read under the session's producer epoch, up to the offset `end`: `newest` is what is
 * committed. */
void kafka_txn_recovered(struct kafka_txn *txn, struct span newest, int64_t end);

/* IDLE to OPEN: from here on events may be produced. */
int kafka_txn_open(struct kafka_txn *txn, struct error *err);
/* Sends and serves until no event is outstanding; STEP_WAIT after a slice. */
enum step kafka_txn_drain(struct kafka_txn *txn, struct error *err);
/* Aborts what is open and begins another one in its place, for what is never to be committed. All
 * is reported. STEP_WAIT after a slice: call again. */
enum step kafka_txn_give_up(struct kafka_txn *txn, struct error *err);
/* Goes with the next record, under a key of its own. Copied. */
void kafka_txn_note(struct kafka_txn *txn, struct span note);
/* From OPEN or later; STEP_WAIT: call again with the same record. */
enum step kafka_txn_commit(struct kafka_txn *txn, struct span record, struct error *err);
/* Within abort_ms (0: not at all), and only where it is certain that it has not ended. */
void kafka_txn_abort(struct kafka_txn *txn, int abort_ms);

/* The progress record's report names the transaction, those of events their messages. */
bool kafka_txn_is_record(const struct kafka_txn *txn, const rd_kafka_message_t *report);
void kafka_txn_record_reported(struct kafka_txn *txn, int64_t offset);

#endif
