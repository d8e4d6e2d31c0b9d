/* route/, encode/: in steady state an event costs no malloc. AddressSanitizer counts for us: its
 * hooks see every allocation of the process. */
#include "encode/encode.h"
#include "model/batch.h"
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_HOOKS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HAS_HOOKS 1
#endif

#ifdef HAS_HOOKS
/* Of compiler-rt's sanitizer/allocator_interface.h, which gcc does not bring along. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static volatile size_t allocations; /* a compiler thinks that malloc changes no variable */

static void count_malloc(const volatile void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
    allocations++;
}

static void count_free(const volatile void *ptr)
{
    (void)ptr;
}

struct pipeline {
    struct route_fixture f;
    struct batch batch;
    struct encoders *encoders;
};

static void put_all(struct pipeline *p)
{
    struct event event;
    struct error err = ERROR_INIT;
    arena_reset(&p->f.scratch);
    router_begin(p->f.router, &p->f.change, &p->f.scratch);
    while (router_next(p->f.router, &event, &err) > 0) {
        if (p->batch.count == p->batch.capacity)
            batch_reset(&p->batch);
        struct message *message = batch_next(&p->batch);
        if (encode_message(p->encoders, &event, &p->batch.arena, message, &err) < 0)
            abort();
        batch_add(&p->batch);
    }
}

static void one_round(struct pipeline *p)
{
    static const char *const types[] = {"order", "order", "customer", "bad name", NULL};
    for (size_t i = 0; i < 200; i++) {
        route_fixture_set(&p->f, "aggregatetype", types[i % 5]);
        put_all(p);
    }
}

static size_t count_round(struct pipeline *p)
{
    one_round(p); /* arenas grow to their size, caches fill */
    one_round(p);
    size_t before = allocations;
    one_round(p);
    return allocations - before;
}

static void open_pipeline(struct pipeline *p)
{
    struct error err = ERROR_INIT;
    batch_init(&p->batch, 64, 1024 * 1024);
    struct encoders_options encoding = {.routes = &p->f.routes,
                                        .system_identifier = 7318349394477056000,
                                        .id_header = "walferry-id",
                                        .database = NULL,
                                        .metrics = NULL};
    assert_int_equal(encoders_open(&encoding, &p->encoders, &err), 0);
    assert_int_equal(route_fixture_open(&p->f), 0);
}

static void close_pipeline(struct pipeline *p)
{
    encoders_close(p->encoders);
    batch_fini(&p->batch);
    route_fixture_fini(&p->f);
}

static void test_the_counter_counts(void **state)
{
    (void)state;
    size_t before = allocations;
    void *volatile block = malloc(17);
    free(block);
    assert_int_equal(allocations - before, 1);
}

static void test_rows(void **state)
{
    (void)state;
    struct pipeline p;
    route_fixture_init(&p.f);
    p.f.configs[0].columns.headers = route_fixture_text("headers");
    p.f.configs[0].key = route_fixture_text("{aggregateid}/{@xid}");
    route_fixture_set(&p.f, "headers", "{\"a\": \"\\u00e4\", \"b\": 2, \"c\": null, \"d\": [1]}");
    route_fixture_set(&p.f, "payload", "\\x6869");
    route_fixture_column(&p.f, "payload")->type_oid = TYPE_BYTEA;
    route_fixture_add_route(&p.f, "twin", "*.outbox");
    p.f.configs[0].continue_matching = true;
    open_pipeline(&p);
    assert_int_equal(count_round(&p), 0);
    close_pipeline(&p);
}

static void test_messages(void **state)
{
    (void)state;
    struct pipeline p;
    route_fixture_init(&p.f);
    p.f.configs[0].from = route_fixture_text("message:outbox");
    open_pipeline(&p);
    route_fixture_message(&p.f, "outbox",
                          "{\"id\": 1, \"aggregatetype\": \"a\\u0062\", \"aggregateid\": \"x\", "
                          "\"payload\": {\"a\": [1, 2, {}]}}");
    for (int i = 0; i < 300; i++)
        put_all(&p);
    size_t before = allocations;
    for (int i = 0; i < 300; i++)
        put_all(&p);
    assert_int_equal(allocations - before, 0);
    close_pipeline(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_counter_counts),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_messages),
    };
    __sanitizer_install_malloc_and_free_hooks(count_malloc, count_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
/* Built without AddressSanitizer there is nothing that counts. */
int main(void)
{
    puts("skipped: built without AddressSanitizer");
    return 0;
}
#endif
