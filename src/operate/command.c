/* operate/command: what the commands that take a relay over share: a claim of their own, and the
 * end of a running relay's hold on its slot; and what `version` tells. */
#include "operate/command.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define FREE_SLOT_US (INT64_C(10) * 1000000)

int command_query(struct pg_connection *sql, const char *statement, const char *parameter,
                  struct error *err)
{
    struct pg_result *result = NULL;
    if (pg_query(sql, statement, 1, &parameter, &result, err) < 0)
        return -1;
    pg_result_free(result);
    return 0;
}

int command_claim(const struct command_options *o, struct publisher *publisher,
                  struct progress *record, struct error *err)
{
    assert(publisher != NULL && record->generation > 0);
    record->generation++;
    record->rebased.present = false;
    record->at_us = clock_wall_us();
    relay_instance(record->instance);
    if (relay_write_record(publisher, record, o->stop, o->config->delivery.transaction_timeout_ms,
                           err) < 0)
        return error_wrap(err, "claiming the relay");
    return 0;
}

int command_free_slot(const struct command_options *o, struct pg_connection *sql, struct error *err)
{
    const char *slot_name = o->config->source.slot.text;
    char application[64];
    snprintf(application, sizeof application, "walferry:%s", o->config->relay.text);
    int64_t give_up_us = clock_monotonic_us() + FREE_SLOT_US;
    for (;;) {
        struct pg_slot slot;
        bool ended = false;
        if (pg_slot_state(sql, slot_name, &slot, err) < 0)
            return -1;
        if (slot.state == SLOT_ABSENT || !slot.active)
            return 0;
        if (pg_terminate_slot_owner(sql, slot_name, application, &ended, err) < 0)
            return -1;
        if (clock_monotonic_us() > give_up_us || (o->stop != NULL && atomic_load(o->stop))) {
            error_stop(err, REASON_SLOT_ACTIVE, "slot %s is in use by process %" PRId32 " (%s)",
                       slot_name, slot.active_pid, slot.active_application);
            return error_hint(err, "end that session and run the command again");
        }
        clock_sleep_us(50000);
    }
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
