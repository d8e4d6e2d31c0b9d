/* relay/learn: see learn.h. */
#include "relay/learn.h"

#include "base/utf8.h"
#include "model/message.h"

#include <assert.h>
#include <stdio.h>

bool learn_refusal(struct refusals *learnt, struct verdict_unit unit, bool uncut,
                   const struct error *cause)
{
    struct verdict_refusal refusal = {.unit = unit, .reason = cause->reason, .uncut = uncut};
    snprintf(refusal.text, sizeof refusal.text, "%.*s", (int)sizeof refusal.text - 1, cause->text);
    utf8_trim(refusal.text);
    return refusals_add(learnt, &refusal);
}

/* What is sent again is one unit with others of its command, and may be cut yet. */
static bool is_event(const struct message *message)
{
    return message_has_route(message->route) && !message->dead_letter && !message->replayed;
}

void learn_ahead(struct refusals *learnt, struct publisher *publisher,
                 const struct verdict_facts *verdicts, const struct batch *batch, uint32_t from)
{
    assert(learnt != NULL && verdicts != NULL);
    struct error why = ERROR_INIT;
    for (uint32_t i = from; i < batch->count; i++) {
        const struct message *m = &batch->messages[i];
        const struct verdict_unit unit = {m->id, m->route};
        if (!is_event(m) || publisher_check(publisher, batch, m, &why) == STEP_DONE)
            continue;
        if (why.kind != ERROR_DATA || verdict_ends(verdicts, unit, &why) ||
            !learn_refusal(learnt, unit, false, &why))
            return;
        why = ERROR_INIT;
    }
}
