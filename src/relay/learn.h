/* relay/learn: refusals that the writer leaves to the next epoch. */
#ifndef WALFERRY_RELAY_LEARN_H
#define WALFERRY_RELAY_LEARN_H

#include "publish/publish.h"
#include "relay/verdict.h"

/* uncut: as in struct verdict_refusal. False: there is no room for another one, and it is learnt in
 * a later epoch. */
bool learn_refusal(struct refusals *learnt, struct verdict_unit unit, bool uncut,
                   const struct error *cause);
/* What the publisher can see to be refused of the batch's messages from `from` on, none of which is
 * sent: each would cost an epoch of its own. Ends where a question would have to be waited for, and
 * at what ends the relay. */
void learn_ahead(struct refusals *learnt, struct publisher *publisher,
                 const struct verdict_facts *verdicts, const struct batch *batch, uint32_t from);

#endif
