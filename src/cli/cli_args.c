/* cli/cli_args: words of the command line become a struct args.
 *
 * --name VALUE, --name=VALUE, -c VALUE, -cVALUE; options and the operand in any order; "--" ends
 * the options. An option given twice is an error, because one of the two would be ignored in
 * silence. */
#include "cli/cli_command.h"

#include "cli/cli_secrets.h"

#include <assert.h>
#include <string.h>

const struct command *command_find(const struct command *commands, const char *name)
{
    assert(commands != NULL && name != NULL);
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

struct words {
    const struct command *command;
    int argc;
    char **argv;
    int next;
};

static int usage(const struct words *w, struct error *err)
{
    return error_hint(err, "see: walferry %s --help", w->command->name);
}

static bool belongs(const struct command *command, enum option option)
{
    for (unsigned i = 0; i < command->options.count; i++)
        if (command->options.items[i] == option)
            return true;
    return false;
}

/* The option that `name` (of that length) or `letter` stands for in this command; -1: none. */
static int find(const struct command *command, const char *name, size_t length, char letter)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        bool same = name != NULL
                        ? strlen(info->name) == length && memcmp(info->name, name, length) == 0
                        : info->letter != '\0' && info->letter == letter;
        if (same && belongs(command, (enum option)i))
            return i;
    }
    return -1;
}

/* attached: the value that came in the same word, or NULL. */
static int take_option(struct words *w, int option, const char *word, const char *attached,
                       struct args *args, struct error *err)
{
    if (option < 0) {
        error_stop(err, REASON_USAGE, "%s: unknown option %s", w->command->name, word);
        return usage(w, err);
    }
    const struct option_info *info = &option_table[option];
    if (args->values[option] != NULL) {
        error_stop(err, REASON_USAGE, "%s: --%s is given twice", w->command->name, info->name);
        return usage(w, err);
    }
    if (info->value == NULL && attached != NULL) {
        error_stop(err, REASON_USAGE, "%s: --%s takes no value", w->command->name, info->name);
        return usage(w, err);
    }
    const char *value = attached;
    if (info->value == NULL)
        value = "";
    else if (value == NULL && w->next < w->argc)
        value = w->argv[w->next++];
    if (value == NULL || (info->value != NULL && value[0] == '\0')) {
        error_stop(err, REASON_USAGE, "%s: --%s needs a value (%s)", w->command->name, info->name,
                   info->value);
        return usage(w, err);
    }
    args->values[option] = value;
    return 0;
}

static int take_long(struct words *w, const char *word, struct args *args, struct error *err)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    int option = find(w->command, name, length, '\0');
    return take_option(w, option, word, equals != NULL ? equals + 1 : NULL, args, err);
}

static int take_short(struct words *w, const char *word, struct args *args, struct error *err)
{
    int option = find(w->command, NULL, 0, word[1]);
    return take_option(w, option, word, word[2] != '\0' ? word + 2 : NULL, args, err);
}

static int take_operand(struct words *w, const char *word, struct args *args, struct error *err)
{
    if (w->command->file != NULL && args->operand != NULL && args->file == NULL) {
        args->file = word;
        return 0;
    }
    if (w->command->operand == NULL || args->operand != NULL) {
        error_stop(err, REASON_USAGE, "%s: unexpected argument %s", w->command->name, word);
        return usage(w, err);
    }
    args->operand = word;
    return 0;
}

int args_parse(const struct command *command, int argc, char **argv, struct args *args,
               struct error *err)
{
    assert(command != NULL && args != NULL);
    assert(argc == 0 || argv != NULL);
    *args = (struct args){.command = command};
    struct words w = {.command = command, .argc = argc, .argv = argv};
    bool options_over = false;
    while (w.next < w.argc) {
        const char *word = w.argv[w.next++];
        int result = 0;
        if (options_over || word[0] != '-' || word[1] == '\0')
            result = take_operand(&w, word, args, err);
        else if (strcmp(word, "--") == 0)
            options_over = true;
        else if (word[1] == '-')
            result = take_long(&w, word, args, err);
        else
            result = take_short(&w, word, args, err);
        if (result < 0)
            return -1;
    }
    bool needed = command->operand != NULL && command->operand[0] != '[';
    if (needed && args->operand == NULL && !args_has(args, OPTION_HELP)) {
        error_stop(err, REASON_USAGE, "%s needs a %s", command->name, command->operand);
        return usage(&w, err);
    }
    return 0;
}

static void add_option(enum option option, const char *value, struct buf *out)
{
    buf_add_format(out, " --%s", option_table[option].name);
    if (option_table[option].value == NULL)
        return;
    buf_add_char(out, ' ');
    /* What is printed ends in logs. */
    bool hidden = option == OPTION_ADMIN_CONNECTION && secrets_are_in(value);
    error_shell_word(out, hidden ? "(as before)" : value);
}

void args_again(const struct args *args, enum option more, const char *value, struct buf *out)
{
    assert(args->command != NULL && more < OPTION_COUNT);
    buf_add_text(out, args->command->name);
    if (args->operand != NULL) {
        buf_add_char(out, ' ');
        error_shell_word(out, args->operand);
    }
    if (args->file != NULL) {
        buf_add_char(out, ' ');
        error_shell_word(out, args->file);
    }
    for (enum option option = 0; option < OPTION_COUNT; option++)
        if (option != OPTION_CONFIG && option != more && args_has(args, option))
            add_option(option, args->values[option], out);
    add_option(more, value, out);
}
