/* recover/look: the progress in Kafka: looked at without touching anything, recovered by a new
 * producer that fences the one before it, and written as a record alone in its transaction. */
#include "recover/recover.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>

static int decode_record(const struct buf *json, struct arena *arena, struct progress *progress,
                         bool *have_progress, struct error *err)
{
    *have_progress = json->len > 0;
    return *have_progress ? progress_decode(buf_span(json), arena, progress, err) : 0;
}

/* A record that does not follow the one before it was not written by a relay that knew it. What
 * cannot be read any more was rebased, and says nothing. */
static int check_succession(struct span before, struct arena *arena, const struct progress *newest,
                            struct error *err)
{
    struct progress previous;
    struct error unreadable = ERROR_INIT;
    if (before.len == 0 || progress_decode(before, arena, &previous, &unreadable) < 0 ||
        progress_follows(&previous, newest))
        return 0;
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    error_stop(err, REASON_PROGRESS_REGRESSED,
               "the newest progress record (%s, %s, generation %" PRIu64
               ") cannot follow the one before it (%s, %s, generation %" PRIu64 ")",
               progress_mode_name(newest->mode), lsn_format(newest->position.lsn, to),
               newest->generation, progress_mode_name(previous.mode),
               lsn_format(previous.position.lsn, from), previous.generation);
    error_hint(err, "find out who wrote it, then publish again from where the slot stands");
    return error_mend(err, "rebase --to slot --accept-repeat");
}

static int look_closely(const struct kafka_options *kafka, bool through, struct arena *arena,
                        struct progress *progress, bool *have_progress, bool *topic_exists,
                        struct error *err)
{
    struct buf json = BUF_EMPTY;
    struct buf before = BUF_EMPTY;
    int result = kafka_look_closely(kafka, through, &json, &before, topic_exists, err);
    if (result == 0)
        result = decode_record(&json, arena, progress, have_progress, err);
    if (result == 0 && *have_progress)
        result = check_succession(buf_span(&before), arena, progress, err);
    buf_fini(&before);
    buf_fini(&json);
    return result;
}

int relay_look(const struct kafka_options *kafka, struct arena *arena, struct progress *progress,
               bool *have_progress, bool *topic_exists, struct error *err)
{
    return look_closely(kafka, false, arena, progress, have_progress, topic_exists, err);
}

int relay_look_through(const struct kafka_options *kafka, struct arena *arena,
                       struct progress *progress, bool *have_progress, bool *topic_exists,
                       struct error *err)
{
    return look_closely(kafka, true, arena, progress, have_progress, topic_exists, err);
}

int relay_take_over(const struct kafka_options *kafka, struct arena *arena,
                    struct publisher **publisher, struct progress *progress, bool *have_progress,
                    struct error *err)
{
    if (kafka_publisher_open(kafka, publisher, err) < 0)
        return -1;
    struct buf json = BUF_EMPTY;
    int result = publisher_recover(*publisher, &json, err);
    if (result == 0)
        result = decode_record(&json, arena, progress, have_progress, err);
    if (result == 0 && *have_progress)
        result = check_succession(kafka_publisher_previous(*publisher), arena, progress, err);
    buf_fini(&json);
    return result;
}

int relay_write_record(struct publisher *publisher, const struct progress *record,
                       const atomic_bool *stop, int64_t timeout_ms, struct error *err)
{
    struct buf json = BUF_EMPTY;
    progress_encode(record, &json);
    int64_t give_up_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    int result;
    while ((result = publisher_commit(publisher, buf_span(&json), err)) == PUBLISH_AGAIN) {
        if (stop != NULL && atomic_load(stop))
            result = error_retry(err, REASON_STOPPING, "asked to stop");
        else if (clock_monotonic_us() > give_up_us)
            result = error_retry(err, REASON_COMMIT_TIMEOUT,
                                 "a progress record could not be committed within %" PRId64 " ms",
                                 timeout_ms);
        if (result < 0)
            break;
    }
    buf_fini(&json);
    return result;
}
