/* recover/checks: the table that check, and whoever else shows checks, reads. */
#include "recover/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

static void slugs_are_one_word_and_unique(void **state)
{
    (void)state;
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const char *slug = check_table[id].slug;
        assert_non_null(slug);
        assert_true(strlen(slug) > 0);
        for (const char *c = slug; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || *c == '_');
        for (enum check_id other = 0; other < id; other++)
            assert_string_not_equal(slug, check_table[other].slug);
    }
}

static void sentences_stand_in_texts(void **state)
{
    (void)state;
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const char *sentence = check_table[id].sentence;
        assert_true(islower((unsigned char)sentence[0]));
        assert_true(sentence[strlen(sentence) - 1] != '.');
    }
}

/* What asks nobody comes first: it is run alone. */
static void groups_come_one_after_the_other(void **state)
{
    (void)state;
    assert_int_equal(check_table[0].group, CHECK_CONFIGURATION);
    for (enum check_id id = 1; id < CHECK_COUNT; id++)
        assert_true(check_table[id].group >= check_table[id - 1].group);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(check_state_name(CHECK_NOT_RUN), "not_run");
    assert_string_equal(check_state_name(CHECK_FAILED), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slugs_are_one_word_and_unique),
        cmocka_unit_test(sentences_stand_in_texts),
        cmocka_unit_test(groups_come_one_after_the_other),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
