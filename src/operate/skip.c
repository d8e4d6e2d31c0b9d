/* operate/skip: one change is passed over once. The wish is recorded in progress, so that it is
 * heeded by whoever opens the relay next and forgotten once the position is behind it. */
#include "operate/command.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static int parse_id(const char *id, struct skip *skip, uint64_t *system_identifier,
                    struct error *err)
{
    if (walferry_id_parse(id, system_identifier, &skip->final_lsn, &skip->ordinal))
        return 0;
    error_stop(err, REASON_BAD_ID, "%s is not a walferry-id", id);
    return error_hint(err, "it reads <system identifier>-<16 hexadecimal digits>-<ordinal>, as in "
                           "the log line that names the change");
}

static int check_record(const struct command_options *o, const struct progress *p,
                        bool have_progress, uint64_t system_identifier, const struct skip *skip,
                        struct error *err)
{
    if (!have_progress || p->mode != PROGRESS_WAL)
        return error_stop(err, REASON_NOT_SET_UP, "relay %s has no progress",
                          o->config->relay.text);
    if (p->system_identifier != system_identifier)
        return error_stop(err, REASON_BAD_ID,
                          "that change is of the database system %" PRIu64 ", progress is of "
                          "%" PRIu64,
                          system_identifier, p->system_identifier);
    char at[LSN_TEXT_MAX];
    if (skip->final_lsn < p->position.lsn)
        return error_stop(
            err, REASON_ALREADY_BEHIND,
            "progress stands at %s, behind that change: there is nothing to pass over",
            lsn_format(p->position.lsn, at));
    if (p->skip_count == PROGRESS_SKIPS_MAX)
        return error_stop(err, REASON_TOO_MANY_SKIPS,
                          "%d changes are to be passed over already; let the relay run first",
                          PROGRESS_SKIPS_MAX);
    return 0;
}

static int write_skip(const struct command_options *o, const struct kafka_options *kafka,
                      struct arena *arena, const struct skip *skip, struct error *err)
{
    struct publisher *publisher = NULL;
    struct progress progress;
    bool have_progress = false;
    int result = relay_take_over(kafka, arena, &publisher, &progress, &have_progress, err);
    if (result == 0 && (!have_progress || progress.skip_count == PROGRESS_SKIPS_MAX))
        result = error_retry(err, REASON_SKIP_RACED, "progress changed while it was looked at");
    if (result == 0) {
        progress.skips[progress.skip_count++] = *skip;
        progress.generation++;
        relay_instance(progress.instance);
        result = relay_write_record(publisher, &progress, o->stop,
                                    o->config->delivery.transaction_timeout_ms, err);
    }
    publisher_close(publisher, 0);
    return result;
}

int relay_skip(const struct command_options *o, const char *id, struct error *err)
{
    assert(o->config != NULL && id != NULL);
    struct skip skip;
    uint64_t system_identifier = 0;
    if (parse_id(id, &skip, &system_identifier, err) < 0)
        return -1;
    struct arena arena;
    arena_init(&arena, 4096, 4096);
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    struct progress progress;
    bool have_progress = false;
    bool topic_exists = false;
    int result = relay_look(&kafka, &arena, &progress, &have_progress, &topic_exists, err);
    if (result == 0)
        result = check_record(o, &progress, have_progress, system_identifier, &skip, err);
    if (result == 0)
        result = write_skip(o, &kafka, &arena, &skip, err);
    if (result == 0)
        command_say(o->out, "%s will be passed over", id);
    arena_fini(&arena);
    return result;
}
