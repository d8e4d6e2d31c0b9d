/* recover/table_columns: the columns of the tables that routes take, and which of them the server
 * sends; private to this module. All tables are asked for together: a start with hundreds of them
 * would else wait for hundreds of answers. */
#ifndef WALFERRY_RECOVER_TABLE_COLUMNS_H
#define WALFERRY_RECOVER_TABLE_COLUMNS_H

#include "base/arena.h"
#include "pg/pg.h"

/* As the catalogue has it, in the order of attnum. */
struct table_column {
    struct span name;
    uint32_t type_oid; /* of a domain: what it is over */
    bool generated;
    bool stored;   /* generated, and kept in the row */
    bool has_list; /* the publication has a column list for the table, */
    bool listed;   /* and it is in it; true where there is none */
};

/* Of the table with this oid. */
struct table_columns {
    uint32_t oid;
    uint32_t count;
    const struct table_column *items;
};

/* Sets count and items of all of them, by their oids. Texts live in the arena. */
int table_columns_load(struct pg_connection *sql, const char *publication,
                       struct table_columns *const *tables, uint32_t count, struct arena *arena,
                       struct error *err);

#endif
