/* sim/kept: records of the relay's own topics, which it reads again: dead letters, marks that they
 * are done with, and keys that are held. */
#ifndef WALFERRY_SIM_KEPT_H
#define WALFERRY_SIM_KEPT_H

#include "publish/kafka_letter.h"
#include "model/message.h"

#define KEPT_HEADERS 16
#define LETTER_TOPIC "walferry.sim.dead-letter"
#define QUARANTINE_TOPIC "walferry.sim.quarantine"

struct kept {
    bool quarantine; /* of the topic of held keys; else of that of letters */
    bool mark;
    struct change_id id; /* of the letter */
    struct span key, value;
    uint32_t header_count;
    struct header headers[KEPT_HEADERS];
};

/* NULL where nobody reads the message again. */
struct kept *kept_of(const struct message *message);
void kept_free(struct kept *kept); /* NULL is legal */
/* The change that an id names, in a header of that name; NONE where there is none. */
struct change_id kept_id(const struct message *message, const char *header);

#endif
