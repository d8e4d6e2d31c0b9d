/* recover/origin_wal: the origin of a streaming relay: a replication slot and the publication that
 * it is read through. The session, looking, starting, and what a person is told of a slot.
 *
 * It never decides: what follows from what it finds is said in origin_wal_judge.c, what changes the
 * server stands in origin_wal_make.c. Only evict() touches somebody else's session. */
#include "recover/origin_wal_internal.h"

#include "recover/recover.h"
#include "types/types.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct origin_wal *from_base(struct origin *o)
{
    assert(o != NULL);
    return (struct origin_wal *)o;
}

static const struct origin_wal *from_const(const struct origin *o)
{
    assert(o != NULL);
    return (const struct origin_wal *)o;
}

/* ---- The session ---- */

static int connect_session(struct origin *base, struct error *err)
{
    struct origin_wal *o = from_base(base);
    struct pg_options options = {.connection = o->o.config->source.connection.text,
                                 .password_command = o->o.config->source.password_command.arguments,
                                 .application_name = o->o.application,
                                 .timeout_ms = o->o.timeout_ms,
                                 .stop = o->o.stop,
                                 .waits = log_waits(o->o.log)};
    if (o->o.session == ORIGIN_SQL)
        return pg_open(&options, &base->sql, err);
    if (pg_replication_open(&options, &o->replication, err) < 0)
        return -1;
    base->sql = pg_replication_sql(o->replication);
    return 0;
}

static void close_origin(struct origin *base)
{
    struct origin_wal *o = from_base(base);
    if (o->o.session == ORIGIN_STREAM)
        pg_replication_close(o->replication);
    else
        pg_close(base->sql);
    free(o);
}

/* ---- Looking ---- */

static int identify(struct origin *base, struct pg_system *system, struct error *err)
{
    assert(base->sql != NULL);
    return pg_identify(base->sql, system, err);
}

static int look_for_changes(struct origin_wal *o, struct error *err)
{
    struct pg_result *r = NULL;
    const char *name = o->o.config->source.changes.text;
    if (pg_query(o->base.sql, "SELECT FROM pg_catalog.pg_publication WHERE pubname = $1", 1, &name,
                 &r, err) < 0)
        return -1;
    o->changes.exists = pg_result_rows(r) > 0;
    if (!o->changes.looked)
        o->changes.at_first = o->changes.exists;
    o->changes.looked = true;
    pg_result_free(r);
    return 0;
}

static int look(struct origin *base, struct found_origin *state, struct error *err)
{
    assert(base->sql != NULL && state != NULL);
    struct pg_slot slot;
    struct found_commands commands;
    if (pg_slot_state(base->sql, base->label, &slot, err) < 0 ||
        look_for_changes(from_base(base), err) < 0 ||
        relay_look_for_commands(base->sql, &commands, err) < 0)
        return -1;
    *state = (struct found_origin){.present = slot.state == SLOT_PRESENT,
                                   .lost = strcmp(slot.wal_status, "lost") == 0,
                                   .due = strcmp(slot.wal_status, "unreserved") == 0,
                                   .limited = slot.safe_wal_size >= 0,
                                   .room_bytes = slot.safe_wal_size,
                                   .confirmed_lsn = slot.confirmed_flush_lsn,
                                   .retained_lsn = slot.restart_lsn,
                                   .current_lsn = slot.current_lsn,
                                   .at_work = slot.at_work,
                                   .commands = commands};
    snprintf(state->kind, sizeof state->kind, "%s", slot.plugin);
    snprintf(state->database, sizeof state->database, "%s", slot.database);
    snprintf(state->state, sizeof state->state, "%s", slot.wal_status);
    state->holder.present = slot.active;
    state->holder.ours =
        slot.active && strcmp(slot.active_application, from_base(base)->relay_application) == 0;
    state->holder.pid = slot.active_pid;
    snprintf(state->holder.application, sizeof state->holder.application, "%s",
             slot.active_application);
    return 0;
}

/* ---- Judging ---- */

/* The history is asked of a replication session; the commands come with an ordinary one. */
static int find_timeline_end(struct origin_wal *o, const struct found *found, uint64_t *lsn,
                             struct error *err)
{
    uint32_t present = found->system.timeline;
    uint32_t recorded = found->progress.timeline;
    if (o->replication != NULL || recorded >= present)
        return wal_timeline_end(o->base.sql, present, recorded, lsn, err);
    struct pg_options options = {.connection = o->o.config->source.connection.text,
                                 .password_command = o->o.config->source.password_command.arguments,
                                 .application_name = o->command_application,
                                 .waits = log_waits(o->o.log)};
    struct pg_replication *replication = NULL;
    if (pg_replication_open(&options, &replication, err) < 0)
        return -1;
    int result = wal_timeline_end(pg_replication_sql(replication), present, recorded, lsn, err);
    pg_replication_close(replication);
    return result;
}

static int judge(struct origin *base, enum origin_question question, const struct found *found,
                 struct error *err)
{
    struct origin_wal *o = from_base(base);
    const struct config_relay *config = o->o.config;
    struct wal_facts facts = {.relay = config->name.text,
                              .slot_name = base->label,
                              .topic = config->delivery.progress_topic.text,
                              .config_hash = config->hash,
                              .found = found};
    if (question == ORIGIN_MAY_BEGIN)
        return wal_judge_first(&facts, err);
    if (question == ORIGIN_IS_OURS)
        return wal_judge_place(&facts, err);
    const struct progress *p = &found->progress;
    bool other_timeline = found->have_progress &&
                          p->system_identifier == found->system.system_identifier &&
                          p->timeline != found->system.timeline;
    if (other_timeline && find_timeline_end(o, found, &facts.timeline_switch, err) < 0)
        return -1;
    /* A standby may not know yet what its primary does. */
    bool known = found->have_progress && p->last.xid8 != 0 && !found->system.in_recovery &&
                 p->system_identifier == found->system.system_identifier;
    if (known && pg_transaction_fate(base->sql, p->last.xid8, &facts.fate, err) < 0)
        return -1;
    return wal_judge_start(&facts, err);
}

static int check_wal_level(const struct pg_system *system, struct error *err)
{
    if (strcmp(system->wal_level, "logical") == 0)
        return 0;
    error_stop(err, REASON_WAL_LEVEL, "wal_level of the server is %s, not logical",
               system->wal_level);
    error_hint(err, "as a superuser, then restart the server");
    return error_mend_sql(err, "ALTER SYSTEM SET wal_level = 'logical'");
}

/* Only a replication session says whether the role may have one. */
static int probe(struct origin *base, struct pg_system *system, struct error *err)
{
    struct origin_wal *o = from_base(base);
    struct pg_options options = {.connection = o->o.config->source.connection.text,
                                 .password_command = o->o.config->source.password_command.arguments,
                                 .application_name = o->command_application,
                                 .stop = o->o.stop,
                                 .waits = log_waits(o->o.log)};
    struct pg_replication *replication = NULL;
    if (pg_replication_open(&options, &replication, err) < 0)
        return -1;
    int result = pg_identify(pg_replication_sql(replication), system, err);
    pg_replication_close(replication);
    return result < 0 ? -1 : check_wal_level(system, err);
}

static int check(struct origin *base, const struct pg_system *system, const struct router *router,
                 bool before_setup, struct error *err)
{
    const struct config_relay *config = from_base(base)->o.config;
    if (!before_setup)
        return relay_check_publication(base->sql, config, router, err);
    if (check_wal_level(system, err) < 0)
        return -1;
    return relay_check_before_setup(base->sql, config, router, err);
}

static int take_fingerprint(struct origin *base, const struct router *router, struct arena *arena,
                            struct fingerprint *out, struct error *err)
{
    const struct config_source *source = &from_base(base)->o.config->source;
    return fingerprint_take(base->sql, source->publication.text, source->changes.text, router,
                            arena, out, err);
}

static int compare_fingerprints(struct origin *base, const struct router *router,
                                struct span before, struct span now,
                                struct fingerprint_change *change, struct error *err)
{
    const char *changes = from_base(base)->o.config->source.changes.text;
    return fingerprint_judge(base->sql, router, changes, before, now, change, err);
}

static int find_touched(struct origin *base, const struct router *router,
                        const struct fingerprint_suspects *suspects, bool *any, struct buf *names,
                        struct error *err)
{
    const struct config_source *source = &from_base(base)->o.config->source;
    return fingerprint_touched(base->sql, source->publication.text, source->changes.text, router,
                               suspects, any, names, err);
}

/* ---- Taking and starting ---- */

static int evict(struct origin *base, const struct found_holder *holder, bool *ended,
                 struct error *err)
{
    struct origin_wal *o = from_base(base);
    *ended = false;
    if (pg_terminate_slot_owner(base->sql, base->label, o->relay_application, ended, err) < 0)
        return -1;
    if (!*ended || o->o.session != ORIGIN_STREAM)
        return 0;
    char pid[16];
    snprintf(pid, sizeof pid, "%" PRId32, holder->pid);
    log_event(o->o.log, LOG_WARN, "slot.owner_ended", "slot", base->label, "#pid", pid, NULL);
    return 0;
}

/* Rows come in the database's own encoding where it can be read here, and so must the names of the
 * publications; one that the encoding does not have is no publication's. */
int wal_start_stream(struct pg_replication *replication, const struct wal_stream *stream,
                     struct error *err)
{
    const char *publication = stream->config->source.publication.text, *changes = stream->changes;
    struct text_encoding *encoding = text_encoding_open(stream->encoding);
    struct buf name = BUF_EMPTY, more = BUF_EMPTY;
    int result = 0;
    if (!text_encoding_reads(encoding) || !text_encoding_from_utf8(encoding, publication, &name) ||
        (changes != NULL && !text_encoding_from_utf8(encoding, changes, &more))) {
        buf_reset(&name);
        buf_reset(&more);
        buf_add_text(&name, publication);
        buf_add_text(&more, changes != NULL ? changes : "");
    } else {
        result = pg_speak_server_encoding(pg_replication_sql(replication), err);
    }
    if (result == 0)
        result = pg_replication_start(replication, stream->label, buf_text(&name),
                                      changes != NULL ? buf_text(&more) : NULL, stream->lsn, err);
    buf_fini(&name);
    buf_fini(&more);
    text_encoding_close(encoding);
    return result;
}

/* A publication that is younger than the place fails in decoding for ever (up to 17), so it is left
 * out until the position is past its making; and a witness from before that is not asked for. */
static const char *choose_changes(struct origin_wal *o, const struct progress *p,
                                  struct stream_witness *witness)
{
    if (!wal_takes_changes(o->o.config))
        return NULL;
    uint64_t from = wal_changes_from(o->o.config, p);
    o->base.reads_less = from > p->position.lsn;
    o->base.more_from = from != UINT64_MAX ? from : 0;
    if (o->base.reads_less)
        return NULL;
    if (witness->from_lsn < from)
        *witness = (struct stream_witness){.from_lsn = 0};
    return o->o.config->source.changes.text;
}

static int start(struct origin *base, const struct found *found, int64_t now_us,
                 struct source **source, struct error *err)
{
    struct origin_wal *o = from_base(base);
    assert(o->replication != NULL);
    const struct progress *p = &found->progress;
    const char *encoding = found->system.encoding;
    struct stream_witness witness = wal_witness(p, found->origin.confirmed_lsn);
    const char *changes = choose_changes(o, p, &witness);
    uint64_t from_lsn = witness.from_lsn != 0 ? witness.from_lsn : p->position.lsn;
    const struct wal_stream stream = {o->o.config, o->base.label, encoding, changes, from_lsn};
    if (wal_start_stream(o->replication, &stream, err) < 0)
        return -1;
    struct stream_options options = {
        .start = p->position,
        .witness = witness,
        .partial = p->partial,
        .server_timeout_us = found->system.wal_sender_timeout_ms * INT64_C(1000),
        .patience = o->o.patience,
        .now_us = now_us,
        .connection = o->o.config->source.connection.text,
        .password_command = o->o.config->source.password_command.arguments,
        .application = o->o.application,
        .relay = o->o.config->name.text,
        .keys = wal_takes_changes(o->o.config),
        .repeats = o->o.config->delivery.transaction_metadata,
        .encoding = encoding};
    struct pg_replication *replication = o->replication;
    o->replication = NULL; /* the source's, even where it fails */
    base->sql = NULL;
    if (stream_source_open(replication, &options, source, err) < 0)
        return -1;
    if (o->o.end.lsn != 0)
        *source = source_until(*source, o->o.end.lsn);
    return 0;
}

static bool knows(const struct progress *record, const char *publication)
{
    for (uint32_t i = 0; i < record->publication_count; i++)
        if (strcmp(record->publications[i].name, publication) == 0)
            return true;
    return false;
}

static void add_publication(struct progress *record, const char *name, uint64_t from)
{
    if (record->publication_count == PROGRESS_PUBLICATIONS_MAX || knows(record, name))
        return;
    struct progress_publication *added = &record->publications[record->publication_count++];
    *added = (struct progress_publication){.from = from};
    snprintf(added->name, sizeof added->name, "%s", name);
}

/* The publication is asked for from the position at which it was first written down: there is one,
 * and a file that names another is met by the fingerprint. That of change routes comes with it
 * where it is as old as the slot, and else once the position is past what it is younger than, and
 * not in the middle of a transaction: the changes that are done there were counted without it. */
static void sign(const struct origin *base, struct progress *record)
{
    const struct origin_wal *o = from_const(base);
    const struct config_source *source = &o->o.config->source;
    snprintf(record->slot, sizeof record->slot, "%s", base->label);
    if (record->position.lsn == 0)
        return;
    if (!knows(record, source->publication.text))
        record->publication_count = 0;
    add_publication(record, source->publication.text, record->position.lsn);
    if (o->changes.of_slot && o->changes.exists)
        add_publication(record, source->changes.text, record->position.lsn);
    else if (o->o.more_from != 0 && o->changes.exists && record->position.lsn >= o->o.more_from &&
             record->partial.final_lsn == 0)
        add_publication(record, source->changes.text, o->o.more_from);
}

static bool signed_by(const struct origin *base, const struct progress *record)
{
    return strcmp(record->slot, base->label) == 0;
}

/* ---- What is said of it ---- */

static void write_text(const struct origin *base, const struct found_origin *state, struct buf *out)
{
    char confirmed[LSN_TEXT_MAX];
    if (state == NULL)
        command_say(out, "slot        %s: not known", base->label);
    else if (!state->present)
        command_say(out, "slot        %s: absent", base->label);
    else
        command_say(out, "slot        %s: %s, %s, confirmed %s, %" PRIu64 " bytes behind",
                    base->label, state->holder.present ? "active" : "inactive",
                    state->state[0] != '\0' ? state->state : "-",
                    lsn_format(state->confirmed_lsn, confirmed),
                    state->current_lsn > state->confirmed_lsn
                        ? state->current_lsn - state->confirmed_lsn
                        : 0);
}

static void write_lsn(struct json_writer *w, const char *name, uint64_t lsn)
{
    char text[LSN_TEXT_MAX];
    json_write_member_text(w, name, lsn != 0 ? lsn_format(lsn, text) : NULL);
}

static void write_json(const struct origin *base, const struct found_origin *state,
                       struct json_writer *w)
{
    bool present = state != NULL && state->present;
    json_write_member_text(w, "slot", base->label);
    if (state != NULL) {
        json_write_member_bool(w, "slot_exists", present);
        json_write_member_bool(w, "slot_active", state->holder.present);
    } else {
        json_write_member_null(w, "slot_exists");
        json_write_member_null(w, "slot_active");
    }
    json_write_member_text(w, "slot_wal_status",
                           present && state->state[0] != '\0' ? state->state : NULL);
    write_lsn(w, "confirmed_flush_lsn", present ? state->confirmed_lsn : 0);
    write_lsn(w, "restart_lsn", present ? state->retained_lsn : 0);
    write_lsn(w, "current_lsn", state != NULL ? state->current_lsn : 0);
}

static void log_change(const struct origin *base, const char *before,
                       const struct found_origin *now)
{
    if (strcmp(before, now->state) == 0)
        return;
    bool bad = now->lost || strcmp(now->state, "unreserved") == 0;
    if (bad || before[0] != '\0')
        log_event(from_const(base)->o.log, bad ? LOG_WARN : LOG_INFO, "slot.wal_status", "status",
                  now->state, "before", before, NULL);
}

/* ---- Opening ---- */

static const struct origin_ops wal_ops = {
    .name = "wal",
    .noun = "slot",
    .here = "slot",
    .anew = "new-slot",
    .mode = PROGRESS_WAL,
    .connect = connect_session,
    .identify = identify,
    .look = look,
    .judge = judge,
    .probe = probe,
    .check = check,
    .fingerprint = take_fingerprint,
    .compare = compare_fingerprints,
    .touched = find_touched,
    .missing = wal_missing,
    .prepare = wal_prepare,
    .evict = evict,
    .start = start,
    .sign = sign,
    .signed_by = signed_by,
    .write_text = write_text,
    .write_json = write_json,
    .log_change = log_change,
    .close = close_origin,
};

struct origin *origin_wal_open(const struct origin_options *options)
{
    struct origin_wal *o = calloc(1, sizeof *o);
    if (o == NULL)
        abort();
    o->base.ops = &wal_ops;
    o->o = *options;
    o->base.label = options->config->source.slot.text;
    snprintf(o->base.name, sizeof o->base.name, "slot %s", o->base.label);
    snprintf(o->relay_application, sizeof o->relay_application, "walferry:%s",
             options->config->name.text);
    snprintf(o->command_application, sizeof o->command_application, "walferry:%s:command",
             options->config->name.text);
    return &o->base;
}
