/* admin/admin_listen: "host:port" becomes a listening socket. Internal to the module. */
#ifndef WALFERRY_ADMIN_ADMIN_LISTEN_H
#define WALFERRY_ADMIN_ADMIN_LISTEN_H

#include "base/error.h"

#include <stdint.h>

/* address: host:port, [v6]:port, or :port for every address. Fails as admin_open() says. */
int admin_listen(const char *address, int *fd, uint16_t *port, struct error *err);

#endif
