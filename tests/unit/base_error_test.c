/* base/error: what went wrong, as a reaction. */
#include "base/error.h"

#include "base/buf.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_text.h"

static void test_kinds(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(error_retry(&err, REASON_CONNECTION_LOST, "port %d", 5432), -1);
    assert_error(err, ERROR_RETRY, "connection_lost", "port 5432");
    assert_int_equal(err.exit_code, EXIT_GAVE_UP);
    assert_int_equal(error_data(&err, REASON_BAD_VALUE, "x"), -1);
    assert_error(err, ERROR_DATA, "bad_value", "x");
    assert_int_equal(err.exit_code, EXIT_DATA);
    assert_int_equal(error_stop(&err, REASON_SLOT_LOST, "y"), -1);
    assert_error(err, ERROR_STOP, "slot_lost", "y");
    assert_int_equal(err.exit_code, EXIT_REFUSED);
    assert_string_equal(error_kind_name(ERROR_NONE), "none");
    assert_string_equal(error_kind_name(ERROR_RETRY), "retry");
    assert_string_equal(error_kind_name(ERROR_DATA), "data");
    assert_string_equal(error_kind_name(ERROR_STOP), "stop");
}

static void test_wrap_and_hint(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_stop(&err, REASON_USAGE, "inner");
    assert_int_equal(error_hint(&err, "run %s", "this"), -1);
    assert_int_equal(error_wrap(&err, "outer %d", 1), -1);
    assert_error(err, ERROR_STOP, "usage", "outer 1: inner");
    assert_string_equal(err.hint, "run this");
    assert_int_equal(err.exit_code, EXIT_USAGE);
    /* Filled anew, nothing of the old one is left. */
    error_retry(&err, REASON_STALLED, "new");
    assert_string_equal(err.hint, "");
}

static void test_retold(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_data(&err, REASON_RESERVED_HEADER, "byte 7: what");
    error_stop(&err, err.reason, "progress: %s", err.text);
    assert_error(err, ERROR_STOP, "reserved_header", "progress: byte 7: what");
}

static void test_one_line(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_retry(&err, REASON_DATABASE, "FATAL:  no\n\tHINT:\ryes \n\n");
    assert_string_equal(err.text, "FATAL:  no  HINT: yes");
    error_hint(&err, "a\nb\n");
    assert_string_equal(err.hint, "a b");
    error_retry(&err, REASON_DATABASE, "%s", "\n\n");
    assert_string_equal(err.text, "");
}

static void advice(const struct error *err, const char *program, const char *file,
                   const char *expected)
{
    struct buf out = BUF_EMPTY;
    const struct invocation as = {.program = program, .file = file};
    error_advice(err, &as, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void test_mends_are_completed(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_stop(&err, REASON_NOT_SET_UP, "x");
    advice(&err, "walferry", "a.yaml", "");
    assert_int_equal(error_mend(&err, "rebase --to %s", "slot"), -1);
    advice(&err, "walferry", "a.yaml", "run: walferry rebase --to slot -c a.yaml");
    advice(&err, NULL, NULL, "run: walferry rebase --to slot");
    advice(&err, "/opt/my dir/walferry", "it's.yaml",
           "run: '/opt/my dir/walferry' rebase --to slot -c 'it'\\''s.yaml'");
    advice(&err, "walferry", "$(x);.yaml", "run: walferry rebase --to slot -c '$(x);.yaml'");
    advice(&err, "walferry", "", "run: walferry rebase --to slot -c ''");
    error_mend_sql(&err, "ALTER PUBLICATION p");
    advice(&err, "w", "f", "run: w rebase --to slot -c f, or: ALTER PUBLICATION p");
    error_hint(&err, "do");
    advice(&err, "w", "f", "do");
    error_mend_shell(&err, "kafka-acls.sh --add");
    advice(&err, "w", "f", "do: kafka-acls.sh --add");
    error_wrap(&err, "outer");
    advice(&err, "w", "f", "do: kafka-acls.sh --add");
}

/* Half a command is worse than none. */
static void test_a_mend_that_is_too_long_is_left_out(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_stop(&err, REASON_NOT_SET_UP, "x");
    error_mend_sql(&err, "%*s", ERROR_MEND_MAX, "x");
    advice(&err, "w", "f", "");
    error_mend_sql(&err, "%*s", ERROR_MEND_MAX - 1, "x");
    assert_int_equal(err.mends[0].kind, MEND_SQL);
}

/* In the answer to a command, and in a dead letter: no relay ends with them. */
static bool ends_nothing(enum reason reason)
{
    return reason == REASON_BAD_LETTER || reason == REASON_KEY_HELD;
}

/* `skip` is printed with every change that cannot be published. */
static void test_the_table_tells_which_reasons_have_a_mend(void **state)
{
    (void)state;
    assert_true(reason_has_mend(REASON_NOT_SET_UP));
    assert_true(reason_has_mend(REASON_BAD_JSON)); /* though no test can run it */
    assert_false(reason_has_mend(REASON_USAGE));
    assert_false(reason_has_mend(REASON_NONE));
    for (enum reason reason = REASON_NONE; reason < REASON_COUNT; reason++)
        if (reason_has_kind(reason, ERROR_DATA) && !ends_nothing(reason) &&
            !reason_has_mend(reason))
            fail_msg("%s has no mend", reason_slug(reason));
}

static int status_of_a_mend(enum reason reason)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err = ERROR_INIT;
        assert_true(freopen("/dev/null", "w", stderr) != NULL);
        error_stop(&err, reason, "x");
        error_mend_shell(&err, "true");
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_a_mend_without_its_row_is_a_fault_of_the_program(void **state)
{
    (void)state;
    assert_int_equal(status_of_a_mend(REASON_NOT_SET_UP), 0);
    int status = status_of_a_mend(REASON_USAGE);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char long_text[3000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct error err = ERROR_INIT;
    error_data(&err, REASON_BAD_VALUE, "%s", long_text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    error_wrap(&err, "outer");
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "outer: xxx", 10);
    error_hint(&err, "%s", long_text);
    assert_int_equal(strlen(err.hint), ERROR_HINT_MAX - 1);
    error_wrap(&err, "%s", long_text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

/* Neither text nor hint ends in the midst of a character, wherever the cut falls. */
static void test_a_cut_spares_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x9A\x80"};
    for (size_t i = 0; i < 3; i++)
        for (int shift = 1; shift <= 4; shift++) {
            char long_text[2000] = "";
            size_t width = strlen(characters[i]);
            for (size_t at = 0; at + width < sizeof long_text; at += width)
                memcpy(long_text + at, characters[i], width + 1);
            struct error err = ERROR_INIT;
            error_data(&err, REASON_BAD_VALUE, "%*s%s", shift, "x", long_text);
            error_hint(&err, "%*s%s", shift, "x", long_text);
            assert_int_equal((strlen(err.text) - (size_t)shift) % width, 0);
            assert_true(strlen(err.text) >= ERROR_TEXT_MAX - width);
            assert_int_equal((strlen(err.hint) - (size_t)shift) % width, 0);
            error_wrap(&err, "%*s", shift, "x");
            assert_int_equal((strlen(err.text) - 2 * (size_t)shift - 2) % width, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_a_cut_spares_characters),
        cmocka_unit_test(test_wrap_and_hint),
        cmocka_unit_test(test_retold),
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_mends_are_completed),
        cmocka_unit_test(test_a_mend_that_is_too_long_is_left_out),
        cmocka_unit_test(test_the_table_tells_which_reasons_have_a_mend),
        cmocka_unit_test(test_a_mend_without_its_row_is_a_fault_of_the_program),
        cmocka_unit_test(test_long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
