/* cli/cli_peer: a connection to the admin port, with TLS where the file says so. Internal to the
 * module.
 *
 * The command reads the relay's own file, so it knows the certificate and asks for that very one,
 * whatever name and dates stand in it: no authority is trusted, and none is needed. */
#ifndef WALFERRY_CLI_CLI_PEER_H
#define WALFERRY_CLI_CLI_PEER_H

#include "base/span.h"
#include "config/config.h"

#include <sys/types.h>

#define PEER_WHY_MAX 320

struct peer {
    int fd;
    void *tls; /* SSL *; NULL: none */
    void *context;
    int64_t deadline_us;    /* of the monotonic clock; for everything that is done with it */
    char why[PEER_WHY_MAX]; /* what went wrong; set where -1 is returned */
};

/* The address, as listen() took it: an empty host, 0.0.0.0 and :: reach this machine itself. To be
 * closed also after a failure. */
int peer_open(struct peer *peer, const struct config_admin *admin, int64_t deadline_us);
int peer_send(struct peer *peer, struct span bytes);
/* 0: the other end is done. */
ssize_t peer_receive(struct peer *peer, char *into, size_t size);
void peer_close(struct peer *peer);

#endif
