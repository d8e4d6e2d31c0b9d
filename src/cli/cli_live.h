/* cli/cli_live: asks the admin port of a running relay. Internal to the module. */
#ifndef WALFERRY_CLI_CLI_LIVE_H
#define WALFERRY_CLI_CLI_LIVE_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

/* GET path at admin.listen, with the token and TLS that the file says, at most 2 s altogether.
 * Appends the body and sets *status (HTTP; 401: the relay has another token). Fails with
 * ERROR_RETRY, reason "admin_no_answer". */
int live_get(const struct config_admin *admin, const char *path, int *status, struct buf *body,
             struct error *err);

/* The same with POST and these header lines, each ended by CR LF. */
int live_post(const struct config_admin *admin, const char *path, const char *headers, int *status,
              struct buf *body, struct error *err);

/* Asks the admin port whether an instance of this relay runs there; then `text` says which.
 * working: one that is held after a refusal does not count, it has nothing that could be taken
 * over. */
bool live_instance(const struct config_relay *config, bool working, char *text, size_t size);

#endif
