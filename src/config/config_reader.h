/* config_reader: which file is read, and how an error names the place in it. */
#ifndef WALFERRY_CONFIG_READER_H
#define WALFERRY_CONFIG_READER_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct config_reader {
    struct arena *arena; /* of the configuration: what is read lives as long as it */
    const char *file;
    uint32_t item;                  /* which item of the list "[]" in a path stands for */
    struct config_secrets *secrets; /* where that is noted; NULL: nowhere */
};

/* Where secrets come from. */
#define CONFIG_SECRET_FILES_MAX 32
struct config_secrets {
    bool inside; /* one stands in the file itself */
    uint32_t count;
    const char *files[CONFIG_SECRET_FILES_MAX]; /* of ${file:}, in the arena */
};

/* "<file>:<line>: <path>: what". Returns -1. */
int config_fail(struct error *err, const struct config_reader *reader, uint32_t line,
                const char *path, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
