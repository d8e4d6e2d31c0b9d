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
    struct error verdict; /* kind NONE: a relay could go on from here */
    bool live;
    bool live_ready;
    struct span live_state;
};

static int gather(const struct command_options *o, struct arena *arena, struct answer *f,
                  struct error *err)
{
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    bool topic_exists = false;
    if (relay_look(&kafka, arena, &f->facts.progress, &f->facts.have_progress, &topic_exists, err) <
        0) {
        if (err->kind != ERROR_STOP)
            return -1;
        relay_complete_hint(o->config, err);
        f->verdict = *err;
    }
    struct pg_connection *sql = NULL;
    if (command_open_sql(o, NULL, &sql, err) < 0)
        return -1;
    int result = 0;
    if (f->verdict.kind == ERROR_NONE) {
        struct error verdict = ERROR_INIT;
        result = relay_judge(sql, o->config, &kafka, arena, &f->facts, &verdict);
        f->verdict = verdict;
        if (result < 0 && verdict.kind == ERROR_STOP)
            result = 0; /* that is an answer */
        if (result < 0)
            *err = verdict;
    } else {
        result = pg_slot_state(sql, o->config->source.slot.text, &f->facts.slot, err);
    }
    pg_close(sql);
    return result;
}

static void write_json(const struct command_options *o, const struct answer *f, struct span live)
{
    char lsn[LSN_TEXT_MAX];
    struct json_writer w = json_writer(o->out);
    json_write_begin_object(&w);
    json_write_member_text(&w, "relay", o->config->relay.text);
    json_write_member_text(&w, "slot", o->config->source.slot.text);
    json_write_member_bool(&w, "slot_exists", f->facts.slot.state == SLOT_PRESENT);
    json_write_member_bool(&w, "slot_active", f->facts.slot.active);
    json_write_member_text(&w, "slot_wal_status", f->facts.slot.wal_status);
    json_write_member_text(&w, "confirmed_flush_lsn",
                           lsn_format(f->facts.slot.confirmed_flush_lsn, lsn));
    json_write_member_text(&w, "restart_lsn", lsn_format(f->facts.slot.restart_lsn, lsn));
    json_write_member_text(&w, "current_lsn", lsn_format(f->facts.slot.current_lsn, lsn));
    if (f->facts.have_progress) {
        json_write_member_text(&w, "mode", progress_mode_name(f->facts.progress.mode));
        json_write_member_text(&w, "position", lsn_format(f->facts.progress.position.lsn, lsn));
        json_write_member_u64(&w, "generation", f->facts.progress.generation);
        json_write_member_text(&w, "instance", f->facts.progress.instance);
    }
    if (f->verdict.kind != ERROR_NONE) {
        json_write_member_text(&w, "refused", f->verdict.reason);
        json_write_member_text(&w, "error", f->verdict.text);
        json_write_member_text(&w, "hint", f->verdict.hint);
    }
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
    if (slot->state == SLOT_ABSENT)
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
        command_say(o->out, "progress    none");
    if (f->verdict.kind != ERROR_NONE)
        command_say(o->out, "refused     %s\nhint        %s", f->verdict.text, f->verdict.hint);
    if (f->live)
        command_say(o->out, "live        %.*s, %s", SPAN_ARG(f->live_state),
                    f->live_ready ? "ready" : "not ready");
    else
        command_say(o->out, "live        no answer from the admin port");
}

int relay_status(const struct command_options *o, struct span live, bool *ready, struct error *err)
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
    }
    int result = gather(o, &arena, &f, err);
    if (result == 0 && o->json)
        write_json(o, &f, live);
    else if (result == 0)
        write_text(o, &f);
    *ready = f.live && f.live_ready && f.verdict.kind == ERROR_NONE;
    if (tree != NULL)
        json_tree_free(tree);
    arena_fini(&arena);
    return result;
}
