/* cli/: words of the command line, and what is said about wrong ones. */
#include "cli/cli_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 12

/* The words are separated by blanks. */
static int parse(const char *command, const char *line, struct args *args, struct error *err)
{
    static char memory[256];
    static char *words[WORDS_MAX];
    int count = 0;
    snprintf(memory, sizeof memory, "%s", line);
    char *rest = memory;
    while (*rest != '\0') {
        assert_true(count < WORDS_MAX);
        words[count++] = rest;
        rest += strcspn(rest, " ");
        if (*rest == ' ')
            *rest++ = '\0';
    }
    *err = ERROR_INIT;
    return args_parse(command_find(command_table, command), count, words, args, err);
}

static void assert_refused(const char *command, const char *line, const char *text)
{
    struct args args;
    struct error err;
    assert_int_equal(parse(command, line, &args, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(err.text, text);
    char hint[64];
    snprintf(hint, sizeof hint, "see: walferry %s --help", command);
    assert_string_equal(err.hint, hint);
}

static void test_nothing(void **state)
{
    (void)state;
    struct args args;
    struct error err;
    assert_int_equal(parse("run", "", &args, &err), 0);
    for (int i = 0; i < OPTION_COUNT; i++)
        assert_false(args_has(&args, (enum option)i));
    assert_null(args.operand);
}

static void test_ways_to_give_a_value(void **state)
{
    (void)state;
    static const char *const lines[] = {"-c a.yaml", "-ca.yaml", "--config a.yaml",
                                        "--config=a.yaml"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct args args;
        struct error err;
        assert_int_equal(parse("check", lines[i], &args, &err), 0);
        assert_string_equal(args.values[OPTION_CONFIG], "a.yaml");
        assert_false(args_has(&args, OPTION_CONNECT));
    }
}

static void test_order_is_free(void **state)
{
    (void)state;
    struct args args;
    struct error err;
    assert_int_equal(parse("skip", "-c a.yaml 12-00-3 --json", &args, &err), 0);
    assert_string_equal(args.operand, "12-00-3");
    assert_true(args_has(&args, OPTION_JSON));
    assert_int_equal(parse("skip", "--json -- -odd", &args, &err), 0);
    assert_string_equal(args.operand, "-odd");
}

static void test_flags(void **state)
{
    (void)state;
    struct args args;
    struct error err;
    assert_int_equal(parse("rebase", "--to lsn:0/1 --accept-loss -y", &args, &err), 0);
    assert_string_equal(args.values[OPTION_TO], "lsn:0/1");
    assert_true(args_has(&args, OPTION_ACCEPT_LOSS));
    assert_false(args_has(&args, OPTION_ACCEPT_REPEAT));
    assert_true(args_has(&args, OPTION_YES));
}

static void test_refusals(void **state)
{
    (void)state;
    assert_refused("run", "--connect", "run: unknown option --connect");
    assert_refused("run", "--config=x --set=1", "run: unknown option --set=1");
    assert_refused("run", "-x", "run: unknown option -x");
    assert_refused("run", "--conf x", "run: unknown option --conf");
    assert_refused("run", "--config", "run: --config needs a value (FILE)");
    assert_refused("run", "--config=", "run: --config needs a value (FILE)");
    assert_refused("run", "-c a -c b", "run: --config is given twice");
    assert_refused("run", "--setup=yes", "run: --setup takes no value");
    assert_refused("teardown", "-yes", "teardown: --yes takes no value");
    assert_refused("run", "now", "run: unexpected argument now");
    assert_refused("skip", "a b", "skip: unexpected argument b");
    assert_refused("skip", "-c a.yaml", "skip needs a WALFERRY-ID");
}

static void test_help_needs_no_operand(void **state)
{
    (void)state;
    struct args args;
    struct error err;
    assert_int_equal(parse("skip", "--help", &args, &err), 0);
    assert_true(args_has(&args, OPTION_HELP));
    assert_int_equal(parse("help", "", &args, &err), 0);
    assert_null(args.operand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),       cmocka_unit_test(test_ways_to_give_a_value),
        cmocka_unit_test(test_order_is_free), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_help_needs_no_operand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
