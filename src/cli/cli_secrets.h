/* cli/cli_secrets: passwords stay in the process: no core file holds them, and no list of processes
 * shows them. */
#ifndef WALFERRY_CLI_CLI_SECRETS_H
#define WALFERRY_CLI_CLI_SECRETS_H

#include <stdbool.h>

/* No core file from now on, and only root may look into the process (PR_SET_DUMPABLE of prctl(2)),
 * unless WALFERRY_DUMPABLE=1 is in the environment. */
void secrets_keep_from_cores(void);
/* Blanks a word of the command line, which ps(1) shows everybody; returns a copy of it, which the
 * caller frees. NULL is legal. */
char *secrets_take_word(const char *word);
/* Does a connection string bring its password along? */
bool secrets_are_in(const char *connection);

#endif
