/* operate/command: what the commands share among themselves; private to this room. */
#ifndef WALFERRY_OPERATE_COMMAND_H
#define WALFERRY_OPERATE_COMMAND_H

#include "operate/operate.h"

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
