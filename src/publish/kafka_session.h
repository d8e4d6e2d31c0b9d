/* publish/kafka_session: the handles of a publisher, opened, served and closed as one. Internal to
 * the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_SESSION_H
#define WALFERRY_PUBLISH_KAFKA_SESSION_H

#include "publish/kafka_client.h"

/* One transactional.id and what belongs to it. */
struct kafka_handle {
    char transactional_id[300];
    struct kafka_client client;
    struct kafka_watch watch;
    rd_kafka_topic_t *progress_rkt;
    bool initialised; /* init_transactions was answered well */
};

/* Two transactions in a row go through different ones: after an EndTxn the coordinator refuses the
 * next AddPartitionsToTxn of the same id until the markers are written, and librdkafka then waits
 * for 20 ms. Shard s has the ids 2s and 2s + 1. None is ever initialised alone. */
#define KAFKA_HANDLES 2

struct kafka_session {
    const struct kafka_options *options;
    struct kafka_listener listener; /* to all of them */
    int batch_bytes; /* of the handles when they are opened next, and of those in use */
    struct kafka_handle handles[KAFKA_HANDLES];
    uint32_t turn; /* index of the handle of the transaction that is open or comes next */
    bool apart;    /* events go out beside the transaction: */
    struct kafka_client idempotent; /* closed in exactly_once */
    struct kafka_watch idempotent_watch;
};

/* Opens nothing. *options, which have a memory, must outlive the session, which must stay where it
 * is. */
void kafka_session_init(struct kafka_session *session, const struct kafka_options *options,
                        const struct kafka_listener *listener);
/* Opens the handles and init_transactions, in the order of their ids: fences older instances. After
 * an error it is to be closed. */
int kafka_session_open(struct kafka_session *session, struct error *err);
/* All of them are initialised, so nobody older can end a transaction any more. */
bool kafka_session_is_ours(const struct kafka_session *session);
/* The transaction was committed: the next one goes through the other handle. */
void kafka_session_next(struct kafka_session *session);
/* Topics made of what events go out through must be destroyed before. May be opened again. */
void kafka_session_close(struct kafka_session *session);
/* Serves reports and errors; waits at most wait_ms for one. */
void kafka_session_serve(struct kafka_session *session, int wait_ms);

/* Whose turn it is. */
static inline struct kafka_handle *kafka_session_handle(struct kafka_session *session)
{
    return &session->handles[session->turn];
}

/* What the events go out through now, and which of the topics' handles (kafka_in_use.h) that is. */
static inline struct kafka_client *kafka_session_events(struct kafka_session *session)
{
    return session->apart ? &session->idempotent : &kafka_session_handle(session)->client;
}
static inline uint32_t kafka_session_events_index(const struct kafka_session *session)
{
    return session->apart ? 0 : session->turn;
}
static inline struct kafka_watch *kafka_session_events_watch(struct kafka_session *session)
{
    return session->apart ? &session->idempotent_watch : &kafka_session_handle(session)->watch;
}

#endif
