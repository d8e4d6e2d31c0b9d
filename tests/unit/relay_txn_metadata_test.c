/* relay/txn_metadata: numbers of events in their transaction, and the records of its begin and end;
 * the same where the first part of a transaction was published before. */
#include "relay/txn_metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "pgoutput_encoder.h"

#define FINAL 0x2000

static const struct relation orders = {.schema = SPAN_STATIC("shop"),
                                       .name = SPAN_STATIC("orders")};
static const struct relation lines = {.schema = SPAN_STATIC("shop"), .name = SPAN_STATIC("lines")};

struct fixture {
    struct verdict_facts verdicts;
    struct config_routes routes;
    struct txn_metadata metadata;
    struct batch batch;
    struct change change;
    struct event event;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->verdicts = (struct verdict_facts){.routes = &f->routes, .system_identifier = 7000};
    const struct txn_metadata_options options = {"shop.transaction", "walferry-id", &f->verdicts};
    txn_metadata_init(&f->metadata, &options);
    batch_init(&f->batch, 1, 4096);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    txn_metadata_fini(&f->metadata);
    batch_fini(&f->batch);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    const struct change change = {.op = CHANGE_BEGIN, .lsn = 0x1500, .xid = 9};
    batch_reset(&f->batch);
    txn_metadata_begin(&f->metadata, &change);
}

static void take(struct fixture *f, const struct relation *relation, uint64_t ordinal,
                 bool repeated)
{
    f->change = (struct change){.op = CHANGE_INSERT,
                                .position = {0x1000, ordinal},
                                .id = change_id_wal(FINAL, ordinal),
                                .xid = 9,
                                .commit_time_us = 1700000000123456,
                                .lsn = 0x1600 + ordinal,
                                .repeated = repeated};
    f->event = (struct event){.change = &f->change, .index = 1};
    f->event.value.kind = CONTENT_CHANGE;
    f->event.value.change = (struct content_change){.change = &f->change, .relation = relation};
    txn_metadata_event(&f->metadata, &f->event, repeated ? NULL : &f->batch);
}

static void end(struct fixture *f, uint64_t done)
{
    const struct change commit = {.op = CHANGE_COMMIT,
                                  .position = {0x3000, 0},
                                  .id = change_id_wal(FINAL, 0),
                                  .xid = 9,
                                  .commit_time_us = 1700000000123456};
    txn_metadata_end(&f->metadata, &commit, (struct position){0x1000, done}, &f->batch);
}

static void has_numbers(const struct fixture *f, uint64_t total, uint64_t of_table)
{
    assert_int_equal(f->event.value.change.total_order, total);
    assert_int_equal(f->event.value.change.collection_order, of_table);
}

static const char END_OF_THREE[] =
    "{\"status\":\"END\",\"id\":\"9:12288\",\"event_count\":3,\"data_collections\":["
    "{\"data_collection\":\"shop.orders\",\"event_count\":2},"
    "{\"data_collection\":\"shop.lines\",\"event_count\":1}],\"ts_ms\":1700000000123}";

static void ends_with_three(const struct fixture *f, uint64_t beside)
{
    const struct message *m = &f->batch.messages[f->batch.count - 1];
    assert_span(m->topic, "shop.transaction");
    assert_span(m->key, "{\"id\":\"9:12288\"}");
    assert_span(m->value, END_OF_THREE);
    assert_span(m->headers[0].value, "7000-0000000000002000-0.2");
    assert_int_equal(m->id.ordinal, beside);
    assert_int_equal(m->position.seq, beside);
    assert_int_equal(m->route, MESSAGE_MARK);
}

static void whole(void **state)
{
    struct fixture *f = *state;
    for (int again = 0; again < 2; again++) {
        begin(f);
        take(f, &orders, 1, false);
        has_numbers(f, 1, 1);
        take(f, &lines, 2, false);
        has_numbers(f, 2, 1);
        take(f, &orders, 4, false);
        has_numbers(f, 3, 2);
        end(f, 5); /* the last change was of another route */
        assert_int_equal(f->batch.count, 2);
        const struct message *m = &f->batch.messages[0];
        assert_span(m->value, "{\"status\":\"BEGIN\",\"id\":\"9:5376\",\"event_count\":null,"
                              "\"data_collections\":null,\"ts_ms\":1700000000123}");
        assert_span(m->headers[0].value, "7000-0000000000002000-0");
        assert_true(change_id_equal(m->id, change_id_wal(FINAL, 1)));
        ends_with_three(f, 5);
    }
}

/* A first part with two events is out. */
static void in_parts(void **state)
{
    struct fixture *f = *state;
    begin(f);
    take(f, &orders, 1, true);
    take(f, &lines, 2, true);
    assert_int_equal(f->batch.count, 0);
    take(f, &orders, 3, false);
    has_numbers(f, 3, 2);
    end(f, 3);
    assert_int_equal(f->batch.count, 1);
    ends_with_three(f, 3);
    begin(f); /* all of it is, but for the end */
    take(f, &orders, 1, true);
    take(f, &lines, 2, true);
    take(f, &orders, 3, true);
    end(f, 0);
    assert_int_equal(f->batch.count, 1);
    ends_with_three(f, 3);
}

static void without_events(void **state)
{
    struct fixture *f = *state;
    begin(f);
    end(f, 3);
    assert_int_equal(f->batch.count, 0);
    txn_metadata_fini(&f->metadata);
    txn_metadata_init(&f->metadata, NULL);
    begin(f);
    take(f, &orders, 1, false);
    has_numbers(f, 0, 0);
    end(f, 1);
    assert_int_equal(f->batch.count, 0);
}

static void tombstones_and_messages(void **state)
{
    struct fixture *f = *state;
    begin(f);
    take(f, NULL, 1, false);
    has_numbers(f, 1, 1);
    take(f, NULL, 2, false);
    has_numbers(f, 2, 2);
    content_set_text(&f->event.value, span_null());
    txn_metadata_event(&f->metadata, &f->event, &f->batch);
    end(f, 2);
    assert_int_equal(f->batch.count, 2);
    assert_span(f->batch.messages[1].value,
                "{\"status\":\"END\",\"id\":\"9:12288\",\"event_count\":2,\"data_collections\":["
                "{\"data_collection\":\"message\",\"event_count\":2}],\"ts_ms\":1700000000123}");
}

/* Beside a change stands the answer to a command, too, which is another record. */
static void an_answer_that_is_refused_leaves_the_end(void **state)
{
    struct fixture *f = *state;
    struct refusals refused;
    const struct verdict_refusal refusal = {.unit = {change_id_wal(FINAL, 4), MESSAGE_NO_ROUTE},
                                            .reason = REASON_RECORD_REFUSED,
                                            .text = "no"};
    refusals_init(&refused, 2);
    refusals_add(&refused, &refusal);
    f->verdicts.refused = &refused;
    begin(f);
    take(f, &orders, 1, false);
    take(f, &lines, 2, false);
    take(f, &orders, 3, false);
    end(f, 4); /* the fourth was the command */
    assert_int_equal(f->batch.count, 2);
    ends_with_three(f, 4);
    refusals_fini(&refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole, setup, teardown),
        cmocka_unit_test_setup_teardown(in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(without_events, setup, teardown),
        cmocka_unit_test_setup_teardown(tombstones_and_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_refused_leaves_the_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
