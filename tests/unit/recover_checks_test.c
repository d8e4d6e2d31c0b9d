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

/* What asks nobody comes first; and each stands behind what must have passed, which whoever looks
 * at it looks at, too. */
static void each_stands_behind_what_it_needs(void **state)
{
    (void)state;
    bool servers = false;
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const struct check_info *info = &check_table[id];
        servers |= info->asker == CHECK_CONNECT;
        assert_false(servers && info->asker == CHECK_ALONE);
        assert_true(info->after < UINT64_C(1) << id);
        for (enum check_id before = 0; before < id; before++)
            if ((info->after & (UINT64_C(1) << before)) != 0)
                assert_true(check_table[before].asker <= info->asker);
        assert_true(strlen(check_group_heading(info->group)) > 0);
    }
}

static void each_has_its_paragraph(void **state)
{
    (void)state;
    struct buf page = BUF_EMPTY;
    FILE *file = fopen("docs/DOCTOR.md", "r");
    assert_non_null(file);
    size_t got;
    while ((got = fread(buf_reserve(&page, 4096), 1, 4096, file)) > 0)
        page.len += got;
    fclose(file);
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        char heading[80];
        snprintf(heading, sizeof heading, "\n### %s\n", check_table[id].slug);
        if (strstr(buf_text(&page), heading) == NULL)
            fail_msg("docs/DOCTOR.md has no paragraph%s", heading);
    }
    buf_fini(&page);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(check_state_name(CHECK_NOT_RUN), "not_run");
    assert_string_equal(check_state_name(CHECK_FAILED), "failed");
}

/* ---- Running them ---- */

static struct checks *run(const char *source, const char *route, enum check_asker asker,
                          struct error *err)
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
    const struct checks_options how = {.asker = asker};
    int result = relay_run_checks(&options, &how, checks, err);
    assert_int_equal(result, err->kind == ERROR_NONE ? 0 : -1);
    config_close(config);
    return checks;
}

/* But for those of `doctor` alone, which nobody runs here. */
static void are(const struct checks *checks, enum check_id first, enum check_id end,
                enum check_state state)
{
    for (enum check_id id = first; id < end; id++)
        if (check_table[id].asker != CHECK_DOCTOR && checks->results[id].state != state)
            fail_msg("%s: %s, not %s", check_table[id].slug,
                     check_state_name(checks->results[id].state), check_state_name(state));
}

static void without_servers_only_the_file_is_looked_at(void **state)
{
    (void)state;
    struct error err;
    struct checks *checks = run("host=127.0.0.1 port=1", "t", CHECK_ALONE, &err);
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
    struct checks *checks = run("host=127.0.0.1 port", "t", CHECK_CONNECT, &err);
    are(checks, 0, CHECK_CONNECTION, CHECK_PASSED);
    assert_int_equal(checks->results[CHECK_CONNECTION].state, CHECK_FAILED);
    assert_int_equal(checks->results[CHECK_CONNECTION].err.reason, REASON_BAD_CONNECTION);
    are(checks, CHECK_PROPERTIES, CHECK_COUNT, CHECK_NOT_RUN);
    free(checks);

    checks = run("host=127.0.0.1 port=1", "t{", CHECK_CONNECT, &err);
    assert_int_equal(checks->results[CHECK_ROUTES].state, CHECK_FAILED);
    are(checks, CHECK_CONNECTION, CHECK_COUNT, CHECK_NOT_RUN);
    free(checks);
}

static void a_server_that_is_away_fails_its_check(void **state)
{
    (void)state;
    struct error err;
    struct checks *checks = run("host=127.0.0.1 port=1", "t", CHECK_CONNECT, &err);
    are(checks, 0, CHECK_SESSION, CHECK_PASSED);
    assert_int_equal(checks->results[CHECK_SESSION].state, CHECK_FAILED);
    assert_int_equal(checks->results[CHECK_SESSION].err.kind, ERROR_RETRY);
    assert_string_equal(checks->results[CHECK_SESSION].err.text, err.text);
    are(checks, CHECK_ORIGIN, CHECK_COUNT, CHECK_NOT_RUN);
    free(checks);
}

/* doctor goes on behind what fails, passes over what rests on it, and says which that is. */
static void doctor_looks_at_all_that_can_be_asked(void **state)
{
    (void)state;
    struct error err;
    struct checks *checks = run("host=127.0.0.1 port=1", "t{", CHECK_DOCTOR, &err);
    const struct check_result *results = checks->results;
    assert_int_equal(err.kind, ERROR_NONE);
    assert_int_equal(results[CHECK_ROUTES].state, CHECK_FAILED);
    assert_int_equal(results[CHECK_CONNECTION].state, CHECK_PASSED);
    assert_int_equal(results[CHECK_SESSION].err.kind, ERROR_RETRY);
    assert_int_equal(results[CHECK_WAL_LEVEL].state, CHECK_NOT_RUN);
    assert_int_equal(results[CHECK_WAL_LEVEL].blocker, CHECK_SESSION);
    assert_int_equal(results[CHECK_TABLES].blocker, CHECK_ROUTES);
    assert_int_equal(results[CHECK_BROKER].err.kind, ERROR_RETRY);
    assert_int_equal(results[CHECK_TRANSACTION_TIMEOUT].blocker, CHECK_BROKER);
    assert_int_equal(results[CHECK_SECRET_FILES].state, CHECK_NOT_APPLICABLE);
    free(checks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slugs_are_one_word_and_unique),
        cmocka_unit_test(sentences_stand_in_texts),
        cmocka_unit_test(each_stands_behind_what_it_needs),
        cmocka_unit_test(each_has_its_paragraph),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(without_servers_only_the_file_is_looked_at),
        cmocka_unit_test(what_stands_behind_a_failure_is_not_run),
        cmocka_unit_test(a_server_that_is_away_fails_its_check),
        cmocka_unit_test(doctor_looks_at_all_that_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
