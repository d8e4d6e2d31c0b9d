/* base/table, base/span, base/clock, base/crash: the small tools. */
#include "base/table.h"

#include "base/clock.h"
#include "base/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_text.h"

static void test_table(void **state)
{
    (void)state;
    static int values[5000];
    struct arena arena;
    struct table table;
    arena_init(&arena, 4096, 4096);
    table_init(&table, &arena);
    assert_null(table_get(&table, SPAN_LITERAL("nothing")));
    char key[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        table_put(&table, span_of(key), &values[i]);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_ptr_equal(table_get(&table, span_of(key)), &values[i]);
    }
    assert_int_equal(table.count, 5000);
    assert_null(table_get(&table, SPAN_LITERAL("k5000")));
    assert_null(table_get(&table, SPAN_LITERAL("")));
    table_put(&table, SPAN_LITERAL("k7"), &values[8]);
    assert_ptr_equal(table_get(&table, SPAN_LITERAL("k7")), &values[8]);
    assert_int_equal(table.count, 5000);
    arena_fini(&arena);
}

static void test_table_iteration(void **state)
{
    (void)state;
    int values[3] = {0, 0, 0};
    struct arena arena;
    struct table table;
    arena_init(&arena, 64, 64);
    table_init(&table, &arena);
    size_t cursor = 0;
    struct span key;
    void *value;
    assert_false(table_next(&table, &cursor, &key, &value));
    table_put(&table, SPAN_LITERAL("a"), &values[0]);
    table_put(&table, SPAN_LITERAL(""), &values[1]);
    table_put(&table, (struct span){"\0b", 2}, &values[2]);
    cursor = 0;
    while (table_next(&table, &cursor, &key, &value))
        (*(int *)value)++;
    for (int i = 0; i < 3; i++)
        assert_int_equal(values[i], 1);
    arena_fini(&arena);
}

static void test_spans(void **state)
{
    (void)state;
    assert_true(span_equal(span_null(), SPAN_LITERAL("")));
    assert_true(span_equal_text(SPAN_LITERAL("a"), "a"));
    assert_false(span_equal_text(SPAN_LITERAL("a"), "ab"));
    assert_true(span_starts_with(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
    assert_true(span_starts_with(span_null(), span_null()));
    assert_false(span_starts_with(SPAN_LITERAL("a"), SPAN_LITERAL("ab")));
    assert_absent(span_of(NULL));
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_us();
    clock_sleep_us(2000);
    clock_sleep_us(0);
    clock_sleep_us(-5);
    assert_true(clock_monotonic_us() - before >= 2000);
    assert_true(clock_wall_us() > INT64_C(1700000000) * US_PER_S);
}

/* How the process ends that passes C2 three times: a signal, or 0. */
static int pass_three_times(const char *crash_at)
{
    pid_t pid = fork();
    if (pid == 0) {
        setenv("WALFERRY_CRASH_AT", crash_at, 1);
        for (int i = 0; i < 3; i++) {
            CRASH_POINT("C1");
            CRASH_POINT("C2");
            CRASH_POINT("C12");
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_crash_points(void **state)
{
    (void)state;
    assert_int_equal(pass_three_times("C2"), SIGKILL);
    assert_int_equal(pass_three_times("C2:3"), SIGKILL);
    assert_int_equal(pass_three_times("C2:4"), 0);
    assert_int_equal(pass_three_times("C3:1"), 0);
    assert_int_equal(pass_three_times("C12:1"), SIGKILL);
    assert_int_equal(pass_three_times(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_table_iteration),
        cmocka_unit_test(test_spans),        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_crash_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
