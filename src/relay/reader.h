/* relay/reader: source → messages in a batch → the writer.
 *
 * reader_step() takes what the source has, fills batches and sends them to the writer; it takes
 * returned batches back and tells the source what may be confirmed (I1). It never sleeps, and asks
 * for the time only where its options say whom. What becomes of a change is fill's, when a batch is
 * sealed is seal's business.
 */
#ifndef WALFERRY_RELAY_READER_H
#define WALFERRY_RELAY_READER_H

#include "recover/recover.h"
#include "relay/circuit.h"
#include "relay/command.h"
#include "relay/fill.h"
#include "relay/seal.h"
#include "relay/wait.h"
#include "source/source.h"

struct reader_options {
    struct source *source;
    struct circuit *circuit;
    struct filler_options fill;
    struct seal_limits seal;   /* but for what a batch holds: that is the circuit's */
    const char *relay;         /* its name: whose guards it stops at */
    struct outcomes *outcomes; /* of commands, outlives the reader; NULL: nobody reads them */
    struct retry retry;        /* but for the filler; no letter_topic: there are no letters */
    uint64_t guard_lsn;        /* guards of transactions up to it are decided about */
    struct change_id
        cut_behind;        /* a part ends with it, and is committed by itself; NONE: nothing */
    struct position start; /* recorded progress */
    int64_t stall_us; /* nothing for so long inside a transaction of which a part is with the writer
                         closes the epoch; and so does a change that is held for so long */
    bool patient;     /* silence does not; the writer commits what it has */
    /* The server hears nothing within a step. Where a change may take long, what says the time
     * (monotonic), so that a step takes no other one once it has lasted a while; NULL: it ends by
     * the number of its changes alone. */
    int64_t (*clock_us)(void);
    int64_t now_us;
};

enum reader_stop {
    READER_RUN,
    READER_STOP,      /* commit what ends on a COMMIT, drop the rest */
    READER_STOP_WHOLE /* the same, but a transaction that has begun to go out is ended first */
};

/* TAKING ⇄ STARVED, HOLDING, GUARDED; from all → DRAINING. */
enum reader_phase {
    READER_TAKING,  /* a batch is at hand and takes changes */
    READER_HOLDING, /* a change is kept, for which an encoder is not ready */
    READER_STARVED, /* every batch is with the writer: back-pressure */
    READER_GUARDED, /* a guard was met; somebody looks what is published now */
    READER_DRAINING /* nothing follows; the writer's end is waited for */
};

/* A guard that the reader has stopped at. */
struct reader_guard {
    uint32_t xid;
    struct change_id id;
    int64_t since_us; /* monotonic */
    struct fingerprint_suspects suspects;
};

struct reader {
    struct reader_options o;
    enum reader_phase phase;
    enum reader_stop stop;
    struct filler filler;
    struct commander commander;
    struct retry retry;
    struct seal_state state;
    struct batch *batch; /* being filled; NULL: none */
    struct batch *free[CIRCUIT_BATCHES];
    uint32_t free_count;

    struct change change; /* taken from the source last */
    uint64_t final_lsn;   /* of the transaction at hand */
    uint32_t xid;
    struct position cursor;     /* of the last change that is done */
    size_t txn_bytes;           /* of the messages of the transaction at hand */
    struct position boundary;   /* of the last COMMIT in `batch`; lsn 0: none */
    uint32_t boundary_count;    /* messages of `batch` up to there */
    struct buf boundary_resume; /* the source's own part of progress there */
    struct buf mark_resume;     /* at state.mark */
    uint64_t mark_over_xid;
    struct buf committed_resume; /* of state.committed, once there was one */
    struct position sealed;      /* end of the batch that was sent last */
    bool part_out;               /* the last batch that was sent ends in mid-transaction */
    int64_t last_change_us;
    struct reader_guard guard; /* GUARDED: that it stopped at */
    uint32_t passed_xid;       /* whose guards are passed; 0: nobody's */
    bool source_ended;         /* it gives nothing more, and is not asked any more */
    struct error lost;         /* of the source, found in the middle of a step; kind NONE: none */
    struct error failure;      /* returned once what precedes it is committed; kind NONE: none */
};

void reader_init(struct reader *reader, const struct reader_options *options);
void reader_fini(struct reader *reader);

/* 0: call again as *wait says. 1: finished in order (all that was sealed is committed or dropped).
 * -1: the epoch must be closed; the writer's error arrives here, too. */
int reader_step(struct reader *reader, int64_t now_us, struct wait *wait, struct error *err);
/* In the middle of a step that waits for somebody: keeps the source alive. What is wrong with it is
 * told by the next step. */
void reader_meanwhile(struct reader *reader, int64_t now_us);
/* GUARDED: what is published is what was; on behind the guard. all: the same is known of whatever
 * else its transaction tells. */
void reader_pass_guard(struct reader *reader, bool all);
/* Ends the epoch with that error, once what precedes the change at hand is committed. */
void reader_end_with(struct reader *reader, const struct error *failure);
/* Asks for an end; takes effect at the next step. A stronger wish wins (STOP over STOP_WHOLE). */
void reader_stop(struct reader *reader, enum reader_stop stop);
/* The newest committed progress that has been seen, which is what the source was told. */
static inline struct position reader_committed(const struct reader *reader)
{
    return reader->state.committed;
}

#endif
