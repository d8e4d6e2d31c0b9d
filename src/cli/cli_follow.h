/* cli/cli_follow: what belongs to the process follows the file in force: webhook, exporter, and the
 * token of the admin port. Internal to the module.
 *
 * None of them has epochs, so none is left to wait for one: they go by the settings of the relay
 * whenever these are another file, by whatever way it came, and what ${file:} reads for them is
 * looked at once a second and counts at once. The main thread's. */
#ifndef WALFERRY_CLI_CLI_FOLLOW_H
#define WALFERRY_CLI_CLI_FOLLOW_H

#include "admin/admin.h"
#include "otlp/otlp.h"
#include "relay/relay.h"
#include "webhook/webhook.h"

struct follow_options {
    struct relay *relay;
    const struct log *log;
    struct webhook *webhook;
    struct otlp *otlp;
    struct admin *admin; /* NULL: there is none */
};

struct follow {
    struct follow_options o;
    uint64_t number;           /* of the settings that were taken over last */
    struct config *again;      /* they with what ${file:} has read since; NULL: as they were */
    bool looks;                /* they name such files */
    int64_t due_us;            /* monotonic; the next look at these */
    uint64_t secrets;          /* what stood in them at the last one that went well; 0: not known */
    bool guard_waits;          /* the admin port could not take its part of that */
    char said[ERROR_TEXT_MAX]; /* why one did not, and that was logged */
};

/* first: what the relay was started with, and what the others were opened with. */
void follow_begin(struct follow *follow, const struct config *first,
                  const struct follow_options *options);
void follow_end(struct follow *follow); /* of all zero it is legal */
/* Takes over what is another file by now. */
void follow_settings(struct follow *follow);
/* Takes over what ${file:} reads by now, where that is due. */
void follow_secrets(struct follow *follow, int64_t now_us);
/* How long to sleep at most before that is due; -1: for ever. */
int follow_wait_ms(const struct follow *follow, int64_t now_us);

#endif
