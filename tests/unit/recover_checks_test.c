/* recover/checks: the table that check, and whoever else shows checks, reads; and what becomes of
 * its results where one fails. Nobody is asked here but for a port at which nobody listens. */
#include "recover/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- Running them ---- */

static struct checks *run(const char *source, const char *route, bool connect, struct error *err)
{
    char yaml[1024];
    struct config *config = NULL;
    struct checks *checks = malloc(sizeof *checks);
    assert_non_null(checks);
    snprintf(yaml, sizeof yaml,
             "relay: orders\nsource:\n  connection: \"%s\"\nkafka:\n"
             "  bootstrap.servers: \"127.0.0.1:1\"\nroutes:\n  - name: outbox\n"
             "    from: public.outbox\n    topic: \"%s\"\n",
             source, route);
    *err = ERROR_INIT;
    if (config_parse(span_of(yaml), "w.yaml", &config, err) < 0)
        fail_msg("%s", err->text);
    const struct log log = {.level = LOG_ERROR, .fd = 2};
    const struct command_options options = {.config = config_only_relay(config), .log = &log};
    int result = relay_run_checks(&options, connect, checks, err);
    assert_int_equal(result, err->kind == ERROR_NONE ? 0 : -1);
    config_close(config);
    return checks;
}

static void are(const struct checks *checks, enum check_id first, enum check_id end,
                enum check_state state)
{
    for (enum check_id id = first; id < end; id++)
        if (checks->results[id].state != state)
            fail_msg("%s: %s, not %s", check_table[id].slug,
                     check_state_name(checks->results[id].state), check_state_name(state));
}

static void without_servers_only_the_file_is_looked_at(void **state)
{
    (void)state;
    struct error err;
    struct checks *checks = run("host=127.0.0.1 port=1", "t", false, &err);
    assert_int_equal(err.kind, ERROR_NONE);
    are(checks, 0, CHECK_SESSION, CHECK_PASSED);
    are(checks, CHECK_SESSION, CHECK_COUNT, CHECK_NOT_RUN);
    assert_string_equal(checks->results[CHECK_PROPERTIES].said, "configuration: w.yaml is valid");
    free(checks);
}

/* The first that fails has the error, and nothing behind it is asked. */
static void what_stands_behind_a_failure_is_not_run(void **state)
{
    (void)state;
    struct error err;
    struct checks *checks = run("host=127.0.0.1 port", "t", true, &err);
    are(checks, 0, CHECK_CONNECTION, CHECK_PASSED);
    assert_int_equal(checks->results[CHECK_CONNECTION].state, CHECK_FAILED);
    assert_int_equal(checks->results[CHECK_CONNECTION].err.reason, REASON_BAD_CONNECTION);
    are(checks, CHECK_PROPERTIES, CHECK_COUNT, CHECK_NOT_RUN);
    free(checks);

    checks = run("host=127.0.0.1 port=1", "t{", true, &err);
    assert_int_equal(checks->results[CHECK_ROUTES].state, CHECK_FAILED);
    are(checks, CHECK_CONNECTION, CHECK_COUNT, CHECK_NOT_RUN);
    free(checks);
}

static void a_server_that_is_away_fails_its_check(void **state)
{
    (void)state;
    struct error err;
    struct checks *checks = run("host=127.0.0.1 port=1", "t", true, &err);
    are(checks, 0, CHECK_SESSION, CHECK_PASSED);
    assert_int_equal(checks->results[CHECK_SESSION].state, CHECK_FAILED);
    assert_int_equal(checks->results[CHECK_SESSION].err.kind, ERROR_RETRY);
    assert_string_equal(checks->results[CHECK_SESSION].err.text, err.text);
    are(checks, CHECK_ORIGIN, CHECK_COUNT, CHECK_NOT_RUN);
    free(checks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slugs_are_one_word_and_unique),
        cmocka_unit_test(sentences_stand_in_texts),
        cmocka_unit_test(groups_come_one_after_the_other),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(without_servers_only_the_file_is_looked_at),
        cmocka_unit_test(what_stands_behind_a_failure_is_not_run),
        cmocka_unit_test(a_server_that_is_away_fails_its_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
