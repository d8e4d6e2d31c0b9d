/* recover/origin_wal_sight: what `doctor` makes of the slot: does it still have all that it needs,
 * does somebody read it, and when is it lost if all goes on like this. */
#include "recover/checks_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a slot that nobody reads may keep before that is worth a word. */
#define UNREAD_BYTES (1024 * 1024)
/* Two looks that far apart tell how fast the log grows. */
#define BETWEEN_LOOKS_US US_PER_S
#define SOON_S (INT64_C(4) * 3600)

static const char slot_sql[] =
    "SELECT s.active, s.wal_status, s.safe_wal_size, "
    "pg_wal_lsn_diff(n.lsn, s.restart_lsn)::bigint, (n.lsn - '0/0')::bigint, "
    "(s.confirmed_flush_lsn - '0/0')::bigint FROM pg_catalog.pg_replication_slots s, "
    "(SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_lsn() END AS lsn) n WHERE s.slot_name = $1";

static int64_t number(const struct pg_result *r, int column)
{
    struct span cell = pg_result_cell(r, 0, column);
    return cell.ptr != NULL ? strtoll(cell.ptr, NULL, 10) : 0;
}

int wal_look_at_slot(struct pg_connection *sql, const char *name, struct wal_sight *sight,
                     struct error *err)
{
    assert(sql != NULL && name != NULL);
    struct pg_result *r = NULL;
    *sight = (struct wal_sight){.at_us = clock_monotonic_us()};
    if (pg_query(sql, slot_sql, 1, &name, &r, err) < 0)
        return -1;
    if (pg_result_rows(r) > 0) {
        sight->present = true;
        sight->active = pg_result_true(r, 0, 0);
        snprintf(sight->status, sizeof sight->status, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 1)));
        sight->limited = pg_result_cell(r, 0, 2).ptr != NULL;
        sight->safe_bytes = number(r, 2);
        sight->retained_bytes = number(r, 3);
        sight->current_lsn = (uint64_t)number(r, 4);
        sight->confirmed_lsn = (uint64_t)number(r, 5);
    }
    pg_result_free(r);
    return 0;
}

/* Is there one? It may have come since the settings were asked for, which needed no look. */
static bool has_slot(struct checking *c, enum check_id id)
{
    if (c->o->config->source.mode == SOURCE_WAL && c->sight.present)
        return true;
    checking_passes_over(c, id);
    return false;
}

/* Twice what it keeps now, and what is there for all at least. */
static int mend_limit(struct checking *c, int64_t retained_bytes, struct error *err)
{
    char value[32];
    int64_t wanted_mb = 2 * (retained_bytes / (1024 * 1024)) + 1024;
    int64_t doubled_mb = 2 * c->settings.wal_limit_mb;
    snprintf(value, sizeof value, "%" PRId64 "MB", wanted_mb > doubled_mb ? wanted_mb : doubled_mb);
    return doctor_mend_setting(err, "max_slot_wal_keep_size", value);
}

int doctor_slot_state(struct checking *c, struct error *err)
{
    const struct wal_sight *s = &c->sight;
    const char *name = c->o->config->source.slot.text;
    char kept[24];
    if (!has_slot(c, CHECK_SLOT_STATE))
        return 0;
    checking_say(c, CHECK_SLOT_STATE, "slot %s is %s and keeps %s of WAL", name, s->status,
                 doctor_bytes(s->retained_bytes, kept));
    if (strcmp(s->status, "lost") == 0) {
        error_stop(err, REASON_FINDING,
                   "slot %s is lost: the server has thrown away what it had not sent yet", name);
        error_hint(err, "begin anew from now on, without the events in between");
        return error_mend(err, "rebase --to new-slot --accept-loss");
    }
    if (strcmp(s->status, "unreserved") != 0)
        return 0;
    error_stop(err, REASON_FINDING,
               "slot %s keeps %s of WAL, which is more than max_slot_wal_keep_size: it is lost at "
               "the next checkpoint",
               name, kept);
    return mend_limit(c, s->retained_bytes, err);
}

int doctor_slot_reader(struct checking *c, struct error *err)
{
    const struct wal_sight *s = &c->sight;
    char kept[24];
    if (!has_slot(c, CHECK_SLOT_READER))
        return 0;
    if (s->active)
        return 0;
    doctor_bytes(s->retained_bytes, kept);
    checking_say(c, CHECK_SLOT_READER, "nobody reads the slot now; it keeps %s", kept);
    if (s->current_lsn - s->confirmed_lsn < UNREAD_BYTES)
        return 0;
    error_stop(err, REASON_FINDING,
               "nobody reads slot %s, and it keeps %s of WAL: is the relay running?",
               c->o->config->source.slot.text, kept);
    error_hint(err, "start its service, or");
    return error_mend(err, "run");
}

/* ---- The forecast ---- */

static void say_left(int64_t seconds, char *text, size_t size)
{
    if (seconds < 120)
        snprintf(text, size, "%" PRId64 " s", seconds);
    else if (seconds < 2 * 3600)
        snprintf(text, size, "%" PRId64 " min", seconds / 60);
    else
        snprintf(text, size, "%" PRId64 " h", seconds / 3600);
}

int doctor_slot_room(struct checking *c, struct error *err)
{
    const struct wal_sight *before = &c->sight;
    struct wal_sight now;
    char kept[24], left[24], rate[24], until[32];
    if (!has_slot(c, CHECK_SLOT_ROOM))
        return 0;
    int64_t wait_us = BETWEEN_LOOKS_US - (clock_monotonic_us() - before->at_us);
    if (wait_us > 0)
        clock_sleep_us(wait_us);
    if (wal_look_at_slot(c->ends.r.origin->sql, c->o->config->source.slot.text, &now, err) < 0)
        return -1;
    int64_t grown = (int64_t)(now.current_lsn - before->current_lsn);
    int64_t per_s = grown * US_PER_S / (now.at_us - before->at_us + 1);
    bool stands = now.confirmed_lsn == before->confirmed_lsn &&
                  now.current_lsn - now.confirmed_lsn > UNREAD_BYTES;
    int64_t limit_bytes = c->settings.wal_limit_mb * 1024 * 1024;
    int64_t seconds = stands && per_s > 0 ? now.safe_bytes / per_s : INT64_MAX;
    doctor_bytes(now.retained_bytes, kept);
    doctor_bytes(now.safe_bytes, left);
    doctor_bytes(per_s, rate);
    if (!now.limited) {
        checking_say(c, CHECK_SLOT_ROOM, "it keeps %s, without a limit; the server writes %s/s",
                     kept, rate);
        return 0;
    }
    checking_say(c, CHECK_SLOT_ROOM,
                 "it keeps %s, %s more until it is lost; the server writes %s/s", kept, left, rate);
    if (now.safe_bytes * 2 > limit_bytes && seconds > SOON_S)
        return 0;
    say_left(per_s > 0 ? now.safe_bytes / per_s : 0, until, sizeof until);
    error_stop(err, REASON_FINDING, "slot %s keeps %s of WAL, and is lost after %s more%s%s%s",
               c->o->config->source.slot.text, kept, left, per_s > 0 ? ": in " : "",
               per_s > 0 ? until : "",
               per_s > 0 ? ", if it stays there and the server goes on writing like this" : "");
    return mend_limit(c, now.retained_bytes, err);
}
