/* source/poll_session: see poll_session.h. */
#include "source/poll_session.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "pg/pg.h"

#include <assert.h>
#include <stdlib.h>

enum {
    WAIT_US = 1000000, /* while an answer is awaited: the descriptor tells */
    SENDING_US = 1000  /* while a question is not yet sent */
};

void poll_session_open(struct poll_session *session, struct pg_connection *connection)
{
    assert(session != NULL && connection != NULL);
    *session = (struct poll_session){.asker = pg_asker_open(connection), .sql = BUF_EMPTY};
}

void poll_session_close(struct poll_session *session)
{
    assert(session != NULL);
    pg_asker_close(session->asker);
    buf_fini(&session->sql);
    free(session->cells);
}

int poll_session_listen(struct poll_session *session, const char *channel, struct error *err)
{
    assert(session->asker != NULL && !session->listening);
    if (channel == NULL)
        return 0;
    if (pg_asker_is_direct(session->asker, &session->listening, err) < 0)
        return -1;
    return session->listening ? pg_asker_listen(session->asker, channel, err) : 0;
}

int poll_session_notified(struct poll_session *session, bool *notified, struct error *err)
{
    assert(notified != NULL);
    *notified = false;
    return session->listening ? pg_asker_is_notified(session->asker, notified, err) : 0;
}

void poll_session_wait(const struct poll_session *session, bool awaits, int64_t due_us, int *fd,
                       int64_t *deadline_us)
{
    assert(fd != NULL && deadline_us != NULL);
    *fd = awaits || session->listening ? pg_asker_fd(session->asker) : -1;
    *deadline_us = awaits ? clock_monotonic_us() + WAIT_US : due_us;
    if (awaits && pg_asker_is_sending(session->asker))
        *deadline_us = clock_monotonic_us() + SENDING_US;
}

int poll_session_guard(const struct poll_session *session, struct poll_guard *guard,
                       struct error *err)
{
    struct span cells[POLL_GUARD_CELLS];
    for (uint32_t i = 0; i < POLL_GUARD_CELLS; i++)
        cells[i] = pg_answer_cell(session->asker, i);
    return poll_read_guard(cells, guard)
               ? 0
               : error_retry(err, REASON_DATABASE,
                             "PostgreSQL's answer about itself cannot be read");
}

static void make_room(struct poll_session *session, uint32_t count)
{
    if (count <= session->cells_max)
        return;
    session->cells = realloc(session->cells, count * sizeof *session->cells);
    if (session->cells == NULL)
        abort();
    session->cells_max = count;
}

struct cell *poll_session_row(struct poll_session *session, const struct relation *relation)
{
    assert(pg_answer_count(session->asker) == relation->column_count);
    make_room(session, relation->column_count);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        struct span text = pg_answer_cell(session->asker, i);
        enum cell_kind kind = CELL_NULL;
        if (text.ptr != NULL) /* a database of no encoding sends whatever bytes there are */
            kind = utf8_is_valid(text.ptr, text.ptr + text.len) ? CELL_TEXT : CELL_BYTES;
        session->cells[i] = (struct cell){.kind = kind, .bytes = text};
    }
    return session->cells;
}
