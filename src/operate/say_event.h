/* operate/say_event: an event as a person reads it, for what prints events. Internal to the module.
 */
#ifndef WALFERRY_OPERATE_SAY_EVENT_H
#define WALFERRY_OPERATE_SAY_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "model/message.h"

struct event_teller {
    struct buf *out;
    const struct config_routes *routes;
    struct arena *arena; /* for what is written otherwise than it is */
};

/* As PostgreSQL writes bytes (\x…), where they are no text; the bytes themselves, absent ones too,
 * else. */
struct span event_printable(struct span bytes, struct arena *arena);
void event_say(struct event_teller *teller, const struct message *message);
/* What keeps a route from publishing a change, and what to do. */
void event_say_failure(struct event_teller *teller, uint32_t route, const struct error *err);

#endif
