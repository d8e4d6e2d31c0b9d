/* recover/commands: the table walferry.command (sql/005_command.sql) as SQL sessions see it: is it
 * there, may the relay read it, and what became of a command. Which command a message in the log is
 * of is source/'s to find out; what it does is relay/'s. */
#include "recover/recover.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* Of the catalogue, so that what is missing or not allowed is an answer and no error, and leaves no
 * line in the server's log. */
static const char rights_sql[] =
    "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), "
    "pg_catalog.has_column_privilege(c.oid, 'status', 'UPDATE') "
    "AND pg_catalog.has_column_privilege(c.oid, 'outcome', 'UPDATE') "
    "AND NOT pg_catalog.pg_is_in_recovery(), "
    "pg_catalog.quote_ident(current_user::text) FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute s "
    "ON s.attrelid = c.oid AND s.attname = 'status' JOIN pg_catalog.pg_attribute o "
    "ON o.attrelid = c.oid AND o.attname = 'outcome' "
    "WHERE n.nspname = 'walferry' AND c.relname = 'command'";

int relay_look_for_commands(struct pg_connection *sql, struct found_commands *commands,
                            struct error *err)
{
    assert(sql != NULL && commands != NULL);
    struct pg_result *r = NULL;
    *commands = (struct found_commands){.present = false};
    if (pg_query(sql, rights_sql, 0, NULL, &r, err) < 0)
        return -1;
    commands->present = pg_result_rows(r) > 0;
    if (commands->present) {
        commands->readable = pg_result_true(r, 0, 0);
        commands->writable = commands->readable && pg_result_true(r, 0, 1);
        snprintf(commands->role, sizeof commands->role, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 2)));
    }
    pg_result_free(r);
    return 0;
}

int relay_tell_command(struct pg_connection *sql, uint64_t id, const char *state,
                       const char *outcome, struct error *err)
{
    assert(sql != NULL && state != NULL && outcome != NULL);
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, id);
    const char *values[] = {number, state, outcome};
    struct pg_result *r = NULL;
    if (pg_query(
            sql,
            "UPDATE walferry.command SET status = $2, outcome = $3::jsonb WHERE id = $1::bigint "
            "RETURNING id",
            3, values, &r, err) < 0)
        return -1;
    pg_result_free(r);
    return 0;
}
