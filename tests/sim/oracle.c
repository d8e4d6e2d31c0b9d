/* sim/oracle: I3 and I4, and that everything is there once and in order. */
#include "world.h"
#include "wrong.h"

#include <stdio.h>

static void check_records(struct world *w)
{
    struct arena arena;
    arena_init(&arena, 1024, 1024);
    struct progress before = {0};
    for (uint32_t i = 0; i < w->kafka.record_count; i++) {
        struct progress now;
        struct error err = ERROR_INIT;
        struct span json = {w->kafka.records[i].json, w->kafka.records[i].len};
        if (progress_decode(json, &arena, &now, &err) < 0)
            world_fail(w, err.text);
        else if (i > 0 && !progress_follows(&before, &now))
            world_fail(w, "I3: progress does not increase");
        before = now;
    }
    arena_fini(&arena);
}

/* Events of one PostgreSQL transaction in more than one Kafka transaction only where flagged. */
static void check_atomic(struct world *w, const struct pg_record *record, uint32_t first,
                         uint32_t count)
{
    const struct kafka_event *log = w->kafka.log;
    for (uint32_t i = first + 1; i < first + count; i++)
        if (log[i].txn != log[first].txn && !log[i].part)
            world_fail(w, "I4: a transaction is spread over two Kafka transactions");
    for (uint32_t i = first; i < first + count; i++)
        if (log[i].final_lsn != record->lsn)
            world_fail(w, "an event names another transaction");
}

static bool is_large(const struct world *w, const struct pg_change_spec *change)
{
    return w->kafka.claims != NULL && change->event != 0 && wrong_of(change->event) == WRONG_SIZE;
}

/* What it makes in Kafka, 0: nothing. A forged command has no answer. */
static uint32_t wanted_of(const struct world *w, const struct pg_change_spec *change)
{
    bool left_out = is_large(w, change) && w->route.oversize.policy == OVERSIZE_SKIP;
    if (change->command == 0)
        return left_out ? 0 : change->event;
    return change->forged ? 0 : ANSWER_BASE + change->command;
}

/* What is wrong with an event is in a dead letter in its place, with all of it that fits. */
static bool is_there(const struct world *w, const struct pg_record *record, uint32_t change,
                     const struct kafka_event *found)
{
    const struct pg_change_spec *spec = &record->changes[change];
    if (spec->command != 0)
        return found->event == wanted_of(w, spec);
    bool large = is_large(w, spec);
    bool wrong = w->kafka.wrong && !large && wrong_of(spec->event) != WRONG_NOTHING;
    enum large_as as = w->route.oversize.policy == OVERSIZE_TRUNCATE ? LARGE_CUT : LARGE_REFERRED;
    if (found->as != (large ? as : LARGE_WHOLE) || found->letter != wrong ||
        found->key != spec->key)
        return false;
    if (found->final_lsn != record->lsn || found->ordinal != change + 1)
        return false;
    return found->event == (wrong && wrong_is_large(found->ordinal) ? 0 : spec->event);
}

/* Everything in commit order, nothing lost, nothing twice: the model's log is one sequence. */
static void check_events(struct world *w)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->pg.work.record_count; i++) {
        const struct pg_record *record = &w->pg.work.records[i];
        uint32_t first = at;
        for (uint32_t c = 0; c < record->change_count; c++) {
            uint32_t wanted = wanted_of(w, &record->changes[c]);
            if (wanted == 0)
                continue;
            if (at >= w->kafka.log_count || !is_there(w, record, c, &w->kafka.log[at])) {
                char text[200];
                snprintf(text, sizeof text,
                         "event %u of transaction %u is lost, repeated or out of "
                         "order: at %u of %u stands %u",
                         wanted, i, at, w->kafka.log_count,
                         at < w->kafka.log_count ? w->kafka.log[at].event : 0);
                world_fail(w, text);
                return;
            }
            at++;
        }
        if (at > first)
            check_atomic(w, record, first, at - first);
    }
    if (at != w->kafka.log_count)
        world_fail(w, "there are more events in Kafka than were committed");
}

void oracle_check(struct world *w)
{
    check_records(w);
    if (w->holds)
        oracle_held_check(w);
    else
        check_events(w);
}

bool oracle_drained(const struct world *w)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < w->pg.work.record_count; i++)
        if (w->pg.work.records[i].kind == RECORD_TXN)
            last = w->pg.work.records[i].end_lsn;
    return model_kafka_progress(&w->kafka).lsn >= last;
}

/* One commit record at a time, each behind the events that it made visible. */
void oracle_dump(const struct world *w, struct dump *dump, uint64_t seed)
{
    struct arena arena;
    arena_init(&arena, 1024, 1024);
    dump_begin(dump, &w->pg.work);
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->kafka.record_count; i++) {
        const struct kafka_record *record = &w->kafka.records[i];
        for (; at < record->events; at++)
            if (w->kafka.log[at].line[0] != '\0') /* else it is an answer */
                dump_event(dump, w->kafka.log[at].line, w->kafka.log[at].part);
        struct progress progress;
        struct error err = ERROR_INIT;
        if (progress_decode((struct span){record->json, record->len}, &arena, &progress, &err) == 0)
            dump_commit(dump, &progress);
    }
    dump_end(dump, seed);
    arena_fini(&arena);
}
