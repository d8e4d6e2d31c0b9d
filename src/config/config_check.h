/* config_check: what a row of the table cannot say: defaults that depend on other keys, keys that
 * depend on each other, and what is derived from the whole. Called in this order. */
#ifndef WALFERRY_CONFIG_CHECK_H
#define WALFERRY_CONFIG_CHECK_H

#include "config/config_value.h"

/* Puts the defaults in that no other key has a part in: of all keys of struct config (route NULL),
 * or of one route. */
void config_defaults(const struct config_reader *reader, struct config *config,
                     struct config_route *route);
/* Puts in those that name other keys, where the file gave no value. */
void config_derive(const struct config_reader *reader, struct config *config,
                   struct config_route *routes);
/* root: for the lines of values that do not carry their own. */
int config_check(struct config_reader *reader, const struct config *config, const struct node *root,
                 struct error *err);
/* Fills config->hash. */
void config_hash(struct config *config);
/* Do both connection strings lead to a database of the same name? */
bool config_same_database(const char *a, const char *b);

#endif
