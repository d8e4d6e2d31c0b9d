/* config_claim: routes[].poll, the shape of a table whose rows are claimed. Includers take it from
 * config.h. */
#ifndef WALFERRY_CONFIG_CONFIG_CLAIM_H
#define WALFERRY_CONFIG_CONFIG_CLAIM_H

#include "config/config_text.h"

#include <stdint.h>

enum poll_done { POLL_DONE_DELETE, POLL_DONE_UPDATE };

/* Of a route, under source.poll.strategy: claim. Texts NULL: not said. */
struct config_claim {
    enum poll_done done;
    struct config_text column; /* UPDATE: what is set */
    struct config_text value;
    struct config_text pending; /* what it is before; NULL: SQL's NULL */
    struct config_text key;     /* NULL: the primary key */
    struct config_text order;   /* NULL: the key */
    struct config_text available_at;
    struct config_text lease;
    struct config_text attempts;
    int64_t attempts_max;
};

#endif
