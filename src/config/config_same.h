/* config_same: are two values of a key the same? Internal to the module. */
#ifndef WALFERRY_CONFIG_SAME_H
#define WALFERRY_CONFIG_SAME_H

#include "config/config_table.h"

/* Of a key with a value, in two structs of its scope. */
bool config_same_value(const struct config_key *key, const void *a, const void *b);
bool config_same_texts(const struct config_texts *a, const struct config_texts *b);
/* Do both connection strings lead to a database of the same name? */
bool config_same_database(const char *a, const char *b);

#endif
