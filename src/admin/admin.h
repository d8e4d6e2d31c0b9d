/* admin/: what a relay says of itself over HTTP: a page for people, and /healthz, /readyz,
 * /metrics, /status and more for programs (docs/PAGE.md); and /reload, where it may be asked to
 * read its file again.
 *
 * It reads metrics, status, what is kept of late and the newest bad lines, and nothing else, so
 * that no request can reach the pipeline: it holds no lock longer than one copy takes. One thread,
 * a bounded number of connections, one request each, nothing uploaded; a client that is slow is
 * hung up on, and where there are too many, the oldest goes. It listens on loopback unless told
 * otherwise, may ask for a token (all but /healthz and the bare yes or no of /readyz), and may
 * speak TLS. All that can be changed through this port is that the relay reads the file that it
 * reads anyway, and only from this machine, or with the token, and not from a browser. */
#ifndef WALFERRY_ADMIN_ADMIN_H
#define WALFERRY_ADMIN_ADMIN_H

#include "base/error.h"
#include "base/log_ring.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/recent.h"
#include "model/reload_cell.h"
#include "model/status_cell.h"

#include <stdint.h>

/* Connections at the same time, of all clients and of one address. */
#define ADMIN_CONNECTIONS_MAX 128
#define ADMIN_CONNECTIONS_PER_ADDRESS 96
/* A connection that is silent so long, or lives so long, is closed. */
#define ADMIN_SILENCE_S 5
#define ADMIN_LIFETIME_MS 10000

struct admin;

struct admin_options {
    const struct config_admin *config; /* used during admin_open() only; it is copied */
    const struct metrics *metrics;     /* must outlive the admin */
    struct status_cell *status;        /* must outlive the admin */
    struct recent *recent;             /* the same; NULL: nothing is known of late */
    struct log_ring *problems;         /* the same */
    struct reload_cell *reloads;       /* NULL: there is no /reload; else must outlive the admin */
    int64_t lifetime_ms;               /* 0: ADMIN_LIFETIME_MS */
};

/* Listens and serves from a thread of its own. listen "off": *admin is NULL, and that is no error.
 * An address that cannot be had is ERROR_STOP, EXIT_USAGE, reason "admin_listen"; a certificate or
 * key that cannot be used "admin_tls". */
int admin_open(const struct admin_options *options, struct admin **admin, struct error *err);
/* Takes token, certificate and key over, also where only the files have changed; requests under way
 * may be cut off. It fails as admin_open() does, and then all is as before. admin NULL is legal. */
int admin_reload(struct admin *admin, const struct config_admin *config, struct error *err);
/* Can it be read from other machines by whoever reaches it? NULL is legal. */
bool admin_is_exposed(const struct admin *admin);
/* The port listened on (the one the system chose where the file says 0). */
uint16_t admin_port(const struct admin *admin);
void admin_close(struct admin *admin); /* NULL is legal */

#endif
