/* recover/session: the two ends of a relay and the sessions, as a command holds them, and
 * their application_name. */
#include "recover/recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- The ends ---- */

static void application_name(const struct command_options *o, char *text, size_t size)
{
    snprintf(text, size, "walferry:%s:command", o->config->name.text);
}

void command_ends_open(const struct command_options *o, struct command_ends *ends)
{
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    arena_init(&ends->arena, 4096, 4096);
    ledger_kafka_init(&ends->ledger, &kafka);
    application_name(o, ends->application, sizeof ends->application);
    const struct origin_options options = {.config = o->config,
                                           .log = o->log,
                                           .stop = o->stop,
                                           .session = ORIGIN_SQL,
                                           .application = ends->application,
                                           .out = o->out};
    ends->r = (struct recovery){
        .origin = origin_open(&options), .ledger = &ends->ledger.base, .arena = &ends->arena};
}

void command_ends_close(struct command_ends *ends)
{
    origin_close(ends->r.origin);
    arena_fini(&ends->arena);
}

/* ---- The session of --admin-connection ---- */

static int check_same_place(const struct pg_system *ours, const struct pg_system *admin,
                            struct error *err)
{
    if (admin->system_identifier == ours->system_identifier &&
        strcmp(admin->database, ours->database) == 0)
        return 0;
    if (admin->system_identifier != ours->system_identifier)
        error_stop(err, REASON_ADMIN_ELSEWHERE,
                   "it reaches another server (system identifier %" PRIu64
                   ") than source.connection (%" PRIu64 ")",
                   admin->system_identifier, ours->system_identifier);
    else
        error_stop(err, REASON_ADMIN_ELSEWHERE,
                   "it reaches database %s, source.connection database %s", admin->database,
                   ours->database);
    return error_hint(err, "name the host, port and dbname of source.connection");
}

int command_open_admin(const struct command_options *o, const char *connection,
                       const struct pg_system *ours, struct pg_connection **sql, struct error *err)
{
    char application[88];
    application_name(o, application, sizeof application);
    struct pg_options options = {.connection = connection,
                                 .given_by = "--admin-connection",
                                 .database = ours->database,
                                 .application_name = application,
                                 .stop = o->stop,
                                 .waits = log_waits(o->log)};
    struct pg_system admin;
    int result = pg_open(&options, sql, err);
    if (result == 0 &&
        (pg_identify(*sql, &admin, err) < 0 || check_same_place(ours, &admin, err) < 0)) {
        pg_close(*sql);
        *sql = NULL;
        result = -1;
    }
    return result < 0 ? error_wrap(err, "--admin-connection") : 0;
}
