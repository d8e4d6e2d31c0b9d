/* operate/letter_order: `dead-letter retry` and `drop`: a command is sent to the relay, and what it
 * answers is waited for. One of them works on so many letters at most, so others follow until there
 * are no more. It takes nothing over: who is killed in between has sent whole commands. */
#include "operate/operate.h"

#include "base/clock.h"
#include "base/waits.h"
#include "json/json_read.h"
#include "json/json_write.h"
#include "model/topic_name.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define ANSWER_US (INT64_C(60) * 1000000)
#define AFTER_MAX CHANGE_ID_TEXT_MAX

/* Of the catalogue, so that what is missing is an answer and no error. */
static const char rights_sql[] =
    "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE'), "
    "pg_catalog.quote_ident(current_user::text) FROM pg_catalog.pg_proc p "
    "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname = 'walferry' AND p.proname = 'send'";

struct ordering {
    const struct command_options *o;
    const struct letter_order *order;
    struct letter_tally *tally;
    struct pg_connection *sql;
    struct kafka_letters *answers;
    struct buf command;
    char application[80], topic[TOPIC_NAME_CONTROL_MAX];
    char after[AFTER_MAX]; /* "": from the first one on */
    char id[24];           /* of the command that was sent last */
};

/* ---- May it be sent? ---- */

static int check_rights(struct ordering *t, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(t->sql, rights_sql, 0, NULL, &r, err) < 0)
        return -1;
    if (pg_result_rows(r) == 0) {
        error_stop(err, REASON_COMMANDS_MISSING, "there is no walferry.send in this database");
        error_hint(err, "apply sql/005_command.sql, as a superuser");
    } else if (!pg_result_true(r, 0, 0)) {
        struct span user = pg_result_cell(r, 0, 1);
        error_stop(err, REASON_COMMANDS_MISSING, "%.*s may not call walferry.send", SPAN_ARG(user));
        error_hint(err,
                   "GRANT walferry_operator TO %.*s; or name another role with "
                   "--admin-connection",
                   SPAN_ARG(user));
    }
    pg_result_free(r);
    return err->kind == ERROR_NONE ? 0 : -1;
}

static int open_sql(struct ordering *t, struct error *err)
{
    const struct letter_order *order = t->order;
    snprintf(t->application, sizeof t->application, "walferry:%s:command", t->o->config->name.text);
    const struct pg_options options = {
        .connection =
            order->connection != NULL ? order->connection : t->o->config->source.connection.text,
        .password_command =
            order->connection != NULL ? NULL : t->o->config->source.password_command.arguments,
        .given_by = order->connection != NULL ? "--admin-connection" : NULL,
        .application_name = t->application,
        .stop = t->o->stop,
        .waits = log_waits(t->o->log)};
    return pg_open(&options, &t->sql, err) < 0 ? -1 : check_rights(t, err);
}

static int open_answers(struct ordering *t, struct error *err)
{
    struct kafka_options kafka = relay_kafka_options(t->o->config, t->o->log, t->o->stop);
    topic_name_control(t->o->config->name.text, t->topic);
    if (kafka_letters_open_end(&kafka, t->topic, &t->answers, err) < 0)
        return -1;
    if (t->answers != NULL)
        return 0;
    error_stop(err, REASON_COMMANDS_MISSING, "topic %s, where the relay answers, does not exist",
               t->topic);
    return error_hint(err, "run walferry setup, which makes it where sql/005_command.sql is "
                           "applied");
}

/* ---- One command ---- */

static void write_command(struct ordering *t)
{
    const struct letter_order *order = t->order;
    struct json_writer w = json_writer(&t->command);
    struct arena scratch;
    arena_init(&scratch, 1024, 1024);
    buf_reset(&t->command);
    json_write_begin_object(&w);
    json_write_member_text(&w, "do", order->drop ? "drop" : "retry");
    if (order->all)
        json_write_member_bool(&w, "all", true);
    if (order->which.key != NULL) {
        json_write_name(&w, "key");
        types_write_bytes(&w, span_of(order->which.key), &scratch);
    }
    if (order->which.id != NULL)
        json_write_member_text(&w, "id", order->which.id);
    if (order->which.route != NULL)
        json_write_member_text(&w, "route", order->which.route);
    if (t->after[0] != '\0')
        json_write_member_text(&w, "after", t->after);
    json_write_end_object(&w);
    arena_fini(&scratch);
}

static int send_command(struct ordering *t, struct error *err)
{
    struct pg_result *r = NULL;
    write_command(t);
    const char *values[] = {t->o->config->name.text, buf_text(&t->command)};
    if (pg_query(t->sql, "SELECT walferry.send($1, $2::jsonb)", 2, values, &r, err) < 0)
        return -1;
    snprintf(t->id, sizeof t->id, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    pg_result_free(r);
    return 0;
}

/* ---- Its answer ---- */

static uint64_t number(const struct json_tree *letters, const char *name)
{
    uint64_t value = 0;
    (void)json_tree_member_u64(letters, name, &value);
    return value;
}

/* 1: another one is to be sent. */
static int take_answer(struct ordering *t, const struct json_tree *answer)
{
    struct letter_tally *tally = t->tally;
    const struct json_tree *letters = json_tree_member(answer, "letters");
    struct span text;
    bool more = false;
    tally->commands++;
    tally->sent += number(letters, "sent");
    tally->dropped += number(letters, "dropped");
    tally->left += number(letters, "left");
    tally->keys += number(letters, "keys");
    if (json_tree_member_string(answer, "state", &text) && !span_equal_text(text, "done"))
        tally->failed = true;
    if (tally->why[0] == '\0' && json_tree_member_string(answer, "detail", &text))
        snprintf(tally->why, sizeof tally->why, "%.*s", SPAN_ARG(text));
    (void)json_tree_member_bool(letters, "more", &more);
    if (json_tree_member_string(letters, "last", &text))
        snprintf(t->after, sizeof t->after, "%.*s", SPAN_ARG(text));
    return more ? 1 : 0;
}

static int not_answered(const struct ordering *t, struct error *err)
{
    error_retry(err, REASON_NOT_ANSWERED, "command %s was sent, and the relay has not answered it",
                t->id);
    return error_hint(err, "it is carried out once the relay meets it; is it running?");
}

static int await(struct ordering *t, struct error *err)
{
    struct kafka_letter record;
    int64_t until_us = clock_monotonic_us() + ANSWER_US;
    waits_phase(log_waits(t->o->log),
                "%" PRIu64 " letters done, command %s is sent and not answered yet",
                t->tally->sent + t->tally->dropped, t->id);
    for (;;) {
        int got = kafka_letters_next(t->answers, &record, err);
        if (got < 0 && err->reason != REASON_BROKER_TIMEOUT)
            return -1;
        *err = ERROR_INIT;
        if (got == 1 && record.key.ptr != NULL && span_equal_text(record.key, t->id)) {
            struct json_tree *answer = NULL;
            int more =
                json_tree_parse(record.value, &answer, err) < 0 ? -1 : take_answer(t, answer);
            json_tree_free(answer);
            return more;
        }
        if (clock_monotonic_us() > until_us)
            return not_answered(t, err);
    }
}

/* ---- All of it ---- */

static void say(const struct ordering *t)
{
    const struct letter_tally *tally = t->tally;
    struct buf *out = t->o->out;
    if (t->o->json) {
        struct json_writer w = json_writer(out);
        json_write_begin_object(&w);
        json_write_member_u64(&w, "sent", tally->sent);
        json_write_member_u64(&w, "dropped", tally->dropped);
        json_write_member_u64(&w, "left", tally->left);
        json_write_member_u64(&w, "keys", tally->keys);
        json_write_member_u64(&w, "commands", tally->commands);
        json_write_member_text(&w, "detail", tally->why[0] != '\0' ? tally->why : NULL);
        json_write_end_object(&w);
        buf_add_char(out, '\n');
        return;
    }
    command_say(out,
                "dead letters sent again: %" PRIu64 ", dropped: %" PRIu64 ", left: %" PRIu64
                "; keys let go of: %" PRIu64,
                tally->sent, tally->dropped, tally->left, tally->keys);
    if (tally->why[0] != '\0')
        command_say(out, "%s", tally->why);
}

int relay_order_letters(const struct command_options *o, const struct letter_order *order,
                        struct letter_tally *tally, struct error *err)
{
    assert(order != NULL && tally != NULL);
    struct ordering t = {.o = o, .order = order, .tally = tally, .command = BUF_EMPTY};
    *tally = (struct letter_tally){.sent = 0};
    int more = open_sql(&t, err) < 0 || open_answers(&t, err) < 0 ? -1 : 1;
    while (more == 1)
        more = send_command(&t, err) < 0 ? -1 : await(&t, err);
    if (more == 0 || tally->commands > 0)
        say(&t);
    kafka_letters_close(t.answers);
    pg_close(t.sql);
    buf_fini(&t.command);
    return more;
}
