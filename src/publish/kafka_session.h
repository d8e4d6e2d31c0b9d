/* publish/kafka_session: the set of handles that a publisher produces with. Internal to the module.
 *
 * In exactly_once the transactional handle takes the events, too; in at_least_once they go through
 * an idempotent handle of their own, and only the progress record is written in a transaction. */
#ifndef WALFERRY_PUBLISH_KAFKA_SESSION_H
#define WALFERRY_PUBLISH_KAFKA_SESSION_H

#include "publish/kafka_client.h"

struct kafka_session {
    const struct kafka_options *options;
    struct kafka_listener listener; /* to both handles */
    char transactional_id[300];
    int batch_bytes; /* of the handles when they are opened next, and of those in use */
    struct kafka_client transactional;
    struct kafka_client idempotent; /* closed in exactly_once */
    struct kafka_client *events;    /* one of the two */
    struct kafka_watch watch;       /* on the transactional handle */
    struct kafka_watch idempotent_watch;
    rd_kafka_topic_t *progress_rkt; /* of the transactional handle */
};

/* Opens nothing. *options, which have a memory, must outlive the session, which must stay where it
 * is. */
void kafka_session_init(struct kafka_session *session, const struct kafka_options *options,
                        const struct kafka_listener *listener);
/* Opens the handles and init_transactions: fences older instances. After an error it is to be
 * closed. */
int kafka_session_open(struct kafka_session *session, struct error *err);
/* Topics made of `events` must be destroyed before. May be opened again. */
void kafka_session_close(struct kafka_session *session);
/* Serves reports and errors; waits at most wait_ms for one. */
void kafka_session_serve(struct kafka_session *session, int wait_ms);

/* On the handle that the events go out through. */
static inline struct kafka_watch *kafka_session_events_watch(struct kafka_session *session)
{
    return session->events == &session->transactional ? &session->watch
                                                      : &session->idempotent_watch;
}

/* Whether events go out beside the transaction. */
static inline bool kafka_session_is_apart(const struct kafka_session *session)
{
    return session->events != &session->transactional;
}

#endif
