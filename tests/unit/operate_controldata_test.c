/* operate/controldata: what pg_controldata prints, and what is none of it. */
#include "operate/controldata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

#define HEAD                                                                                       \
    "pg_control version number:            1300\n"                                                 \
    "Database system identifier:           7412345678901234567\n"
#define END "Latest checkpoint location:           1A/4000028\n"
#define XID "Latest checkpoint's NextXID:          2:740\n"

static void all_of_it_is_read(void **state)
{
    (void)state;
    struct controldata data;
    struct error err = ERROR_INIT;
    assert_int_equal(
        controldata_read(SPAN_LITERAL(HEAD "Database cluster state:               shut down\n" END
                                           "Latest checkpoint's REDO location:    1A/4000000\n" XID
                                           "x"),
                         "old.txt", &data, &err),
        0);
    assert_true(data.system_identifier == UINT64_C(7412345678901234567));
    assert_true(data.end_lsn == UINT64_C(0x1A04000028));
    assert_true(data.next_xid == (UINT64_C(2) << 32) + 740);
    assert_true(data.shut_down);
}

static void only_a_primary_that_was_stopped_is_shut_down(void **state)
{
    (void)state;
    const struct span OTHERS[] = {
        SPAN_LITERAL(HEAD "Database cluster state: in production\n" END XID),
        SPAN_LITERAL(HEAD "Database cluster state: shutting down\n" END XID),
        SPAN_LITERAL(HEAD "Database cluster state: shut down in recovery\n" END XID),
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        struct controldata data;
        struct error err = ERROR_INIT;
        assert_int_equal(controldata_read(OTHERS[i], "old.txt", &data, &err), 0);
        assert_false(data.shut_down);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
#define STATE "Database cluster state: shut down\n"
    const struct span OTHERS[] = {
        SPAN_LITERAL(""),
        SPAN_LITERAL("0/4000028"),
        SPAN_LITERAL(HEAD END XID),
        SPAN_LITERAL(HEAD STATE XID),
        SPAN_LITERAL(HEAD STATE END),
        SPAN_LITERAL(STATE END XID),
        SPAN_LITERAL(HEAD STATE "Latest checkpoint location: 0/0\n" XID),
        SPAN_LITERAL(HEAD STATE END "Latest checkpoint's NextXID: 740\n"),
        SPAN_LITERAL(HEAD STATE END "Latest checkpoint's NextXID: 2:740x\n"),
        SPAN_LITERAL(HEAD STATE END "Latest checkpoint's NextXID: 2:\n"),
        SPAN_LITERAL(HEAD STATE END "Latest checkpoint's NextXID: 4294967296:740\n"),
        SPAN_LITERAL("Database system identifier: 99999999999999999999\n" STATE END XID),
        SPAN_LITERAL(" " HEAD STATE " " END XID),
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        struct controldata data;
        struct error err = ERROR_INIT;
        assert_int_equal(controldata_read(OTHERS[i], "old.txt", &data, &err), -1);
        assert_string_equal(err.text, "old.txt is not what pg_controldata prints");
        assert_int_equal(err.exit_code, EXIT_USAGE);
        assert_true(data.end_lsn == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_read),
        cmocka_unit_test(only_a_primary_that_was_stopped_is_shut_down),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
