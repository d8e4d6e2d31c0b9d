/* cli/cli_reread: a running relay reads its file again. Internal to the module. */
#ifndef WALFERRY_CLI_CLI_REREAD_H
#define WALFERRY_CLI_CLI_REREAD_H

#include "admin/admin.h"
#include "relay/relay.h"

struct reread {
    const char *path; /* as config_open() takes it */
    struct relay *relay;
    const struct log *log;
    struct reload_cell *reloads;
    struct admin *admin; /* must take token and certificate; NULL: there is none */
};

/* What `check` would say of a file, without a server. */
int reread_check(const struct log *log, const struct config_relay *config, struct error *err);
/* Reads the file for the wish, writes what it changes into the cell, and hands it to the relay, or
 * refuses it; where the wish is to be shown it, neither. */
void reread_file(const struct reread *reread, const struct reload *wish);

#endif
