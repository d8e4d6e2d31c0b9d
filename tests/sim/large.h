/* sim/large: events whose value is too large for its topic, in seeds in which a policy says what
 * becomes of them: they are cut, left out, or put into a table, of which the model is here. */
#ifndef WALFERRY_SIM_LARGE_H
#define WALFERRY_SIM_LARGE_H

#include "random.h"

#include "model/message.h"
#include "relay/claim_store.h"

/* What a topic takes of a value; a reference, and what is left of a text that was cut, fit. */
#define LARGE_LIMIT 300

/* The value of an event: JSON that begins with its number, and whose text is long. */
void large_payload(uint32_t event, struct buf *payload);
size_t large_bytes(uint32_t event);

/* walferry.claim. The answer comes late, or the session is lost, also behind the commit; it stays
 * when an epoch ends. */
struct claims {
    struct claim_store base;
    struct random *random;
    const bool *faults;
    struct span asking; /* payload at hand */
    uint32_t waits;
    struct claim_row {
        struct claim_receipt receipt;
        uint32_t event;
    } * rows; /* committed */
    uint32_t count;
};

void claims_init(struct claims *claims, struct random *random, const bool *faults);
void claims_fini(struct claims *claims);

/* What a message says of itself, in its headers. */
enum large_as { LARGE_WHOLE, LARGE_CUT, LARGE_REFERRED };
/* *event: whose value it was. NULL, or what is wrong with it. */
const char *large_read(const struct claims *claims, const struct message *message,
                       enum large_as *as, uint32_t *event);

#endif
