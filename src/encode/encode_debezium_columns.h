/* encode/encode_debezium_columns: which columns of a table are left out of its rows, and which are
 * cut, hidden or hashed. Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_DEBEZIUM_COLUMNS_H
#define WALFERRY_ENCODE_ENCODE_DEBEZIUM_COLUMNS_H

#include "config/config.h"
#include "types/types.h"

struct debezium_column {
    bool left_out;
    struct debezium_mask mask;
    const char *refused; /* the key that would mask what is no text; NULL: none */
};

/* Asked once for each version of a table. */
struct debezium_column debezium_column_of(const struct config_debezium *options,
                                          const struct debezium_modes *modes,
                                          const struct relation *relation,
                                          const struct column *column);
/* What stands for a large value that was not sent: a text, or "hex:" and the digits of its bytes.
 */
void debezium_placeholder(const char *text, struct debezium_modes *modes, struct arena *arena);

#endif
