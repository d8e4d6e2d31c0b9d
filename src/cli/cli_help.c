/* cli/cli_help: the help on the terminal and the section of the man page, both from the
 * tables, and the command that shows it. */
#include "cli/cli_answer.h"
#include "cli/cli_command.h"

#include <assert.h>
#include <string.h>

#define WIDTH 78

/* Words of a text, wrapped; each line but the first begins with `indent` blanks. */
static void add_wrapped(struct buf *out, const char *text, size_t indent)
{
    size_t column = indent;
    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (column > indent && column + 1 + length > WIDTH) {
            buf_add_format(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add(out, (struct span){text, length});
        column += length;
        text += length;
        if (strncmp(text, "\n\n", 2) == 0) {
            buf_add_format(out, "\n\n%*s", (int)indent, "");
            column = indent;
        }
        text += strspn(text, " \n");
    }
    buf_add_char(out, '\n');
}

void help_overview(const struct command *commands, struct buf *out)
{
    buf_add_text(out, "walferry carries committed changes out of PostgreSQL into Kafka, exactly "
                      "once.\n\nusage: walferry COMMAND [-c FILE] [OPTION …]\n\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        buf_add_format(out, "  %-10s %s\n", c->name, c->summary);
    buf_add_text(out, "\nwalferry COMMAND --help tells more, with examples. Manual: walferry(1), "
                      "walferry.yaml(5).\n");
}

static void add_option(struct buf *out, const struct option_info *info)
{
    struct buf head = BUF_EMPTY;
    if (info->letter != '\0')
        buf_add_format(&head, "-%c, ", info->letter);
    buf_add_format(&head, "--%s", info->name);
    if (info->value != NULL)
        buf_add_format(&head, " %s", info->value);
    buf_add_format(out, "  %s\n      ", buf_text(&head));
    add_wrapped(out, info->help, 6);
    buf_fini(&head);
}

void help_command(const struct command *command, struct buf *out)
{
    assert(command != NULL && out != NULL);
    buf_add_format(out, "walferry %s: %s\n\nusage: walferry %s", command->name, command->summary,
                   command->name);
    if (command->operand != NULL)
        buf_add_format(out, " %s", command->operand);
    if (command->file != NULL)
        buf_add_format(out, " %s", command->file);
    buf_add_text(out, " [OPTION …]\n\n");
    add_wrapped(out, command->text, 0);
    buf_add_text(out, "\noptions:\n");
    for (unsigned i = 0; i < command->options.count; i++)
        add_option(out, &option_table[command->options.items[i]]);
    buf_add_text(out, "\nexamples:\n");
    for (unsigned i = 0; i < COMMAND_EXAMPLES_MAX && command->examples[i].line != NULL; i++)
        buf_add_format(out, "  %s\n      %s\n", command->examples[i].line,
                       command->examples[i].meaning);
}

int command_help(const struct args *args)
{
    struct buf out = BUF_EMPTY;
    const struct command *command =
        args->operand != NULL ? command_find(args->commands, args->operand) : NULL;
    if (args->operand != NULL && command == NULL) {
        struct error err = ERROR_INIT;
        error_stop(&err, REASON_USAGE, "there is no command %s", args->operand);
        error_hint(&err, "see: walferry help");
        answer_print_error(&err, NULL);
        return EXIT_USAGE;
    }
    if (command != NULL)
        help_command(command, &out);
    else
        help_overview(args->commands, &out);
    answer_print(&out);
    buf_fini(&out);
    return EXIT_OK;
}

/* ---- The man page ---- */

/* mdoc gives a meaning to backslashes and quotes; the dash of an option must be written as \-. A
 * sentence begins on a line of its own. */
static void add_mdoc(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool sentence = *c == ' ' && c > text && (c[-1] == '.' || c[-1] == '?');
        if (sentence)
            buf_add_char(out, '\n');
        else if (*c == '\\')
            buf_add_text(out, "\\e");
        else if (*c == '-')
            buf_add_text(out, "\\-");
        else if (*c == '"')
            buf_add_text(out, "\\(dq");
        else
            buf_add_char(out, *c);
    }
}

static void add_mdoc_text(struct buf *out, const char *text)
{
    const char *blank;
    while ((blank = strstr(text, "\n\n")) != NULL) {
        char paragraph[1024];
        size_t length = (size_t)(blank - text);
        assert(length < sizeof paragraph);
        memcpy(paragraph, text, length);
        paragraph[length] = '\0';
        add_mdoc(out, paragraph);
        buf_add_text(out, "\n.Pp\n");
        text = blank + 2;
    }
    add_mdoc(out, text);
    buf_add_char(out, '\n');
}

static void add_man_option(struct buf *out, const struct option_info *info)
{
    buf_add_text(out, ".It ");
    if (info->letter != '\0')
        buf_add_format(out, "Fl %c , ", info->letter);
    buf_add_format(out, "Fl \\-%s", info->name);
    if (info->value != NULL)
        buf_add_format(out, " Ar %s", info->value);
    buf_add_char(out, '\n');
    add_mdoc_text(out, info->help);
}

static void add_man_command(struct buf *out, const struct command *c)
{
    buf_add_format(out, ".Ss walferry %s", c->name);
    if (c->operand != NULL) {
        buf_add_char(out, ' ');
        add_mdoc(out, c->operand);
    }
    if (c->file != NULL) {
        buf_add_char(out, ' ');
        add_mdoc(out, c->file);
    }
    buf_add_char(out, '\n');
    add_mdoc_text(out, c->text);
    buf_add_text(out, ".Bl -tag -width Ds\n");
    for (unsigned i = 0; i < c->options.count; i++) {
        enum option option = c->options.items[i];
        if (option != OPTION_CONFIG && option != OPTION_JSON && option != OPTION_HELP)
            add_man_option(out, &option_table[option]);
    }
    for (unsigned i = 0; i < COMMAND_EXAMPLES_MAX && c->examples[i].line != NULL; i++) {
        buf_add_text(out, ".It Li \"");
        add_mdoc(out, c->examples[i].line);
        buf_add_text(out, "\"\n");
        add_mdoc_text(out, c->examples[i].meaning);
    }
    buf_add_text(out, ".El\n");
}

void help_write_man(const struct command *commands, struct buf *out)
{
    assert(commands != NULL && out != NULL);
    buf_add_text(out, "Commands share these options, where they apply:\n.Bl -tag -width Ds\n");
    add_man_option(out, &option_table[OPTION_CONFIG]);
    add_man_option(out, &option_table[OPTION_JSON]);
    add_man_option(out, &option_table[OPTION_HELP]);
    buf_add_text(out, ".El\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        add_man_command(out, c);
}
