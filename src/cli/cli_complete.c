/* cli/cli_complete: see cli_complete.h. What each shell is given is the same: commands with their
 * summaries, the options of each command with the beginning of their help, files where a value
 * is a FILE, words where only some are taken. A value that nobody can guess completes to nothing.
 */
#include "cli/cli_complete.h"

#include <assert.h>
#include <string.h>

#define HEAD                                                                                       \
    "# Made from the table of commands; UPDATE=1 tests/unit/cli_complete_test writes it anew.\n"

/* The values of options whose help names them in words only. */
static const char *const option_words[OPTION_COUNT] = {
    [OPTION_OUTPUT] = "short json",
    [OPTION_PUBLISHER] = "kafka stdout",
    [OPTION_TO] = "slot new-slot lsn: guard beginning now",
    [OPTION_PROGRESS_VERSION] = "1",
};

/* What begins with a small letter is words as they are said, separated by |; they become words
 * separated by blanks. Other texts (FILE, [COMMAND]) stand for something else. */
static bool add_choices(struct buf *out, const char *text)
{
    if (text == NULL || text[0] < 'a' || text[0] > 'z')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        buf_add_char(out, *c == '|' ? ' ' : *c);
    return true;
}

static bool add_words(struct buf *out, enum option option)
{
    if (option_words[option] == NULL)
        return add_choices(out, option_table[option].value);
    buf_add_text(out, option_words[option]);
    return true;
}

/* FILE, or FILE|lsn:X. */
static bool takes_file(enum option option)
{
    const char *value = option_table[option].value;
    return value != NULL && strncmp(value, "FILE", 4) == 0;
}

static void add_names(struct buf *out, const struct command *commands)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        buf_add_format(out, "%s%s", c == commands ? "" : " ", c->name);
}

static void add_operands(struct buf *out, const struct command *commands, const struct command *c)
{
    if (c->operand != NULL && strcmp(c->operand, "[COMMAND]") == 0)
        add_names(out, commands);
    else
        (void)add_choices(out, c->operand);
}

/* Where the first statement of a text ends: a line of a menu has room for no more. */
static size_t statement(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0' &&
           !(strchr(".;:", text[length]) != NULL && (text[length + 1] == ' ' || !text[length + 1])))
        length++;
    return length;
}

/* That, inside of single quotes; each character of `special` behind a backslash. */
static void add_statement(struct buf *out, const char *text, const char *special,
                          const char *apostrophe)
{
    size_t length = statement(text);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'') {
            buf_add_text(out, apostrophe);
            continue;
        }
        if (strchr(special, text[i]) != NULL)
            buf_add_char(out, '\\');
        buf_add_char(out, text[i]);
    }
}

/* ---- bash ---- */

static void add_bash_values(struct buf *out)
{
    buf_add_text(out, "    case $prev in\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (info->value == NULL)
            continue;
        buf_add_text(out, "        ");
        if (info->letter != '\0')
            buf_add_format(out, "-%c | ", info->letter);
        buf_add_format(out, "--%s) ", info->name);
        struct buf words = BUF_EMPTY;
        if (takes_file((enum option)i))
            buf_add_text(out, "kind=files ;;\n");
        else if (add_words(&words, (enum option)i))
            buf_add_format(out, "kind=words words='%s' ;;\n", buf_text(&words));
        else
            buf_add_text(out, "return ;;\n");
        buf_fini(&words);
    }
    buf_add_text(out, "    esac\n");
}

static void add_bash_command(struct buf *out, const struct command *commands,
                             const struct command *c)
{
    buf_add_format(out, "        %s)\n            options='", c->name);
    for (unsigned i = 0; i < c->options.count; i++)
        buf_add_format(out, "%s--%s", i == 0 ? "" : " ", option_table[c->options.items[i]].name);
    buf_add_text(out, "'\n            operands='");
    add_operands(out, commands, c);
    buf_add_format(out, "'\n%s            ;;\n",
                   c->file != NULL ? "            behind=files\n" : "");
}

void complete_write_bash(const struct command *commands, struct buf *out)
{
    assert(commands != NULL && out != NULL);
    buf_add_text(out, "# Completion of walferry for bash.\n" HEAD "# shellcheck shell=bash\n"
                      "_walferry() {\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                      "    local options='' operands='' behind='' words='' kind='' word\n"
                      "    COMPREPLY=()\n"
                      "    # bash makes three words of --config=FILE.\n"
                      "    if [ \"$cur\" = '=' ]; then\n"
                      "        cur=''\n"
                      "    elif [ \"$prev\" = '=' ]; then\n"
                      "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
                      "    fi\n"
                      "    if [ \"$COMP_CWORD\" -le 1 ]; then\n"
                      "        words='");
    add_names(out, commands);
    buf_add_text(out, " --help --version'\n"
                      "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                      "        return\n"
                      "    fi\n");
    add_bash_values(out);
    buf_add_text(out, "    case ${COMP_WORDS[1]} in\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        add_bash_command(out, commands, c);
    buf_add_text(out,
                 "    esac\n"
                 "    # An operand is not offered twice; behind it there may be a file.\n"
                 "    for word in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
                 "        if [ -n \"$word\" ] && [[ \" $operands \" == *\" $word \"* ]]; then\n"
                 "            operands=''\n"
                 "            if [ -z \"$kind\" ] && [[ $cur != -* ]]; then\n"
                 "                kind=$behind\n"
                 "            fi\n"
                 "            break\n"
                 "        fi\n"
                 "    done\n"
                 "    if [ \"$kind\" = files ]; then\n"
                 "        compopt -o filenames 2>/dev/null\n"
                 "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                 "        return\n"
                 "    fi\n"
                 "    if [ -z \"$kind\" ]; then\n"
                 "        words=\"$options $operands\"\n"
                 "        if [[ $cur != -* ]] && [ -n \"$operands\" ]; then\n"
                 "            words=$operands\n"
                 "        fi\n"
                 "    fi\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                 "}\n"
                 "complete -F _walferry walferry\n");
}

/* ---- zsh ---- */

static void add_zsh_option(struct buf *out, enum option option)
{
    const struct option_info *info = &option_table[option];
    const char *sign = info->value != NULL ? "=" : "";
    buf_add_text(out, " \\\n                        ");
    if (info->letter != '\0')
        buf_add_format(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", info->letter, info->name, info->letter,
                       info->value != NULL ? "+" : "", info->name, sign);
    else
        buf_add_format(out, "'--%s%s[", info->name, sign);
    add_statement(out, info->help, "[]\\", "'\\''");
    buf_add_char(out, ']');
    struct buf words = BUF_EMPTY;
    if (takes_file(option))
        buf_add_text(out, ":file:_files");
    else if (add_words(&words, option)) {
        /* A colon ends a part of the specification. */
        buf_add_text(out, ":value:(");
        for (const char *c = buf_text(&words); *c != '\0'; c++)
            buf_add_format(out, *c == ':' ? "\\%c" : "%c", *c);
        buf_add_char(out, ')');
    } else if (info->value != NULL)
        buf_add_text(out, ":value: ");
    buf_add_char(out, '\'');
    buf_fini(&words);
}

static void add_zsh_command(struct buf *out, const struct command *commands,
                            const struct command *c)
{
    buf_add_format(out, "                %s)\n                    _arguments -s", c->name);
    for (unsigned i = 0; i < c->options.count; i++)
        add_zsh_option(out, c->options.items[i]);
    struct buf operands = BUF_EMPTY;
    add_operands(&operands, commands, c);
    if (operands.len > 0)
        buf_add_format(out, " \\\n                        '1:operand:(%s)'%s", buf_text(&operands),
                       c->file != NULL ? " '2:file:_files'" : "");
    buf_add_text(out, "\n                    ;;\n");
    buf_fini(&operands);
}

void complete_write_zsh(const struct command *commands, struct buf *out)
{
    assert(commands != NULL && out != NULL);
    buf_add_text(out,
                 "#compdef walferry\n# Completion of walferry for zsh.\n" HEAD "_walferry() {\n"
                 "    local context state line\n"
                 "    typeset -A opt_args\n"
                 "    local -a commands\n"
                 "    commands=(\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_add_format(out, "        '%s:", c->name);
        add_statement(out, c->summary, "\\:", "'\\''");
        buf_add_text(out, "'\n");
    }
    buf_add_text(out, "    )\n"
                      "    _arguments -C \\\n"
                      "        '(- *)'{-h,--help}'[what walferry can do]' \\\n"
                      "        '(- *)'{-V,--version}'[the versions in use]' \\\n"
                      "        '1:command:->command' '*::argument:->argument'\n"
                      "    case $state in\n"
                      "        command) _describe -t commands command commands ;;\n"
                      "        argument)\n"
                      "            case $line[1] in\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        add_zsh_command(out, commands, c);
    buf_add_text(out, "            esac\n"
                      "            ;;\n"
                      "    esac\n"
                      "}\n"
                      "if [ \"$funcstack[1]\" = _walferry ]; then\n"
                      "    _walferry \"$@\"\n"
                      "else\n"
                      "    compdef _walferry walferry\n"
                      "fi\n");
}

/* ---- fish ---- */

static void add_fish_option(struct buf *out, const struct command *c, enum option option)
{
    const struct option_info *info = &option_table[option];
    buf_add_format(out, "complete -c walferry -n '__fish_seen_subcommand_from %s' -l %s", c->name,
                   info->name);
    if (info->letter != '\0')
        buf_add_format(out, " -s %c", info->letter);
    struct buf words = BUF_EMPTY;
    if (takes_file(option))
        buf_add_text(out, " -r -F");
    else if (add_words(&words, option))
        buf_add_format(out, " -x -a '%s'", buf_text(&words));
    else if (info->value != NULL)
        buf_add_text(out, " -x");
    buf_fini(&words);
    buf_add_text(out, " -d '");
    add_statement(out, info->help, "\\", "\\'");
    buf_add_text(out, "'\n");
}

/* One is not offered twice; behind it there may be a file. Those of help are the commands, of which
 * it is one itself. */
static void add_fish_operands(struct buf *out, const struct command *commands,
                              const struct command *c)
{
    struct buf operands = BUF_EMPTY;
    add_operands(&operands, commands, c);
    const char *words = buf_text(&operands);
    if (operands.len > 0 && c->operand[0] == '[')
        buf_add_format(out, "complete -c walferry -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                       c->name, words);
    else if (operands.len > 0)
        buf_add_format(out,
                       "complete -c walferry -n '__fish_seen_subcommand_from %s; and not "
                       "__fish_seen_subcommand_from %s' -a '%s'\n",
                       c->name, words, words);
    if (operands.len > 0 && c->file != NULL)
        buf_add_format(out,
                       "complete -c walferry -n '__fish_seen_subcommand_from %s; and "
                       "__fish_seen_subcommand_from %s' -F\n",
                       c->name, words);
    buf_fini(&operands);
}

void complete_write_fish(const struct command *commands, struct buf *out)
{
    assert(commands != NULL && out != NULL);
    buf_add_text(out, "# Completion of walferry for fish.\n" HEAD "complete -c walferry -f\n");
    buf_add_text(out,
                 "complete -c walferry -n __fish_use_subcommand -s h -l help -d 'what walferry "
                 "can do'\n"
                 "complete -c walferry -n __fish_use_subcommand -s V -l version -d 'the "
                 "versions in use'\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_add_format(out, "complete -c walferry -n __fish_use_subcommand -a %s -d '", c->name);
        add_statement(out, c->summary, "\\", "\\'");
        buf_add_text(out, "'\n");
    }
    for (const struct command *c = commands; c->name != NULL; c++) {
        for (unsigned i = 0; i < c->options.count; i++)
            add_fish_option(out, c, c->options.items[i]);
        add_fish_operands(out, commands, c);
    }
}
