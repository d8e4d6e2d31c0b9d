/* relay/shorten: values that walferry.claim refuses, and how long references count as fresh,
 * against a store that answers as the test says. Time is the test's. */
#include "relay/shorten.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define HOUR_US (3600 * US_PER_S)

static const char *refusal; /* SQLSTATE; NULL: the row is taken */
static uint32_t waits;

static enum step put(struct claim_store *store, struct span id, struct span payload,
                     const char *keep, int64_t now_us, struct claim_receipt *receipt,
                     struct error *err)
{
    (void)id, (void)payload, (void)keep, (void)now_us;
    if (waits > 0) {
        waits--;
        return STEP_WAIT;
    }
    *receipt = (struct claim_receipt){.id = "7-1-1", .sha256 = "5e"};
    if (refusal == NULL)
        return STEP_DONE;
    snprintf(store->refused_by, sizeof store->refused_by, "%s", refusal);
    return error_data(err, REASON_CLAIM_REFUSED, "the server refuses it");
}

static const struct claim_store_ops ops = {.put = put};
static struct claim_store store = {.ops = &ops};
static struct config_route route;
static struct config_routes routes = {.count = 1, .items = &route};
static struct verdict_facts verdicts = {.routes = &routes};
static struct claim_trouble trouble;
static struct shortener shortener;
static struct arena arena;
static char value[2000];

static int setup(void **state)
{
    (void)state;
    memset(value, 'x', sizeof value);
    route =
        (struct config_route){.oversize = {.policy = OVERSIZE_CLAIM_CHECK, .keep = {.text = "2h"}}};
    verdicts.metrics = metrics_open("orders", 0, NULL);
    trouble = (struct claim_trouble){.tries = 0};
    shortener = (struct shortener){
        .verdicts = &verdicts, .claims = &store, .trouble = &trouble, .now_us = 1};
    refusal = NULL;
    waits = 0;
    arena_init(&arena, 4096, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    metrics_close(verdicts.metrics);
    return 0;
}

static struct message message_of(uint64_t ordinal)
{
    return (struct message){.value = {value, sizeof value},
                            .claim_id = SPAN_LITERAL("7-1-1"),
                            .id = change_id_wal(0x1000, ordinal)};
}

static enum shortened shorten_one(struct message *message, struct error *err)
{
    error_data(err, REASON_MESSAGE_TOO_LARGE, "too large");
    return shorten(&shortener, message, &arena, err);
}

static void a_refusal_is_believed_after_some_tries(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct message first = message_of(1), second = message_of(2);
    refusal = "P0001";
    for (int i = 0; i < 4; i++) { /* an epoch each */
        assert_int_equal(shorten_one(&first, &err), SHORTENED_FAILED);
        assert_int_equal(err.kind, ERROR_RETRY);
        assert_int_equal(err.reason, REASON_CLAIM_REFUSED);
    }
    assert_int_equal(shorten_one(&first, &err), SHORTENED_NOT);
    assert_int_equal(err.kind, ERROR_DATA);
    assert_int_equal(err.reason, REASON_CLAIM_REFUSED);
    assert_int_equal(shorten_one(&second, &err), SHORTENED_NOT); /* at once */
    refusal = "23514";
    assert_int_equal(shorten_one(&second, &err), SHORTENED_FAILED); /* another matter */
}

static void what_was_refused_long_ago_is_tried_again(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct message first = message_of(1), second = message_of(2);
    refusal = "P0001";
    for (int i = 0; i < 5; i++)
        (void)shorten_one(&first, &err);
    shortener.now_us += 61 * US_PER_S;
    assert_int_equal(shorten_one(&second, &err), SHORTENED_FAILED);
    refusal = NULL;
    assert_int_equal(shorten_one(&second, &err), SHORTENED);
}

/* Both clocks count: one stands while the machine sleeps, the other can be set. */
static void references_are_fresh_for_a_part_of_their_life(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct message message = message_of(1);
    waits = 1;
    assert_int_equal(shorten_one(&message, &err), SHORTENED_LATER);
    assert_false(shortener_refers(&shortener));
    shortener.now_us = shortener.wall_us = HOUR_US; /* counted from when it was asked for */
    assert_int_equal(shorten_one(&message, &err), SHORTENED);
    assert_true(shortener_refers(&shortener));
    assert_int_equal(shortener_check_fresh(&shortener, &err), 0);
    shortener.wall_us = HOUR_US * 3 / 2;
    assert_int_equal(shortener_check_fresh(&shortener, &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    shortener.wall_us = HOUR_US;
    shortener.now_us = HOUR_US * 3 / 2 + 1;
    assert_int_equal(shortener_check_fresh(&shortener, &err), -1);
    shortener_settle(&shortener);
    assert_false(shortener_refers(&shortener));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refusal_is_believed_after_some_tries, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_refused_long_ago_is_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(references_are_fresh_for_a_part_of_their_life, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
