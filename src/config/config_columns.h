/* config_columns: lists of columns as Debezium has them: regular expressions with commas between
 * them, each of which is to match the whole of schema.table.column, whatever the case of its
 * letters.
 *
 * The expressions are PCRE2's, which reads what Java's do. */
#ifndef WALFERRY_CONFIG_COLUMNS_H
#define WALFERRY_CONFIG_COLUMNS_H

#include "config/config_debezium.h"

#include <stdbool.h>
#include <stddef.h>

#define COLUMN_WHY_MAX 160

/* False: an expression of the list is none; *why says which, and what is wrong with it. */
bool config_columns_check(const char *list, char why[COLUMN_WHY_MAX]);
/* Of a list that has passed the check. Compiles it each time: for what is asked once for a version
 * of a table. doubt: what holds where an
 * expression takes too many steps, so that what is to be hidden never leaves by that. */
bool config_columns_match(const char *list, struct span schema, struct span table,
                          struct span column, bool doubt);

/* ---- What becomes of a column ---- */

enum column_rule {
    COLUMN_AS_IS,
    COLUMN_TRUNCATED, /* to as many characters as `name` says */
    COLUMN_MASKED,    /* as many asterisks */
    COLUMN_HASHED,    /* name: ALGORITHM.with.salt.SALT; of the text as Java serialises it */
    COLUMN_HASHED_V2  /* of the text */
};

struct column_treatment {
    enum column_rule rule;
    const char *name; /* of the pair */
    const char *key;  /* of the file, for messages; NULL: COLUMN_AS_IS */
};

/* The first that matches, in the order of the rules and then of the file, as Debezium has it. */
struct column_treatment config_column_treatment(const struct config_debezium *options,
                                                struct span schema, struct span table,
                                                struct span column);

/* ---- message_key_columns ---- */

/* "table:column,column;table:column": each pair of a table and a column is a regular expression
 * table.column, as above. The list has passed the rule of its key. */
#define CONFIG_KEY_COLUMNS_MAX 256

struct key_column {
    struct span table; /* a regular expression */
    struct span column;
};

/* False: too many, or one is no expression; *why says which. */
bool config_key_columns_check(const char *list, char why[COLUMN_WHY_MAX]);
/* The next one of *at, which begins as the list; false: there is none left. */
bool config_key_column_next(const char **at, struct key_column *out);
/* Does the column of the table match? */
bool config_key_column_matches(const struct key_column *key, struct span schema, struct span table,
                               struct span column);
/* Is it of the table at all, whatever its column? */
bool config_key_column_is_of(const struct key_column *key, struct span schema, struct span table);

#endif
