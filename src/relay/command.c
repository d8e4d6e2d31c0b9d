/* relay/command: see command.h. What can be asked for is one table. Answers are bounded: a command
 * that is too large for one is told by its size. */
#include "relay/command.h"

#include "json/json_read.h"
#include "json/json_write.h"
#include "model/topic_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    /* As sql/005_command.sql has it; whoever owns the table may have put in more. */
    COMMAND_MAX = 65536,
    MARK_MAX = 1000,
    DETAIL_MAX = 300
};

void commander_init(struct commander *c, const char *relay, const struct verdict_facts *verdicts,
                    struct outcomes *outcomes)
{
    assert(verdicts != NULL);
    *c = (struct commander){
        .relay = relay, .verdicts = verdicts, .outcomes = outcomes, .answer = BUF_EMPTY};
}

void commander_fini(struct commander *c)
{
    buf_fini(&c->answer);
    buf_fini(&c->wanted_text);
}

/* ---- What can be asked for ---- */

struct order {
    struct commander *commander;
    const struct change *change;
    const struct json_tree *command;
    struct batch *batch;
    struct error *err;
    char detail[DETAIL_MAX];
    bool letters; /* it worked on some: outcome */
    struct retry_outcome outcome;
};

enum done { DONE_ERROR = -1, DONE_NOT, DONE, DONE_WAITS };

/* DONE_NOT: detail says why. */
struct deed {
    const char *name;
    enum done (*carry_out)(struct order *order);
};

static enum done ping(struct order *order)
{
    (void)order;
    return DONE;
}

static enum done mark(struct order *order)
{
    struct span text;
    bool given = json_tree_member_string(order->command, "text", &text);
    if (given && text.len > 0 && text.len <= MARK_MAX)
        return DONE;
    snprintf(order->detail, sizeof order->detail, "mark wants a member \"text\" of 1 to %d bytes",
             MARK_MAX);
    return DONE_NOT;
}

static enum done wait_for_letters(struct order *order)
{
    struct commander *c = order->commander;
    c->wanted = order->change->message.command->id;
    buf_reset(&c->wanted_text);
    buf_add(&c->wanted_text, order->change->message.command->text);
    return DONE_WAITS;
}

static enum done retry(struct order *order)
{
    struct retry_outcome *o = &order->outcome;
    if (order->commander->retry == NULL) {
        snprintf(order->detail, sizeof order->detail, "this relay has no dead letters");
        return DONE_NOT;
    }
    enum retried got =
        retry_carry_out(order->commander->retry, order->change, order->batch, o, order->err);
    if (got == RETRY_FAILED)
        return DONE_ERROR;
    if (got == RETRY_WAITS)
        return wait_for_letters(order);
    snprintf(order->detail, sizeof order->detail, "%s", o->why);
    order->letters = got == RETRY_DONE;
    return got == RETRY_DONE && (o->left == 0 || o->sent > 0) ? DONE : DONE_NOT;
}

static const struct deed deeds[] = {
    {"ping", ping}, {"mark", mark}, {"retry", retry}, {"drop", retry}};

static enum done carry_out(struct order *order)
{
    struct span name;
    if (!json_tree_member_string(order->command, "do", &name)) {
        snprintf(order->detail, sizeof order->detail, "there is no text \"do\" in it");
        return DONE_NOT;
    }
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        if (span_equal_text(name, deeds[i].name))
            return deeds[i].carry_out(order);
    snprintf(order->detail, sizeof order->detail,
             "this relay knows no such command; it knows ping, mark, retry and drop");
    return DONE_NOT;
}

/* ---- The answer ---- */

static void write_outcome(struct commander *c, struct json_writer *w, const struct retry_outcome *o)
{
    char id[CHANGE_ID_TEXT_MAX];
    json_write_name(w, "letters");
    json_write_begin_object(w);
    json_write_member_u64(w, "sent", o->sent);
    json_write_member_u64(w, "dropped", o->dropped);
    json_write_member_u64(w, "left", o->left);
    json_write_member_u64(w, "keys", o->lifted);
    json_write_member_bool(w, "more", o->more);
    if (!change_id_is_none(o->last))
        json_write_member_text(w, "last",
                               change_id_format(c->verdicts->system_identifier, o->last, id));
    json_write_end_object(w);
}

/* outcome: NULL: it worked on no letters. */
static void write_answer(struct commander *c, const struct change *change, const char *state,
                         struct span command, const char *detail,
                         const struct retry_outcome *outcome)
{
    char position[CHANGE_ID_TEXT_MAX];
    buf_reset(&c->answer);
    struct json_writer w = json_writer(&c->answer);
    json_write_begin_object(&w);
    json_write_member_u64(&w, "v", 1);
    json_write_member_u64(&w, "id", change->message.command->id);
    if (command.ptr != NULL)
        json_write_member_raw(&w, "command", command);
    else
        json_write_member_null(&w, "command");
    json_write_member_text(&w, "state", state);
    json_write_member_text(&w, "detail", detail[0] != '\0' ? detail : NULL);
    json_write_member_text(&w, "position",
                           change_id_format(c->verdicts->system_identifier, change->id, position));
    if (outcome != NULL)
        write_outcome(c, &w, outcome);
    json_write_end_object(&w);
}

static void add_message(const struct commander *c, const struct change *change, struct batch *batch)
{
    char topic[TOPIC_NAME_CONTROL_MAX];
    batch_widen(batch, 1);
    struct message *message = batch_next(batch);
    const char *name = arena_text(&batch->arena, span_of(topic_name_control(c->relay, topic)));
    message->topic = span_of(name);
    message->key = span_of(arena_format(&batch->arena, "%" PRIu64, change->message.command->id));
    message->value = arena_copy(&batch->arena, buf_span(&c->answer));
    message->topic_of_row = true; /* what is against the topic is said, and ends nothing */
    message->partition = -1;
    message->route = MESSAGE_NO_ROUTE;
    message->timestamp_ms = change->commit_time_us / 1000;
    message->id = change->id;
    message->position = change->position;
    batch_add(batch);
}

/* ---- Taking one ---- */

static void ignore(struct commander *c)
{
    metrics_add(c->verdicts->metrics, METRIC_COMMANDS_IGNORED, 1);
    if (c->warned)
        return;
    c->warned = true;
    log_event(c->verdicts->log, LOG_WARN, "command.forged", "detail",
              "a message in the log names a command that its transaction did not send; it is "
              "counted and passed over, and so are others",
              NULL);
}

static void answer(struct commander *c, const struct change *change, struct batch *batch, bool done)
{
    if (!verdict_answers(c->verdicts, change->id))
        return;
    add_message(c, change, batch);
    if (c->outcomes != NULL)
        outcomes_add(c->outcomes, change->message.command->id, done, change->position,
                     buf_span(&c->answer));
}

static void refuse_unread(struct commander *c, const struct change *change, struct batch *batch)
{
    if (!c->warned_unread)
        log_event(
            c->verdicts->log, LOG_WARN, "command.unreadable", "hint",
            "the relay's role may not read walferry.command: GRANT USAGE ON SCHEMA walferry and "
            "GRANT SELECT ON walferry.command to it, then send the command again",
            NULL);
    c->warned_unread = true;
    metrics_add(c->verdicts->metrics, METRIC_COMMANDS_IGNORED, 1);
    write_answer(c, change, "ignored", span_null(),
                 "the relay's role may not read walferry.command; grant it SELECT, and send the "
                 "command again",
                 NULL);
    if (verdict_answers(c->verdicts, change->id))
        add_message(c, change, batch);
}

static enum done carry_out_text(struct order *order, struct json_tree **tree)
{
    struct span text = order->change->message.command->text;
    struct error unreadable = ERROR_INIT;
    if (text.len > COMMAND_MAX) {
        snprintf(order->detail, sizeof order->detail, "it has %zu bytes; %d are allowed", text.len,
                 COMMAND_MAX);
        return DONE_NOT;
    }
    if (json_tree_parse(text, tree, &unreadable) < 0) {
        snprintf(order->detail, sizeof order->detail, "it cannot be read: %.200s", unreadable.text);
        return DONE_NOT;
    }
    order->command = *tree;
    return carry_out(order);
}

enum commanded commander_take(struct commander *c, const struct change *change, struct batch *batch,
                              struct error *err)
{
    const struct sent_command *command = change->message.command;
    assert(command != NULL && batch != NULL);
    if (command->row == COMMAND_NO_ROW) {
        ignore(c);
        return COMMAND_TAKEN;
    }
    if (command->row == COMMAND_UNREADABLE) {
        refuse_unread(c, change, batch);
        return COMMAND_TAKEN;
    }
    struct json_tree *tree = NULL;
    struct order order = {
        .commander = c, .change = change, .batch = batch, .err = err, .detail = ""};
    enum done done = carry_out_text(&order, &tree);
    if (done == DONE || done == DONE_NOT) {
        write_answer(c, change, done == DONE ? "done" : "failed",
                     tree != NULL ? command->text : span_null(), order.detail,
                     order.letters ? &order.outcome : NULL);
        answer(c, change, batch, done == DONE);
    }
    json_tree_free(tree);
    if (done == DONE_ERROR)
        return COMMAND_FAILED;
    return done == DONE_WAITS ? COMMAND_WAITS : COMMAND_TAKEN;
}
