/* model/position, model/status: the names of places. */
#include "model/position.h"
#include "model/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_order(void **state)
{
    (void)state;
    const struct position ordered[] = {{0, 0},          {1, 0}, {1, 1},
                                       {1, UINT64_MAX}, {2, 0}, {UINT64_MAX, 0}};
    const int count = sizeof ordered / sizeof ordered[0];
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            int order = position_compare(ordered[i], ordered[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

static void test_lsn(void **state)
{
    (void)state;
    char text[LSN_TEXT_MAX];
    uint64_t lsn = 1;
    assert_string_equal(lsn_format(0x16B374D848, text), "16/B374D848");
    assert_string_equal(lsn_format(0, text), "0/0");
    assert_string_equal(lsn_format(UINT64_MAX, text), "FFFFFFFF/FFFFFFFF");
    assert_true(lsn_parse(SPAN_LITERAL("16/B374D848"), &lsn));
    assert_int_equal(lsn, 0x16B374D848);
    assert_true(lsn_parse(SPAN_LITERAL("16/b374d848"), &lsn));
    assert_int_equal(lsn, 0x16B374D848);
    assert_true(lsn_parse(SPAN_LITERAL("FFFFFFFF/FFFFFFFF"), &lsn));
    assert_true(lsn == UINT64_MAX);
    assert_true(lsn_parse(SPAN_LITERAL("0/0"), &lsn));
    assert_int_equal(lsn, 0);
    const char *const bad[] = {"",    "/",           "1/",          "/1",   "1",   "1/2/3", " 1/2",
                               "1/ ", "123456789/0", "0/123456789", "1/2 ", "g/1", "-1/1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(lsn_parse(span_of(bad[i]), &lsn));
}

static void test_state_names(void **state)
{
    (void)state;
    assert_string_equal(relay_state_name(STATE_STARTING), "starting");
    assert_string_equal(relay_state_name(STATE_STREAMING), "streaming");
    assert_string_equal(relay_state_name(STATE_BACKOFF), "backoff");
    assert_string_equal(relay_state_name(STATE_STOPPING), "stopping");
    assert_string_equal(relay_state_name(STATE_STOPPED), "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_lsn),
        cmocka_unit_test(test_state_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
