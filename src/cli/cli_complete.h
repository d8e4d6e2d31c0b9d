/* cli/cli_complete: completion for shells, from the tables of options and commands. Internal to the
 * module; nothing of it is linked into the program: tests/unit/cli_complete_test.c writes the files
 * in config/completion/ and sees that they are in step. */
#ifndef WALFERRY_CLI_CLI_COMPLETE_H
#define WALFERRY_CLI_CLI_COMPLETE_H

#include "cli/cli_command.h"

/* Each appends a whole script. */
void complete_write_bash(const struct command *commands, struct buf *out);
void complete_write_zsh(const struct command *commands, struct buf *out);
void complete_write_fish(const struct command *commands, struct buf *out);

#endif
