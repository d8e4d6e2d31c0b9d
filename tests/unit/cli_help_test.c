/* cli/: the help of every command, and the man page, which holds the same table. UPDATE=1 in the
 * environment writes the man page's section anew. */
#include "cli/cli.h"
#include "cli/cli_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page_path[] = "docs/man/walferry.1";
static const char begin_mark[] = ".\\\" commands: begin (generated from the table of commands)\n";
static const char end_mark[] = ".\\\" commands: end\n";

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void test_overview_names_every_command(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    help_overview(command_table, &out);
    for (const struct command *c = command_table; c->name != NULL; c++) {
        char line[128];
        snprintf(line, sizeof line, "\n  %-10s %s\n", c->name, c->summary);
        assert_has(buf_text(&out), line);
    }
    buf_fini(&out);
}

static void test_help_of_each(void **state)
{
    (void)state;
    for (const struct command *c = command_table; c->name != NULL; c++) {
        struct buf out = BUF_EMPTY;
        help_command(c, &out);
        const char *text = buf_text(&out);
        assert_non_null(c->run);
        assert_non_null(c->examples[0].line); /* no help without an example */
        assert_has(text, c->examples[0].line);
        assert_true(c->options.count <= COMMAND_OPTIONS_MAX);
        bool helps = false;
        for (unsigned i = 0; i < c->options.count; i++) {
            enum option option = c->options.items[i];
            char name[64];
            snprintf(name, sizeof name, "--%s", option_table[option].name);
            assert_has(text, name);
            helps = helps || option == OPTION_HELP;
        }
        assert_true(helps);
        buf_fini(&out);
    }
}

static void test_lines_fit_a_terminal(void **state)
{
    (void)state;
    for (const struct command *c = command_table; c->name != NULL; c++) {
        struct buf out = BUF_EMPTY;
        help_command(c, &out);
        size_t column = 0;
        const char *text = buf_text(&out);
        for (const char *at = text; *at != '\0'; at++) {
            column = *at == '\n' ? 0 : column + 1;
            if (column > 84)
                fail_msg("a long line in:\n%s", text);
        }
        buf_fini(&out);
    }
}

/* An example must at least be one that the parser takes. */
static void test_examples_parse(void **state)
{
    (void)state;
    for (const struct command *c = command_table; c->name != NULL; c++) {
        for (unsigned i = 0; i < COMMAND_EXAMPLES_MAX && c->examples[i].line != NULL; i++) {
            char line[160];
            char *words[16];
            int count = 0;
            snprintf(line, sizeof line, "%s", c->examples[i].line);
            for (char *word = line; *word != '\0' && count < 16;) {
                words[count++] = word;
                word += strcspn(word, " ");
                if (*word == ' ')
                    *word++ = '\0';
            }
            assert_true(count >= 2);
            assert_string_equal(words[0], "walferry");
            assert_string_equal(words[1], c->name);
            struct args args;
            struct error err = ERROR_INIT;
            if (args_parse(c, count - 2, words + 2, &args, &err) < 0)
                fail_msg("%s: %s", c->examples[i].line, err.text);
        }
    }
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read %s: run the tests from the root of the tree", path);
    struct buf text = BUF_EMPTY;
    size_t got;
    while ((got = fread(buf_reserve(&text, 4096), 1, 4096, file)) > 0)
        text.len += got;
    fclose(file);
    buf_text(&text);
    return text.ptr;
}

static void test_man_page_is_in_step(void **state)
{
    (void)state;
    char *page = read_file(page_path);
    char *begin = strstr(page, begin_mark);
    char *end = strstr(page, end_mark);
    assert_non_null(begin);
    assert_non_null(end);
    begin += strlen(begin_mark);
    struct buf wanted = BUF_EMPTY;
    cli_write_man(&wanted);
    size_t length = (size_t)(end - begin);
    bool same = length == wanted.len && memcmp(begin, wanted.ptr, length) == 0;
    if (!same && getenv("UPDATE") != NULL) {
        FILE *file = fopen(page_path, "w");
        assert_non_null(file);
        fwrite(page, 1, (size_t)(begin - page), file);
        fwrite(wanted.ptr, 1, wanted.len, file);
        fputs(end, file);
        fclose(file);
        same = true;
    }
    buf_fini(&wanted);
    free(page);
    if (!same)
        fail_msg("%s: the section about commands is out of step; run this test with UPDATE=1",
                 page_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overview_names_every_command), cmocka_unit_test(test_help_of_each),
        cmocka_unit_test(test_lines_fit_a_terminal),         cmocka_unit_test(test_examples_parse),
        cmocka_unit_test(test_man_page_is_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
