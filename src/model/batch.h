/* model/batch: what circulates between reader and writer.
 *
 * A fixed set of batches goes full from the reader to the writer and is returned empty. The reader
 * fills one at a time, in order; once it is sent only the writer touches it, until it is returned.
 */
#ifndef WALFERRY_MODEL_BATCH_H
#define WALFERRY_MODEL_BATCH_H

#include "base/arena.h"
#include "model/message.h"

/* A batch's place inside a transaction that it ends in the middle of. */
struct partial {
    uint64_t final_lsn; /* 0: the batch ends on a transaction's end */
    uint64_t done;      /* changes of that transaction that are done */
    uint32_t part;      /* how many parts of it are committed with this one; 0 outside progress */
};

/* The last transaction that ended in a batch. */
struct batch_ended {
    uint32_t xid;         /* 0: none did */
    uint64_t final_lsn;   /* 0: it is too large to be asked for again */
    int64_t commit_at_us; /* 0: not known */
    bool unknown;         /* some may have, and it is not known which */
};

struct batch {
    struct arena arena;
    struct message *messages;
    uint32_t count;
    uint32_t capacity;
    size_t bytes; /* what the messages cost, overhead included */

    struct position end;    /* position once the batch is published */
    struct partial partial; /* where ends_txn is false */
    struct span resume;     /* the source's own part of progress; may be absent */
    uint32_t xid;           /* of the last transaction in it */
    struct batch_ended ended;
    uint64_t over_xid;      /* whatever lower transaction ids wrote is behind; 0: not known */
    int64_t commit_time_us; /* of the last transaction that ended in it; 0: none */
    uint32_t transactions;  /* PostgreSQL transactions that end in it */
    bool ends_txn;          /* true: Kafka may commit behind it */
    bool cut;               /* it ends a part: Kafka is to commit behind it all the same */
    bool mark;              /* idle progress: no messages, only a position */
    int64_t opened_us;      /* monotonic: when its first message came */

    /* The writer's: messages handed to the publisher and not yet reported. */
    uint32_t outstanding;
    size_t outstanding_bytes;
    uint32_t handed; /* messages handed over since it was reset */
    bool refused;    /* the publisher refused one, in whose place goes a dead letter */
    /* Stamped by the writer when it is returned: the newest position that Kafka has committed. */
    struct position committed;
    struct span committed_resume; /* of the record of that position; in the batch's arena */
};

/* capacity: messages at most, from 1. arena_keep_bytes: what the arena keeps over resets. */
void batch_init(struct batch *batch, uint32_t capacity, size_t arena_keep_bytes);
void batch_fini(struct batch *batch);
void batch_reset(struct batch *batch);
/* Makes room for so many more. What batch_next() gave before may have moved. */
void batch_widen(struct batch *batch, uint32_t more);

/* The next free message, cleared; the caller fills it and then calls batch_add(). Never when count
 * is capacity. */
struct message *batch_next(struct batch *batch);
/* Counts the message that batch_next() gave. */
void batch_add(struct batch *batch);
/* Forgets the messages behind the first `count`. */
void batch_truncate(struct batch *batch, uint32_t count);

#endif
