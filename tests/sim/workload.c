/* sim/workload: see the header. */
#include "workload.h"

#include <stdlib.h>

/* Any number, so that this stream is not the one of the accidents, which has the seed itself. */
#define STREAM UINT64_C(0x5DEECE66D)
#define COMMANDS UINT64_C(0x2545F4914F)

void workload_init(struct workload *work, uint64_t seed)
{
    *work = (struct workload){.random = random_seeded(seed ^ STREAM << 20),
                              .wal_lsn = WORKLOAD_FIRST_LSN,
                              .next_event = 1,
                              .next_xid = 700,
                              .commands = random_seeded(seed ^ COMMANDS << 24),
                              .next_command = 1};
}

void workload_fini(struct workload *work)
{
    for (uint32_t i = 0; i < work->record_count; i++)
        free(work->records[i].changes);
}

/* In the place of a change that gives no event. */
static void send_command(struct workload *work, struct pg_change_spec *change)
{
    if (!random_once_in(&work->commands, 3))
        return;
    change->forged = random_once_in(&work->commands, 4);
    change->command = change->forged ? 1 + random_below(&work->commands, work->next_command)
                                     : work->next_command++;
}

bool workload_has_command(const struct workload *work, uint32_t xid, uint64_t ordinal,
                          uint32_t command)
{
    for (uint32_t i = 0; i < work->record_count; i++) {
        const struct pg_record *record = &work->records[i];
        if (record->xid != xid || ordinal > record->change_count)
            continue;
        const struct pg_change_spec *change = &record->changes[ordinal - 1];
        return change->command == command && !change->forged;
    }
    return false;
}

static void commit_txn(struct workload *work, struct pg_record *record)
{
    uint32_t sizes[] = {1, 1, 1, 2, 3, 5, 8, 20, 60};
    record->kind = RECORD_TXN;
    record->change_count = sizes[random_below(&work->random, sizeof sizes / sizeof *sizes)];
    record->changes = calloc(record->change_count, sizeof *record->changes);
    bool no_events = random_once_in(&work->random, 8);
    for (uint32_t i = 0; i < record->change_count; i++) {
        if (no_events || random_once_in(&work->random, 10)) {
            send_command(work, &record->changes[i]);
            continue;
        }
        record->changes[i].event = work->next_event++;
        record->changes[i].key = random_below(&work->random, WORKLOAD_KEYS);
    }
    record->xid = work->next_xid++;
}

void workload_tick(struct workload *work)
{
    if (!random_once_in(&work->random, 5))
        return;
    /* Commit records are often adjacent: no other WAL between the end of one and the next. */
    if (random_once_in(&work->random, 2))
        work->wal_lsn += 8 * (1 + random_below(&work->random, 50));
    if (work->record_count == WORKLOAD_MAX || random_once_in(&work->random, 4))
        return;
    struct pg_record *record = &work->records[work->record_count++];
    *record = (struct pg_record){.lsn = work->wal_lsn};
    if (random_once_in(&work->random, 10))
        record->kind = RECORD_MESSAGE;
    else
        commit_txn(work, record);
    work->wal_lsn += 48;
    record->end_lsn = work->wal_lsn;
}
