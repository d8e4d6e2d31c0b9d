/* admin/admin_listen: "host:port" becomes a listening socket. Internal to the module. */
#ifndef WALFERRY_ADMIN_ADMIN_LISTEN_H
#define WALFERRY_ADMIN_ADMIN_LISTEN_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* address: host:port, [v6]:port, or :port for every address. Fails as admin_open() says. */
int admin_listen(const char *address, int *fd, uint16_t *port, struct error *err);
/* Does a listening socket take connections of this machine alone? */
bool admin_listens_on_loopback(int fd);
/* Is it an address of this machine that no other one can have? NULL is none. */
bool admin_is_loopback(const struct sockaddr *address);

#endif
