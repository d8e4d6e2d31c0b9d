/* cli/cli_terminal: the whole screen of a terminal, and what happens to it. Internal to the module.
 *
 * It is given back as it was at every end that a process can see: a key, a signal, a hang-up; and
 * while the process is stopped (SIGTSTP) it is the shell's. */
#ifndef WALFERRY_CLI_CLI_TERMINAL_H
#define WALFERRY_CLI_CLI_TERMINAL_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
    bool taken;
    bool keys;    /* standard input is a terminal, too */
    bool resumed; /* the next SIGCONT is that of our own stop */
    int signal_fd;
    struct termios before;
};

enum terminal_event { TERMINAL_TIME, TERMINAL_REDRAW, TERMINAL_END };

/* Takes the terminal of standard output, which must be one. -1: no descriptor can be had. */
int terminal_open(struct terminal *terminal);
/* Gives it back. May be called again. */
void terminal_close(struct terminal *terminal);

/* 24 and 80 where the terminal does not say. */
void terminal_size(int *rows, int *columns);
/* Lines, each ended by \n, from the top of the screen; the rest of it is cleared. False: it is
 * gone. */
bool terminal_show(const struct buf *lines);
/* Waits until the time has passed, the size is another or it goes on after a stop, or somebody
 * wants an end: q, SIGINT, SIGTERM, SIGQUIT, SIGHUP. */
enum terminal_event terminal_wait(struct terminal *terminal, int64_t until_us);

#endif
