/* config_check: what a row of the table cannot say: defaults that depend on other keys, keys that
 * depend on each other, and what is derived from the whole. Called in this order. */
#ifndef WALFERRY_CONFIG_CHECK_H
#define WALFERRY_CONFIG_CHECK_H

#include "config/config_value.h"

/* Puts the defaults in that no other key has a part in: of the process and the relay, or of the
 * target's route where it has one. */
void config_defaults(const struct config_reader *reader, const struct config_target *target);
/* Puts in those that name other keys, where the file gave no value. */
void config_derive(const struct config_reader *reader, const struct config_target *target);
/* Fills the arguments of the commands. */
int config_commands(struct config_reader *reader, struct config_relay *relay, struct error *err);
/* root: for the lines of values that do not carry their own. */
int config_check(struct config_reader *reader, const struct config *config, const struct node *root,
                 struct error *err);
/* Fills relay->hash. */
void config_hash(struct config_relay *relay);

#endif
