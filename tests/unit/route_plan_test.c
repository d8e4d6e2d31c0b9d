/* route/route_plan: which route takes which operation of a table. */
#include "route/route_kind.h"
#include "route/route_plan.h"
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define INSERT (change_bit(CHANGE_INSERT))
#define UPDATE (change_bit(CHANGE_UPDATE))
#define DELETE (change_bit(CHANGE_DELETE))
#define ROUTES 3

struct planned {
    struct route_fixture f;
    struct arena arena;
    struct route routes[ROUTES];
    struct plan_cache cache;
};

/* Three routes that name the table, and take what is said. */
static void init(struct planned *p, uint32_t first, uint32_t second, uint32_t third)
{
    const uint32_t operations[ROUTES] = {first, second, third};
    route_fixture_init(&p->f);
    route_fixture_add_route(&p->f, "second", "*.outbox");
    route_fixture_add_route(&p->f, "third", "public.*");
    arena_init(&p->arena, 4096, 4096);
    struct router_options options = {
        .routes = &p->f.routes, .relay = "orders", .progress_topic = "walferry.orders.progress"};
    for (uint32_t i = 0; i < ROUTES; i++) {
        assert_int_equal(route_compile(&options, i, NULL, &p->arena, &p->routes[i], &p->f.err), 0);
        p->routes[i].operations = operations[i];
    }
}

static const struct plan *make(struct planned *p)
{
    plan_cache_init(&p->cache, &p->arena, p->routes, ROUTES);
    return plan_of(&p->cache, &p->f.relation);
}

static void fini(struct planned *p)
{
    arena_fini(&p->arena);
    arena_fini(&p->f.scratch);
}

static void test_the_first_route_takes_only_its_operations(void **state)
{
    (void)state;
    struct planned p;
    init(&p, INSERT, INSERT | UPDATE, UPDATE | DELETE);
    const struct plan *plan = make(&p);
    assert_int_equal(p.cache.operations, INSERT | UPDATE | DELETE);
    assert_int_equal(plan->operations, INSERT | UPDATE | DELETE);
    assert_int_equal(plan->match_count, 3);
    assert_int_equal(plan->matches[0].operations, INSERT);
    assert_int_equal(plan->matches[1].operations, UPDATE);
    assert_int_equal(plan->matches[2].operations, DELETE);
    fini(&p);
}

static void test_what_is_taken_whole_is_not_looked_at(void **state)
{
    (void)state;
    struct planned p;
    init(&p, INSERT | UPDATE, UPDATE, DELETE);
    const struct plan *plan = make(&p);
    assert_int_equal(plan->match_count, 2);
    assert_ptr_equal(plan->matches[0].route, &p.routes[0]);
    assert_ptr_equal(plan->matches[1].route, &p.routes[2]);
    fini(&p);
}

static void test_continue_leaves_all(void **state)
{
    (void)state;
    struct planned p;
    init(&p, INSERT | UPDATE, INSERT, INSERT | DELETE);
    p.routes[0].continue_matching = true;
    const struct plan *plan = make(&p);
    assert_int_equal(plan->match_count, 3);
    assert_int_equal(plan->matches[0].operations, INSERT | UPDATE);
    assert_int_equal(plan->matches[1].operations, INSERT);
    assert_int_equal(plan->matches[2].operations, DELETE);
    fini(&p);
}

static void test_other_tables(void **state)
{
    (void)state;
    struct planned p;
    init(&p, INSERT, UPDATE, DELETE);
    p.f.relation.name = SPAN_LITERAL("audit");
    const struct plan *plan = make(&p);
    assert_int_equal(plan->match_count, 1);
    assert_int_equal(plan->operations, DELETE);
    p.f.relation.schema = SPAN_LITERAL("shop");
    p.f.relation.version++;
    plan = plan_of(&p.cache, &p.f.relation);
    assert_int_equal(plan->match_count, 0);
    assert_int_equal(plan->operations, 0);
    fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_route_takes_only_its_operations),
        cmocka_unit_test(test_what_is_taken_whole_is_not_looked_at),
        cmocka_unit_test(test_continue_leaves_all),
        cmocka_unit_test(test_other_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
