/* operate/print_sql: the SQL that a DBA runs where the relay's role may not, in the order in which
 * it is run. It only reads the catalogue, and where the relay's role cannot log in yet, because
 * this is what makes it, not even that: then the tables are those that the routes name. */
#include "operate/command.h"

#include <string.h>

/* Both as they are, not quoted. */
struct names {
    const char *user;
    const char *database;
};

/* What the server says where it was asked, else what the connection string names, else libpq's own
 * rule with the role of sql/002_role.sql: a database is named like the role. */
static struct names choose_names(const struct pg_names *given, const struct pg_system *asked)
{
    if (asked != NULL)
        return (struct names){.user = asked->user, .database = asked->database};
    const char *user = given->user[0] != '\0' ? given->user : "walferry";
    return (struct names){.user = user,
                          .database = given->database[0] != '\0' ? given->database : user};
}

static void say_role(struct buf *out, const struct names *names, bool replicates)
{
    struct buf literal = BUF_EMPTY, role = BUF_EMPTY, database = BUF_EMPTY;
    pg_quote_literal(&literal, span_of(names->user));
    pg_quote_identifier(&role, span_of(names->user));
    pg_quote_identifier(&database, span_of(names->database));
    const char *user = buf_text(&role);
    command_say(out, "-- the relay's role: it %s, nothing else; then \\password %s",
                replicates ? "replicates and reads" : "reads", user);
    command_say(out, "DO $$ BEGIN");
    command_say(out, "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s) THEN",
                buf_text(&literal));
    command_say(out, "        CREATE ROLE %s;", user);
    command_say(out, "    END IF;");
    command_say(out, "END $$;");
    command_say(out, "ALTER ROLE %s WITH LOGIN%s;", user, replicates ? " REPLICATION" : "");
    if (replicates)
        command_say(
            out, "-- Amazon RDS and Aurora, instead of REPLICATION: GRANT rds_replication TO %s;",
            user);
    command_say(out, "GRANT CONNECT ON DATABASE %s TO %s;", buf_text(&database), user);
    buf_fini(&database);
    buf_fini(&role);
    buf_fini(&literal);
}

static void say_index(struct buf *out, struct span table, const char *name)
{
    struct buf plain = BUF_EMPTY, index = BUF_EMPTY;
    buf_add_format(&plain, "%.*s_xid_idx", SPAN_ARG(table));
    pg_quote_identifier(&index, buf_span(&plain));
    command_say(out, "CREATE INDEX IF NOT EXISTS %s ON %s (xid);", buf_text(&index), name);
    buf_fini(&index);
    buf_fini(&plain);
}

/* Polling listens to no publication: it reads. */
static void say_reading(const struct command_options *o, const struct router *router,
                        const char *user)
{
    struct span schema, table;
    bool claims = o->config->source.poll.strategy == POLL_CLAIM;
    for (uint32_t i = 0; i < o->config->routes.count; i++) {
        struct buf name = BUF_EMPTY, of = BUF_EMPTY, role = BUF_EMPTY;
        if (router_table_of_route(router, i, &schema, &table)) {
            pg_quote_identifier(&of, schema);
            buf_add(&name, buf_span(&of));
            buf_add_char(&name, '.');
            pg_quote_identifier(&name, table);
            pg_quote_identifier(&role, span_of(user));
            command_say(o->out, "GRANT USAGE ON SCHEMA %s TO %s;", buf_text(&of), buf_text(&role));
            bool deletes = o->config->routes.items[i].claim.done == POLL_DONE_DELETE;
            command_say(o->out, "GRANT SELECT%s%s ON %s TO %s;", claims ? ", UPDATE" : "",
                        claims && deletes ? ", DELETE" : "", buf_text(&name), buf_text(&role));
            if (!claims)
                say_index(o->out, table, buf_text(&name));
        }
        buf_fini(&role);
        buf_fini(&of);
        buf_fini(&name);
    }
    if (claims)
        command_say(o->out, "-- and an index on what is pending, which `walferry check --connect` "
                            "prints where there is none");
    else
        command_say(o->out,
                    "-- and sql/007_poll.sql, which keeps rows as they were inserted and wakes "
                    "the relay");
}

/* What sql/013_retention.sql gives for public.outbox and the role walferry. */
static void say_retention(const struct command_options *o, const struct router *router,
                          const char *user)
{
    bool drops = o->config->retention.strategy == RETENTION_DROP_PARTITION;
    struct span schema, table;
    struct buf role = BUF_EMPTY;
    pg_quote_identifier(&role, span_of(user));
    command_say(o->out, "-- what retention deletes");
    for (uint32_t i = 0; i < o->config->routes.count; i++) {
        struct buf of = BUF_EMPTY, name = BUF_EMPTY;
        if (o->config->routes.items[i].as == ROUTE_OUTBOX &&
            router_table_of_route(router, i, &schema, &table)) {
            pg_quote_identifier(&of, schema);
            pg_quote_identifier(&name, table);
            command_say(o->out, "GRANT USAGE ON SCHEMA %s TO %s;", buf_text(&of), buf_text(&role));
            command_say(o->out, "GRANT SELECT, DELETE, UPDATE (created_at) ON %s.%s TO %s;",
                        buf_text(&of), buf_text(&name), buf_text(&role));
        }
        buf_fini(&name);
        buf_fini(&of);
    }
    if (drops) {
        command_say(o->out, "-- behind sql/013_retention.sql, which the tables' owner applies");
        command_say(o->out, "GRANT USAGE ON SCHEMA walferry TO %s;", buf_text(&role));
        command_say(o->out,
                    "GRANT EXECUTE ON FUNCTION walferry.drop_published_partition(regclass, "
                    "timestamptz, pg_snapshot) TO %s;",
                    buf_text(&role));
    }
    buf_fini(&role);
}

static void say_from_file(const struct command_options *o, const struct router *router,
                          const struct error *why)
{
    command_say(o->out,
                "-- the database was not asked (%s), so these are the tables that the routes "
                "name; globs are left out",
                why->text);
    relay_publication_sql_unasked(o->config, router, o->out);
}

int relay_print_sql(const struct command_options *o, struct error *err)
{
    struct router *router = NULL;
    struct command_ends ends;
    struct pg_system system;
    struct pg_names given;
    struct error away = ERROR_INIT;
    command_ends_open(o, &ends);
    struct origin *origin = ends.r.origin;
    int result = relay_open_router(o->config, &router, err);
    if (result == 0)
        result = relay_check_connection(o->config, err);
    if (result == 0)
        result = pg_connection_names(o->config->source.connection.text, &given, err);
    if (result == 0) {
        bool asked =
            origin_connect(origin, &away) == 0 && origin_identify(origin, &system, &away) == 0;
        struct names names = choose_names(&given, asked ? &system : NULL);
        bool polls = o->config->source.mode == SOURCE_POLL;
        say_role(o->out, &names, !polls);
        command_say(o->out,
                    polls ? "-- what it reads"
                          : "-- what it listens to; run this before the %s is created",
                    origin->ops->noun);
        if (polls)
            say_reading(o, router, names.user);
        else if (asked)
            result = relay_publication_sql(origin->sql, o->config, router, o->out, err);
        else
            say_from_file(o, router, &away);
        if (config_retains(&o->config->retention))
            say_retention(o, router, names.user);
    }
    router_close(router);
    command_ends_close(&ends);
    return result;
}
