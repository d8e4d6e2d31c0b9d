/* recover/origin_wal_make: a slot is created, adopted from an interrupted first run, replaced or
 * dropped. A slot becomes consistent once every transaction that writes now has ended, so creation
 * says for whom it waits and can be interrupted. */
#include "recover/origin_wal_internal.h"

#include "base/clock.h"
#include "base/waits.h"
#include "recover/recover.h"

#include <string.h>

#define CREATE_SLICE_MS 1000
#define TELL_AGAIN_US (30 * US_PER_S)

/* A standby knows of no transactions; its primary tells it every so often which ones write. Who is
 * waited for changes as they end, so it is said again. */
void wal_tell_blockers(const struct log *log, struct pg_connection *sql, const char *slot,
                       bool standby, int64_t *tell_us)
{
    struct buf lines = BUF_EMPTY;
    struct error err = ERROR_INIT;
    if (clock_monotonic_us() < *tell_us)
        return;
    if (standby)
        buf_add_text(&lines, "word from the primary");
    else if (pg_blocking_transactions(sql, &lines, &err) < 0)
        lines.len = 0;
    if (lines.len > 0) {
        log_event(log, LOG_WARN, "slot.waiting", "slot", slot, "for", buf_text(&lines), "hint",
                  standby ? "it comes at once by this statement there: SELECT "
                            "pg_log_standby_snapshot()"
                          : "a slot is consistent once every transaction that writes now has ended",
                  NULL);
        *tell_us = clock_monotonic_us() + TELL_AGAIN_US;
    }
    buf_fini(&lines);
}

static int wait_for_slot(const struct origin_wal *o, bool standby,
                         struct pg_replication *replication, uint64_t *consistent_lsn,
                         struct error *err)
{
    int64_t tell_us = 0;
    waits_phase(log_waits(o->o.log), "making slot %s", o->base.label);
    for (;;) {
        int result = pg_replication_create_slot(replication, o->base.label, CREATE_SLICE_MS,
                                                consistent_lsn, err);
        if (result <= 0) {
            waits_phase(log_waits(o->o.log), "%s", "");
            return result;
        }
        if (o->o.stop != NULL && atomic_load(o->o.stop))
            return error_retry(err, REASON_STOPPING,
                               "asked to stop while the slot was being created");
        wal_tell_blockers(o->o.log, o->base.sql, o->base.label, standby, &tell_us);
    }
}

static int create(const struct origin_wal *o, bool standby, uint64_t *consistent_lsn,
                  struct error *err)
{
    struct pg_options options = {.connection = o->o.config->source.connection.text,
                                 .password_command = o->o.config->source.password_command.arguments,
                                 .application_name = o->command_application,
                                 .stop = o->o.stop,
                                 .waits = log_waits(o->o.log)};
    struct pg_replication *replication = NULL;
    if (pg_replication_open(&options, &replication, err) < 0)
        return -1;
    int result = wait_for_slot(o, standby, replication, consistent_lsn, err);
    pg_replication_close(replication);
    if (result == 0)
        command_say(o->o.out, "slot %s: created", o->base.label);
    return result;
}

static int drop(const struct origin_wal *o, struct error *err)
{
    struct pg_result *result = NULL;
    const char *name = o->base.label;
    if (pg_query(o->base.sql, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, &name, &result,
                 err) < 0)
        return error_wrap(err, "dropping slot %s", name);
    pg_result_free(result);
    return 0;
}

/* ---- As wished ---- */

static int make_first(struct origin_wal *o, const struct found *found, uint64_t *place,
                      struct error *err)
{
    o->changes.of_slot = !found->origin.present || o->changes.at_first;
    if (!found->origin.present)
        return create(o, found->system.in_recovery, place, err);
    struct wal_facts facts = {
        .relay = o->o.config->name.text, .slot_name = o->base.label, .found = found};
    if (wal_judge_adoption(&facts, err) < 0)
        return -1;
    *place = found->origin.confirmed_lsn;
    command_say(o->o.out, "slot %s: taken over from an interrupted setup", o->base.label);
    return 0;
}

static int make_anew(struct origin_wal *o, const struct found *found, uint64_t *place,
                     struct error *err)
{
    if (found->origin.present && drop(o, err) < 0)
        return -1;
    o->changes.of_slot = true;
    return create(o, found->system.in_recovery, place, err);
}

static int remove_it(const struct origin_wal *o, const struct found *found, struct error *err)
{
    if (!found->origin.present) {
        command_say(o->o.out, "slot %s: gone already", o->base.label);
        return 0;
    }
    if (drop(o, err) < 0)
        return -1;
    command_say(o->o.out, "slot %s: dropped", o->base.label);
    return 0;
}

int wal_prepare(struct origin *base, enum origin_wish wish, const struct found *found,
                uint64_t *place, struct error *err)
{
    struct origin_wal *o = (struct origin_wal *)base;
    assert(o->o.out != NULL && base->sql != NULL);
    struct found now = *found;
    if (base->ops->look(base, &now.origin, err) < 0)
        return -1;
    switch (wish) {
    case ORIGIN_FIRST:
        return make_first(o, &now, place, err);
    case ORIGIN_ANEW:
        return make_anew(o, &now, place, err);
    case ORIGIN_GONE:
        return remove_it(o, &now, err);
    }
    assert(false);
    return -1;
}
