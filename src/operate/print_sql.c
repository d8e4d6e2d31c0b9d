/* operate/print_sql: the SQL that a DBA runs where the relay's role may not, in the order in which
 * it is run. It only reads the catalogue, and where the relay's role cannot log in yet, because
 * this is what makes it, not even that: then the tables are those that the routes name. */
#include "operate/command.h"

#include <string.h>

struct names {
    struct buf user;
    struct buf database;
};

static void name_things(const struct pg_names *given, const struct pg_system *system,
                        struct names *names)
{
    const char *user = system != NULL ? system->user : given->user;
    const char *database = system != NULL ? system->database : given->database;
    pg_quote_identifier(&names->user, span_of(user[0] != '\0' ? user : "walferry"));
    pg_quote_identifier(&names->database, span_of(database[0] != '\0' ? database : user));
}

static void say_role(struct buf *out, const struct pg_names *given, struct names *names)
{
    struct buf literal = BUF_EMPTY;
    const char *user = buf_text(&names->user);
    pg_quote_literal(&literal, span_of(given->user[0] != '\0' ? given->user : "walferry"));
    command_say(out,
                "-- the relay's role: it replicates and reads, nothing else; then \\password %s",
                user);
    command_say(out, "DO $$ BEGIN");
    command_say(out, "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s) THEN",
                buf_text(&literal));
    command_say(out, "        CREATE ROLE %s;", user);
    command_say(out, "    END IF;");
    command_say(out, "END $$;");
    command_say(out, "ALTER ROLE %s WITH LOGIN REPLICATION;", user);
    command_say(out,
                "-- Amazon RDS and Aurora, instead of REPLICATION: GRANT rds_replication TO %s;",
                user);
    command_say(out, "GRANT CONNECT ON DATABASE %s TO %s;", buf_text(&names->database), user);
    buf_fini(&literal);
}

static void say_from_file(const struct command_options *o, const struct router *router,
                          const struct error *why)
{
    struct buf statement = BUF_EMPTY;
    relay_publication_sql_unasked(o->config, router, &statement);
    command_say(o->out,
                "-- the database was not asked (%s), so these are the tables that the routes "
                "name; globs are left out",
                why->text);
    buf_add(o->out, buf_span(&statement));
    buf_fini(&statement);
}

static int say_publication(const struct command_options *o, const struct router *router,
                           struct pg_connection *sql, struct error *err)
{
    struct buf statement = BUF_EMPTY;
    int result = relay_publication_sql(sql, o->config, router, &statement, err);
    if (result == 0)
        buf_add(o->out, buf_span(&statement));
    buf_fini(&statement);
    return result;
}

int relay_print_sql(const struct command_options *o, struct error *err)
{
    struct router *router = NULL;
    struct pg_connection *sql = NULL;
    struct pg_system system;
    struct pg_names given;
    struct names names = {BUF_EMPTY, BUF_EMPTY};
    struct error away = ERROR_INIT;
    int result = relay_open_router(o->config, &router, err);
    if (result == 0)
        result = relay_check_connection(o->config, err);
    if (result == 0)
        result = pg_connection_names(o->config->source.connection.text, &given, err);
    if (result == 0) {
        bool asked =
            command_open_sql(o, NULL, &sql, &away) == 0 && pg_identify(sql, &system, &away) == 0;
        name_things(&given, asked ? &system : NULL, &names);
        say_role(o->out, &given, &names);
        command_say(o->out, "-- what it listens to; run this before the slot is created");
        if (asked)
            result = say_publication(o, router, sql, err);
        else
            say_from_file(o, router, &away);
    }
    buf_fini(&names.user);
    buf_fini(&names.database);
    pg_close(sql);
    router_close(router);
    return result;
}
