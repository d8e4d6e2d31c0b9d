/* recover/agreement: do the two publications of a relay say the same of a table that both hold?
 * Internal to the module.
 *
 * They are asked for together. Of two column lists the server makes an error at the first row; of a
 * partition that one sends under the name of its root and the other under its own it sends each row
 * once, under the root's, and the routes of the other get nothing. */
#ifndef WALFERRY_RECOVER_AGREEMENT_H
#define WALFERRY_RECOVER_AGREEMENT_H

#include "config/config.h"
#include "pg/pg.h"

/* ERROR_STOP "publication_column" or "publication_root", with the ALTER PUBLICATION. */
int publications_agree(struct pg_connection *sql, const struct config_relay *config,
                       struct error *err);

#endif
