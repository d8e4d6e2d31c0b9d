/* relay/reader: source → route → encode → seal.
 *
 * reader_step() takes what the source has, fills batches and sends them to the writer; it takes
 * batches home and tells the source what may be confirmed. It never sleeps and never asks for the
 * time. A batch is sealed at a PostgreSQL COMMIT as soon as the input is empty and no commit is in
 * flight; under backlog past the soft limits; in the middle of a transaction only when it is full.
 */
#ifndef WALFERRY_RELAY_READER_H
#define WALFERRY_RELAY_READER_H

#include "encode/encode.h"
#include "progress/progress.h"
#include "relay/circuit.h"
#include "relay/wait.h"
#include "route/route.h"
#include "source/source.h"

#define VERDICTS_MAX 256

struct reader_options {
    struct source *source;
    struct router *router;
    struct encoder *encoder;
    struct encoder_options encoding;
    const struct config_routes *routes;
    struct circuit *circuit;
    struct metrics *metrics; /* may be NULL */
    const struct log *log;
    struct position start; /* recorded progress */
    uint64_t system_identifier;
    int64_t commit_interval_us;
    uint64_t idle_bytes;
    int64_t idle_interval_us;
    int64_t stall_us; /* no change for so long inside a transaction closes the epoch */
    const struct skip *skips;
    uint32_t skip_count;
    const struct change_id *verdicts; /* of records that the broker refused alone */
    uint32_t verdict_count;
    uint64_t until_lsn; /* stop once progress has reached it; 0: never */
    /* Up to this LSN each record is produced alone and waited for, which takes its time: batches
     * are small until progress is behind it, so that no Kafka transaction outlives its time-out. 0:
     * none */
    uint64_t suspect_lsn;
    int64_t now_us;
};

enum reader_stop {
    READER_RUN,
    READER_STOP,      /* commit what ends on a COMMIT, drop the rest */
    READER_STOP_WHOLE /* the same, but a transaction that has begun to go out is ended first */
};

struct reader {
    struct reader_options o;
    struct arena scratch;
    struct batch *batch; /* being filled; NULL: none */
    struct batch *free[CIRCUIT_BATCHES];
    uint32_t free_count;
    uint32_t commits_in_flight; /* sealed batches with ends_txn that are not home */

    bool in_txn;
    bool open_parts;    /* parts of the transaction at hand are with the writer or committed */
    uint64_t final_lsn; /* of the transaction at hand */
    uint32_t xid;
    struct position cursor;   /* of the last change taken */
    uint32_t boundary_count;  /* messages of `batch` up to its last COMMIT */
    struct position boundary; /* and its position; lsn 0: none in this batch */
    int64_t last_change_us;
    bool behind; /* the last transaction was sent long after it was committed */

    struct position committed; /* newest committed progress */
    int64_t progress_us;       /* when it moved */
    struct position mark;      /* nothing before it is to come */
    bool mark_urgent;

    enum reader_stop stop;
    uint32_t events_max; /* of the circuit, once no record is under suspicion */
    bool draining;       /* `full` is finished; waiting for the writer's end */
    bool warned_message;
    bool warned_unrouted;
    struct error failure; /* returned once what precedes it is committed; kind NONE: none */
};

void reader_init(struct reader *reader, const struct reader_options *options);
void reader_fini(struct reader *reader);

/* 0: call again as *wait says. 1: finished in order (all that was sealed is committed or dropped).
 * -1: the epoch must be closed; the writer's error arrives here, too. */
int reader_step(struct reader *reader, int64_t now_us, struct wait *wait, struct error *err);
/* Asks for an end; takes effect at the next step. A stronger wish wins (STOP over STOP_WHOLE). */
void reader_stop(struct reader *reader, enum reader_stop stop);

#endif
