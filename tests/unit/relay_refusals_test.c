/* relay/refusals: what is remembered of what the broker refused, and where that is too much. */
#include "relay/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct verdict_refusal refusal(uint64_t lsn, uint64_t ordinal, uint32_t route)
{
    return (struct verdict_refusal){.unit = {change_id_wal(lsn, ordinal), route},
                                    .reason = REASON_RECORD_REFUSED};
}

static bool add(struct refusals *r, uint64_t lsn, uint64_t ordinal, uint32_t route)
{
    struct verdict_refusal one = refusal(lsn, ordinal, route);
    return refusals_add(r, &one);
}

static bool has(const struct refusals *r, uint64_t lsn, uint64_t ordinal, uint32_t route)
{
    return refusals_find(r, refusal(lsn, ordinal, route).unit) != NULL;
}

static void each_is_found_and_nothing_else(void **state)
{
    (void)state;
    struct refusals r;
    refusals_init(&r, REFUSALS_MAX);
    assert_false(has(&r, 100, 1, 0));
    for (uint64_t n = 0; n < 1000; n++)
        assert_true(add(&r, 100 + n % 7, n, (uint32_t)(n % 3)));
    for (uint64_t n = 0; n < 1000; n++) {
        assert_true(has(&r, 100 + n % 7, n, (uint32_t)(n % 3)));
        assert_false(has(&r, 100 + n % 7, n, 3));
        assert_false(has(&r, 107, n, (uint32_t)(n % 3)));
    }
    assert_true(add(&r, 100, 0, 0));
    assert_int_equal(r.count, 1000); /* it was there */
    refusals_fini(&r);
}

/* What is begun of a change is remembered whole: else the part that ends with it had no end. */
static void when_it_is_full_no_other_change_is_taken(void **state)
{
    (void)state;
    struct refusals r;
    refusals_init(&r, 2);
    assert_true(change_id_is_none(refusals_full_at(&r)));
    assert_true(add(&r, 100, 1, 0) && add(&r, 100, 2, 0));
    assert_true(change_id_equal(refusals_full_at(&r), change_id_wal(100, 2)));
    assert_true(add(&r, 100, 2, 1));
    assert_true(add(&r, 100, 1, 0));
    assert_false(add(&r, 100, 3, 0));
    assert_int_equal(r.count, 3);
    refusals_fini(&r);
}

static bool is_even(struct change_id id, const void *of)
{
    (void)of;
    return id.ordinal % 2 == 0;
}

static void what_is_behind_is_dropped(void **state)
{
    (void)state;
    struct refusals r;
    refusals_init(&r, 10);
    for (uint64_t n = 1; n <= 10; n++)
        assert_true(add(&r, 100, n, 0));
    refusals_drop(&r, is_even, NULL);
    assert_int_equal(r.count, 5);
    for (uint64_t n = 1; n <= 10; n++)
        assert_int_equal(has(&r, 100, n, 0), n % 2);
    assert_true(change_id_is_none(refusals_full_at(&r)));
    refusals_fini(&r);
}

static void what_another_one_learnt_is_taken_as_far_as_there_is_room(void **state)
{
    (void)state;
    struct refusals r, other;
    refusals_init(&r, 3);
    refusals_init(&other, 3);
    assert_true(add(&r, 100, 1, 0));
    assert_true(add(&other, 100, 1, 0) && add(&other, 100, 2, 0) && add(&other, 100, 3, 0));
    refusals_take(&r, &other);
    assert_int_equal(r.count, 3);
    assert_int_equal(other.count, 0);
    assert_true(add(&other, 100, 4, 0));
    refusals_take(&r, &other);
    assert_false(has(&r, 100, 4, 0));
    assert_true(change_id_equal(refusals_full_at(&r), change_id_wal(100, 3)));
    refusals_fini(&r);
    refusals_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_and_nothing_else),
        cmocka_unit_test(when_it_is_full_no_other_change_is_taken),
        cmocka_unit_test(what_is_behind_is_dropped),
        cmocka_unit_test(what_another_one_learnt_is_taken_as_far_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
