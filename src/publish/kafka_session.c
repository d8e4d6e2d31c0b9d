/* publish/kafka_session: opened, served and closed as one.
 *
 * One thread drives it; reports and errors are served by rd_kafka_poll() in that thread. A session
 * knows its transactional.id and no transaction: what is begun and ended on it is kafka_txn.c's. */
#include "publish/kafka_session.h"

#include "base/clock.h"
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
    session->events = &session->transactional;
    snprintf(session->transactional_id, sizeof session->transactional_id, "%s.%" PRIu32,
             options->delivery->transactional_id.text, options->shard);
}

static int open_handle(struct kafka_session *session, struct kafka_client *client,
                       enum kafka_role role, struct error *err)
{
    struct kafka_client_options how = {
        .options = session->options,
        .role = role,
        .batch_bytes = session->batch_bytes,
        .watch = role == KAFKA_TRANSACTIONAL ? &session->watch : &session->idempotent_watch,
        .listener = &session->listener};
    if (role == KAFKA_TRANSACTIONAL)
        how.transactional_id = session->transactional_id;
    return kafka_client_open(client, &how, err);
}

int kafka_session_open(struct kafka_session *session, struct error *err)
{
    assert(session->transactional.rk == NULL && session->idempotent.rk == NULL);
    const struct config_delivery *delivery = session->options->delivery;
    kafka_watch_reset(&session->watch);
    atomic_store(&session->watch.produce_lost, 0);
    atomic_store(&session->idempotent_watch.produce_lost, 0);
    if (open_handle(session, &session->transactional, KAFKA_TRANSACTIONAL, err) < 0)
        return -1;
    session->events = &session->transactional;
    if (delivery->guarantee == GUARANTEE_AT_LEAST_ONCE) {
        if (open_handle(session, &session->idempotent, KAFKA_IDEMPOTENT, err) < 0)
            return -1;
        session->events = &session->idempotent;
    }
    session->progress_rkt =
        rd_kafka_topic_new(session->transactional.rk, delivery->progress_topic.text, NULL);
    if (session->progress_rkt == NULL)
        return kafka_failed(err, &session->transactional.health, rd_kafka_last_error(), NULL,
                            "naming the progress topic");
    return kafka_client_init(&session->transactional, session->transactional_id, err);
}

void kafka_session_close(struct kafka_session *session)
{
    if (session->progress_rkt != NULL)
        rd_kafka_topic_destroy(session->progress_rkt);
    session->progress_rkt = NULL;
    /* First: while the other one settles, what is queued here would still go out. */
    kafka_client_close(&session->idempotent);
    kafka_client_close(&session->transactional);
}

void kafka_session_serve(struct kafka_session *session, int wait_ms)
{
    rd_kafka_poll(session->events->rk, wait_ms);
    if (kafka_session_is_apart(session))
        rd_kafka_poll(session->transactional.rk, 0);
}
