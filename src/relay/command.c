/* relay/command: what the commands share: sessions, a first record, lines for a person. */
#include "relay/command.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FREE_SLOT_US (INT64_C(10) * 1000000)

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

int relay_open_router(const struct config *config, struct router **router, struct error *err)
{
    struct router_options options = {.routes = &config->routes,
                                     .relay = config->relay.text,
                                     .progress_topic = config->delivery.progress_topic.text};
    return router_open(&options, router, err);
}

int command_check_wal_level(const struct pg_system *system, struct error *err)
{
    if (strcmp(system->wal_level, "logical") == 0)
        return 0;
    error_stop(err, EXIT_USAGE, "wal_level", "wal_level of the server is %s, not logical",
               system->wal_level);
    return error_hint(err, "run: ALTER SYSTEM SET wal_level = 'logical', and restart the server");
}

int command_query(struct pg_connection *sql, const char *statement, const char *parameter,
                  struct error *err)
{
    struct pg_result *result = NULL;
    if (pg_query(sql, statement, 1, &parameter, &result, err) < 0)
        return -1;
    pg_result_free(result);
    return 0;
}

void command_first_record(const struct config *config, const struct pg_system *system,
                          const struct progress *before, struct progress *record)
{
    assert(record != before);
    *record = (struct progress){.generation = before != NULL ? before->generation + 1 : 1,
                                .system_identifier = system->system_identifier,
                                .timeline = system->timeline,
                                .mode = PROGRESS_WAL,
                                .at_us = clock_wall_us()};
    snprintf(record->relay, sizeof record->relay, "%s", config->relay.text);
    snprintf(record->slot, sizeof record->slot, "%s", config->source.slot.text);
    snprintf(record->config_hash, sizeof record->config_hash, "%s", config->hash);
    relay_instance(record->instance);
}

int command_claim(const struct command_options *o, struct publisher *publisher,
                  struct progress *record, struct error *err)
{
    assert(publisher != NULL && record->generation > 0);
    record->generation++;
    record->rebased.present = false;
    record->at_us = clock_wall_us();
    relay_instance(record->instance);
    if (relay_write_record(publisher, record, o->stop, o->config->delivery.transaction_timeout_ms,
                           err) < 0)
        return error_wrap(err, "claiming the relay");
    return 0;
}

int command_free_slot(const struct command_options *o, struct pg_connection *sql, struct error *err)
{
    const char *slot_name = o->config->source.slot.text;
    char application[64];
    snprintf(application, sizeof application, "walferry:%s", o->config->relay.text);
    int64_t give_up_us = clock_monotonic_us() + FREE_SLOT_US;
    for (;;) {
        struct pg_slot slot;
        bool ended = false;
        if (pg_slot_state(sql, slot_name, &slot, err) < 0)
            return -1;
        if (slot.state == SLOT_ABSENT || !slot.active)
            return 0;
        if (pg_terminate_slot_owner(sql, slot_name, application, &ended, err) < 0)
            return -1;
        if (clock_monotonic_us() > give_up_us || (o->stop != NULL && atomic_load(o->stop))) {
            error_stop(err, EXIT_USAGE, "slot_active",
                       "slot %s is in use by process %" PRId32 " (%s)", slot_name, slot.active_pid,
                       slot.active_application);
            return error_hint(err, "end that session and run the command again");
        }
        clock_sleep_us(50000);
    }
}

void relay_libraries(struct buf *out)
{
    kafka_known_defects(out);
}

const char *relay_kafka_version(void)
{
    return kafka_library_version();
}

const char *relay_pg_version(void)
{
    return pg_library_version();
}
