/* model/trace_ring: what a traceparent is, which traces are wanted, and a ring that is full. */
#include "model/trace_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void a_traceparent_is_read(void **state)
{
    (void)state;
    struct trace_context context;
    assert_true(trace_context_parse(SPAN_LITERAL(GOOD), &context));
    assert_true(context.sampled);
    assert_memory_equal(context.trace_id, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb", 11);
    assert_memory_equal(context.parent_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    assert_true(trace_context_parse(
        SPAN_LITERAL("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02"), &context));
    assert_false(context.sampled);
    assert_true(trace_context_parse(
        SPAN_LITERAL("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"), &context));
}

static void what_is_none_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct trace_context context;
        if (trace_context_parse(span_of(bad[i]), &context))
            fail_msg("%s", bad[i]);
    }
}

static void a_ratio_goes_by_the_trace(void **state)
{
    (void)state;
    struct trace_ring ring;
    struct trace_context context = {.sampled = true};
    trace_ring_init(&ring);
    assert_false(trace_ring_wants_any(&ring));
    assert_false(trace_ring_wants_any(NULL));
    trace_ring_want(&ring, 1);
    memset(context.trace_id, 0xff, sizeof context.trace_id);
    assert_true(trace_ring_wants(&ring, &context));
    trace_ring_want(&ring, 4);
    assert_true(trace_ring_wants_any(&ring));
    assert_false(trace_ring_wants(&ring, &context));
    context.trace_id[8] = 0x40;
    assert_false(trace_ring_wants(&ring, &context));
    context.trace_id[8] = 0x3f;
    assert_true(trace_ring_wants(&ring, &context));
    context.sampled = false;
    assert_false(trace_ring_wants(&ring, &context));
    trace_ring_want(&ring, 0);
    assert_false(trace_ring_wants_any(&ring));
    trace_ring_fini(&ring);
}

static void what_does_not_fit_is_counted(void **state)
{
    (void)state;
    struct trace_ring ring;
    struct trace_span in[3] = {{.route = 1}, {.route = 2}, {.route = 3}}, out[4];
    uint64_t dropped;
    trace_ring_init(&ring);
    trace_ring_put(&ring, in, 3); /* nobody wants any */
    assert_int_equal(trace_ring_take(&ring, out, 4, &dropped), 0);
    assert_int_equal(dropped, 3);
    trace_ring_want(&ring, 1);
    for (int i = 0; i < TRACE_RING_SPANS / 3; i++)
        trace_ring_put(&ring, in, 3);
    trace_ring_put(&ring, in, 3); /* 2048 is no multiple of 3 */
    trace_ring_lose(&ring, 5);
    assert_int_equal(trace_ring_take(&ring, out, 4, &dropped), 4);
    assert_int_equal(dropped, 3 - TRACE_RING_SPANS % 3 + 5);
    assert_int_equal(out[2].route, 3);
    assert_int_equal(out[3].route, 1);
    trace_ring_put(&ring, in, 3);
    uint32_t left = 0, got;
    while ((got = trace_ring_take(&ring, out, 4, &dropped)) > 0)
        left += got;
    assert_int_equal(left, TRACE_RING_SPANS - 4 + 3);
    assert_int_equal(dropped, 0);
    trace_ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_traceparent_is_read),
                                       cmocka_unit_test(what_is_none_is_not),
                                       cmocka_unit_test(a_ratio_goes_by_the_trace),
                                       cmocka_unit_test(what_does_not_fit_is_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
