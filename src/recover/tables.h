/* recover/tables: what the server holds of the tables that routes take, and whether their rows can
 * come and be routed at all; private to this module.
 *
 * Whatever keeps a row from coming does so without a word: the server leaves it out and goes on. So
 * each of these is looked for at check, at setup and at every start, and refused with the statement
 * that mends it. Read from the catalogue's own tables: the view pg_publication_tables locks every
 * table that it lists (PostgreSQL 18). */
#ifndef WALFERRY_RECOVER_TABLES_H
#define WALFERRY_RECOVER_TABLES_H

#include "base/arena.h"
#include "config/config.h"
#include "pg/pg.h"
#include "recover/table_columns.h"
#include "route/route.h"

/* The publication of the routes of a share: `<name>` of inserts, `<name>_changes` of changes. */
const struct config_text *tables_publication(const struct config_relay *config,
                                             enum router_share share);

/* pg_publication, as far as it decides about rows. */
struct publication {
    bool exists;
    bool via_root;
    uint32_t operations;   /* what it publishes: a set of change_bit() */
    bool stored_generated; /* 18: publish_generated_columns = stored */
    struct span publishes; /* what publish lists: "update, delete" */
    struct span comment;   /* empty: none */
};

/* A table that a route names or matches. Texts live in the arena. */
struct routed_table {
    uint32_t oid;
    uint32_t route; /* the first that takes it */
    bool plain;     /* a route names it, not only a glob */
    struct span schema;
    struct span name;
    char kind;        /* pg_class.relkind */
    char persistence; /* pg_class.relpersistence */
    bool partition;
    bool has_children; /* by INHERITS */
    bool published;    /* itself, or what it is a partition of */
    bool filtered;     /* by a WHERE of the publication */
    bool identified;   /* it has a replica identity, and each of its partitions has one */
    struct span unidentified_schema; /* where not: it, or the first such partition */
    struct span unidentified_name;
    struct table_columns columns;
    struct span sent_schema; /* the name under which its rows come; absent where not published */
    struct span sent_name;
};

/* Those of one share. */
struct tables {
    enum router_share share;
    const struct config_text *name; /* of the publication */
    uint32_t operations;            /* which its routes take: a set of change_bit() */
    struct publication publication;
    uint32_t count;
    struct routed_table *items;
};

int tables_load(struct pg_connection *sql, const struct config_relay *config,
                const struct router *router, enum router_share share, struct arena *arena,
                struct tables *tables, struct error *err);
/* What needs no publication: the tables exist, are of a kind that is replicated, and have what the
 * routes need. ERROR_STOP, EXIT_USAGE: table_missing, table_kind, column_missing, column_type,
 * replica_identity. */
int tables_check(struct pg_connection *sql, const struct config_relay *config,
                 const struct router *router, const struct tables *tables, struct arena *arena,
                 struct error *err);
/* And the publication sends their rows, whole, under a name that a route takes. ERROR_STOP,
 * EXIT_USAGE: publication_missing, publication_table, publication_inserts, publication_root,
 * publication_filter, publication_column, inherited_table. */
int tables_check_published(struct pg_connection *sql, const struct config_relay *config,
                           const struct router *router, const struct tables *tables,
                           struct arena *arena, struct error *err);
/* The same before setup has made or completed it: what is not there yet is no fault, what setup
 * could not mend is. */
int tables_check_mendable(struct pg_connection *sql, const struct config_relay *config,
                          const struct router *router, const struct tables *tables,
                          struct arena *arena, struct error *err);
/* Of a session that is to write: what does ("retention deletes rows"), and what to do instead of
 * reading from the primary. ERROR_STOP, EXIT_USAGE, in_recovery. */
int tables_refuse_standby(struct pg_connection *sql, const char *who_writes, const char *instead,
                          struct error *err);
/* Can a publication hold schemas there (15 and later)? */
int tables_server_has_schemas(struct pg_connection *sql, bool *has, struct error *err);
/* Appends schema and name, quoted for SQL. */
void tables_add_name(struct buf *out, struct span schema, struct span name);

#endif
