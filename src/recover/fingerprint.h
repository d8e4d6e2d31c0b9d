/* recover/fingerprint: what decides which rows the server sends, as text, and what a change of it
 * means. Private to this module.
 *
 * A change that is no longer there when somebody looks (a publication altered and altered back) has
 * lost rows all the same. So the rows of pg_publication, pg_publication_rel and
 * pg_publication_namespace go in with their oid and xmin, which no there-and-back restores and no
 * VACUUM FREEZE changes; the routed tables, their partitions and heirs go in with oid and name. The
 * xmin of pg_class does not: a GRANT changes it. Where something says that a table was changed
 * (a guard), it is asked for. Read from the catalogue's own tables, because the view
 * pg_publication_tables locks every table that it lists (PostgreSQL 18). */
#ifndef WALFERRY_RECOVER_FINGERPRINT_H
#define WALFERRY_RECOVER_FINGERPRINT_H

#include "base/arena.h"
#include "config/config.h"
#include "pg/pg.h"
#include "progress/progress.h"
#include "recover/fingerprint_compare.h"
#include "route/route.h"

struct fingerprint {
    /* lsn: from before the snapshot; xid: the oldest transaction that was under way in it. */
    struct progress_fingerprint id;
    struct span text;     /* lines in the order of their bytes, in the arena */
    struct span snapshot; /* pg_current_snapshot() of before the look, in the arena; of a standby
                             all from the oldest that is under way on count as such */
    uint64_t next_xid;    /* whatever begins behind it gets this id or a later one; 0: not known */
    /* Whatever ends in the log behind this was not over in the snapshot: from after it, and from
     * before the look. */
    uint64_t behind_lsn;
    uint64_t end_lsn; /* from after the look: what it has seen ends before this */
    /* Which columns are the key of routed tables without a primary key, of which the stream does
     * not tell; no part of the text, for it decides about no row. */
    char keys[33];
};

/* The next number of a snapshot's text, "xmin:xmax:xid,xid", of which it takes it off. */
bool fingerprint_next_number(struct span *rest, uint64_t *number);
/* Of a snapshot's text, with its epoch: the oldest transaction that was under way. 0 where it
 * cannot be read. */
uint64_t fingerprint_oldest(struct span snapshot);
/* The next that would begin, with its epoch: a snapshot ends behind the newest that is over, and
 * those that wait with their commit may stand behind that. age_of_3: age('3'), a cell of its
 * statement. 0 where the snapshot cannot be read. */
uint64_t fingerprint_next_xid(struct span snapshot, struct span age_of_3);

/* What may have been changed and put back; since when. */
#define FINGERPRINT_SUSPECTS_MAX 50
struct fingerprint_suspects {
    bool all;         /* whatever there is */
    bool publication; /* the publication itself */
    uint32_t count;
    uint32_t oids[FINGERPRINT_SUSPECTS_MAX]; /* of tables */
    uint64_t xid;                            /* with its epoch; transactions below it are over */
};

/* Of the publications from which routes take, where they exist: of `changes` only where there are
 * such routes. Takes no lock on a table. */
int fingerprint_take(struct pg_connection *sql, const char *publication, const char *changes,
                     const struct router *router, struct arena *arena, struct fingerprint *out,
                     struct error *err);

/* What among the suspects was written anew in the catalogue by a transaction from suspects->xid on:
 * their first three, for a person, appended; nothing: none. *any: anything at all of what is routed
 * was, suspect or not. */
int fingerprint_touched(struct pg_connection *sql, const char *publication, const char *changes,
                        const struct router *router, const struct fingerprint_suspects *suspects,
                        bool *any, struct buf *names, struct error *err);

/* fingerprint_compare() of what the routes take now, for tables that a changed file no longer
 * routes are no loss, nor is `changes` where it has no route for it; and asks the server about
 * partitions that are gone. */
int fingerprint_judge(struct pg_connection *sql, const struct router *router, const char *changes,
                      struct span before, struct span now, struct fingerprint_change *change,
                      struct error *err);

#endif
