/* cli/cli: finds the command, parses its arguments and runs it. It knows no command by name but
 * those that an option stands for, help and version: they are rows of cli_table.c. */
#include "cli/cli.h"

#include "cli/cli_answer.h"
#include "cli/cli_secrets.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_command(void)
{
    struct buf out = BUF_EMPTY;
    help_overview(command_table, &out);
    fputs(buf_text(&out), stderr);
    buf_fini(&out);
    return EXIT_USAGE;
}

/* The nearest name, for a slip of the finger: a common beginning of two letters or more. */
static const char *nearest(const char *name)
{
    const char *best = NULL;
    size_t best_length = 1;
    for (const struct command *c = command_table; c->name != NULL; c++) {
        size_t length = 0;
        while (name[length] != '\0' && name[length] == c->name[length])
            length++;
        if (length > best_length) {
            best_length = length;
            best = c->name;
        }
    }
    return best;
}

static int unknown_command(const char *name)
{
    struct error err = ERROR_INIT;
    error_stop(&err, REASON_USAGE, "there is no command %s", name);
    const char *near = nearest(name);
    if (near != NULL)
        error_hint(&err, "perhaps: walferry %s", near);
    else
        error_hint(&err, "see: walferry help");
    answer_print_error(&err, NULL);
    return EXIT_USAGE;
}

static int dispatch(const char *program, const struct command *command, int argc, char **argv)
{
    struct args args;
    struct error err = ERROR_INIT;
    if (args_parse(command, argc, argv, &args, &err) < 0) {
        answer_print_error(&err, NULL);
        return (int)err.exit_code;
    }
    if (args_has(&args, OPTION_HELP)) {
        struct buf out = BUF_EMPTY;
        help_command(command, &out);
        answer_print(&out);
        buf_fini(&out);
        return EXIT_OK;
    }
    args.program = program;
    args.commands = command_table;
    char *connection = secrets_take_word(args.values[OPTION_ADMIN_CONNECTION]);
    args.values[OPTION_ADMIN_CONNECTION] = connection;
    int code = command->run(&args);
    free(connection);
    return code;
}

int cli_main(int argc, char **argv)
{
    assert(argc >= 0);
    assert(argv != NULL);
    secrets_keep_from_cores();
    (void)signal(SIGCHLD, SIG_DFL); /* where a parent left it ignored, no exit code is kept */
    if (argc < 2)
        return no_command();
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct command *command = command_find(command_table, name);
    if (command == NULL)
        return unknown_command(name);
    return dispatch(argv[0], command, argc - 2, argv + 2);
}

void cli_write_man(struct buf *out)
{
    help_write_man(command_table, out);
}
