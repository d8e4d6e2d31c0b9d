/* recover/origin_wal_live: what is committed from now on, for somebody who only looks: a temporary
 * slot of its own, which goes with the session. The relay's slot and its progress are not asked
 * for. */
#include "recover/origin_wal_internal.h"

#include "base/clock.h"
#include "recover/recover.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define CREATE_SLICE_MS 1000

struct names {
    char slot[64];
    char application[88];
};

static struct names names_of(const struct config_relay *config)
{
    struct names names;
    snprintf(names.slot, sizeof names.slot, "walferry_%.40s_%" PRId64, config->name.text,
             (int64_t)getpid() % 10000000);
    snprintf(names.application, sizeof names.application, "walferry:%s:live", config->name.text);
    return names;
}

static int make(struct pg_replication *replication, const struct command_options *o,
                const char *slot, uint64_t *lsn, struct error *err)
{
    pg_replication_temporary(replication);
    for (;;) {
        int result = pg_replication_create_slot(replication, slot, CREATE_SLICE_MS, lsn, err);
        if (result <= 0)
            return result;
        if (o->stop != NULL && atomic_load(o->stop))
            return error_retry(err, REASON_STOPPING,
                               "asked to stop before every transaction that was writing had ended");
    }
}

static int begin(struct pg_replication *replication, const struct command_options *o,
                 const struct router *router, const struct names *names, struct pg_system *system,
                 uint64_t *lsn, struct error *err)
{
    struct pg_connection *sql = pg_replication_sql(replication);
    if (pg_identify(sql, system, err) < 0 ||
        relay_check_publication(sql, o->config, router, err) < 0 ||
        make(replication, o, names->slot, lsn, err) < 0)
        return -1;
    const struct wal_stream stream = {
        .config = o->config,
        .label = names->slot,
        .encoding = system->encoding,
        .changes = wal_takes_changes(o->config) ? o->config->source.changes.text : NULL,
        .lsn = *lsn};
    return wal_start_stream(replication, &stream, err);
}

int relay_live(const struct command_options *o, const struct router *router,
               struct pg_system *system, struct source **source, struct error *err)
{
    struct pg_replication *replication = NULL;
    const struct names names = names_of(o->config);
    const struct pg_options session = {.connection = o->config->source.connection.text,
                                       .password_command =
                                           o->config->source.password_command.arguments,
                                       .application_name = names.application,
                                       .stop = o->stop,
                                       .waits = log_waits(o->log)};
    uint64_t lsn = 0;
    assert(router != NULL && system != NULL && source != NULL);
    if (pg_replication_open(&session, &replication, err) < 0)
        return -1;
    if (begin(replication, o, router, &names, system, &lsn, err) < 0) {
        pg_replication_close(replication);
        return -1;
    }
    const struct stream_options options = {
        .start = {lsn, 0},
        .server_timeout_us = system->wal_sender_timeout_ms * INT64_C(1000),
        .now_us = clock_monotonic_us(),
        .connection = o->config->source.connection.text,
        .password_command = o->config->source.password_command.arguments,
        .application = session.application_name,
        .keys = wal_takes_changes(o->config),
        .encoding = system->encoding};
    return stream_source_open(replication, &options, source, err);
}
