/* operate/command: what the commands that take a relay over share: a claim of their own, and the
 * end of a running relay's hold on its origin; and what `version` tells. */
#include "operate/command.h"

#include "base/clock.h"
#include "base/waits.h"

#include <assert.h>
#include <inttypes.h>

#define CLAIMS_MAX 5
#define RELEASE_US (INT64_C(10) * 1000000)
#define RELEASE_POLL_US 50000

int command_claim(const struct recovery *ends, struct publisher *publisher, struct found *found,
                  struct error *err)
{
    struct progress *record = &found->progress;
    assert(publisher != NULL && record->generation > 0);
    record->generation++;
    record->rebased.present = false;
    record->at_us = clock_wall_us();
    relay_instance(record->instance);
    if (relay_write_record(ends, publisher, record, span_null(), err) < 0)
        return error_wrap(err, "claiming the relay");
    return 0;
}

int command_claim_until(int (*once)(void *of, struct error *err), void *of, struct error *err)
{
    assert(once != NULL);
    for (int tries = 1;; tries++) {
        int result = once(of, err);
        bool fenced = result < 0 && err->kind == ERROR_RETRY && err->reason == REASON_FENCED;
        if (!fenced || tries == CLAIMS_MAX)
            return result;
        *err = ERROR_INIT;
    }
}

static int release(const struct command_options *o, struct origin *origin, struct error *err)
{
    int64_t give_up_us = clock_monotonic_us() + RELEASE_US;
    for (;;) {
        struct found_origin found;
        bool ended = false;
        if (origin_look(origin, &found, err) < 0)
            return -1;
        const struct found_holder *holder = &found.holder;
        if (!holder->present)
            return 0;
        if (origin->ops->evict(origin, holder, &ended, err) < 0)
            return -1;
        if (clock_monotonic_us() > give_up_us || (o->stop != NULL && atomic_load(o->stop))) {
            error_stop(err, REASON_SLOT_ACTIVE, "%s is in use by process %" PRId32 " (%s)",
                       origin->name, holder->pid, holder->application);
            return error_hint(err, "end that session and run the command again");
        }
        clock_sleep_us(RELEASE_POLL_US);
    }
}

int command_release(const struct command_options *o, struct origin *origin, struct error *err)
{
    assert(origin != NULL);
    waits_phase(log_waits(o->log), "ending the hold of the relay that ran");
    int result = release(o, origin, err);
    waits_phase(log_waits(o->log), "%s", "");
    return result;
}

void relay_libraries(struct buf *out)
{
    kafka_known_defects(out);
}

const char *relay_kafka_version(void)
{
    return kafka_library_version();
}

const char *relay_pg_version(void)
{
    return pg_library_version();
}
