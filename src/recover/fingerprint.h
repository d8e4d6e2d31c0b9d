/* recover/fingerprint: what decides which rows the server sends, as text, and what a change of it
 * means. Private to this module.
 *
 * A change that is no longer there when somebody looks (a publication altered and altered back) has
 * lost rows all the same. So the rows of pg_publication, pg_publication_rel and
 * pg_publication_namespace go in with their oid and xmin, which no there-and-back restores and no
 * VACUUM FREEZE changes; the routed tables, their partitions and heirs go in with oid and name. The
 * xmin of pg_class does not: a GRANT changes it. Read from the catalogue's own tables, because the
 * view pg_publication_tables locks every table that it lists (PostgreSQL 18). */
#ifndef WALFERRY_RECOVER_FINGERPRINT_H
#define WALFERRY_RECOVER_FINGERPRINT_H

#include "base/arena.h"
#include "config/config.h"
#include "pg/pg.h"
#include "progress/progress.h"
#include "recover/fingerprint_compare.h"
#include "route/route.h"

struct fingerprint {
    struct progress_fingerprint id; /* lsn: from before the look */
    struct span text;               /* lines in the order of their bytes, in the arena */
    struct span snapshot;           /* pg_current_snapshot() of before the look, in the arena */
};

/* Takes no lock on a table. */
int fingerprint_take(struct pg_connection *sql, const char *publication,
                     const struct router *router, struct arena *arena, struct fingerprint *out,
                     struct error *err);

/* fingerprint_compare() of what the routes take now, for tables that a changed file no longer
 * routes are no loss; and asks the server about partitions that are gone. */
int fingerprint_judge(struct pg_connection *sql, const struct router *router, struct span before,
                      struct span now, struct fingerprint_change *change, struct error *err);

#endif
