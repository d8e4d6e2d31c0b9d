/* relay/retry: what a retry puts into the batch at hand, and in which order, from letters that a
 * reader has made and replay_load() has read. */
#include "reader_bench.h"
#include "relay/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

struct fixture {
    struct reader_bench *bench;
    struct quarantine held;
    struct replay replay;
    struct retry retry;
    struct batch *letters; /* and records of held keys, as the reader has made them */
    uint32_t next;
    struct sent_command command;
    struct change change;
    struct batch batch;
    struct retry_outcome outcome;
    char journal[1000];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->bench = bench_open(1);
    f->bench->items[0].on_error = ON_ERROR_DEAD_LETTER;
    quarantine_init(&f->held, true, "bench", 10, f->bench->metrics);
    f->held.system_identifier = BENCH_SYSTEM;
    f->bench->options.fill.quarantine = &f->held;
    replay_init(&f->replay, BENCH_SYSTEM);
    f->retry = (struct retry){.filler = &f->bench->reader.filler,
                              .quarantine = &f->held,
                              .replay = &f->replay,
                              .letters = letter_reader_open(),
                              .letter_topic = BENCH_LETTERS};
    f->change = (struct change){.op = CHANGE_MESSAGE, .id = change_id_wal(0x2000, 1)};
    f->change.message.command = &f->command;
    batch_init(&f->batch, 4, 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    letter_reader_close(f->retry.letters);
    batch_fini(&f->batch);
    replay_fini(&f->replay);
    bench_close(f->bench);
    quarantine_fini(&f->held);
    free(f);
    return 0;
}

/* The broker has refused the first of three events of one key. */
static void make_letters(struct fixture *f)
{
    struct reader_bench *b = f->bench;
    bench_refuse(b, change_id_wal(0x1100, 1), 0);
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "a");
    script_insert(&b->source, "b");
    script_insert(&b->source, "c");
    script_commit(&b->source);
    for (int i = 0; i < 3; i++) {
        b->now_us += BENCH_INTERVAL_US;
        assert_int_equal(bench_step(b), 0);
    }
    f->letters = bench_take(b);
    assert_non_null(f->letters);
    assert_int_equal(f->letters->count, 4);
    struct held_key *entry = quarantine_find(&f->held, SPAN_LITERAL("outbox"), SPAN_LITERAL("k1"));
    assert_non_null(entry);
    entry->group->fresh = false; /* it is another epoch */
}

static int begin(void *of, const struct kafka_letter_range *ranges, uint32_t count,
                 struct error *err)
{
    struct fixture *f = of;
    (void)err;
    f->next = count > 0 ? (uint32_t)ranges[0].from : 0;
    return 0;
}

static int next(void *of, struct kafka_letter *letter, struct error *err)
{
    struct fixture *f = of;
    (void)err;
    while (f->next < f->letters->count) {
        const struct message *m = &f->letters->messages[f->next++];
        if (!m->dead_letter)
            continue;
        *letter = (struct kafka_letter){.offset = f->next - 1,
                                        .key = m->key,
                                        .value = m->value,
                                        .header_count = m->header_count,
                                        .headers = m->headers};
        return 1;
    }
    return 0;
}

static enum retried carry_out(struct fixture *f, const char *text)
{
    static const struct replay_limits limits = {
        .letters_max = 10, .bytes_max = 10000, .window_max = 20};
    const struct letter_source source = {.of = f, .begin = begin, .next = next};
    f->command = (struct sent_command){7, COMMAND_ROW, span_of(text)};
    struct letter_index index = {0};
    assert_int_equal(replay_load(&f->replay, 7, span_of(text), &f->held, &limits, &source, &index,
                                 &f->bench->err),
                     0);
    letter_index_forget(&index);
    return retry_carry_out(&f->retry, &f->change, &f->batch, &f->outcome, &f->bench->err);
}

/* "<value>", "mark", "lift", with "!" before what is behind all that went before. */
static const char *journal(struct fixture *f)
{
    size_t len = 0;
    for (uint32_t i = 0; i < f->batch.count; i++) {
        const struct message *m = &f->batch.messages[i];
        struct span what = m->value;
        if (m->own_state)
            what = m->value.ptr != NULL ? SPAN_LITERAL("mark") : SPAN_LITERAL("lift");
        len += (size_t)snprintf(f->journal + len, sizeof f->journal - len, "%s%.*s; ",
                                m->behind_all ? "!" : "", SPAN_ARG(what));
    }
    return f->journal;
}

/* Where there is no transaction around them, a mark says that its event is out. */
static void marks_are_behind_all_events(void **state)
{
    struct fixture *f = *state;
    make_letters(f);
    assert_int_equal(carry_out(f, "{\"do\":\"retry\",\"all\":true}"), RETRY_DONE);
    assert_string_equal(f->outcome.why, "");
    assert_string_equal(journal(f), "a; b; c; !mark; mark; mark; lift; ");
    assert_int_equal(f->outcome.sent, 3);
    assert_int_equal(f->outcome.lifted, 1);
}

static void what_stays_has_no_mark_and_holds_back_what_follows(void **state)
{
    struct fixture *f = *state;
    make_letters(f);
    f->letters->messages[0].value = span_null();
    assert_int_equal(carry_out(f, "{\"do\":\"retry\",\"all\":true}"), RETRY_DONE);
    assert_string_equal(journal(f), "");
    assert_int_equal(f->outcome.left, 3);
    assert_int_equal(f->outcome.lifted, 0);
    assert_true(quarantine_holds(&f->held, "outbox", SPAN_LITERAL("k1")));
}

/* Ids of polling are no places, so its letters have no order; and none of them is found. */
static void a_relay_that_polls_says_that_it_cannot(void **state)
{
    struct fixture *f = *state;
    make_letters(f);
    f->letters->count = 0; /* their ids name no place */
    f->change.id = change_id_poll(700, 0, 1);
    assert_int_equal(carry_out(f, "{\"do\":\"retry\",\"all\":true}"), RETRY_REFUSED);
    assert_non_null(strstr(f->outcome.why, "a relay that polls cannot"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_relay_that_polls_says_that_it_cannot, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_are_behind_all_events, setup, teardown),
        cmocka_unit_test_setup_teardown(what_stays_has_no_mark_and_holds_back_what_follows, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
