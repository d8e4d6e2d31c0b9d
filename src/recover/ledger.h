/* recover/ledger: where the progress records of a relay stand, as its beginning needs it: looked at
 * beside whoever runs, taken over from him, read and written as his successor. The one behind it is
 * Kafka (ledger_kafka); a model of it lets the whole open be simulated. */
#ifndef WALFERRY_RECOVER_LEDGER_H
#define WALFERRY_RECOVER_LEDGER_H

#include "base/buf.h"
#include "base/error.h"
#include "publish/publish.h"

struct ledger;

/* Records are bytes here; `newest` and `before` are appended to, and left empty where there is none
 * (before: where reading did not pass one). */
struct ledger_ops {
    const char *name;
    /* As far as the last stable offset, touching nothing, once no other relay's transaction hides a
     * newer one. through: waits until every transaction
     * that is open there has ended, for at most timeout_ms (0: as long as any answer may take). */
    int (*look)(struct ledger *l, bool through, int64_t timeout_ms, struct buf *newest,
                struct buf *before, bool *exists, struct error *err);
    /* A new producer: an older instance is fenced, its transaction ended one way or the other. */
    int (*take_over)(struct ledger *l, struct publisher **publisher, struct error *err);
    /* What stands there now that nobody else can write. Once for each publisher (I2). ERROR_STOP,
     * progress_forged: no relay wrote it; newest is filled, and the publisher can go on. */
    int (*read)(struct ledger *l, struct publisher *publisher, struct buf *newest,
                struct buf *before, struct error *err);
    /* One record alone in its transaction; waits for the outcome. note: what stands beside the
     * records from now on (absent: what stood there stays), in the same transaction. */
    int (*write)(struct ledger *l, struct publisher *publisher, struct span record,
                 struct span note, struct error *err);
    /* The newest committed note, appended; nothing where there is none. */
    int (*read_note)(struct ledger *l, struct buf *note, struct error *err);
};

struct ledger {
    const struct ledger_ops *ops;
};

struct ledger_kafka {
    struct ledger base;
    struct kafka_options options;
};

/* *ledger is filled; the options' own pointers must outlive it. */
void ledger_kafka_init(struct ledger_kafka *ledger, const struct kafka_options *options);

#endif
