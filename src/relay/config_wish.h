/* relay/config_wish: which configuration is in force, and what became of a wish for another one:
 * what configs.c does. Private to this module. */
#ifndef WALFERRY_RELAY_CONFIG_WISH_H
#define WALFERRY_RELAY_CONFIG_WISH_H

#include "config/config.h"

struct relay;

/* Threads that keep a configuration in use; the life itself is not one of them. */
enum config_user {
    CONFIG_WATCH,
    CONFIG_FOLLOWER,
    CONFIG_RETENTION,
    CONFIG_CALLER, /* of relay_reload() and relay_settings() */
    CONFIG_USERS
};

/* The newest wish. */
struct config_wish {
    const struct config_relay *config; /* NULL: there is none, or all is said of it */
    uint64_t number;
};

/* What is in force. The user's own thread; what it used until now is let go of. */
const struct config_relay *configs_use(struct relay *relay, enum config_user user);
/* True where something else is in force than what the user uses. */
bool configs_moved(struct relay *relay, enum config_user user);

/* ---- The life's thread, between two epochs ---- */

/* Takes over what was handed to relay_reload(), and closes what nobody uses. */
void configs_take_next(struct relay *relay);
/* `next`, which is of `file`, is in force. The relay owns the file from now on. */
void configs_adopt(struct relay *relay, struct config *file, const struct config_relay *next);
/* A file that would change the rest of a split transaction waits for its end, also where it came
 * while no epoch was open to wait. True where the file before it is in force again. */
bool configs_defer(struct relay *relay, const struct error *err);
/* A file with which no epoch was opened yet is refused: true where the one before it is in force
 * again. Not where another instance has taken over: that is no fault of the file. */
bool configs_go_back(struct relay *relay, const struct error *err);
/* An epoch is open with what is in force; or none can be, and the relay stays all the same. */
void configs_tell_opened(struct relay *relay);
void configs_tell_held(struct relay *relay, const struct error *err);

void configs_close(struct relay *relay); /* after the threads */

#endif
