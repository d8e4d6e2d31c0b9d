/* relay/command: what the commands share among themselves and with the opening of an epoch; private
 * to this room. */
#ifndef WALFERRY_RELAY_COMMAND_H
#define WALFERRY_RELAY_COMMAND_H

#include "relay/life.h"

/* publication.c: every table that a route names plainly must be in the publication: its events
 * would never come, and nobody would know. */
int relay_check_publication(struct pg_connection *sql, const struct config *config,
                            struct error *err);
/* Creates the publication or adds the missing tables; globs are expanded to what exists now. Says
 * what it did. */
int relay_ensure_publication(struct pg_connection *sql, const struct config *config,
                             const struct router *router, struct buf *out, struct error *err);
/* The statements that do so on a server that has none of it, appended. */
int relay_publication_sql(struct pg_connection *sql, const struct config *config,
                          const struct router *router, struct buf *out, struct error *err);

/* setup.c, shared with rebase: waits for the consistent point and says whom it waits for. */
int relay_create_slot(const struct command_options *options, uint64_t *consistent_lsn,
                      struct error *err);
/* command.c: an SQL session and a walsender session of a command. */
int command_open_sql(const struct command_options *options, const char *connection,
                     struct pg_connection **sql, struct error *err);
int command_open_replication(const struct command_options *options,
                             struct pg_replication **replication, struct error *err);
/* wal_level must be logical; the hint says how. */
int command_check_wal_level(const struct pg_system *system, struct error *err);
/* A first record of this relay on this server; the generation follows `before` (may be NULL). */
void command_first_record(const struct config *config, const struct pg_system *system,
                          const struct progress *before, struct progress *record);
/* One line of a command's answer. */
void command_say(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A statement with one parameter whose result nobody needs. */
int command_query(struct pg_connection *sql, const char *statement, const char *parameter,
                  struct error *err);
/* Says that the relay is the command's: one that ran until now ends where it finds another claim,
 * and does not come back to fence the command before it is done. */
int command_claim(const struct command_options *options, struct publisher *publisher,
                  struct progress *record, struct error *err);
/* Ends a running relay's hold on the slot, so that it can be dropped. */
int command_free_slot(const struct command_options *options, struct pg_connection *sql,
                      struct error *err);

#endif
