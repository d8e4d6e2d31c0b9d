/* relay/command: what becomes of commands that the reader meets: an answer in the batch at hand, in
 * its place, or a count. relay/outcomes: told only once committed. */
#include "reader_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "assert_text.h"

static struct outcomes outcomes;

static int setup(void **state)
{
    struct reader_bench *b = bench_open(1);
    outcomes_init(&outcomes);
    b->options.relay = "orders";
    b->options.outcomes = &outcomes;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    outcomes_fini(&outcomes);
    return 0;
}

static struct sent_command row(const char *text)
{
    return (struct sent_command){7, COMMAND_ROW, span_of(text)};
}

/* One transaction, a row on either side of the command; its batch. */
static struct batch *meet(struct reader_bench *b, const struct sent_command *command)
{
    bench_start(b);
    script_begin(&b->source, 0x1200);
    script_insert(&b->source, "before");
    script_command(&b->source, command);
    script_insert(&b->source, "behind");
    script_commit(&b->source);
    for (int i = 0; i < 3; i++) {
        b->now_us += 1000;
        assert_int_equal(bench_step(b), 0);
    }
    struct batch *batch = bench_take(b);
    assert_non_null(batch);
    return batch;
}

static void expect(struct reader_bench *b, const struct sent_command *command, const char *answer)
{
    struct batch *batch = meet(b, command);
    assert_int_equal(batch->count, 3);
    const struct message *message = &batch->messages[1];
    assert_span(message->topic, "walferry.orders.control");
    assert_span(message->key, "7");
    assert_span(message->value, answer);
    assert_int_equal(message->route, MESSAGE_NO_ROUTE);
    assert_true(message->topic_of_row);
    assert_int_equal(message->id.ordinal, 2);
    assert_int_equal(message->position.seq, 2);
    assert_int_equal(batch->end.lsn, 0x1210);
}

#define AT "\"position\":\"7000-0000000000001200-2\"}"

static void a_ping_is_answered_in_its_place(void **state)
{
    const struct sent_command ping = row("{\"do\": \"ping\"}");
    expect(*state, &ping,
           "{\"v\":1,\"id\":7,\"command\":{\"do\": \"ping\"},\"state\":\"done\","
           "\"detail\":null," AT);
}

static void a_mark_carries_its_text(void **state)
{
    const struct sent_command mark = row("{\"do\": \"mark\", \"text\": \"x\"}");
    expect(*state, &mark,
           "{\"v\":1,\"id\":7,\"command\":{\"do\": \"mark\", \"text\": \"x\"},\"state\":\"done\","
           "\"detail\":null," AT);
}

static void a_mark_without_a_text_fails(void **state)
{
    const struct sent_command mark = row("{\"do\": \"mark\", \"text\": \"\"}");
    expect(*state, &mark,
           "{\"v\":1,\"id\":7,\"command\":{\"do\": \"mark\", \"text\": \"\"},\"state\":\"failed\","
           "\"detail\":\"mark wants a member \\\"text\\\" of 1 to 1000 bytes\"," AT);
}

static void what_nobody_knows_fails_and_ends_nothing(void **state)
{
    const struct sent_command other = row("{\"do\": \"explode\"}");
    expect(
        *state, &other,
        "{\"v\":1,\"id\":7,\"command\":{\"do\": \"explode\"},\"state\":\"failed\","
        "\"detail\":\"this relay knows no such command; it knows ping, mark, retry and drop\"," AT);
}

static void what_is_no_command_fails(void **state)
{
    const struct sent_command other = row("[]");
    expect(*state, &other,
           "{\"v\":1,\"id\":7,\"command\":[],\"state\":\"failed\","
           "\"detail\":\"there is no text \\\"do\\\" in it\"," AT);
}

static void one_that_is_too_large_is_told_by_its_size(void **state)
{
    char *text = malloc(70000);
    memset(text, ' ', 70000);
    const struct sent_command large = {7, COMMAND_ROW, {text, 70000}};
    expect(*state, &large,
           "{\"v\":1,\"id\":7,\"command\":null,\"state\":\"failed\","
           "\"detail\":\"it has 70000 bytes; 65536 are allowed\"," AT);
    free(text);
}

static void one_that_may_not_be_read_says_so(void **state)
{
    struct reader_bench *b = *state;
    const struct sent_command unread = {7, COMMAND_UNREADABLE, {NULL, 0}};
    expect(b, &unread,
           "{\"v\":1,\"id\":7,\"command\":null,\"state\":\"ignored\",\"detail\":\"the relay's role "
           "may not read walferry.command; grant it SELECT, and send the command again\"," AT);
    assert_int_equal(metrics_get(b->metrics, METRIC_COMMANDS_IGNORED), 1);
    assert_true(bench_logged(b, "command.unreadable"));
}

static void one_without_a_row_is_counted(void **state)
{
    struct reader_bench *b = *state;
    const struct sent_command forged = {7, COMMAND_NO_ROW, {NULL, 0}};
    assert_int_equal(meet(b, &forged)->count, 2);
    assert_int_equal(metrics_get(b->metrics, METRIC_COMMANDS_IGNORED), 1);
    assert_true(bench_logged(b, "command.forged"));
}

static void an_answer_that_the_broker_refuses_is_left_out(void **state)
{
    struct reader_bench *b = *state;
    const struct sent_command ping = row("{\"do\": \"ping\"}");
    bench_refuse(b, change_id_wal(0x1200, 2), MESSAGE_NO_ROUTE);
    assert_int_equal(meet(b, &ping)->count, 2);
    assert_true(bench_logged(b, "command.unanswered"));
}

/* ---- What is told ---- */

static void nothing_is_told_before_it_is_committed(void **state)
{
    struct reader_bench *b = *state;
    const struct sent_command ping = row("{\"do\": \"ping\"}");
    struct outcome outcome;
    struct batch *batch = meet(b, &ping);
    assert_false(outcomes_take(&outcomes, &outcome));
    assert_false(bench_logged(b, "command.answered"));
    bench_commit(b, batch);
    assert_int_equal(bench_step(b), 0);
    assert_true(outcomes_take(&outcomes, &outcome));
    assert_int_equal(outcome.id, 7);
    assert_true(outcome.done);
    free(outcome.json);
    assert_int_equal(metrics_get(b->metrics, METRIC_COMMANDS_DONE), 1);
    assert_int_equal(bench_log_count(b, "command.answered"), 1);
}

static void what_was_not_committed_is_forgotten(void **state)
{
    struct reader_bench *b = *state;
    struct outcome outcome;
    outcomes_add(&outcomes, 1, true, (struct position){0x100, 1}, SPAN_LITERAL("{}"));
    outcomes_add(&outcomes, 2, true, (struct position){0x100, 2}, SPAN_LITERAL("{}"));
    outcomes_commit(&outcomes, (struct position){0x100, 1}, b->metrics, &b->log);
    outcomes_forget(&outcomes);
    assert_true(outcomes_take(&outcomes, &outcome));
    assert_int_equal(outcome.id, 1);
    free(outcome.json);
    assert_false(outcomes_take(&outcomes, &outcome));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_ping_is_answered_in_its_place),
        TEST(a_mark_carries_its_text),
        TEST(a_mark_without_a_text_fails),
        TEST(what_nobody_knows_fails_and_ends_nothing),
        TEST(what_is_no_command_fails),
        TEST(one_that_is_too_large_is_told_by_its_size),
        TEST(one_that_may_not_be_read_says_so),
        TEST(one_without_a_row_is_counted),
        TEST(an_answer_that_the_broker_refuses_is_left_out),
        TEST(nothing_is_told_before_it_is_committed),
        TEST(what_was_not_committed_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
