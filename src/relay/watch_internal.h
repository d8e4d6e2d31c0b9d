/* relay/watch_internal: what the watch makes of a look at the origin; private to the files of the
 * watch and the board. */
#ifndef WALFERRY_RELAY_WATCH_INTERNAL_H
#define WALFERRY_RELAY_WATCH_INTERNAL_H

#include "relay/guardian.h"
#include "relay/relay_internal.h"

/* watch_guardian.c: a verdict, which is logged where it changes, and shown. origin: its name. */
void watch_judge(struct relay *relay, struct guardian *guardian, const char *origin,
                 const struct found_origin *found);
/* board.c. room_bytes: -1: not known. risky: why it makes the relay unready, or "". */
void board_verdict(struct relay *relay, const struct guardian_verdict *verdict, int64_t room_bytes,
                   const char *risky);

#endif
