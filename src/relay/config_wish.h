/* relay/config_wish: who uses a configuration, and the wish for another one. Private to this
 * module. */
#ifndef WALFERRY_RELAY_CONFIG_WISH_H
#define WALFERRY_RELAY_CONFIG_WISH_H

#include "config/config.h"

/* Threads that keep a configuration in use; the life itself is not one of them. */
enum config_user { CONFIG_WATCH, CONFIG_FOLLOWER, CONFIG_RETENTION, CONFIG_USERS };

/* The newest wish. */
struct config_wish {
    const struct config_relay *config; /* NULL: there is none, or all is said of it */
    uint64_t number;
};

#endif
