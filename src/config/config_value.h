/* config_value: one value of the file becomes one member of a struct.
 *
 * Here a scalar is expanded, then held against the type, range and rule of its key. Every error
 * names file, line and key, says what was expected and, unless it is a secret, what was found. */
#ifndef WALFERRY_CONFIG_VALUE_H
#define WALFERRY_CONFIG_VALUE_H

#include "config/config.h"
#include "config/config_table.h"
#include "config/config_tree.h"

#define CONFIG_FILE_BYTES_MAX (1024 * 1024)
#define CONFIG_EXPANSION_BYTES_MAX (64 * 1024)

struct config_reader {
    struct arena *arena; /* of the configuration: what is read lives as long as it */
    const char *file;
    uint32_t item; /* which item of the list "[]" in a path stands for */
};

/* "<file>:<line>: <path>: what". Returns -1. */
int config_fail(struct error *err, const struct config_reader *reader, uint32_t line,
                const char *path, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The whole file, `max` bytes at most: EFBIG beyond. 0, or -1 with errno. */
int config_slurp(const char *path, size_t max, struct buf *out);

/* Replaces ${env:NAME} and ${file:PATH} in raw, once and from left to right. text is
 * NUL-terminated; *secret tells whether anything was replaced. In a libpq connection string what
 * stands beside other text is escaped, so that it is one value whatever it holds: with backslashes
 * among keyword=value pairs, in percent-encoding in a URI (libpq, "Connection Strings"). */
int config_expand(const struct config_reader *reader, uint32_t line, const char *path,
                  struct span raw, bool connection, struct span *text, bool *secret,
                  struct error *err);

/* What stands at `node`, for "expected this, found that". */
void config_found(const struct node *node, struct span text, bool secret, struct buf *out);

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
