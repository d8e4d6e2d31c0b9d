/* relay/claim_store: where values go that are too large for their topic: the table walferry.claim
 * (sql/011_claim.sql), through a session of its own. */
#ifndef WALFERRY_RELAY_CLAIM_STORE_H
#define WALFERRY_RELAY_CLAIM_STORE_H

#include "base/step.h"
#include "model/change_id.h"
#include "pg/pg.h"

#include <stdint.h>

/* What is known once a value is committed. */
struct claim_receipt {
    char id[CHANGE_ID_TEXT_MAX + 72]; /* that was asked for, or another one where that is taken */
    char sha256[65];                  /* hexadecimal digits, of the bytes that the server has */
};

struct claim_store;

struct claim_store_ops {
    /* DONE: the row is committed, and flushed as far as the server's settings reach. WAIT: nothing
     * yet; call again with the same, or with another one, and this one is forgotten. keep: as
     * PostgreSQL reads an interval. A row of the same id and payload is taken, and lives longer; no
     * payload is ever written over. FAILED: *err is ERROR_RETRY; or, where the server has refused
     * the row for what it is (a trigger, a constraint), ERROR_DATA, and other rows may be put. */
    enum step (*put)(struct claim_store *store, struct span id, struct span payload,
                     const char *keep, int64_t now_us, struct claim_receipt *receipt,
                     struct error *err);
    void (*close)(struct claim_store *store);
};

struct claim_store {
    const struct claim_store_ops *ops;
    char refused_by[6]; /* SQLSTATE of what was refused last */
};

/* Connects, and waits for that. bound_us: an answer that takes longer is a failure. */
int claim_store_open(const struct pg_options *options, int64_t bound_us, struct claim_store **store,
                     struct error *err);

static inline void claim_store_close(struct claim_store *store) /* NULL is legal */
{
    if (store != NULL)
        store->ops->close(store);
}

#endif
