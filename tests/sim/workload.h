/* sim/workload: what the model database commits, and at which LSN: a function of the seed alone.
 *
 * It has a random stream of its own, and what it does in the n-th tick depends on nothing that the
 * program under test did. So one seed gives the same events whatever program runs, and two
 * programs can be compared event by event. It knows nothing of src/. */
#ifndef WALFERRY_SIM_WORKLOAD_H
#define WALFERRY_SIM_WORKLOAD_H

#include "random.h"

#include <stdbool.h>

#define WORKLOAD_MAX 256
#define WORKLOAD_KEYS 5
#define WORKLOAD_FIRST_LSN UINT64_C(0x1000)

enum pg_record_kind { RECORD_TXN, RECORD_MESSAGE }; /* a non-transactional message */

struct pg_change_spec {
    uint32_t event; /* from 1; 0: a change that gives no event */
    uint32_t key;
    uint32_t command; /* its number, from 1, where it is the message of one; 0: it is none */
    bool forged;      /* of a number that its transaction did not send */
};

struct pg_record {
    enum pg_record_kind kind;
    uint64_t lsn;     /* commit record's start, or the message's LSN */
    uint64_t end_lsn; /* commit record's end */
    uint32_t xid;
    uint32_t change_count;
    struct pg_change_spec *changes;
};

struct workload {
    struct random random;
    struct pg_record records[WORKLOAD_MAX];
    uint32_t record_count;
    uint64_t wal_lsn;
    uint32_t next_event;
    uint32_t next_xid;
    /* A stream of its own: what else is committed does not depend on it. */
    struct random commands;
    uint32_t next_command;
};

void workload_init(struct workload *work, uint64_t seed);
void workload_fini(struct workload *work);
/* Is there a row of that command, sent by that transaction as its change number `ordinal`? */
bool workload_has_command(const struct workload *work, uint32_t xid, uint64_t ordinal,
                          uint32_t command);
/* Once in five times a writer commits a transaction, emits a message, or writes what is not ours.
 * Nothing is committed any more once WORKLOAD_MAX is reached. */
void workload_tick(struct workload *work);

#endif
