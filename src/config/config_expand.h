/* config_expand: what ${env:NAME} and ${file:PATH} stand for. */
#ifndef WALFERRY_CONFIG_EXPAND_H
#define WALFERRY_CONFIG_EXPAND_H

#include "base/buf.h"
#include "config/config_reader.h"

#define CONFIG_FILE_BYTES_MAX (1024 * 1024)
#define CONFIG_EXPANSION_BYTES_MAX (64 * 1024)

/* Replaces ${env:NAME} and ${file:PATH} in raw, once and from left to right. text is
 * NUL-terminated; *secret tells whether anything was replaced. In a libpq connection string what
 * stands beside other text is escaped, so that it is one value whatever it holds: with backslashes
 * among keyword=value pairs, in percent-encoding in a URI (libpq, "Connection Strings"). */
int config_expand(const struct config_reader *reader, uint32_t line, const char *path,
                  struct span raw, bool connection, struct span *text, bool *secret,
                  struct error *err);

#endif
