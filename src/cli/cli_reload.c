/* cli/cli_reload: the command reload: has the running relay say what its file would change, asks,
 * has it take the file over, and waits for the answer.
 *
 * The relay compares and decides, since it alone knows what it runs with, and its environment may
 * be another one. Each wish carries the hash of the file that was read here: what was looked at is
 * what is taken over, or nothing is. */
#include "cli/cli_answer.h"
#include "cli/cli_live.h"

#include "base/clock.h"
#include "base/waits.h"
#include "json/json_read.h"
#include "json/json_write.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define SHOW_US (INT64_C(20) * US_PER_S)
#define TAKE_US (INT64_C(60) * US_PER_S)
#define LOOK_MS 50
/* The relay looks at files with secrets once a second (cli_follow). */
#define TOKEN_US (INT64_C(3) * US_PER_S)

/* What the relay says of a wish. */
struct reply {
    struct json_tree *tree;
    struct span state;
};

static bool says(const struct reply *reply, const char *state)
{
    return span_equal_text(reply->state, state);
}

static void reply_free(struct reply *reply)
{
    json_tree_free(reply->tree);
    *reply = (struct reply){.tree = NULL};
}

/* ---- Asking ---- */

static int not_http_200(const char *listen, int status, const struct buf *body, struct error *err)
{
    int length = (int)strcspn(buf_span(body).ptr, "\r\n");
    if (status == 401) {
        error_stop(err, REASON_ADMIN_TOKEN,
                   "the relay at %s asks for another token than admin.token of the file", listen);
        return error_hint(err, "if the file has a new one: send the relay SIGHUP, which takes it "
                               "over with the rest of the file, and look at its log; a token that "
                               "${file:} reads is followed by itself");
    }
    if (status == 409)
        return error_retry(err, REASON_RELOAD_BUSY, "the relay at %s is busy: %.*s", listen, length,
                           buf_span(body).ptr);
    error_stop(err, REASON_RELOAD_REFUSED, "the relay at %s cannot be asked: %d, %.*s", listen,
               status, length < 200 ? length : 200, buf_span(body).ptr);
    return error_hint(err, "send it SIGHUP instead");
}

static int ask_once(const struct answer *answer, bool show, uint64_t *number, struct error *err)
{
    const struct config_admin *admin = &answer->config->admin;
    struct buf body = BUF_EMPTY;
    struct json_tree *tree = NULL;
    struct error bad = ERROR_INIT;
    char headers[128];
    int status = 0;
    snprintf(headers, sizeof headers,
             "Walferry-Reload: %s\r\nWalferry-File: %s\r\nContent-Length: 0\r\n",
             show ? "show" : "take", answer->config->file_hash);
    int result = live_post(admin, "/reload", headers, &status, &body, err);
    (void)buf_text(&body);
    if (result == 0 && (status != 202 || json_tree_parse(buf_span(&body), &tree, &bad) < 0 ||
                        !json_tree_member_u64(tree, "number", number)))
        result = not_http_200(admin->listen.text, status, &body, err);
    else if (result < 0)
        error_hint(err, "it is admin.listen of the file that is asked; a relay that was started "
                        "with another one, or with off, takes SIGHUP");
    json_tree_free(tree);
    buf_fini(&body);
    return result;
}

/* A token that has just been put into its file is known to the relay a moment later. */
static int ask(const struct answer *answer, bool show, uint64_t *number, struct error *err)
{
    int64_t until_us = clock_monotonic_us() + TOKEN_US;
    for (;;) {
        int result = ask_once(answer, show, number, err);
        bool may_come = result < 0 && err->reason == REASON_ADMIN_TOKEN &&
                        answer->config->secret_files.count > 0;
        if (!may_come || clock_monotonic_us() > until_us || atomic_load(&answer->stop))
            return result;
        *err = ERROR_INIT;
        poll(NULL, 0, LOOK_MS);
    }
}

static int look(const struct answer *answer, uint64_t number, struct reply *reply,
                struct error *err)
{
    const struct config_admin *admin = &answer->config->admin;
    struct buf body = BUF_EMPTY;
    struct error bad = ERROR_INIT;
    uint64_t newest = 0;
    int status = 0;
    int result = live_get(admin, "/reload", &status, &body, err);
    (void)buf_text(&body);
    reply_free(reply);
    if (result == 0 && (status != 200 || json_tree_parse(buf_span(&body), &reply->tree, &bad) < 0 ||
                        !json_tree_member_u64(reply->tree, "number", &newest) ||
                        !json_tree_member_string(reply->tree, "state", &reply->state)))
        result = not_http_200(admin->listen.text, status, &body, err);
    else if (result == 0 && newest != number)
        result = error_retry(err, REASON_RELOAD_BUSY, "another reload has come in between");
    buf_fini(&body);
    return result;
}

static void tell_deferred(const struct answer *answer, const struct reply *reply, bool *told)
{
    if (*told || !says(reply, "deferred"))
        return;
    *told = true;
    waits_hush(answer->log.waits);
    fprintf(stderr, "a split transaction is ended under the old file first\n");
}

/* Until the wish has come to an end. */
static int wait_for_reply(struct answer *answer, uint64_t number, int64_t for_us,
                          struct reply *reply, struct error *err)
{
    int64_t until_us = clock_monotonic_us() + for_us;
    bool told = false;
    waits_on(answer->log.waits, "waits for the relay at %s", answer->config->admin.listen.text);
    for (;;) {
        if (look(answer, number, reply, err) < 0)
            return -1;
        if (says(reply, "shown") || says(reply, "taken") || says(reply, "refused"))
            return 0;
        if (clock_monotonic_us() > until_us || atomic_load(&answer->stop))
            break;
        tell_deferred(answer, reply, &told);
        poll(NULL, 0, LOOK_MS);
    }
    if (says(reply, "asked"))
        return error_retry(err, REASON_RELOAD_WAITS, "the relay has not looked at the file yet");
    error_retry(err, REASON_RELOAD_WAITS,
                "the relay has taken the file, and no epoch is open with it yet");
    return error_hint(err, "walferry status says what it waits for; put the file back and reload "
                           "again, or mend that");
}

/* ---- What it says ---- */

static struct span text_of(const struct json_tree *node, const char *name)
{
    struct span text;
    return json_tree_member_string(node, name, &text) ? text : SPAN_LITERAL("");
}

/* What was refused while the file was looked at is a matter of the file; what an epoch found wrong
 * is the answer no. */
static int refused(const struct reply *reply, bool show, struct error *err)
{
    const struct json_tree *why = json_tree_member(reply->tree, "error");
    struct span text = text_of(why, "text"), hint = text_of(why, "hint");
    enum reason reason = reason_find(text_of(why, "reason").ptr);
    bool of_file = show || reason == REASON_FILE_CHANGED || reason == REASON_NEEDS_RESTART;
    *err = (struct error){.kind = ERROR_STOP,
                          .exit_code = of_file ? EXIT_USAGE : EXIT_NO,
                          .reason = reason != REASON_NONE ? reason : REASON_RELOAD_REFUSED};
    snprintf(err->text, sizeof err->text, "%.*s", (int)text.len, text.ptr);
    if (!of_file)
        error_wrap(err, "the relay has not taken the file over");
    snprintf(err->hint, sizeof err->hint, "%.*s", (int)hint.len, hint.ptr);
    return -1;
}

static const char *words_for(struct span when)
{
    return span_equal_text(when, "at_once")      ? "at once"
           : span_equal_text(when, "next_epoch") ? "next epoch"
                                                 : "needs a restart";
}

static void add_side(const struct json_tree *change, const char *name, struct buf *out)
{
    const struct json_tree *side = json_tree_member(change, name);
    if (json_tree_is_null(side))
        buf_add_text(out, "(none)");
    else
        json_tree_write(side, out);
}

/* A line for each: when, key, before → after. */
static void add_changes(const struct reply *reply, struct buf *out)
{
    const struct json_tree *changes = json_tree_member(reply->tree, "changes");
    size_t count = json_tree_count(changes);
    if (count == 0)
        buf_add_text(out, "no value is another one; a new epoch reads certificates and passwords "
                          "again all the same\n");
    for (size_t i = 0; i < count; i++) {
        const struct json_tree *change = json_tree_at(changes, i);
        struct span key = text_of(change, "key");
        buf_add_format(out, "  %-16s%.*s: ", words_for(text_of(change, "when")), (int)key.len,
                       key.ptr);
        add_side(change, "before", out);
        buf_add_text(out, " -> ");
        add_side(change, "after", out);
        buf_add_char(out, '\n');
    }
}

static void write_json(struct answer *answer, const struct reply *reply, const struct error *err)
{
    struct json_writer w = json_writer(&answer->out);
    struct buf changes = BUF_EMPTY;
    buf_reset(&answer->out);
    if (json_tree_member(reply->tree, "changes") != NULL)
        json_tree_write(json_tree_member(reply->tree, "changes"), &changes);
    json_write_begin_object(&w);
    json_write_member_text(&w, "command", "reload");
    json_write_member_bool(&w, "ok", err->kind == ERROR_NONE);
    json_write_member_text(&w, "file", answer->config->path);
    json_write_member_string(&w, "state", reply->tree != NULL ? reply->state : span_null());
    if (changes.len > 0)
        json_write_member_raw(&w, "changes", buf_span(&changes));
    else
        json_write_member_null(&w, "changes");
    if (err->kind != ERROR_NONE)
        json_write_member_error(&w, err, err->hint[0] != '\0' ? err->hint : NULL);
    json_write_end_object(&w);
    buf_add_char(&answer->out, '\n');
    buf_fini(&changes);
    answer->printed = true;
}

/* ---- The command ---- */

/* Shown where it can be: also of a file that is then refused. */
static int show(struct answer *answer, struct reply *reply, struct error *err)
{
    uint64_t number;
    if (ask(answer, true, &number, err) < 0 ||
        wait_for_reply(answer, number, SHOW_US, reply, err) < 0)
        return -1;
    if (json_tree_kind(json_tree_member(reply->tree, "changes")) == JSON_TREE_ARRAY)
        add_changes(reply, &answer->out);
    return says(reply, "refused") ? refused(reply, true, err) : 0;
}

static int take(struct answer *answer, struct reply *reply, struct error *err)
{
    uint64_t number;
    if (ask(answer, false, &number, err) < 0 ||
        wait_for_reply(answer, number, TAKE_US, reply, err) < 0)
        return -1;
    if (says(reply, "refused"))
        return refused(reply, false, err);
    buf_add_text(&answer->out, "an epoch is open with it\n");
    return 0;
}

static int reload(struct answer *answer, struct reply *reply, struct error *err)
{
    if (relay_check(&answer->options, false, err) < 0)
        return -1;
    if (strcmp(answer->config->admin.listen.text, "off") == 0) {
        error_stop(err, REASON_ADMIN_OFF, "admin.listen is off: there is no port to ask");
        return error_hint(err, "send the relay SIGHUP instead, and look at its log");
    }
    if (show(answer, reply, err) < 0 || args_has(answer->args, OPTION_DRY_RUN))
        return err->kind == ERROR_NONE ? 0 : -1;
    if (answer_confirm(answer, "have the relay take this over", err) < 0)
        return -1;
    answer_flush(answer);
    return take(answer, reply, err);
}

int command_reload(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    struct reply reply = {.tree = NULL};
    assert(args != NULL);
    if (answer_begin(&answer, args, true, &err) == 0) {
        (void)reload(&answer, &reply, &err);
        if (args_has(args, OPTION_JSON))
            write_json(&answer, &reply, &err);
    }
    reply_free(&reply);
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
