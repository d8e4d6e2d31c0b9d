/* recover/judge: may a relay go on from its recorded progress on this server?
 *
 * Pure: facts in, a verdict out, so that open, check and status judge alike and every refusal can
 * be tested without a server. A refusal is ERROR_STOP with the exact command that mends it. */
#ifndef WALFERRY_RECOVER_JUDGE_H
#define WALFERRY_RECOVER_JUDGE_H

#include "pg/pg.h"
#include "progress/progress.h"

struct judge_facts {
    const char *relay;
    const char *slot_name;
    const char *topic; /* of the progress */
    const char *config_hash;
    bool have_progress;
    const struct progress *progress; /* where have_progress */
    const struct pg_system *system;
    const struct pg_slot *slot;
    /* Where the timelines differ: the LSN at which the recorded timeline ended in the server's
     * history; 0: the history does not hold it. */
    uint64_t timeline_switch;
};

/* 0, or -1. ERROR_RETRY only for a slot that is still in creation, and where a server in recovery
 * lacks what the primary may have. */
int judge_start(const struct judge_facts *facts, struct error *err);

/* timeline.c: where `timeline` ended in the history of the server's present one; 0: not in it. */
int timeline_switch(struct pg_connection *sql, uint32_t present, uint32_t timeline, uint64_t *lsn,
                    struct error *err);

#endif
