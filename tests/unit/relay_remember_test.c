/* relay/remember: of what was committed, the newest events, once each. */
#include "relay/remember.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct config_pair pairs[] = {
    {.name = {.text = "kind"}, .value = {.text = "{what}"}},
};
static const struct config_route routes[] = {{
    .name = {.text = "orders"},
    .columns = {.type = {.text = "what"}},
    .headers = {.count = 1, .items = pairs},
}};
static const struct config_routes configured = {.count = 1, .items = routes};
static const struct header headers[] = {
    {{"type", 4}, {"other", 5}},
    {{"kind", 4}, {"OrderPlaced", 11}},
};

struct fixture {
    struct recent recent;
    struct batch batches[2];
    struct batch *held[2];
    struct recent_lists lists;
};

static struct fixture *set_up(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    recent_init(&f->recent);
    for (int i = 0; i < 2; i++) {
        batch_init(&f->batches[i], 64, 4096);
        f->held[i] = &f->batches[i];
    }
    return f;
}

static void tear_down(struct fixture *f)
{
    batch_fini(&f->batches[0]);
    batch_fini(&f->batches[1]);
    recent_fini(&f->recent);
    free(f);
}

/* As the publisher leaves it: offset is lsn. */
static struct message *add(struct fixture *f, int batch, uint64_t lsn, bool delivered)
{
    struct message *m = batch_next(&f->batches[batch]);
    m->topic = span_of("outbox.event.order");
    m->key = span_of("k1");
    m->value = span_of("{\"secret\":1}");
    m->position = (struct position){lsn, 0};
    m->headers = headers;
    m->header_count = 2;
    m->placed = 3;
    m->next_offset = delivered ? (int64_t)lsn + 1 : 0;
    batch_add(&f->batches[batch]);
    return m;
}

static const struct recent_event *event(struct fixture *f, uint64_t number)
{
    recent_copy(&f->recent, &f->lists);
    return &f->lists.events[(number - 1) % RECENT_EVENTS];
}

static void commit(struct fixture *f, uint64_t after, bool payloads)
{
    const struct remember how = {.recent = &f->recent, .routes = &configured, .payloads = payloads};
    remember_events(&how, (struct position){after, 0}, 77, f->held, 2);
}

static void test_the_newest(void **state)
{
    (void)state;
    struct fixture *f = set_up();
    for (uint64_t lsn = 100; lsn < 130; lsn++)
        add(f, lsn < 120 ? 0 : 1, lsn, true);
    commit(f, 99, false);
    const struct recent_event *last = event(f, 20);
    assert_int_equal(f->lists.event_count, RECENT_EVENTS);
    assert_int_equal(last->position.lsn, 129);
    assert_int_equal(last->offset, 129);
    assert_int_equal(last->partition, 3);
    assert_int_equal(last->committed_wall_us, 77);
    assert_string_equal(last->topic, "outbox.event.order");
    assert_string_equal(last->route, "orders");
    assert_memory_equal(last->type.bytes, "OrderPlaced", 11);
    assert_memory_equal(last->key.bytes, "k1", 2);
    assert_false(last->has_payload);
    assert_int_equal(event(f, 1)->position.lsn, 110);
    tear_down(f);
}

/* A batch that was cut is met again; what went out with its first part is not told again. */
static void test_behind_a_cut(void **state)
{
    (void)state;
    struct fixture *f = set_up();
    for (uint64_t lsn = 100; lsn < 140; lsn++)
        add(f, 0, lsn, lsn < 130);
    commit(f, 99, false);
    for (uint32_t i = 30; i < 40; i++)
        f->batches[0].messages[i].next_offset = -1; /* it has it, and does not say where */
    commit(f, 129, true);
    assert_int_equal(event(f, 30)->position.lsn, 139);
    assert_int_equal(event(f, 30)->offset, -1);
    assert_true(event(f, 30)->has_payload);
    assert_memory_equal(event(f, 30)->payload.bytes, "{\"secret\":1}", 12);
    assert_int_equal(event(f, 20)->position.lsn, 129);
    tear_down(f);
}

static void test_what_is_no_event(void **state)
{
    (void)state;
    struct fixture *f = set_up();
    add(f, 0, 1, false); /* passed over */
    add(f, 0, 2, true)->route = MESSAGE_NO_ROUTE;
    add(f, 0, 3, true)->route = MESSAGE_MARK;
    add(f, 0, 4, true)->own_state = true;
    add(f, 0, 5, true)->dead_letter = true;
    commit(f, 0, false);
    assert_int_equal(event(f, 1)->position.lsn, 5);
    assert_true(event(f, 1)->dead_letter);
    assert_int_equal(f->lists.event_count, 1);
    const struct remember nobody = {.recent = NULL};
    remember_events(&nobody, (struct position){0, 0}, 1, f->held, 2);
    tear_down(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest),
        cmocka_unit_test(test_behind_a_cut),
        cmocka_unit_test(test_what_is_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
