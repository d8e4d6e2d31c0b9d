/* base/arena: memory with one lifetime. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdalign.h>

#include <cmocka.h>

#include "assert_text.h"

static void test_alignment_and_distance(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 128);
    for (size_t size = 0; size < 200; size++) {
        char *bytes = arena_alloc_bytes(&arena, size % 3 + 1);
        memset(bytes, 0x11, size % 3 + 1);
        char *aligned = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)aligned % alignof(max_align_t), 0);
        memset(aligned, 0x22, size);
        assert_int_equal(*bytes, 0x11);
    }
    arena_fini(&arena);
}

static void test_an_array_grows(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 64);
    uint32_t *items = NULL, size = 0;
    for (uint32_t i = 0; i < 100; i++) {
        items = arena_grow(&arena, items, i, &size, sizeof *items);
        items[i] = i;
    }
    assert_int_equal(size, 128);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    arena_fini(&arena);
}

static void test_zeroed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 64);
    memset(arena_alloc(&arena, 60), 0xFF, 60);
    arena_reset(&arena);
    const char *zero = arena_alloc_zero(&arena, 60);
    for (size_t i = 0; i < 60; i++)
        assert_int_equal(zero[i], 0);
    arena_fini(&arena);
}

static void test_reset_keeps_and_reuses(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 512);
    char *first = arena_alloc_bytes(&arena, 200);
    char *second = arena_alloc_bytes(&arena, 200);
    (void)arena_alloc_bytes(&arena, 200);
    assert_int_equal(arena.used_bytes, 600);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_ptr_equal(arena_alloc_bytes(&arena, 200), first);
    assert_ptr_equal(arena_alloc_bytes(&arena, 200), second);
    arena_fini(&arena);
}

static void test_larger_than_a_chunk(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 64);
    memset(arena_alloc_bytes(&arena, 10), 'a', 10);
    char *large = arena_alloc(&arena, 100000);
    memset(large, 'b', 100000);
    memset(arena_alloc_bytes(&arena, 60), 'c', 60);
    assert_int_equal(large[99999], 'b');
    arena_reset(&arena);
    arena_fini(&arena);
    /* An arena can be used again after its end. */
    memset(arena_alloc(&arena, 10), 'd', 10);
    arena_fini(&arena);
}

static void test_copies(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 64);
    assert_absent(arena_copy(&arena, span_null()));
    struct span empty = arena_copy(&arena, SPAN_LITERAL(""));
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    char source[] = "abc";
    struct span copy = arena_copy(&arena, span_of(source));
    char *text = arena_text(&arena, span_of(source));
    source[0] = '!';
    assert_span(copy, "abc");
    assert_string_equal(text, "abc");
    assert_string_equal(arena_text(&arena, span_null()), "");
    assert_string_equal(arena_format(&arena, "%d-%s", 7, "x"), "7-x");
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_distance),
        cmocka_unit_test(test_an_array_grows),
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_reset_keeps_and_reuses),
        cmocka_unit_test(test_larger_than_a_chunk),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
