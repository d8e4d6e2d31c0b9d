/* operate/status: slot and progress as the servers tell them, and the live part as the relay told
 * it. Looks, never takes over. */
#include "operate/command.h"

#include "json/json_read.h"
#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct answer {
    struct relay_facts facts;
    bool have_slot;       /* the database answered */
    bool have_look;       /* Kafka answered */
    struct error away;    /* the first server that did not answer; kind NONE: all did */
    struct error verdict; /* kind NONE: a relay could go on from here */
    bool live;
    bool live_ready;
    struct span live_state;
    struct span live_instance; /* absent: no epoch was open yet */
};

static void note_away(struct answer *f, const struct error *err)
{
    if (f->away.kind == ERROR_NONE)
        f->away = *err;
}

static void look(const struct kafka_options *kafka, struct arena *arena, struct answer *f)
{
    bool topic_exists = false;
    struct error err = ERROR_INIT;
    f->have_look = relay_look(kafka, arena, &f->facts.progress, &f->facts.have_progress,
                              &topic_exists, &err) == 0;
    if (f->have_look)
        return;
    f->facts.have_progress = false;
    if (err.kind == ERROR_STOP)
        f->verdict = err;
    else
        note_away(f, &err);
}

static void ask_database(const struct command_options *o, const struct kafka_options *kafka,
                         struct arena *arena, struct answer *f)
{
    struct pg_connection *sql = NULL;
    struct error err = ERROR_INIT;
    if (command_open_sql(o, NULL, &sql, &err) < 0 ||
        pg_slot_state(sql, o->config->source.slot.text, &f->facts.slot, &err) < 0) {
        note_away(f, &err);
        pg_close(sql);
        return;
    }
    f->have_slot = true;
    if (f->have_look && relay_judge(sql, o->config, kafka, arena, &f->facts, &err) < 0) {
        if (err.kind == ERROR_STOP)
            f->verdict = err; /* that is an answer */
        else
            note_away(f, &err);
    }
    pg_close(sql);
}

/* A server that is away leaves its part unknown; the others are told all the same. */
static void gather(const struct command_options *o, struct arena *arena, struct answer *f)
{
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    look(&kafka, arena, f);
    ask_database(o, &kafka, arena, f);
}

/* Whoever runs and whoever claimed last are one, or the one that runs has been taken over. */
static bool is_other(const struct answer *f)
{
    return f->live && f->facts.have_progress && f->live_instance.ptr != NULL &&
           !span_equal(f->live_instance, span_of(f->facts.progress.instance));
}

static void write_lsn(struct json_writer *w, const char *name, bool known, uint64_t lsn)
{
    char text[LSN_TEXT_MAX];
    json_write_member_text(w, name, known && lsn != 0 ? lsn_format(lsn, text) : NULL);
}

static void write_bool(struct json_writer *w, const char *name, bool known, bool value)
{
    if (known)
        json_write_member_bool(w, name, value);
    else
        json_write_member_null(w, name);
}

static void write_error(struct json_writer *w, const char *name, const struct error *err)
{
    json_write_member_text(w, name, err->kind != ERROR_NONE ? reason_slug(err->reason) : NULL);
}

/* The same members whatever is known; what is not is null. */
static void write_json(const struct command_options *o, const struct answer *f, struct span live)
{
    const struct pg_slot *slot = &f->facts.slot;
    bool present = f->have_slot && slot->state == SLOT_PRESENT;
    const struct progress *p = f->facts.have_progress ? &f->facts.progress : NULL;
    const struct error *told = f->verdict.kind != ERROR_NONE ? &f->verdict : &f->away;
    struct json_writer w = json_writer(o->out);
    json_write_begin_object(&w);
    json_write_member_text(&w, "relay", o->config->relay.text);
    json_write_member_text(&w, "slot", o->config->source.slot.text);
    write_bool(&w, "slot_exists", f->have_slot, present);
    write_bool(&w, "slot_active", f->have_slot, slot->active);
    json_write_member_text(&w, "slot_wal_status",
                           present && slot->wal_status[0] != '\0' ? slot->wal_status : NULL);
    write_lsn(&w, "confirmed_flush_lsn", present, slot->confirmed_flush_lsn);
    write_lsn(&w, "restart_lsn", present, slot->restart_lsn);
    write_lsn(&w, "current_lsn", f->have_slot, slot->current_lsn);
    json_write_member_text(&w, "mode", p != NULL ? progress_mode_name(p->mode) : NULL);
    write_lsn(&w, "position", p != NULL, p != NULL ? p->position.lsn : 0);
    if (p != NULL)
        json_write_member_u64(&w, "generation", p->generation);
    else
        json_write_member_null(&w, "generation");
    json_write_member_text(&w, "instance", p != NULL ? p->instance : NULL);
    write_error(&w, "refused", &f->verdict);
    write_error(&w, "away", &f->away);
    json_write_member_text(&w, "error", told->kind != ERROR_NONE ? told->text : NULL);
    struct buf advice = BUF_EMPTY;
    error_advice(told, o->log->as, &advice);
    json_write_member_text(&w, "hint", advice.len > 0 ? buf_text(&advice) : NULL);
    buf_fini(&advice);
    write_bool(&w, "live_taken_over", f->live && p != NULL && f->live_instance.ptr != NULL,
               is_other(f));
    if (f->live)
        json_write_member_raw(&w, "live", live);
    else
        json_write_member_null(&w, "live");
    json_write_end_object(&w);
    buf_add_char(o->out, '\n');
}

static void write_text(const struct command_options *o, const struct answer *f)
{
    char a[LSN_TEXT_MAX];
    char b[LSN_TEXT_MAX];
    const struct pg_slot *slot = &f->facts.slot;
    command_say(o->out, "relay       %s", o->config->relay.text);
    if (!f->have_slot)
        command_say(o->out, "slot        %s: not known", o->config->source.slot.text);
    else if (slot->state == SLOT_ABSENT)
        command_say(o->out, "slot        %s: absent", o->config->source.slot.text);
    else
        command_say(o->out, "slot        %s: %s, %s, confirmed %s, %" PRIu64 " bytes behind",
                    o->config->source.slot.text, slot->active ? "active" : "inactive",
                    slot->wal_status[0] != '\0' ? slot->wal_status : "-",
                    lsn_format(slot->confirmed_flush_lsn, a),
                    slot->current_lsn > slot->confirmed_flush_lsn
                        ? slot->current_lsn - slot->confirmed_flush_lsn
                        : 0);
    if (f->facts.have_progress)
        command_say(o->out, "progress    %s, mode %s, generation %" PRIu64 ", instance %s",
                    lsn_format(f->facts.progress.position.lsn, b),
                    progress_mode_name(f->facts.progress.mode), f->facts.progress.generation,
                    f->facts.progress.instance);
    else
        command_say(o->out, "progress    %s", f->have_look ? "none" : "not known");
    if (f->away.kind != ERROR_NONE)
        command_say(o->out, "away        %s", f->away.text);
    if (f->verdict.kind != ERROR_NONE) {
        struct buf advice = BUF_EMPTY;
        error_advice(&f->verdict, o->log->as, &advice);
        command_say(o->out, "refused     %s\nhint        %s", f->verdict.text, buf_text(&advice));
        buf_fini(&advice);
    }
    if (f->live)
        command_say(o->out, "live        %.*s, %s", SPAN_ARG(f->live_state),
                    f->live_ready ? "ready" : "not ready");
    else
        command_say(o->out, "live        no answer from the admin port");
    if (is_other(f))
        command_say(o->out,
                    "taken over  instance %.*s runs, but progress is of instance %s: it has been "
                    "taken over",
                    SPAN_ARG(f->live_instance), f->facts.progress.instance);
}

void relay_status(const struct command_options *o, struct span live, bool *ready)
{
    assert(o->config != NULL && o->out != NULL);
    struct answer f = {.live = false};
    struct arena arena;
    struct json_tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    arena_init(&arena, 4096, 4096);
    f.live = live.ptr != NULL && json_tree_parse(live, &tree, &ignored) == 0;
    if (f.live) {
        json_tree_member_bool(tree, "ready", &f.live_ready);
        json_tree_member_string(tree, "state", &f.live_state);
        if (!json_tree_member_string(tree, "instance", &f.live_instance))
            f.live_instance = span_null();
    }
    gather(o, &arena, &f);
    if (o->json)
        write_json(o, &f, live);
    else
        write_text(o, &f);
    *ready = f.live && f.live_ready && f.verdict.kind == ERROR_NONE && f.away.kind == ERROR_NONE &&
             !is_other(&f);
    if (tree != NULL)
        json_tree_free(tree);
    arena_fini(&arena);
}
