/* relay/lookout: which transactions were over when a snapshot was taken, and what a look answers.
 */
#include "relay/lookout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool over(const char *snapshot, uint32_t xid)
{
    return lookout_is_over(span_of(snapshot), xid);
}

static void what_a_snapshot_says(void **state)
{
    (void)state;
    assert_true(over("100:100:", 99));
    assert_false(over("100:100:", 100));
    assert_true(over("100:110:103,105", 104));
    assert_false(over("100:110:103,105", 103));
    assert_false(over("100:110:103,105", 105));
    assert_false(over("100:110:103,105", 110));
    assert_false(over("", 1));
    assert_false(over("nonsense", 1));
}

/* A pg_snapshot has 64 bits, the stream 32, and those go round. */
static void ids_go_round(void **state)
{
    (void)state;
    assert_true(over("4294967306:4294967306:", UINT32_MAX)); /* xmin is 10 in the next epoch */
    assert_true(over("4294967306:4294967306:", 9));
    assert_false(over("4294967306:4294967306:", 10));
    assert_false(over("4294967290:4294967306:4294967300", 4));
    assert_true(over("4294967290:4294967306:4294967300", 5));
    assert_true(over("4294967290:4294967306:4294967300", UINT32_MAX));
}

static void what_a_look_answers(void **state)
{
    (void)state;
    struct lookout l;
    struct error err = ERROR_INIT;
    assert_int_equal(lookout_open(&l, &err), 0);
    assert_false(lookout_wanted(&l));
    assert_true(lookout_passes(&l, 5)); /* nothing is recorded: nothing can differ */
    struct fingerprint recorded = {.id = {"aa", 100},
                                   .text = SPAN_LITERAL("text"),
                                   .snapshot = SPAN_LITERAL("4294967301:4294967303:4294967302")};
    uint64_t near_xid;
    lookout_begin(&l, &recorded);
    assert_int_equal(lookout_lsn(&l, &near_xid), 100);
    assert_int_equal(near_xid, UINT64_C(4294967303));
    assert_true(lookout_wanted(&l));
    assert_false(lookout_passes(&l, 5));
    struct fingerprint same = {.id = {"aa", 200}, .snapshot = SPAN_LITERAL("5:5:")};
    lookout_tell(&l, &same);
    assert_false(lookout_passes(&l, 5)); /* still under way at that look */
    assert_true(lookout_passes(&l, 4));
    assert_int_equal(lookout_lsn(&l, &near_xid), 200);
    assert_int_equal(near_xid, 5);
    lookout_blind(&l); /* it may be of long ago from now on */
    assert_int_equal(lookout_lsn(&l, &near_xid), 200);
    assert_int_equal(near_xid, 0);
    struct fingerprint other = {.id = {"bb", 300}, .snapshot = SPAN_LITERAL("9:9:")};
    lookout_tell(&l, &other);
    assert_true(lookout_changed(&l));
    assert_false(lookout_passes(&l, 4));
    assert_int_equal(lookout_lsn(&l, &near_xid), 200);
    struct arena arena;
    const char *hash;
    arena_init(&arena, 256, 256);
    lookout_end(&l);
    assert_true(span_equal_text(lookout_recall(&l, &arena, &hash), "text"));
    assert_string_equal(hash, "aa");
    arena_fini(&arena);
    lookout_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_snapshot_says),
        cmocka_unit_test(ids_go_round),
        cmocka_unit_test(what_a_look_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
