/* relay/quarantine: which keys are held, what stands in the topic of them, and that reading that
 * back gives the same. */
#include "relay/quarantine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_text.h"

#define KEYS_MAX 3

static const struct config_route outbox = {.name = {.text = "outbox"}};
static const struct config_routes routes = {1, &outbox};

struct fixture {
    struct metrics *metrics;
    struct quarantine q;
    struct quarantine again; /* the one of the next epoch */
    struct batch batch;
    struct change change;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->metrics = metrics_open("orders", 0, NULL);
    quarantine_init(&f->q, true, "orders", KEYS_MAX, f->metrics);
    quarantine_init(&f->again, true, "orders", KEYS_MAX, f->metrics);
    f->q.system_identifier = 7000;
    batch_init(&f->batch, 4, 1024);
    f->change = (struct change){.id = change_id_wal(0x100, 1), .position = {0x90, 1}};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    quarantine_fini(&f->q);
    quarantine_fini(&f->again);
    batch_fini(&f->batch);
    metrics_close(f->metrics);
    free(f);
    return 0;
}

static void hold(struct fixture *f, struct held_key **group, const char *key)
{
    int result =
        quarantine_hold(&f->q, group, "outbox", span_of(key), &f->change, &f->batch, &f->err);
    assert_int_equal(result, 0);
}

static bool holds(struct quarantine *q, const char *key)
{
    return quarantine_holds(q, "outbox", span_of(key));
}

static void read_back(struct fixture *f)
{
    for (uint32_t i = 0; i < f->batch.count; i++) {
        const struct message *m = &f->batch.messages[i];
        assert_true(m->own_state);
        assert_span(m->topic, "walferry.orders.quarantine");
        assert_int_equal(quarantine_load(&f->again, m->key, m->value, &f->err), 0);
    }
}

static void a_held_key_is_of_its_route(void **state)
{
    struct fixture *f = *state;
    struct held_key *group = NULL;
    hold(f, &group, "a");
    assert_true(holds(&f->q, "a"));
    assert_false(holds(&f->q, "b"));
    assert_false(quarantine_holds(&f->q, "other", SPAN_LITERAL("a")));
    assert_false(quarantine_holds(&f->q, "outbox", span_null()));
    assert_int_equal(f->batch.count, 1);
    assert_span(f->batch.messages[0].key, "[\"outbox\",\"a\"]");
    assert_span(f->batch.messages[0].value, "{\"v\":1,\"since\":\"7000-0000000000000100-1\"}");
    hold(f, &group, "a");
    assert_int_equal(f->batch.count, 1); /* it is there already */
    read_back(f);
    assert_true(holds(&f->again, "a"));
    assert_int_equal(f->again.held, 1);
}

/* A retry would find no letter of the key, and let go of it. */
static void letters_in_another_topic_are_not_forgotten(void **state)
{
    struct fixture *f = *state;
    struct held_key *group = NULL;
    f->q.letters = "dead";
    hold(f, &group, "a");
    const struct message *m = &f->batch.messages[0];
    f->again.letters = "other";
    read_back(f);
    assert_int_equal(quarantine_check(&f->again, &routes, &f->err), -1);
    assert_int_equal(f->err.reason, REASON_LETTERS_ELSEWHERE);
    f->err = ERROR_INIT; /* it was let go again behind that */
    assert_int_equal(quarantine_load(&f->again, m->key, span_null(), &f->err), 0);
    assert_int_equal(quarantine_check(&f->again, &routes, &f->err), 0);
    f->again.letters = "dead";
    read_back(f);
    assert_int_equal(quarantine_check(&f->again, &routes, &f->err), 0);
    assert_true(holds(&f->again, "a"));
}

/* Its later events would be another route's, or everybody's. */
static void a_held_key_without_its_route_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct config_route other = {.name = {.text = "orders"}};
    const struct config_routes renamed = {1, &other};
    struct held_key *one = NULL, *two = NULL;
    hold(f, &one, "a");
    hold(f, &two, "b");
    read_back(f);
    assert_int_equal(quarantine_check(&f->again, &routes, &f->err), 0);
    assert_int_equal(quarantine_check(&f->again, &renamed, &f->err), -1);
    assert_int_equal(f->err.reason, REASON_KEYS_STILL_HELD);
    assert_non_null(strstr(f->err.text, "2 keys of route outbox are held for dead letters, and the "
                                        "file has no such route"));
    assert_non_null(strstr(f->err.hint, "walferry dead-letter retry --all --route outbox"));
    /* The same where the file holds none. */
    f->err = ERROR_INIT;
    f->again.on = false;
    assert_int_equal(quarantine_check(&f->again, &routes, &f->err), -1);
    assert_int_equal(f->err.reason, REASON_KEYS_STILL_HELD);
    assert_non_null(strstr(f->err.text, "with this file no key is held"));
    /* And what was let go of does not count. */
    f->err = ERROR_INIT;
    for (uint32_t i = 0; i < f->batch.count; i++)
        assert_int_equal(quarantine_load(&f->again, f->batch.messages[i].key, span_null(), &f->err),
                         0);
    assert_int_equal(quarantine_check(&f->again, &renamed, &f->err), 0);
}

/* An earlier letter of the one stays, and is an earlier one of both then. */
static void what_is_blocked_stays_so_when_it_is_joined(void **state)
{
    struct fixture *f = *state;
    struct held_key *one = NULL, *other = NULL;
    hold(f, &one, "a");
    hold(f, &other, "b");
    other->blocked = true;
    hold(f, &one, "b");
    assert_true(quarantine_find(&f->q, SPAN_LITERAL("outbox"), SPAN_LITERAL("b"))->group == one);
    assert_true(one->blocked);
}

static void keys_of_a_change_are_let_go_together(void **state)
{
    struct fixture *f = *state;
    struct held_key *one = NULL, *two = NULL;
    hold(f, &one, "a");
    hold(f, &two, "b");
    hold(f, &two, "a"); /* a change from b to a: what was two groups is one */
    read_back(f);
    assert_ptr_equal(quarantine_find(&f->again, SPAN_LITERAL("outbox"), SPAN_LITERAL("a"))->group,
                     quarantine_find(&f->again, SPAN_LITERAL("outbox"), SPAN_LITERAL("b"))->group);
    struct held_key *group =
        quarantine_find(&f->q, SPAN_LITERAL("outbox"), SPAN_LITERAL("a"))->group;
    uint32_t before = f->batch.count;
    assert_int_equal(quarantine_lift(&f->q, group, &f->change, &f->batch), 2);
    assert_null(f->batch.messages[before].value.ptr);
    assert_false(holds(&f->q, "a") || holds(&f->q, "b"));
    read_back(f);
    assert_false(holds(&f->again, "a") || holds(&f->again, "b"));
    assert_int_equal(f->again.held, 0);
    assert_int_equal(f->again.bytes, 0);
}

static void a_key_that_is_no_text_comes_back(void **state)
{
    struct fixture *f = *state;
    struct held_key *group = NULL;
    const struct span key = {"\xff\0\xfe", 3};
    assert_int_equal(quarantine_hold(&f->q, &group, "outbox", key, &f->change, &f->batch, &f->err),
                     0);
    assert_span(f->batch.messages[0].key, "[\"outbox\",{\"base64\":\"/wD+\"}]");
    read_back(f);
    assert_true(quarantine_holds(&f->again, "outbox", key));
}

static void one_more_than_may_be_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *const keys[] = {"a", "b", "c"};
    for (int i = 0; i < KEYS_MAX; i++)
        hold(f, &(struct held_key *){NULL}, keys[i]);
    hold(f, &(struct held_key *){NULL}, "b");
    struct held_key *group = NULL;
    assert_int_equal(
        quarantine_hold(&f->q, &group, "outbox", SPAN_LITERAL("d"), &f->change, &f->batch, &f->err),
        -1);
    assert_int_equal(f->err.reason, REASON_QUARANTINE_FULL);
    assert_int_equal(f->err.exit_code, EXIT_DATA);
    assert_int_equal(f->batch.count, KEYS_MAX);
    f->err = ERROR_INIT;
    struct held_key *none = NULL; /* a null key is held by nobody */
    assert_int_equal(
        quarantine_hold(&f->q, &none, "outbox", span_null(), &f->change, &f->batch, &f->err), 0);
}

static void a_record_of_somebody_else_stops(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *key, *value;
    } cases[] = {{"a", "{}"},
                 {"[\"outbox\"]", NULL},
                 {"[\"outbox\",1]", NULL},
                 {"[\"outbox\",{\"base64\":\"!\"}]", NULL},
                 {"[\"outbox\",\"a\"]", "{\"v\":2,\"since\":\"x\"}"},
                 {"[\"outbox\",\"a\"]", "nothing"},
                 {NULL, "{}"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->err = ERROR_INIT;
        struct span key = cases[i].key != NULL ? span_of(cases[i].key) : span_null();
        struct span value = cases[i].value != NULL ? span_of(cases[i].value) : span_null();
        assert_int_equal(quarantine_load(&f->again, key, value, &f->err), -1);
        assert_int_equal(f->err.reason, REASON_QUARANTINE_TOPIC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_held_key_is_of_its_route, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_a_change_are_let_go_together, setup, teardown),
        cmocka_unit_test_setup_teardown(letters_in_another_topic_are_not_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_held_key_without_its_route_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_blocked_stays_so_when_it_is_joined, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_no_text_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(one_more_than_may_be_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_of_somebody_else_stops, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
