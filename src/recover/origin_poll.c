/* recover/origin_poll: the origin of a polling relay: the tables themselves, and a snapshot up to
 * which they are published. Nothing is made at the server, so nobody holds anything there: what
 * keeps two instances apart is Kafka alone. */
#include "recover/origin_poll_internal.h"

#include "base/clock.h"
#include "recover/recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_POLL_US 5000

static struct origin_poll *from_base(struct origin *o)
{
    assert(o != NULL);
    return (struct origin_poll *)o;
}

static const struct origin_poll *from_const(const struct origin *o)
{
    assert(o != NULL);
    return (const struct origin_poll *)o;
}

static bool claims(const struct origin_poll *o)
{
    return o->o.config->source.poll.strategy == POLL_CLAIM;
}

/* ---- The session ---- */

static int connect_session(struct origin *base, struct error *err)
{
    const struct origin_poll *o = from_base(base);
    struct pg_options options = {.connection = o->o.config->source.connection.text,
                                 .password_command = o->o.config->source.password_command.arguments,
                                 .application_name = o->o.application,
                                 .timeout_ms = o->o.timeout_ms,
                                 .stop = o->o.stop,
                                 .waits = log_waits(o->o.log),
                                 .shared = true};
    return pg_open(&options, &base->sql, err);
}

static void close_origin(struct origin *base)
{
    struct origin_poll *o = from_base(base);
    pg_close(base->sql);
    buf_fini(&o->first);
    arena_fini(&o->arena);
    free(o);
}

static int identify(struct origin *base, struct pg_system *system, struct error *err)
{
    assert(base->sql != NULL);
    return pg_identify(base->sql, system, err);
}

/* ---- Looking ---- */

/* The guard's own text asks nothing of a table. */
static int ask_guard(struct origin_poll *o, struct poll_guard *guard, struct buf *snapshot,
                     struct error *err)
{
    const struct poll_question question = {.ask = POLL_ASK_FLUSH};
    const struct poll_options none = {.table_count = 0};
    struct pg_result *r = NULL;
    struct buf sql = BUF_EMPTY;
    poll_sql(&question, &none, &sql);
    int result = pg_query(o->base.sql, buf_text(&sql), 0, NULL, &r, err);
    buf_fini(&sql);
    if (result < 0)
        return -1;
    struct span cells[POLL_GUARD_CELLS];
    for (int i = 0; i < POLL_GUARD_CELLS; i++)
        cells[i] = pg_result_cell(r, 0, i);
    if (!poll_read_guard(cells, guard))
        result =
            error_retry(err, REASON_DATABASE, "PostgreSQL's answer about itself cannot be read");
    buf_reset(snapshot);
    buf_add(snapshot, guard->snapshot);
    guard->snapshot = span_null();
    pg_result_free(r);
    return result;
}

static int look(struct origin *base, struct found_origin *state, struct error *err)
{
    struct origin_poll *o = from_base(base);
    struct poll_guard guard;
    struct buf snapshot = BUF_EMPTY, resume = BUF_EMPTY, prev = BUF_EMPTY;
    int result = ask_guard(o, &guard, &snapshot, err);
    o->next_xid = o->insert_lsn = 0;
    if (result == 0 && !guard.in_recovery) {
        poll_resume_write(buf_span(&snapshot), &resume);
        (void)poll_resume_read(buf_span(&resume), &prev, &o->next_xid);
        o->insert_lsn = guard.insert_lsn;
    }
    *state = (struct found_origin){.present = true,
                                   .confirmed_lsn = POLL_BEGINNING_LSN,
                                   .current_lsn = result == 0 ? guard.insert_lsn : 0};
    buf_fini(&prev);
    buf_fini(&resume);
    buf_fini(&snapshot);
    if (result == 0 && claims(o) && o->o.session == ORIGIN_SQL)
        result = claim_look_waits(o, state, err);
    return result;
}

static int refuse_standby(struct error *err)
{
    error_stop(err, REASON_IN_RECOVERY,
               "source.connection leads to a standby, whose snapshots do "
               "not tell what is under way on its primary");
    return error_hint(err, "name the primary (target_session_attrs=read-write)");
}

static int judge(struct origin *base, enum origin_question question, const struct found *found,
                 struct error *err)
{
    const struct origin_poll *o = from_base(base);
    if (question == ORIGIN_MAY_GO_ON && claims(o))
        return claim_judge_start(o->o.config, found, o->insert_lsn, err);
    if (question == ORIGIN_MAY_GO_ON)
        return poll_judge_start(o->o.config, found, o->next_xid, err);
    return found->system.in_recovery ? refuse_standby(err) : 0;
}

static int probe(struct origin *base, struct pg_system *system, struct error *err)
{
    if (pg_identify(base->sql, system, err) < 0)
        return -1;
    return system->in_recovery ? refuse_standby(err) : 0;
}

static int check(struct origin *base, const struct pg_system *system, const struct router *router,
                 bool before_setup, struct error *err)
{
    (void)system;
    (void)before_setup;
    struct origin_poll *o = from_base(base);
    return claims(o) ? claim_load_tables(o, router, err) : poll_load_tables(o, router, err);
}

/* ---- Taking and starting ---- */

/* A snapshot of now, once nothing that it sees can be lost in a crash. */
static int take_snapshot(struct origin_poll *o, uint64_t *place, struct error *err)
{
    struct buf snapshot = BUF_EMPTY, later = BUF_EMPTY;
    struct poll_guard target, now;
    int result = ask_guard(o, &target, &snapshot, err);
    now = target;
    while (result == 0 && !poll_is_flushed(&target, now.flush_lsn)) {
        clock_sleep_us(FLUSH_POLL_US);
        result = ask_guard(o, &now, &later, err);
        if (result == 0 && (now.in_recovery || now.checkpoint != target.checkpoint))
            result = error_retry(err, REASON_SERVER_CHANGED,
                                 "a checkpoint came between a snapshot and its WAL");
    }
    if (result == 0 && target.in_recovery)
        result = refuse_standby(err);
    buf_reset(&o->first);
    if (result == 0)
        poll_resume_write(buf_span(&snapshot), &o->first);
    *place = target.insert_lsn;
    buf_fini(&later);
    buf_fini(&snapshot);
    return result;
}

static int prepare(struct origin *base, enum origin_wish wish, const struct found *found,
                   uint64_t *place, struct error *err)
{
    struct origin_poll *o = from_base(base);
    (void)found;
    *place = POLL_BEGINNING_LSN;
    if (wish == ORIGIN_GONE) {
        if (o->o.out != NULL)
            command_say(o->o.out, "polling: nothing was made at the server");
        return 0;
    }
    if (claims(o) && wish == ORIGIN_ANEW) {
        error_stop(err, REASON_NOT_ACCEPTED,
                   "strategy: claim publishes what is pending, so it cannot begin from now on");
        error_hint(err, "finish the rows that are not to be published, then begin with the rest");
        return error_mend(err, "rebase --to beginning --accept-repeat");
    }
    bool beginning = wish == ORIGIN_FIRST && o->o.config->source.poll.start == POLL_START_BEGINNING;
    return beginning ? 0 : take_snapshot(o, place, err);
}

/* Nobody holds anything. */
static int evict(struct origin *base, const struct found_holder *holder, bool *ended,
                 struct error *err)
{
    (void)base;
    (void)holder;
    (void)err;
    *ended = false;
    return 0;
}

static int start_claiming(struct origin_poll *o, const struct found *found, int64_t now_us,
                          struct source **source, bool *listens, struct error *err)
{
    const struct config_poll *poll = &o->o.config->source.poll;
    const struct progress *p = &found->progress;
    const struct claim_options options = {.tables = o->claimed,
                                          .table_count = o->table_count,
                                          .start = p->position,
                                          .partial = p->partial,
                                          .resume = p->resume,
                                          .system_identifier = found->system.system_identifier,
                                          .timeline = found->system.timeline,
                                          .interval_us = poll->interval_ms * US_PER_MS,
                                          .idle_interval_us = poll->idle_interval_ms * US_PER_MS,
                                          .window_rows = (uint32_t)poll->page_rows,
                                          .application = o->o.application,
                                          .channel = o->channel,
                                          .trouble = o->o.trouble,
                                          .now_us = now_us};
    struct pg_connection *sql = o->base.sql;
    o->base.sql = NULL; /* the source's, even where it fails */
    return claim_source_open(sql, &options, source, listens, err);
}

static int start_polling(struct origin_poll *o, const struct found *found, int64_t now_us,
                         struct source **source, bool *listens, struct error *err)
{
    const struct config_poll *poll = &o->o.config->source.poll;
    const struct progress *p = &found->progress;
    const struct poll_options options = {.tables = o->tables,
                                         .table_count = o->table_count,
                                         .start = p->position,
                                         .partial = p->partial,
                                         .resume = p->resume,
                                         .system_identifier = found->system.system_identifier,
                                         .timeline = found->system.timeline,
                                         .interval_us = poll->interval_ms * US_PER_MS,
                                         .idle_interval_us = poll->idle_interval_ms * US_PER_MS,
                                         .page_rows = (uint32_t)poll->page_rows,
                                         .end = o->o.end,
                                         .channel = o->channel,
                                         .now_us = now_us};
    struct pg_connection *sql = o->base.sql;
    o->base.sql = NULL; /* the source's, even where it fails */
    return poll_source_open(sql, &options, source, listens, err);
}

/* Nobody drops that slot unless he is told, and it keeps the server's WAL. */
static void tell_unfinished(const struct origin_poll *o, const struct progress *p)
{
    if (p->slot_from == 0 || o->o.end.lsn != 0)
        return;
    log_event(
        o->o.log, LOG_WARN, "switch.unfinished", "slot", p->slot, "detail",
        "a switch between the modes was interrupted, and may have left this slot, which keeps "
        "the write-ahead log of the server",
        "hint", "run: walferry setup --switch-to poll", NULL);
}

static int start(struct origin *base, const struct found *found, int64_t now_us,
                 struct source **source, struct error *err)
{
    struct origin_poll *o = from_base(base);
    bool listens = false;
    assert(o->table_count > 0); /* checked before */
    int result = claims(o) ? start_claiming(o, found, now_us, source, &listens, err)
                           : start_polling(o, found, now_us, source, &listens, err);
    if (result < 0)
        return -1;
    tell_unfinished(o, &found->progress);
    if (!listens)
        log_event(o->o.log, LOG_INFO, "poll.unwoken", "detail",
                  "the connection is to a pooler, which cannot listen: a NOTIFY does not wake the "
                  "relay, its interval alone does",
                  NULL);
    return 0;
}

/* The name of a slot stands in each record; here it is only a name. */
static void sign(const struct origin *base, struct progress *record)
{
    const struct origin_poll *o = from_const(base);
    if (record->slot_from == 0) /* else it is the name of what is left */
        snprintf(record->slot, sizeof record->slot, "%s", base->label);
    if (record->resume.ptr != NULL || record->mode != PROGRESS_POLL)
        return;
    if (claims(o))
        record->resume = SPAN_LITERAL(CLAIM_RESUME_EMPTY);
    else if (o->first.len > 0)
        record->resume = buf_span(&o->first);
    else if (record->position.lsn == POLL_BEGINNING_LSN)
        record->resume = SPAN_LITERAL("{\"prev\":\"3:3:\",\"target\":null,\"last_seq\":{}}");
}

static bool signed_by(const struct origin *base, const struct progress *record)
{
    return strcmp(record->slot, base->label) == 0;
}

/* ---- What is said of it ---- */

static void write_text(const struct origin *base, const struct found_origin *state, struct buf *out)
{
    const struct config_poll *poll = &from_const(base)->o.config->source.poll;
    char lsn[LSN_TEXT_MAX];
    if (state == NULL)
        command_say(out, "polling     not known");
    else
        command_say(out, "polling     every %" PRId64 " to %" PRId64 " ms, write-ahead log at %s",
                    poll->interval_ms, poll->idle_interval_ms, lsn_format(state->current_lsn, lsn));
    if (state != NULL && state->waits[0] != '\0')
        command_say(out, "waiting     %s", state->waits);
}

/* The members are the same whatever the mode. */
static void write_json(const struct origin *base, const struct found_origin *state,
                       struct json_writer *w)
{
    static const char *const absent[] = {"slot_exists", "slot_active", "slot_wal_status",
                                         "confirmed_flush_lsn", "restart_lsn"};
    char lsn[LSN_TEXT_MAX];
    (void)base;
    json_write_member_null(w, "slot");
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        json_write_member_null(w, absent[i]);
    json_write_member_text(
        w, "current_lsn",
        state != NULL && state->current_lsn != 0 ? lsn_format(state->current_lsn, lsn) : NULL);
}

static void log_change(const struct origin *base, const char *before,
                       const struct found_origin *now)
{
    (void)base;
    (void)before;
    (void)now;
}

static const struct origin_ops poll_ops = {
    .name = "poll",
    .noun = "snapshot",
    .here = "beginning",
    .anew = "now",
    .mode = PROGRESS_POLL,
    .connect = connect_session,
    .identify = identify,
    .look = look,
    .judge = judge,
    .probe = probe,
    .check = check,
    .prepare = prepare,
    .evict = evict,
    .start = start,
    .sign = sign,
    .signed_by = signed_by,
    .write_text = write_text,
    .write_json = write_json,
    .log_change = log_change,
    .close = close_origin,
};

struct origin *origin_poll_open(const struct origin_options *options)
{
    struct origin_poll *o = calloc(1, sizeof *o);
    if (o == NULL)
        abort();
    o->base.ops = &poll_ops;
    o->o = *options;
    o->base.label = options->config->source.slot.text;
    snprintf(o->base.name, sizeof o->base.name, "polling");
    snprintf(o->channel, sizeof o->channel, "walferry_%s", options->config->name.text);
    arena_init(&o->arena, 4096, 4096);
    o->first = BUF_EMPTY;
    return &o->base;
}
