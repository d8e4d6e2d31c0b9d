/* recover/hint: a command in a hint can be pasted as it stands: it has its file, as one word of a
 * shell, and what stands around it is left alone. */
#include "recover/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void complete(const char *path, const char *hint, const char *expected)
{
    char own[256];
    snprintf(own, sizeof own, "%s", path);
    struct config config = {.path = own};
    struct error err = ERROR_INIT;
    error_stop(&err, REASON_USAGE, "any");
    error_hint(&err, "%s", hint);
    relay_complete_hint(&config, &err);
    assert_string_equal(err.hint, expected);
    relay_complete_hint(&config, &err); /* whoever prints it may complete it again */
    assert_string_equal(err.hint, expected);
}

static void test_every_command_has_its_file(void **state)
{
    (void)state;
    complete("a.yaml", "run: walferry setup", "run: walferry setup -c a.yaml");
    complete("a.yaml", "go on: walferry rebase --to slot --accept-loss",
             "go on: walferry rebase --to slot --accept-loss -c a.yaml");
    complete("a.yaml", "pass it over: walferry skip 7-0-1",
             "pass it over: walferry skip 7-0-1 -c a.yaml");
}

static void test_the_sentence_goes_on_behind_it(void **state)
{
    (void)state;
    complete("a.yaml", "run: walferry setup (or walferry run --setup)",
             "run: walferry setup -c a.yaml (or walferry run --setup -c a.yaml)");
    complete("a.yaml", "run: walferry setup, or: ALTER PUBLICATION p ADD TABLE t",
             "run: walferry setup -c a.yaml, or: ALTER PUBLICATION p ADD TABLE t");
    complete("a.yaml", "run: walferry setup; then: walferry rebase --to new-slot --accept-loss",
             "run: walferry setup -c a.yaml; then: walferry rebase --to new-slot --accept-loss -c "
             "a.yaml");
}

static void test_the_file_is_one_word(void **state)
{
    (void)state;
    complete("/etc/my relay.yaml", "run: walferry setup",
             "run: walferry setup -c '/etc/my relay.yaml'");
    complete("it's.yaml", "run: walferry setup", "run: walferry setup -c 'it'\\''s.yaml'");
    complete("$(x);.yaml", "run: walferry setup", "run: walferry setup -c '$(x);.yaml'");
}

static void test_other_hints_stay(void **state)
{
    (void)state;
    complete("a.yaml", "", "");
    complete("a.yaml", "set ssl = on in PostgreSQL", "set ssl = on in PostgreSQL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_has_its_file),
        cmocka_unit_test(test_the_sentence_goes_on_behind_it),
        cmocka_unit_test(test_the_file_is_one_word),
        cmocka_unit_test(test_other_hints_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
