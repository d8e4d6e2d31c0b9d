/* config_oversize: routes[].oversize. Includers take it from config.h. */
#ifndef WALFERRY_CONFIG_CONFIG_OVERSIZE_H
#define WALFERRY_CONFIG_CONFIG_OVERSIZE_H

#include "config/config_text.h"

enum oversize {
    OVERSIZE_ON_ERROR,
    OVERSIZE_STOP,
    OVERSIZE_SKIP,
    OVERSIZE_DEAD_LETTER,
    OVERSIZE_TRUNCATE,
    OVERSIZE_CLAIM_CHECK
};

/* What becomes of a message that is larger than its topic takes. */
struct config_oversize {
    enum oversize policy;
    struct config_text field; /* of TRUNCATE; else NULL */
    struct config_text keep;  /* of CLAIM_CHECK: as PostgreSQL reads an interval; else NULL */
};

#endif
