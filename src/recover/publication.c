/* recover/publication: how the two publications are made and completed. What is wrong with one
 * stands in tables.c. Nothing is ever taken out of a publication: it may be somebody else's, too.
 *
 * Both are always made, before there is an origin, though one may be empty: a publication that is
 * made later cannot be asked for from before it was. */
#include "recover/agreement.h"
#include "recover/recover.h"
#include "recover/tables.h"

#include <assert.h>

static bool is_taken(const struct config_relay *config, const struct tables *tables)
{
    return tables->publication.exists &&
           publication_owner(config->name.text, tables->share, tables->publication.comment) ==
               PUBLICATION_OF_ANOTHER_SHARE;
}

/* Whoever takes from it, or adds to it, stops the other relay. */
static int refuse_taken(const struct tables *tables, struct error *err)
{
    config_error(err, tables->name, REASON_PUBLICATION_TAKEN,
                 "publication %s is another relay's, as its comment says: %.*s", tables->name->text,
                 SPAN_ARG(tables->publication.comment));
    return error_hint(err, "name another one by source.publication; the one of change routes has "
                           "that name with _changes behind it");
}

static int check_share(struct pg_connection *sql, const struct config_relay *config,
                       const struct router *router, enum router_share share, bool before_setup,
                       struct error *err)
{
    struct arena arena;
    struct tables tables;
    arena_init(&arena, 4096, 4096);
    int result = tables_load(sql, config, router, share, &arena, &tables, err);
    if (result == 0 && is_taken(config, &tables) &&
        (share != ROUTER_CHANGES || router_has_share(router, share)))
        result = refuse_taken(&tables, err);
    if (result == 0)
        result = tables_check(sql, config, router, &tables, &arena, err);
    if (result == 0)
        result = before_setup ? tables_check_mendable(sql, config, router, &tables, &arena, err)
                              : tables_check_published(sql, config, router, &tables, &arena, err);
    arena_fini(&arena);
    return result;
}

static int check(struct pg_connection *sql, const struct config_relay *config,
                 const struct router *router, bool before_setup, struct error *err)
{
    for (enum router_share share = 0; share < ROUTER_SHARES; share++)
        if (check_share(sql, config, router, share, before_setup, err) < 0)
            return -1;
    return publications_agree(sql, config, err);
}

int relay_check_publication(struct pg_connection *sql, const struct config_relay *config,
                            const struct router *router, struct error *err)
{
    return check(sql, config, router, false, err);
}

int relay_check_before_setup(struct pg_connection *sql, const struct config_relay *config,
                             const struct router *router, struct error *err)
{
    return check(sql, config, router, true, err);
}

/* ---- Making it ---- */

/* What no route takes need not be sent; but what change routes take is a matter of their file, and
 * a publication that is altered is a loss to whoever reads it. */
static void add_options(struct buf *statement, enum router_share share, uint32_t operations)
{
    bool updates = (operations & change_bit(CHANGE_UPDATE)) != 0;
    buf_add_format(statement, " WITH (publish = '%s', publish_via_partition_root = true)",
                   share == ROUTER_CHANGES ? "insert, update, delete, truncate"
                   : updates               ? "insert, update"
                                           : "insert");
}

/* Partitions come with their root, unless a route names one. */
static bool is_to_be_added(const struct routed_table *t)
{
    return !t->published && (t->kind == 'r' || t->kind == 'p') && t->persistence == 'p' &&
           (t->plain || !t->partition);
}

/* The statement that is missing; nothing where all is there. *added counts the tables. */
static void build_statement(const struct tables *tables, struct buf *statement, uint32_t *added)
{
    bool exists = tables->publication.exists;
    *added = 0;
    buf_add_text(statement, exists ? "ALTER PUBLICATION " : "CREATE PUBLICATION ");
    pg_quote_identifier(statement, span_of(tables->name->text));
    for (uint32_t i = 0; i < tables->count; i++) {
        const struct routed_table *t = &tables->items[i];
        if (!is_to_be_added(t))
            continue;
        if ((*added)++ == 0)
            buf_add_text(statement, exists ? " ADD TABLE " : " FOR TABLE ");
        else
            buf_add_text(statement, ", ");
        tables_add_name(statement, t->schema, t->name);
    }
    if (!exists)
        add_options(statement, tables->share, tables->operations);
}

/* Beside progress changes come already, and of a transaction that wrote into a table before it was
 * published only the rest would come. So writers are kept out for the moment of the statement. */
#define LOCK_TIMEOUT "5s"

static void add_lock(const struct tables *tables, struct buf *statement)
{
    const char *before = "LOCK TABLE ";
    for (uint32_t i = 0; i < tables->count; i++) {
        if (!is_to_be_added(&tables->items[i]))
            continue;
        buf_add_text(statement, before);
        tables_add_name(statement, tables->items[i].schema, tables->items[i].name);
        before = ", ";
    }
    buf_add_text(statement, " IN SHARE ROW EXCLUSIVE MODE");
}

static int exec_locked(struct pg_connection *sql, const struct tables *tables,
                       const char *statement, struct error *err)
{
    struct buf lock = BUF_EMPTY;
    add_lock(tables, &lock);
    int result = pg_exec(sql, "BEGIN", err);
    if (result == 0)
        result = pg_exec(sql, "SET LOCAL lock_timeout = '" LOCK_TIMEOUT "'", err);
    if (result == 0)
        result = pg_exec(sql, buf_text(&lock), err);
    if (result == 0)
        result = pg_exec(sql, statement, err);
    struct error ignored = ERROR_INIT;
    if (result == 0)
        result = pg_exec(sql, "COMMIT", err);
    else
        (void)pg_exec(sql, "ROLLBACK", &ignored);
    buf_fini(&lock);
    return result;
}

static int publish_tables(struct pg_connection *sql, const struct tables *tables, bool beside,
                          const char *statement, struct error *err)
{
    int result = beside ? exec_locked(sql, tables, statement, err) : pg_exec(sql, statement, err);
    if (result == 0)
        return 0;
    if (err->reason == REASON_LOCKED)
        return error_hint(err, "a transaction that is open has written to the table; set up again "
                               "once it has ended (pg_stat_activity, pg_locks)");
    if (err->reason != REASON_NO_PRIVILEGE)
        return -1;
    error_hint(err, "as the owner of the tables, who may also be named to setup with "
                    "--admin-connection");
    return error_mend_sql(err, "%s", statement);
}

static int mark(struct pg_connection *sql, const struct config_relay *config,
                enum router_share share, struct error *err)
{
    struct buf statement = BUF_EMPTY;
    publication_mark_sql(config, share, &statement);
    int result = pg_exec(sql, buf_text(&statement), err);
    buf_fini(&statement);
    return result;
}

static int complete(struct pg_connection *sql, const struct config_relay *config,
                    const struct tables *tables, bool beside, struct buf *out, struct error *err)
{
    const char *publication = tables->name->text;
    bool exists = tables->publication.exists;
    struct buf statement = BUF_EMPTY;
    uint32_t added;
    build_statement(tables, &statement, &added);
    int result = 0;
    bool in_place = exists && added == 0;
    if (in_place)
        command_say(out, "publication %s: in place", publication);
    else
        result = publish_tables(sql, tables, beside && added > 0, buf_text(&statement), err);
    if (result == 0 && !exists)
        result = mark(sql, config, tables->share, err);
    if (result == 0 && !in_place)
        command_say(out, "publication %s: %s", publication, exists ? "tables added" : "created");
    if (result == 0 && added > 0 && beside)
        command_say(out, "rows that were committed to the added tables before now are not "
                         "published");
    buf_fini(&statement);
    return result;
}

static int ensure_share(struct pg_connection *sql, const struct config_relay *config,
                        const struct router *router, enum router_share share, bool beside,
                        struct buf *out, struct error *err)
{
    struct arena arena;
    struct tables tables;
    arena_init(&arena, 4096, 4096);
    int result = tables_load(sql, config, router, share, &arena, &tables, err);
    bool needed = share != ROUTER_CHANGES || router_has_share(router, share);
    if (result == 0 && !needed && is_taken(config, &tables))
        command_say(out, "publication %s: not made, it is another relay's; no route needs it",
                    tables.name->text);
    else if (result == 0)
        result = complete(sql, config, &tables, beside, out, err);
    /* Nobody reads it yet: who may not make it can have it made once a route needs it. */
    if (result < 0 && err->reason == REASON_NO_PRIVILEGE && !needed) {
        *err = ERROR_INIT;
        command_say(out, "publication %s: not made, for want of the privilege; no route needs it",
                    tables.name->text);
        result = 0;
    }
    arena_fini(&arena);
    return result;
}

int relay_ensure_publication(struct pg_connection *sql, const struct config_relay *config,
                             const struct router *router, bool beside, struct buf *out,
                             struct error *err)
{
    if (config->source.mode == SOURCE_POLL)
        return 0;
    for (enum router_share share = 0; share < ROUTER_SHARES; share++)
        if (ensure_share(sql, config, router, share, beside, out, err) < 0)
            return -1;
    return relay_check_publication(sql, config, router, err);
}

static int share_sql(struct pg_connection *sql, const struct config_relay *config,
                     const struct router *router, enum router_share share, struct buf *out,
                     struct error *err)
{
    struct arena arena;
    struct tables tables;
    uint32_t added;
    arena_init(&arena, 4096, 4096);
    int result = tables_load(sql, config, router, share, &arena, &tables, err);
    if (result == 0) {
        tables.publication.exists = false;
        for (uint32_t i = 0; i < tables.count; i++)
            tables.items[i].published = false;
        build_statement(&tables, out, &added);
        buf_add_text(out, ";\n");
        publication_mark_sql(config, share, out);
        buf_add_text(out, ";\n");
    }
    arena_fini(&arena);
    return result;
}

int relay_publication_sql(struct pg_connection *sql, const struct config_relay *config,
                          const struct router *router, struct buf *out, struct error *err)
{
    for (enum router_share share = 0; share < ROUTER_SHARES; share++)
        if (share_sql(sql, config, router, share, out, err) < 0)
            return -1;
    return 0;
}

void relay_publication_sql_unasked(const struct config_relay *config, const struct router *router,
                                   struct buf *out)
{
    for (enum router_share share = 0; share < ROUTER_SHARES; share++) {
        uint32_t count = 0;
        buf_add_text(out, "CREATE PUBLICATION ");
        pg_quote_identifier(out, span_of(tables_publication(config, share)->text));
        for (uint32_t i = 0; i < config->routes.count; i++) {
            struct span schema, table;
            if (router_share_of_route(router, i) != share ||
                !router_table_of_route(router, i, &schema, &table))
                continue;
            buf_add_text(out, count++ == 0 ? " FOR TABLE " : ", ");
            tables_add_name(out, schema, table);
        }
        add_options(out, share, router_operations(router, share));
        buf_add_text(out, ";\n");
        publication_mark_sql(config, share, out);
        buf_add_text(out, ";\n");
    }
}
