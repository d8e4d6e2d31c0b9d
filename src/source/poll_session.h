/* source/poll_session: what the sources of both strategies of polling have of their connection:
 * what they ask through, the row at hand, and whether a NOTIFY wakes them. Private to source/. */
#ifndef WALFERRY_SOURCE_POLL_SESSION_H
#define WALFERRY_SOURCE_POLL_SESSION_H

#include "source/source.h"

struct pg_asker;

struct poll_session {
    struct pg_asker *asker;
    struct buf sql; /* the question at hand */
    struct cell *cells;
    uint32_t cells_max;
    bool listening; /* behind a pooler the interval alone is what there is */
};

/* Takes the connection, which poll_session_close() closes. */
void poll_session_open(struct poll_session *session, struct pg_connection *connection);
void poll_session_close(struct poll_session *session);
/* channel: NULL: none. Blocks until the server has answered. -1: *err. */
int poll_session_listen(struct poll_session *session, const char *channel, struct error *err);

/* Has a NOTIFY come since the last time? -1: *err, the connection is gone. */
int poll_session_notified(struct poll_session *session, bool *notified, struct error *err);
/* awaits: an answer; else nothing is to do before due_us (CLOCK_MONOTONIC), but for a NOTIFY. As
 * source_wait() has it. */
void poll_session_wait(const struct poll_session *session, bool awaits, int64_t due_us, int *fd,
                       int64_t *deadline_us);

/* The answer at hand as the guard, whose snapshot is good until the next one. -1: *err. */
int poll_session_guard(const struct poll_session *session, struct poll_guard *guard,
                       struct error *err);
/* The answer at hand as a row of relation: a cell for each column, good until the next answer. */
struct cell *poll_session_row(struct poll_session *session, const struct relation *relation);

#endif
