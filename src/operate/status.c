/* operate/status: origin and progress as the servers tell them, whether a start would be refused
 * and which rows may be missing, and the live part as the relay told it. Looks, never takes over.
 */
#include "operate/command.h"

#include "json/json_read.h"
#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct answer {
    struct found found;
    bool have_origin;     /* the database answered */
    bool have_look;       /* Kafka answered */
    struct error away;    /* the first server that did not answer; kind NONE: all did */
    struct error verdict; /* kind NONE: a relay could go on from here */
    struct error missing; /* publication_changed: rows may be missing, as `published` says */
    struct published published;
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

/* A refusal is an answer. */
static void note(struct answer *f, const struct error *err)
{
    if (err->kind == ERROR_STOP)
        f->verdict = *err;
    else
        note_away(f, err);
}

static void look(const struct recovery *ends, struct answer *f)
{
    struct error err = ERROR_INIT;
    f->have_look = relay_look(ends, &f->found, &err) == 0;
    if (f->have_look)
        return;
    f->found.have_progress = false;
    note(f, &err);
}

/* As an open does, which looks at what is sent before it asks what may be missing. What makes the
 * former unfit, a table that is not published, is mended first and says nothing of the latter. */
static void ask_published(const struct command_options *o, const struct recovery *ends,
                          struct answer *f)
{
    struct error err = ERROR_INIT;
    struct router *router = NULL;
    if (relay_open_router(o->config, &router, &err) < 0 ||
        origin_check(ends->origin, &f->found.system, router, false, &err) < 0)
        note(f, &err);
    const struct published_options options = {.router = router, .source = &o->config->source};
    if (router != NULL &&
        relay_check_published(ends, &options, &f->found, &f->published, &f->missing) < 0) {
        if (f->verdict.kind == ERROR_NONE)
            note(f, &f->missing);
        if (f->missing.reason != REASON_PUBLICATION_CHANGED)
            f->missing = ERROR_INIT;
    }
    router_close(router);
}

static void ask_database(const struct command_options *o, const struct recovery *ends,
                         struct answer *f)
{
    struct error err = ERROR_INIT;
    if (origin_connect(ends->origin, &err) < 0 ||
        origin_look(ends->origin, &f->found.origin, &err) < 0) {
        note_away(f, &err);
        return;
    }
    f->have_origin = true;
    if (f->have_look && relay_judge(ends, true, &f->found, &err) < 0)
        note(f, &err);
    else if (f->have_look)
        ask_published(o, ends, f);
}

/* Whoever runs and whoever claimed last are one, or the one that runs has been taken over. */
static bool is_other(const struct answer *f)
{
    return f->live && f->found.have_progress && f->live_instance.ptr != NULL &&
           !span_equal(f->live_instance, span_of(f->found.progress.instance));
}

static void write_lsn(struct json_writer *w, const char *name, bool known, uint64_t lsn)
{
    char text[LSN_TEXT_MAX];
    json_write_member_text(w, name, known && lsn != 0 ? lsn_format(lsn, text) : NULL);
}

static void write_error(struct json_writer *w, const char *name, const struct error *err)
{
    json_write_member_text(w, name, err->kind != ERROR_NONE ? reason_slug(err->reason) : NULL);
}

static void write_missing(struct json_writer *w, const struct answer *f)
{
    if (f->missing.kind == ERROR_NONE) {
        json_write_member_null(w, "missing");
        return;
    }
    json_write_name(w, "missing");
    json_write_begin_object(w);
    write_lsn(w, "from", true, f->published.lost_lsn);
    write_lsn(w, "to", true, f->published.now.end_lsn);
    json_write_member_text(w, "what", f->published.what);
    json_write_end_object(w);
}

/* Up to which snapshot all rows of a polled table are in Kafka. */
static void write_published(struct json_writer *w, const struct progress *p)
{
    struct buf snapshot = BUF_EMPTY;
    uint64_t xmax;
    bool known =
        p != NULL && p->mode == PROGRESS_POLL && poll_resume_read(p->resume, &snapshot, &xmax);
    json_write_member_text(w, "published", known ? buf_text(&snapshot) : NULL);
    buf_fini(&snapshot);
}

/* The same members whatever is known; what is not is null. */
static void write_json(const struct command_options *o, const struct origin *origin,
                       const struct answer *f, struct span live)
{
    const struct progress *p = f->found.have_progress ? &f->found.progress : NULL;
    const struct error *told = f->verdict.kind != ERROR_NONE ? &f->verdict : &f->away;
    struct json_writer w = json_writer(o->out);
    json_write_begin_object(&w);
    json_write_member_text(&w, "relay", o->config->name.text);
    origin->ops->write_json(origin, f->have_origin ? &f->found.origin : NULL, &w);
    json_write_member_text(&w, "mode", p != NULL ? progress_mode_name(p->mode) : NULL);
    write_lsn(&w, "position", p != NULL, p != NULL ? p->position.lsn : 0);
    write_published(&w, p);
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
    write_missing(&w, f);
    if (f->live && p != NULL && f->live_instance.ptr != NULL)
        json_write_member_bool(&w, "live_taken_over", is_other(f));
    else
        json_write_member_null(&w, "live_taken_over");
    if (f->live)
        json_write_member_raw(&w, "live", live);
    else
        json_write_member_null(&w, "live");
    json_write_end_object(&w);
    buf_add_char(o->out, '\n');
}

static void say_refusal(const struct command_options *o, const char *word, const struct error *err)
{
    struct buf advice = BUF_EMPTY;
    error_advice(err, o->log->as, &advice);
    command_say(o->out, "%-11s %s\nhint        %s", word, err->text, buf_text(&advice));
    buf_fini(&advice);
}

static void write_text(const struct command_options *o, const struct origin *origin,
                       const struct answer *f)
{
    char at[LSN_TEXT_MAX];
    command_say(o->out, "relay       %s", o->config->name.text);
    origin->ops->write_text(origin, f->have_origin ? &f->found.origin : NULL, o->out);
    if (f->found.have_progress)
        command_say(o->out, "progress    %s, mode %s, generation %" PRIu64 ", instance %s",
                    lsn_format(f->found.progress.position.lsn, at),
                    progress_mode_name(f->found.progress.mode), f->found.progress.generation,
                    f->found.progress.instance);
    else
        command_say(o->out, "progress    %s", f->have_look ? "none" : "not known");
    if (f->away.kind != ERROR_NONE)
        command_say(o->out, "away        %s", f->away.text);
    if (f->verdict.kind != ERROR_NONE)
        say_refusal(o, "refused", &f->verdict);
    if (f->missing.kind != ERROR_NONE && f->verdict.reason != f->missing.reason)
        say_refusal(o, "then", &f->missing);
    if (f->live)
        command_say(o->out, "live        %.*s, %s", SPAN_ARG(f->live_state),
                    f->live_ready ? "ready" : "not ready");
    else
        command_say(o->out, "live        no answer from the admin port");
    if (is_other(f))
        command_say(o->out,
                    "taken over  instance %.*s runs, but progress is of instance %s: it has been "
                    "taken over",
                    SPAN_ARG(f->live_instance), f->found.progress.instance);
}

void relay_status(const struct command_options *o, struct span live, bool *ready)
{
    assert(o->config != NULL && o->out != NULL);
    struct answer f = {.live = false};
    struct command_ends ends;
    struct json_tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    f.live = live.ptr != NULL && json_tree_parse(live, &tree, &ignored) == 0;
    if (f.live) {
        json_tree_member_bool(tree, "ready", &f.live_ready);
        json_tree_member_string(tree, "state", &f.live_state);
        if (!json_tree_member_string(tree, "instance", &f.live_instance))
            f.live_instance = span_null();
    }
    /* A server that is away leaves its part unknown; the others are told all the same. */
    command_ends_open(o, &ends);
    look(&ends.r, &f);
    ask_database(o, &ends.r, &f);
    if (o->json)
        write_json(o, ends.r.origin, &f, live);
    else
        write_text(o, ends.r.origin, &f);
    command_ends_close(&ends);
    *ready = f.live && f.live_ready && f.verdict.kind == ERROR_NONE && f.away.kind == ERROR_NONE &&
             !is_other(&f);
    if (tree != NULL)
        json_tree_free(tree);
}
