/* config_text: what the strings of the file are. Includers take it from config.h. */
#ifndef WALFERRY_CONFIG_TEXT_H
#define WALFERRY_CONFIG_TEXT_H

#include "base/span.h"

#include <stdint.h>

/* A string of the file. text is NUL-terminated, after expansion of ${env:} and ${file:}; NULL where
 * the key is absent and has no default. line is 0 for a default. */
struct config_text {
    const char *text;
    const char *file;
    uint32_t line;
    const char *written; /* before expansion; NULL: a default, or nothing was expanded */
    bool secret; /* part of it came from ${env:} or ${file:}, or the key is a secret: never print */
};

/* A list of them. */
struct config_texts {
    uint32_t count;
    const struct config_text *items;
};

/* A program with its arguments, as a list of texts and as exec(3) wants them. */
struct config_command {
    struct config_texts texts;
    const char *const *arguments; /* NULL behind the last; NULL: there is no such command */
};

struct config_pair {
    struct config_text name;
    struct config_text value;
};

struct config_pairs {
    uint32_t count;
    const struct config_pair *items;
};

#endif
