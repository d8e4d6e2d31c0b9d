/* operate/print_sql: the SQL that a DBA runs where the relay's role may not. It only reads the
 * catalogue. */
#include "operate/command.h"

int relay_print_sql(const struct command_options *o, struct error *err)
{
    struct router *router = NULL;
    struct pg_connection *sql = NULL;
    struct pg_system system;
    struct buf statement = BUF_EMPTY;
    int result = relay_open_router(o->config, &router, err);
    if (result == 0)
        result = command_open_sql(o, NULL, &sql, err);
    if (result == 0)
        result = pg_identify(sql, &system, err);
    if (result == 0)
        result = relay_publication_sql(sql, o->config, router, &statement, err);
    if (result == 0) {
        struct buf role = BUF_EMPTY;
        pg_quote_identifier(&role, span_of(system.user));
        command_say(o->out, "-- the relay's role: it replicates and reads, nothing else");
        command_say(o->out, "ALTER ROLE %s WITH LOGIN REPLICATION;", buf_text(&role));
        struct buf database = BUF_EMPTY;
        pg_quote_identifier(&database, span_of(system.database));
        command_say(o->out, "GRANT CONNECT ON DATABASE %s TO %s;", buf_text(&database),
                    buf_text(&role));
        command_say(o->out, "-- what it listens to; run this before the slot is created");
        buf_add(o->out, buf_span(&statement));
        buf_fini(&database);
        buf_fini(&role);
    }
    buf_fini(&statement);
    pg_close(sql);
    router_close(router);
    return result;
}
