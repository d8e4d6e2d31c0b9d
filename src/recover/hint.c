/* recover/hint: the commands of walferry in a hint, completed so that each can be pasted as it
 * stands. It knows commands by their names and adds the file; what a hint says is the caller's. */
#include "recover/recover.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PLAIN                                                                                      \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"                               \
    "_-./:@%+=,"

/* One word of a POSIX shell, whatever is in it. */
static void add_shell_word(struct buf *out, const char *text)
{
    if (text[0] != '\0' && strspn(text, PLAIN) == strlen(text)) {
        buf_add_text(out, text);
        return;
    }
    buf_add_char(out, '\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            buf_add_text(out, "'\\''");
        else
            buf_add_char(out, *c);
    }
    buf_add_char(out, '\'');
}

/* The next command that is meant to be run on the file of a relay; NULL: none. */
static const char *find_command(const char *text)
{
    static const char *const names[] = {"walferry setup", "walferry rebase", "walferry skip",
                                        "walferry run"};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *found = strstr(text, names[i]);
        if (found != NULL && (first == NULL || found < first))
            first = found;
    }
    return first;
}

/* A command ends where the sentence around it goes on. */
static size_t command_length(const char *command)
{
    size_t length = strcspn(command, ",;)");
    const char *aside = strstr(command, " (");
    if (aside != NULL && (size_t)(aside - command) < length)
        length = (size_t)(aside - command);
    return length;
}

void relay_complete_hint(const struct config *config, struct error *err)
{
    assert(config != NULL && err != NULL);
    if (find_command(err->hint) == NULL || strstr(err->hint, " -c ") != NULL)
        return; /* nothing to complete, or it is whole already */
    struct buf whole = BUF_EMPTY;
    const char *rest = err->hint;
    const char *command;
    while ((command = find_command(rest)) != NULL) {
        size_t length = command_length(command);
        buf_add(&whole, (struct span){rest, (size_t)(command - rest) + length});
        buf_add_text(&whole, " -c ");
        add_shell_word(&whole, config->path);
        rest = command + length;
    }
    buf_add_text(&whole, rest);
    if (whole.len < sizeof err->hint) /* half a command is worse than one without its file */
        snprintf(err->hint, sizeof err->hint, "%s", buf_text(&whole));
    buf_fini(&whole);
}
