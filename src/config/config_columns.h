/* config_columns: lists of columns as Debezium has them: regular expressions with commas between
 * them, each of which is to match the whole of schema.table.column, whatever the case of its
 * letters.
 *
 * The expressions are PCRE2's, which reads what Java's do. */
#ifndef WALFERRY_CONFIG_COLUMNS_H
#define WALFERRY_CONFIG_COLUMNS_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

#define COLUMN_WHY_MAX 160

/* False: an expression of the list is none; *why says which, and what is wrong with it. */
bool config_columns_check(const char *list, char why[COLUMN_WHY_MAX]);
/* Of a list that has passed the check. Compiles it each time: for what is asked once for a version
 * of a table. */
bool config_columns_match(const char *list, struct span schema, struct span table,
                          struct span column);

#endif
