/* admin/admin_tls: certificate and key, as texts of PEM. Internal to the module. */
#ifndef WALFERRY_ADMIN_ADMIN_TLS_H
#define WALFERRY_ADMIN_ADMIN_TLS_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

#include <stdint.h>

/* TLS 1.2 and 1.3 with what the library holds to be good. */
#define ADMIN_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct admin_pem {
    struct buf certificate, key; /* NUL-terminated */
};

/* Reads both files; without them in the configuration *pem stays empty. Fails with ERROR_STOP,
 * EXIT_USAGE, "admin_tls". To be ended by admin_pem_fini() in any case. */
int admin_pem_read(const struct config_admin *config, struct admin_pem *pem, struct error *err);
void admin_pem_fini(struct admin_pem *pem); /* the key is overwritten */
/* 0: there is none. */
uint64_t admin_pem_hash(const struct admin_pem *pem);
/* why: in the library's words; it has refused the two. Returns -1. */
int admin_pem_refused(const struct config_admin *config, const char *why, struct error *err);

#endif
