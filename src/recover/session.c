/* recover/session: the sessions of whoever acts on a relay, their application_name, and lines for a
 * person. */
#include "recover/recover.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void command_say(struct buf *out, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_add_text(out, line);
    buf_add_char(out, '\n');
}

static void application_name(const struct command_options *o, char *text, size_t size)
{
    snprintf(text, size, "walferry:%s:command", o->config->relay.text);
}

int command_open_sql(const struct command_options *o, const char *connection,
                     struct pg_connection **sql, struct error *err)
{
    char application[80];
    application_name(o, application, sizeof application);
    struct pg_options options = {
        .connection = connection != NULL ? connection : o->config->source.connection.text,
        .application_name = application,
        .stop = o->stop};
    return pg_open(&options, sql, err);
}

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
    char application[80];
    application_name(o, application, sizeof application);
    struct pg_options options = {.connection = connection,
                                 .database = ours->database,
                                 .application_name = application,
                                 .stop = o->stop};
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

int command_open_replication(const struct command_options *o, struct pg_replication **replication,
                             struct error *err)
{
    char application[80];
    application_name(o, application, sizeof application);
    struct pg_options options = {.connection = o->config->source.connection.text,
                                 .application_name = application,
                                 .stop = o->stop};
    return pg_replication_open(&options, replication, err);
}

int command_check_wal_level(const struct pg_system *system, struct error *err)
{
    if (strcmp(system->wal_level, "logical") == 0)
        return 0;
    error_stop(err, REASON_WAL_LEVEL, "wal_level of the server is %s, not logical",
               system->wal_level);
    error_hint(err, "as a superuser, then restart the server");
    return error_mend_sql(err, "ALTER SYSTEM SET wal_level = 'logical'");
}
