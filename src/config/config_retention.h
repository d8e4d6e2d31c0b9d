/* config_retention: retention. Includers take it from config.h. */
#ifndef WALFERRY_CONFIG_CONFIG_RETENTION_H
#define WALFERRY_CONFIG_CONFIG_RETENTION_H

#include "config/config_text.h"

#include <string.h>

enum retention_strategy { RETENTION_DELETE, RETENTION_DROP_PARTITION };

/* What becomes of rows that are published. */
struct config_retention {
    struct config_text keep; /* as PostgreSQL reads an interval; or never */
    enum retention_strategy strategy;
};

/* Are rows to be deleted at all? */
static inline bool config_retains(const struct config_retention *retention)
{
    const char *keep = retention->keep.text;
    return keep != NULL && strcmp(keep, "never") != 0;
}

#endif
