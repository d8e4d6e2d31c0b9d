/* source/poll_snapshot: which transactions a snapshot sees, and what is cut from one. */
#include "source/poll_snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct snapshot read(const char *text)
{
    struct snapshot s;
    assert_true(snapshot_parse(span_of(text), &s));
    return s;
}

static void a_snapshot_sees_what_was_over(void **state)
{
    (void)state;
    struct snapshot s = read("10:20:10,14");
    assert_true(snapshot_sees(&s, 9));
    assert_false(snapshot_sees(&s, 10));
    assert_true(snapshot_sees(&s, 11));
    assert_false(snapshot_sees(&s, 14));
    assert_true(snapshot_sees(&s, 19));
    assert_false(snapshot_sees(&s, 20));
    assert_false(snapshot_sees(&s, UINT64_MAX));
}

static void ids_beyond_32_bits_are_ids(void **state)
{
    (void)state;
    struct snapshot s = read("4294967300:4294967310:4294967300,4294967305");
    assert_false(snapshot_sees(&s, 4294967305));
    assert_true(snapshot_sees(&s, 9)); /* its lower half alone is none */
    assert_true(snapshot_sees(&s, 4294967306));
}

static void what_is_no_snapshot_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "10",      "10:20",       "10:9:",       ":20:",
        "a:20:", "10:20:9", "10:20:12,11", "10:20:12,",   "10:20:20",
        "0:0:",  "10:20:,", "10:20: 12",   "10:20:12,12", "99999999999999999999:3:"};
    struct snapshot s;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(snapshot_parse(span_of(bad[i]), &s));
}

static void check_below(const char *text, uint64_t xmax, const char *want)
{
    struct buf cut = BUF_EMPTY;
    struct snapshot s = read(text), less;
    snapshot_below(&s, xmax, &cut);
    assert_string_equal(buf_text(&cut), want);
    assert_true(snapshot_parse(buf_span(&cut), &less));
    for (uint64_t xid = 1; xid < 40; xid++)
        assert_int_equal(snapshot_sees(&less, xid), xid < xmax && snapshot_sees(&s, xid));
    buf_fini(&cut);
}

static void a_cut_one_sees_the_same_of_what_is_below(void **state)
{
    (void)state;
    check_below("10:20:10,14", 20, "10:20:10,14");
    check_below("10:20:10,14", 14, "10:14:10");
    check_below("10:20:10,14", 15, "10:15:10,14");
    check_below("10:20:14,18", 12, "12:12:");
    check_below("20:20:", 15, "15:15:");
    check_below("10:20:12", 5, "5:5:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_sees_what_was_over),
        cmocka_unit_test(ids_beyond_32_bits_are_ids),
        cmocka_unit_test(what_is_no_snapshot_is_refused),
        cmocka_unit_test(a_cut_one_sees_the_same_of_what_is_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
