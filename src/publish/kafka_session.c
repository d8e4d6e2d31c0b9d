/* publish/kafka_session: opened, served and closed as one.
 *
 * One thread drives it; reports and errors are served by rd_kafka_poll() in that thread. A session
 * knows its transactional ids and no transaction: what is begun and ended on it is kafka_txn.c's.
 */
#include "publish/kafka_session.h"

#include "base/clock.h"
#include "base/crash.h"
#include "publish/kafka_memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void kafka_session_init(struct kafka_session *session, const struct kafka_options *options,
                        const struct kafka_listener *listener)
{
    assert(options->memory != NULL);
    assert(listener->on_report != NULL && listener->on_fatal != NULL);
    *session = (struct kafka_session){
        .options = options, .listener = *listener, .batch_bytes = KAFKA_BATCH_BYTES};
    int smallest = kafka_memory_smallest(options->memory, clock_monotonic_us());
    if (smallest > 0)
        session->batch_bytes = smallest;
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        snprintf(session->handles[i].transactional_id, sizeof session->handles[i].transactional_id,
                 "%s.%" PRIu32, options->delivery->transactional_id.text,
                 options->shard * KAFKA_HANDLES + i);
}

static int open_client(struct kafka_session *session, struct kafka_client *client,
                       struct kafka_watch *watch, const char *transactional_id, struct error *err)
{
    struct kafka_client_options how = {.options = session->options,
                                       .role = transactional_id != NULL ? KAFKA_TRANSACTIONAL
                                                                        : KAFKA_IDEMPOTENT,
                                       .transactional_id = transactional_id,
                                       .batch_bytes = session->batch_bytes,
                                       .watch = watch,
                                       .listener = &session->listener};
    kafka_watch_reset(watch);
    atomic_store(&watch->produce_lost, 0);
    return kafka_client_open(client, &how, err);
}

static int open_handle(struct kafka_session *session, struct kafka_handle *handle,
                       struct error *err)
{
    const char *topic = session->options->delivery->progress_topic.text;
    if (open_client(session, &handle->client, &handle->watch, handle->transactional_id, err) < 0)
        return -1;
    handle->progress_rkt = rd_kafka_topic_new(handle->client.rk, topic, NULL);
    if (handle->progress_rkt == NULL)
        return kafka_failed(err, &handle->client.health, rd_kafka_last_error(), NULL,
                            "naming the progress topic");
    return 0;
}

/* A handle that knows no broker yet looks for its coordinator every 500 ms only; whoever asks it
 * for something else waits for the connection. Whatever goes wrong here goes wrong again below. */
static void wait_for_broker(struct kafka_handle *handle)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(handle->client.rk, 0, NULL, &metadata, KAFKA_SLICE_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

static int init_handle(struct kafka_handle *handle, struct error *err)
{
    assert(!handle->initialised);
    wait_for_broker(handle);
    if (kafka_client_init(&handle->client, handle->transactional_id, err) < 0)
        return -1;
    handle->initialised = true;
    return 0;
}

int kafka_session_open(struct kafka_session *session, struct error *err)
{
    assert(session->handles[0].client.rk == NULL && session->idempotent.rk == NULL);
    assert(session->turn == 0); /* I3: the claim goes through the first */
    session->apart = session->options->delivery->guarantee == GUARANTEE_AT_LEAST_ONCE;
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        if (open_handle(session, &session->handles[i], err) < 0)
            return -1;
    if (session->apart &&
        open_client(session, &session->idempotent, &session->idempotent_watch, NULL, err) < 0)
        return -1;
    /* Always in this order, and both before anything is read: an older instance may still commit
     * through the second one until that is initialised, too. */
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++) {
        if (i > 0)
            CRASH_POINT("C14");
        if (init_handle(&session->handles[i], err) < 0)
            return -1;
    }
    return 0;
}

bool kafka_session_is_ours(const struct kafka_session *session)
{
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        if (!session->handles[i].initialised)
            return false;
    return true;
}

void kafka_session_next(struct kafka_session *session)
{
    assert(kafka_session_is_ours(session));
    session->turn = (session->turn + 1) % KAFKA_HANDLES;
}

static void close_handle(struct kafka_handle *handle)
{
    if (handle->progress_rkt != NULL)
        rd_kafka_topic_destroy(handle->progress_rkt);
    handle->progress_rkt = NULL;
    kafka_client_close(&handle->client);
    handle->initialised = false;
}

void kafka_session_close(struct kafka_session *session)
{
    /* First: while the others settle, what is queued here would still go out. */
    kafka_client_close(&session->idempotent);
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        close_handle(&session->handles[i]);
    session->turn = 0;
}

void kafka_session_serve(struct kafka_session *session, int wait_ms)
{
    rd_kafka_poll(kafka_session_events(session)->rk, wait_ms);
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        if (&session->handles[i].client != kafka_session_events(session))
            rd_kafka_poll(session->handles[i].client.rk, 0);
}
