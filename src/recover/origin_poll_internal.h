/* recover/origin_poll_internal: what the files of polling's origin share; private to them.
 *
 *   origin_poll.c         the session, looking, taking a snapshot, starting, what is said of it
 *   origin_poll_judge.c   may a relay go on from its record on this server; pure
 *   origin_poll_tables.c  the polled tables: have they what polling needs
 *   origin_claim_tables.c the same of claimed ones
 *   origin_claim_waits.c  who holds the lock that claiming waits for */
#ifndef WALFERRY_RECOVER_ORIGIN_POLL_INTERNAL_H
#define WALFERRY_RECOVER_ORIGIN_POLL_INTERNAL_H

#include "recover/origin.h"

struct origin_poll {
    struct origin base; /* first: the ops find us through it */
    struct origin_options o;
    struct arena arena; /* of the tables */
    struct poll_table *tables;
    uint32_t table_count;
    struct claim_table *claimed; /* under strategy: claim, in place of tables */
    uint64_t next_xid;           /* xmax of the newest look */
    uint64_t insert_lsn;         /* its place in the WAL; 0: in recovery */
    struct buf first;            /* resume of a record that begins anew; empty: none was taken */
    char channel[64];
};

struct origin *origin_poll_open(const struct origin_options *options);

/* origin_poll_judge.c. next_xid: xmax of a snapshot of the server now; 0: it is in recovery. 0, or
 * -1: ERROR_STOP with the exact mend; ERROR_RETRY for a server in recovery. */
int poll_judge_start(const struct config_relay *config, const struct found *found,
                     uint64_t next_xid, struct error *err);
/* The same of claiming. insert_lsn: of the server now; 0: it is in recovery. */
int claim_judge_start(const struct config_relay *config, const struct found *found,
                      uint64_t insert_lsn, struct error *err);

/* Over what tells that a claimed row is finished. */
uint32_t claim_shape(const struct config_claim *claim);

/* origin_poll_tables.c: fills tables, in the order of the routes, and base.advice. ERROR_STOP,
 * EXIT_USAGE: as tables_check(), and column_missing, column_type, no_privilege. */
int poll_load_tables(struct origin_poll *o, const struct router *router, struct error *err);

/* origin_claim_tables.c: the same into claimed. */
int claim_load_tables(struct origin_poll *o, const struct router *router, struct error *err);

/* origin_claim_waits.c: sets state->waits, from another session than that of the claims. */
int claim_look_waits(struct origin_poll *o, struct found_origin *state, struct error *err);

/* What both of them need: the routed tables in the order of their routes, and the oids of all, as
 * an array of SQL. */
struct tables;
int poll_routed_tables(struct origin_poll *o, const struct router *router, struct tables *tables,
                       const char **oids, struct error *err);
/* not_null: one for each column. */
int poll_load_columns(struct origin_poll *o, const char *oid, struct relation *relation,
                      bool **not_null, struct error *err);
/* No other polled table holds its rows, too. */
int poll_check_apart(struct origin_poll *o, const struct relation *relation, const char *oid,
                     const char *oids, struct error *err);
int poll_refuse_hidden(const char *table, const char *role, struct error *err);

#endif
