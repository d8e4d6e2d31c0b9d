/* encode/encode_claim: which values a reference may stand for, and what it looks like. */
#include "encode/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

#include <string.h>

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct message message_of(size_t bytes)
{
    char *value = arena_alloc(&arena, bytes);
    memset(value, 'x', bytes);
    return (struct message){.value = {value, bytes}, .claim_id = SPAN_LITERAL("7-1-1")};
}

static void the_value_is_a_reference_and_a_header_names_it(void **state)
{
    (void)state;
    const struct header before = {SPAN_LITERAL("walferry-id"), SPAN_LITERAL("7-1-1")};
    struct message m = message_of(2000);
    m.headers = &before;
    m.header_count = 1;
    assert_true(message_may_refer(&m));
    message_refer(&m, "7-1-1:5e", "5e", &arena);
    assert_span(m.value, "{\"id\":\"7-1-1:5e\",\"bytes\":2000,\"sha256\":\"5e\"}");
    assert_int_equal(m.header_count, 2);
    assert_span(m.headers[0].value, "7-1-1");
    assert_span(m.headers[1].name, "walferry-claim");
    assert_span(m.headers[1].value, "7-1-1:5e");
    assert_false(message_may_refer(&m)); /* once */
}

static void what_gains_nothing_stays(void **state)
{
    (void)state;
    struct message m = message_of(200);
    assert_false(message_may_refer(&m));
    m = message_of(2000);
    m.dead_letter = true;
    assert_false(message_may_refer(&m));
    m = message_of(2000);
    m.claim_id = span_null();
    assert_false(message_may_refer(&m));
    m = message_of(2000);
    m.value = span_null();
    assert_false(message_may_refer(&m));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_value_is_a_reference_and_a_header_names_it),
        TEST(what_gains_nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
