/* sim/model_pg: a PostgreSQL that is a list of committed transactions in LSN order, one logical
 * slot, and a walsender that turns them into CopyData payloads, exactly as the real one orders
 * them.
 *
 * It obeys the rules of the server that matter here: a transaction is sent if its commit record
 * does not begin before the start LSN; a start behind the slot's confirmed LSN is silently
 * forwarded; the slot's confirmation is durable only after a checkpoint; walEnd of a keepalive
 * never passes the commit record of a transaction that is still to be sent; a server in shutdown
 * asks until its last LSN is confirmed. */
#ifndef WALFERRY_SIM_MODEL_PG_H
#define WALFERRY_SIM_MODEL_PG_H

#include "base/buf.h"
#include "random.h"
#include "workload.h"

/* A server that takes its time, or a link that does. */
struct pg_pace {
    uint32_t row_bytes_max; /* payloads of up to so many bytes; 0: a few */
    int64_t bytes_per_s;    /* 0: at once */
    int64_t quiet_us;       /* silence at one place of every third transaction; 0: none */
    int64_t keepalive_us;   /* of one with any pace: how often, in a silence and at the end */
};

struct model_pg {
    struct random *random;
    struct pg_pace pace;
    bool wrong; /* some rows are (wrong.h), */
    bool large; /* those that are too large by their bytes (large.h) */
    struct workload work;
    uint64_t confirmed_lsn;
    uint64_t durable_lsn; /* what a crash of the server goes back to */
    int64_t now_us;

    /* The walsender. */
    bool connected;
    uint32_t relations_sent;
    uint64_t start_lsn;
    uint32_t cursor;   /* record */
    uint32_t position; /* message within it: 0 BEGIN, 1..n changes, n + 1 COMMIT */

    /* Of a slow one. */
    struct buf underway; /* the message whose last byte arrives at arrives_us */
    int64_t arrives_us;
    int64_t quiet_until_us; /* of the place at hand; 0: it has not begun */
    int64_t keepalive_at_us;
};

void model_pg_init(struct model_pg *pg, struct random *random, uint64_t seed);
void model_pg_fini(struct model_pg *pg);

void model_pg_start(struct model_pg *pg, uint64_t start_lsn);
void model_pg_disconnect(struct model_pg *pg);
/* The server crashes: unsaved confirmation is forgotten. Committed transactions stay. */
void model_pg_crash(struct model_pg *pg);
/* The next CopyData payload, if there is one now: true. */
bool model_pg_send(struct model_pg *pg, struct buf *out);
/* Bytes of the next one are coming. */
bool model_pg_arriving(const struct model_pg *pg);
/* A status update arrived. */
void model_pg_confirm(struct model_pg *pg, uint64_t flush_lsn);

#endif
