/* pg_wait: the only places where a session sleeps.
 *
 * Sleeps in slices, so that the stop flag is seen within 100 ms. Knows nothing of what is waited
 * for and keeps no state. */
#include "pg/pg_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>

enum { SLICE_US = 100000 };

static bool stopping(const struct pg_connection *session)
{
    return session->stop != NULL && atomic_load_explicit(session->stop, memory_order_relaxed);
}

int pg_wait(const struct pg_connection *session, short events, int64_t deadline_us,
            struct error *err)
{
    assert(session != NULL && session->conn != NULL);
    assert(events != 0);
    for (;;) {
        if (stopping(session))
            return error_retry(err, REASON_STOPPING, "stopped while waiting for PostgreSQL");
        int64_t left_us = deadline_us - clock_monotonic_us();
        if (left_us < 0)
            left_us = 0;
        bool last = left_us <= SLICE_US;
        int64_t slice_us = last ? left_us : SLICE_US;
        struct pollfd fd = {.fd = PQsocket(session->conn), .events = events};
        struct timespec timeout = {.tv_sec = 0, .tv_nsec = (long)slice_us * 1000};
        /* A failed poll (a signal) is as good as a slice that has passed. */
        if (ppoll(&fd, 1, &timeout, NULL) > 0)
            return 1;
        if (clock_monotonic_us() >= deadline_us)
            return 0;
    }
}

int pg_flush(const struct pg_connection *session, int64_t deadline_us, struct error *err)
{
    for (;;) {
        int left = PQflush(session->conn);
        if (left < 0)
            return pg_connection_error(session, PG_QUERY, err);
        if (left == 0)
            return 1;
        int ready = pg_wait(session, POLLIN | POLLOUT, deadline_us, err);
        if (ready <= 0)
            return ready;
        if (PQconsumeInput(session->conn) == 0)
            return pg_connection_error(session, PG_QUERY, err);
    }
}

int pg_await_result(const struct pg_connection *session, int64_t deadline_us, struct error *err)
{
    int flushed = pg_flush(session, deadline_us, err);
    if (flushed <= 0)
        return flushed;
    while (PQisBusy(session->conn) != 0) {
        int ready = pg_wait(session, POLLIN, deadline_us, err);
        if (ready <= 0)
            return ready;
        if (PQconsumeInput(session->conn) == 0)
            return pg_connection_error(session, PG_QUERY, err);
    }
    return 1;
}

int pg_drain(const struct pg_connection *session, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us() + session->timeout_us;
    int outcome = 0;
    for (;;) {
        int ready = pg_await_result(session, deadline_us, err);
        if (ready < 0)
            return -1;
        if (ready == 0)
            return error_retry(err, REASON_TIMEOUT, "PostgreSQL did not finish its answer in time");
        PGresult *result = PQgetResult(session->conn);
        if (result == NULL)
            return outcome;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR && outcome == 0)
            outcome = pg_result_error(session, PG_QUERY, result, err);
        PQclear(result);
        /* In a COPY there is always one more result; its data are the caller's business. */
        if (status == PGRES_COPY_BOTH || status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
            return outcome;
    }
}
