/* relay/verdict: the one place that decides about a change that cannot be published.
 *
 * What is judged is all that one route makes of one change: it is published whole or not at all,
 * and what another route makes of the same change is not touched. The reader asks before it makes
 * anything (did a person or the broker decide already?) and when routing or encoding fails; the
 * writer asks when the publisher refuses a message. Here it is counted, logged and worded; what the
 * answer means for a batch is the asker's. */
#ifndef WALFERRY_RELAY_VERDICT_H
#define WALFERRY_RELAY_VERDICT_H

#include "base/log.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "progress/progress.h"
#include "relay/refusals.h"

enum verdict {
    VERDICT_PUBLISH,
    VERDICT_PASS_OVER,   /* leave it out and go on */
    VERDICT_DEAD_LETTER, /* a dead letter takes its place */
    VERDICT_HOLD,        /* its key is held: a dead letter, too */
    VERDICT_END          /* the relay ends, with what is in *err */
};

/* What is known when an epoch begins. Nothing here changes while it runs: both threads read it. */
struct verdict_facts {
    const struct config_routes *routes;
    struct metrics *metrics;
    const struct log *log;
    uint64_t system_identifier;
    const struct skip *skips; /* what persons decided */
    uint32_t skip_count;
    const struct refusals *refused; /* NULL: nothing was */
};

/* No person has decided anything and nothing was refused: each unit is published, as it stands. */
static inline bool verdict_knows_nothing(const struct verdict_facts *facts)
{
    return facts->skip_count == 0 && (facts->refused == NULL || facts->refused->count == 0);
}
/* Does the route want dead letters? */
bool verdict_wants_letters(const struct verdict_facts *facts, uint32_t route);
/* Before the route makes anything of the change. err: may hold an ERROR_DATA of routing already.
 * PUBLISH, which leaves *err as it is; PASS_OVER, with *err empty; DEAD_LETTER, *err says why; END.
 */
enum verdict verdict_before(const struct verdict_facts *facts, struct verdict_unit unit,
                            struct error *err);
/* An event of the unit could not be routed or encoded; a message of it was refused by the
 * publisher. err: of kind ERROR_DATA. PASS_OVER, with *err empty; DEAD_LETTER, with *err as it is;
 * END, with *err naming route and change, and the skip line as its mend. */
enum verdict verdict_on_event(const struct verdict_facts *facts, struct verdict_unit unit,
                              struct error *err);
enum verdict verdict_on_message(const struct verdict_facts *facts, struct verdict_unit unit,
                                struct error *err);

/* Was it refused for its size, and is it to be cut? Then its messages are measured as they stand.
 */
bool verdict_measures(const struct verdict_facts *facts, struct verdict_unit unit);
/* Will its route end the relay for the error, of kind ERROR_DATA? Says and counts nothing. */
bool verdict_ends(const struct verdict_facts *facts, struct verdict_unit unit,
                  const struct error *err);
/* What the unit was refused with when it was on its way; NULL: it was not. */
const char *verdict_refused(const struct verdict_facts *facts, struct verdict_unit unit);

/* The answer to a command, which is no event and no route's: may it be written? Not where the
 * broker refused it by itself; that is logged, and costs nothing but the answer. */
bool verdict_answers(const struct verdict_facts *facts, struct change_id id);
/* The publisher refused it, with ERROR_DATA in *err, which is empty then. */
void verdict_on_answer(const struct verdict_facts *facts, struct change_id id, struct error *err);
/* The same of a record that says where a transaction begins or ends. */
bool verdict_marks(const struct verdict_facts *facts, struct change_id id);
void verdict_on_mark(const struct verdict_facts *facts, struct change_id id, struct error *err);
/* Of either. */
void verdict_on_own(const struct verdict_facts *facts, struct verdict_unit unit, struct error *err);

/* A dead letter was refused, or the record of a key that is held, without which the next epoch
 * would not know what this one did: -1, and *err ends the relay. */
int verdict_on_letter(const struct verdict_facts *facts, struct verdict_unit unit,
                      struct error *err);
int verdict_on_state(struct span topic, struct error *err);

#endif
