/* pg_question: questions on a session that is opened for the first and closed with the last,
 * without waiting.
 *
 *                                      ┌────────── again ─────────┐
 *   (PASSWORD ──▶) CONNECTING ──▶ ASKING ──last result──▶ ANSWERED
 *        └────────────┴───────────────┴── error ──▶ over: only to be closed
 *
 * PASSWORD: a program is asked for it; without one the question begins behind that.
 *
 * For who must not wait: whatever libpq waits for stands in an epoll descriptor, which is readable
 * when a step would get on. It has no deadline of its own and never tries again. libpq looks names
 * up by waiting, so the address is that of a session that stands already. */
#include "pg/pg_internal.h"

#include "base/program_errand.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum question_state { PASSWORD, CONNECTING, ASKING, ANSWERED };

struct pg_question {
    struct pg_connection session;
    enum question_state state;
    int fd;                    /* epoll */
    struct pg_options options; /* with `beside`, of PASSWORD: what follows it */
    const struct pg_replication *beside;
    struct program_errand *errand; /* who is away for the password; NULL: nobody */
    struct buf text;               /* what is sent once there is a connection */
    PGresult *rows;                /* of the last statement so far; NULL: none yet */
};

/* libpq may have gone on to another socket, and under the same number. */
static int watch(struct pg_question *q, uint32_t events, struct error *err)
{
    int fd = PQsocket(q->session.conn);
    struct epoll_event event = {.events = events};
    if (fd < 0)
        return pg_connection_error(&q->session, PG_QUERY, err);
    if (epoll_ctl(q->fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
        epoll_ctl(q->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    return error_retry(err, REASON_DATABASE, "a socket cannot be watched: %s", strerror(errno));
}

static int begin(struct pg_question *q, const char *password, struct error *err)
{
    q->state = CONNECTING;
    if (pg_session_start(&q->options, pg_replication_session(q->beside), password, &q->session,
                         err) < 0)
        return -1;
    return watch(q, EPOLLOUT, err);
}

static int ask_for_password(struct pg_question *q, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    q->state = PASSWORD;
    if (pg_password_errand(&q->options, &q->errand, err) < 0)
        return -1;
    if (epoll_ctl(q->fd, EPOLL_CTL_ADD, program_errand_fd(q->errand), &event) == 0)
        return 0;
    return error_retry(err, REASON_DATABASE, "an eventfd cannot be watched: %s", strerror(errno));
}

int pg_question_open(const struct pg_options *options, const struct pg_replication *beside,
                     const char *sql, struct pg_question **question, struct error *err)
{
    assert(options != NULL && beside != NULL && sql != NULL);
    assert(question != NULL && err != NULL);
    struct pg_question *q = calloc(1, sizeof *q);
    if (q == NULL)
        abort();
    q->text = BUF_EMPTY;
    q->options = *options;
    q->beside = beside;
    buf_add_text(&q->text, pg_lift_timeout);
    buf_add_text(&q->text, "; ");
    buf_add_text(&q->text, pg_pin_settings);
    buf_add_text(&q->text, "; ");
    buf_add_text(&q->text, sql);
    q->fd = epoll_create1(EPOLL_CLOEXEC);
    if (q->fd < 0)
        error_retry(err, REASON_DATABASE, "no epoll descriptor: %s", strerror(errno));
    else if ((options->password_command != NULL ? ask_for_password(q, err) : begin(q, NULL, err)) ==
             0) {
        *question = q;
        return 0;
    }
    pg_question_close(q);
    return -1;
}

void pg_question_close(struct pg_question *q)
{
    if (q == NULL)
        return;
    PQclear(q->rows); /* NULL is legal */
    program_errand_close(q->errand);
    pg_session_close(&q->session);
    if (q->fd >= 0)
        close(q->fd);
    buf_fini(&q->text);
    free(q);
}

int pg_question_fd(const struct pg_question *q)
{
    assert(q != NULL);
    return q->fd;
}

/* ---- Steps ---- */

static int send_text(struct pg_question *q, struct error *err)
{
    if (PQsetnonblocking(q->session.conn, 1) != 0 ||
        PQsendQuery(q->session.conn, buf_text(&q->text)) == 0)
        return pg_connection_error(&q->session, PG_QUERY, err);
    q->state = ASKING;
    return 0;
}

int pg_question_again(struct pg_question *q, const char *sql, struct error *err)
{
    assert(q != NULL && q->state == ANSWERED && q->rows == NULL);
    assert(sql != NULL && err != NULL);
    buf_reset(&q->text);
    buf_add_text(&q->text, sql);
    return send_text(q, err) < 0 ? -1 : watch(q, EPOLLIN | EPOLLOUT, err);
}

static int go_with_password(struct pg_question *q, struct error *err)
{
    struct buf password = BUF_EMPTY;
    int result = program_errand_take(q->errand, &password, err);
    program_errand_close(q->errand); /* and its descriptor is watched no more */
    q->errand = NULL;
    if (result == 0)
        result = begin(q, buf_text(&password), err);
    program_forget(&password);
    return result;
}

static int connect_on(struct pg_question *q, struct error *err)
{
    switch (PQconnectPoll(q->session.conn)) {
    case PGRES_POLLING_OK:
        return send_text(q, err);
    case PGRES_POLLING_FAILED:
        return pg_connection_error(&q->session, PG_CONNECT, err);
    case PGRES_POLLING_WRITING:
        return watch(q, EPOLLOUT, err);
    default:
        return watch(q, EPOLLIN, err);
    }
}

/* Takes the results that are there; the last statement's is kept. */
static int take_results(struct pg_question *q, struct error *err)
{
    while (PQisBusy(q->session.conn) == 0) {
        PGresult *result = PQgetResult(q->session.conn);
        if (result == NULL) {
            q->state = ANSWERED;
            return 0;
        }
        PQclear(q->rows);
        q->rows = result;
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            return pg_result_error(&q->session, PG_QUERY, result, err);
    }
    return 0;
}

static int ask_on(struct pg_question *q, struct error *err)
{
    if (PQconsumeInput(q->session.conn) == 0)
        return pg_connection_error(&q->session, PG_QUERY, err);
    int left = PQflush(q->session.conn);
    if (left < 0)
        return pg_connection_error(&q->session, PG_QUERY, err);
    if (take_results(q, err) < 0)
        return -1;
    return q->state == ANSWERED ? 0 : watch(q, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN, err);
}

int pg_question_step(struct pg_question *q, struct pg_result **result, struct error *err)
{
    assert(q != NULL && q->state != ANSWERED);
    assert(result != NULL && err != NULL);
    /* Connecting, libpq wants to be called only when its socket is ready. */
    struct epoll_event event;
    if ((q->state == CONNECTING || q->state == PASSWORD) && epoll_wait(q->fd, &event, 1, 0) == 0)
        return 0;
    if (q->state == PASSWORD)
        return go_with_password(q, err);
    if (q->state == CONNECTING && connect_on(q, err) < 0)
        return -1;
    if (q->state == ASKING && ask_on(q, err) < 0)
        return -1;
    if (q->state != ANSWERED)
        return 0;
    *result = pg_result_of(q->rows);
    q->rows = NULL;
    return 1;
}
