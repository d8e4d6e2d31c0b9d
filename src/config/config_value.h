/* config_value: one value of the file becomes one member of a struct.
 *
 * Here a scalar is expanded, then held against the type, range and rule of its key. Every error
 * names file, line and key, says what was expected and, unless it is a secret, what was found. */
#ifndef WALFERRY_CONFIG_VALUE_H
#define WALFERRY_CONFIG_VALUE_H

#include "config/config.h"
#include "config/config_reader.h"
#include "config/config_table.h"
#include "config/config_tree.h"

/* What stands at `node`, for "expected this, found that". */
void config_found(const struct node *node, struct span text, bool secret, struct buf *out);

/* Does the rule of a key hold for the whole text? */
bool config_rule_holds(const char *rule, const char *text);
/* Sets the member of `base` that the key says. */
int config_value_set(const struct config_reader *reader, const struct config_key *key,
                     const struct node *node, void *base, struct error *err);
/* A value of a mapping whose names are not in the table: any scalar but nothing. */
int config_value_pair(const struct config_reader *reader, const char *path, const struct node *node,
                      struct config_text *out, struct error *err);
/* Sets the member to text that was not in the file and outlives the configuration or lives in its
 * arena. Text is taken as it is, so that names put into a default are not expanded again. */
void config_value_default(const struct config_reader *reader, const struct config_key *key,
                          const char *text, void *base);

#endif
