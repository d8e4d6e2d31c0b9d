/* config_show: single values as they are shown: JSON, secrets hidden. Internal to the module. */
#ifndef WALFERRY_CONFIG_SHOW_H
#define WALFERRY_CONFIG_SHOW_H

#include "config/config_table.h"

#define HIDDEN "(hidden)"

/* Has the key a value that goes with the rest of the target? False for sections and lists. */
bool config_shows(const struct config_target *target, const struct config_key *key);
/* Appends it. Not of pairs. */
void config_show_value(const struct config_target *target, const struct config_key *key,
                       struct buf *out);
/* Appends the text of one of the key's pairs. */
void config_show_text(const struct config_key *key, const struct config_text *value,
                      struct buf *out);

#endif
