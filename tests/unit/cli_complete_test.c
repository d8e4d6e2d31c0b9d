/* cli/: the completions of the shells are what the tables make. UPDATE=1 in the environment writes
 * them anew; that the shells take them is seen by tests/completion.py. */
#include "cli/cli_complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    size_t got;
    while ((got = fread(buf_reserve(out, 8192), 1, 8192, file)) > 0)
        out->len += got;
    fclose(file);
}

static void in_step(const char *path, void (*write)(const struct command *, struct buf *))
{
    struct buf wanted = BUF_EMPTY, found = BUF_EMPTY;
    write(command_table, &wanted);
    if (getenv("UPDATE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fwrite(wanted.ptr, 1, wanted.len, file);
        fclose(file);
    }
    read_file(path, &found);
    if (!span_equal(buf_span(&wanted), buf_span(&found)))
        fail_msg("%s is out of step; run this test with UPDATE=1", path);
    buf_fini(&wanted);
    buf_fini(&found);
}

static void bash_is_in_step(void **state)
{
    (void)state;
    in_step("config/completion/walferry.bash", complete_write_bash);
}

static void zsh_is_in_step(void **state)
{
    (void)state;
    in_step("config/completion/_walferry", complete_write_zsh);
}

static void fish_is_in_step(void **state)
{
    (void)state;
    in_step("config/completion/walferry.fish", complete_write_fish);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_is_in_step),
        cmocka_unit_test(zsh_is_in_step),
        cmocka_unit_test(fish_is_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
