/* cli/: the table of subcommands: arguments, help, signals, what is printed and the exit code.
 *
 * Each command is one file that reads its arguments, opens the configuration and asks operate/ for
 * the work; nothing is decided here that another caller would have to decide as well. Answers go to
 * stdout, errors and log lines to stderr. Exit codes are those of base/error.h. */
#ifndef WALFERRY_CLI_CLI_H
#define WALFERRY_CLI_CLI_H

#include "base/buf.h"

/* Runs `walferry argv[1] …` and returns the exit code of the process. argv[argc] is NULL. */
int cli_main(int argc, char **argv);

/* The section about the commands of the man page walferry(1), mdoc, from the table; appended. */
void cli_write_man(struct buf *out);

#endif
