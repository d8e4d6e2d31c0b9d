/* config_debezium: how a route writes whole row changes. Includers take it from config.h. */
#ifndef WALFERRY_CONFIG_DEBEZIUM_H
#define WALFERRY_CONFIG_DEBEZIUM_H

#include "config/config_text.h"

/* Debezium's options, in the order of their words. */
enum decimal_handling { DECIMAL_PRECISE, DECIMAL_DOUBLE, DECIMAL_STRING };
enum time_precision {
    TIME_ADAPTIVE,
    TIME_ADAPTIVE_TIME_MICROSECONDS,
    TIME_CONNECT,
    TIME_ISOSTRING,
    TIME_MICROSECONDS,
    TIME_NANOSECONDS
};
enum interval_handling { INTERVAL_NUMERIC, INTERVAL_STRING };
enum binary_handling { BINARY_BYTES, BINARY_BASE64, BINARY_BASE64_URL_SAFE, BINARY_HEX };
enum hstore_handling { HSTORE_JSON, HSTORE_MAP };

/* What the names of hashes look like, as an extended regular expression; and in words. */
#define HASH_RULE "(MD5|SHA-1|SHA-224|SHA-256|SHA-384|SHA-512)[.]with[.]salt[.].+"
#define HASH_EXPECT                                                                                \
    "MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512, then .with.salt. and the salt"
#define HASH_SALT ".with.salt."

/* A text that does not begin with hex:, or that and pairs of digits. */
#define PLACEHOLDER_RULE "hex:([0-9a-fA-F]{2})*|[^h].*|h([^e].*)?|he([^x].*)?|hex([^:].*)?"

/* The envelope of a whole row change, under Debezium's own names with _ for a dot. */
struct config_debezium {
    struct config_text topic_prefix;
    enum decimal_handling decimal_handling;
    int64_t money_fraction_digits; /* 0 to 18 */
    enum time_precision time_precision;
    enum interval_handling interval_handling;
    enum binary_handling binary_handling;
    enum hstore_handling hstore_handling;
    bool tombstones_on_delete;
    bool extended_headers;                 /* extended_headers_enabled */
    bool replace_null;                     /* replace_null_with_default */
    struct config_text skipped_operations; /* of c u d t, with commas; or none */
    struct config_text unavailable_value_placeholder;
    struct config_text column_exclude_list; /* see config_columns.h; text NULL: none */
    struct config_text column_include_list;
    struct config_text message_key_columns; /* see config_columns.h; text NULL: none */
    /* How long, or how, and a list of columns. */
    struct config_pairs column_truncate, column_mask;
    struct config_pairs column_hash, column_hash_v2;
};

#endif
