/* cli/cli_secrets: which connection strings hold a password, and what is left of one on the command
 * line. What becomes of cores is seen by tests/e2e/292_planted_secrets.py. */
#include "cli/cli_secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "assert_text.h"

static void passwords_are_seen(void **state)
{
    (void)state;
    assert_true(secrets_are_in("host=a password=x"));
    assert_true(secrets_are_in("host=a sslpassword = 'x'"));
    assert_true(secrets_are_in("postgresql://u:x@host/db"));
    assert_true(secrets_are_in("postgresql://u@host/db?password=x"));
    assert_false(secrets_are_in(""));
    assert_false(secrets_are_in("host=a dbname=b user=c"));
    assert_false(secrets_are_in("postgresql://host:5432/db"));
    assert_false(secrets_are_in("postgresql://u@host:5432/db"));
}

static void a_word_is_blanked_and_kept(void **state)
{
    (void)state;
    char word[] = "host=a password=x";
    char *copy = secrets_take_word(word);
    assert_string_equal(copy, "host=a password=x");
    assert_string_equal(word, "*****************");
    free(copy);
    assert_null(secrets_take_word(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_seen),
        cmocka_unit_test(a_word_is_blanked_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
