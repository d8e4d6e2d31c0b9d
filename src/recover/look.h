/* recover/look: the progress of a relay, looked at, taken over, written; and the verdict on it. It
 * stands between the two tables of functions behind which PostgreSQL and Kafka are. */
#ifndef WALFERRY_RECOVER_LOOK_H
#define WALFERRY_RECOVER_LOOK_H

#include "recover/ledger.h"
#include "recover/origin.h"

/* The two ends that a relay stands between. */
struct recovery {
    struct origin *origin;
    struct ledger *ledger;
    struct arena *arena; /* of what is read from a record */
};

/* Reads and decodes the progress as far as the last stable offset; fills found->progress,
 * have_progress and topic_exists. ERROR_STOP: progress_unreadable, progress_newer,
 * progress_regressed. */
int relay_look(const struct recovery *ends, struct found *found, struct error *err);
/* The same once every transaction that is open in the topic has ended: what a refusal rests on.
 * timeout_ms: how long it may take; 0: as long as any answer may. */
int relay_look_through(const struct recovery *ends, int64_t timeout_ms, struct found *found,
                       struct error *err);
/* Asks for the rest of *found and judges it. beside: a relay may be running beside us, so progress
 * is read again, through to its end, before anything is refused. */
int relay_judge(const struct recovery *ends, bool beside, struct found *found, struct error *err);
/* Takes over: new producer, recovery. found->progress is what the topic holds. */
int relay_take_over(const struct recovery *ends, struct publisher **publisher, struct found *found,
                    struct error *err);
/* Writes one record alone in its transaction; waits for the outcome. note: the text of a new
 * fingerprint, absent where it is the one that stands there. */
int relay_write_record(const struct recovery *ends, struct publisher *publisher,
                       const struct progress *record, struct span note, struct error *err);

#endif
