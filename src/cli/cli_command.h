/* cli/cli_command: the tables of options and commands, and what a command is handed. Internal to
 * the module: the parser, the help, the man page and the commands all read these tables. */
#ifndef WALFERRY_CLI_CLI_COMMAND_H
#define WALFERRY_CLI_CLI_COMMAND_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum option {
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_SETUP,
    OPTION_UNTIL_CAUGHT_UP,
    OPTION_HOLD_ON_REFUSAL,
    OPTION_PUBLISHER,
    OPTION_CONNECT,
    OPTION_SAMPLE,
    OPTION_OUTPUT,
    OPTION_PROBE,
    OPTION_STRICT,
    OPTION_ADMIN_CONNECTION,
    OPTION_PRINT_SQL,
    OPTION_PROGRESS_VERSION,
    OPTION_SWITCH_TO,
    OPTION_FROM_DEBEZIUM,
    OPTION_READY,
    OPTION_TO,
    OPTION_UPGRADED,
    OPTION_ACCEPT_LOSS,
    OPTION_ACCEPT_REPEAT,
    OPTION_ROUTE,
    OPTION_KEY,
    OPTION_ID,
    OPTION_ALL,
    OPTION_TAKE_OVER,
    OPTION_DRY_RUN,
    OPTION_YES,
    OPTION_ONCE,
    OPTION_PARTIAL,
    OPTION_COUNT
};

struct option_info {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    const char *value; /* what stands for its value in the help; NULL: it takes none */
    const char *help;
};

extern const struct option_info option_table[OPTION_COUNT];

struct args {
    const char *program;            /* as it was started */
    const struct command *commands; /* all there are; for `help` */
    const struct command *command;
    const char *values[OPTION_COUNT]; /* NULL: not given; "" where it takes no value */
    const char *operand;              /* NULL: not given */
    const char *file;                 /* the operand behind it; NULL: not given */
};

static inline bool args_has(const struct args *args, enum option option)
{
    return args->values[option] != NULL;
}

#define COMMAND_OPTIONS_MAX 10
#define COMMAND_EXAMPLES_MAX 6

struct example {
    const char *line;
    const char *meaning;
};

struct command {
    const char *name;
    const char *operand; /* as the help names it; "[X]" is optional; NULL: none */
    const char *file;    /* one more behind it, for some of its words; NULL: none */
    const char *summary; /* one line */
    const char *text;    /* paragraphs, separated by an empty line */
    struct {
        unsigned count;
        enum option items[COMMAND_OPTIONS_MAX];
    } options;
    struct example examples[COMMAND_EXAMPLES_MAX]; /* line NULL: no more */
    int (*run)(const struct args *args);           /* returns the exit code */
};

/* Ended by a name that is NULL. */
extern const struct command command_table[];

/* cli_args.c: NULL where there is no such command. */
const struct command *command_find(const struct command *commands, const char *name);
/* argv[0] is the first word behind the command. Fails with ERROR_STOP, EXIT_USAGE. */
int args_parse(const struct command *command, int argc, char **argv, struct args *args,
               struct error *err);

/* The same words once more, without those of --config and with one option more, as the arguments of
 * a mend. */
void args_again(const struct args *args, enum option more, const char *value, struct buf *out);

/* cli_help.c */
void help_overview(const struct command *commands, struct buf *out);
void help_command(const struct command *command, struct buf *out);
void help_write_man(const struct command *commands, struct buf *out);

/* One file each. */
int command_show(const struct args *args); /* run --publisher stdout */
int command_run(const struct args *args);
int command_check(const struct args *args);
int command_doctor(const struct args *args);
int command_setup(const struct args *args);
int command_top(const struct args *args);
int command_status(const struct args *args);
int command_rebase(const struct args *args);
int command_skip(const struct args *args);
int command_dead_letter(const struct args *args);
int command_teardown(const struct args *args);
int command_reload(const struct args *args);
int command_config(const struct args *args);
int command_version(const struct args *args);
int command_help(const struct args *args);

#endif
