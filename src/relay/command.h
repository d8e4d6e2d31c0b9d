/* relay/command: what a relay does with a command that it meets in the log.
 *
 * What it does and the answer, a record for the topic walferry.<relay>.control, go into the batch
 * at hand, and so into the Kafka transaction of the progress behind it. It is a function of the
 * command and its place alone, so that a replay does the same. Nothing that a command says ends the
 * relay. */
#ifndef WALFERRY_RELAY_COMMAND_H
#define WALFERRY_RELAY_COMMAND_H

#include "model/batch.h"
#include "model/change.h"
#include "relay/outcomes.h"
#include "relay/retry.h"

struct commander {
    const char *relay;
    const struct verdict_facts *verdicts;
    struct outcomes *outcomes; /* NULL: nobody is told but the topic */
    struct retry *retry;       /* NULL: there are no dead letters */
    uint64_t wanted;           /* the command that letters are to be read for; 0: none */
    struct buf wanted_text;
    struct buf answer;
    bool warned; /* of what is forged, */
    bool warned_unread;
};

void commander_init(struct commander *commander, const char *relay,
                    const struct verdict_facts *verdicts, struct outcomes *outcomes);
void commander_fini(struct commander *commander);

enum commanded {
    COMMAND_FAILED = -1, /* *err: the epoch must end */
    COMMAND_TAKEN,
    COMMAND_WAITS /* the epoch ends, and the next one reads letters for `wanted` */
};

/* change: a message with its command. Counts one without a row; carries out the others and adds the
 * answer to the batch. */
enum commanded commander_take(struct commander *commander, const struct change *change,
                              struct batch *batch, struct error *err);

#endif
