/* pg_query: one statement, one result.
 *
 * A walsender speaks the simple query protocol only, so parameters are written into the statement
 * as quoted literals, on every session alike: one path, always tested. */
#include "pg/pg_internal.h"

#include "base/clock.h"
#include "base/waits.h"

#include <assert.h>
#include <stdlib.h>

struct pg_result {
    PGresult *rows;
};

/* ---- Parameters ---- */

/* Puts the parameters in the place of $1 to $9, where these stand outside quotes. The statement is
 * the program's own text: no comments, no dollar quotes. */
static void inline_parameters(struct buf *out, const char *sql, int count,
                              const char *const *params)
{
    char quote = '\0';
    for (const char *c = sql; *c != '\0'; c++) {
        if (quote == '\0' && c[0] == '$' && c[1] >= '1' && c[1] <= '9') {
            int index = c[1] - '1';
            assert(index < count);
            if (params[index] == NULL)
                buf_add_text(out, "NULL");
            else
                pg_quote_literal(out, span_of(params[index]));
            c++;
            continue;
        }
        if (quote == '\0' && (*c == '\'' || *c == '"'))
            quote = *c;
        else if (*c == quote)
            quote = '\0';
        buf_add_char(out, *c);
    }
}

/* ---- Running ---- */

int pg_run(const struct pg_connection *session, const char *command, PGresult **result,
           struct error *err)
{
    assert(session != NULL && session->conn != NULL);
    assert(command != NULL && result != NULL);
    int64_t deadline_us = clock_monotonic_us() + session->timeout_us;
    if (PQsendQuery(session->conn, command) == 0)
        return pg_connection_error(session, PG_QUERY, err);
    waits_on(session->waits, "waits for PostgreSQL at %s, port %s, to answer",
             PQhost(session->conn), PQport(session->conn));
    int ready = pg_await_result(session, deadline_us, err);
    if (ready < 0)
        return -1;
    if (ready == 0)
        return error_retry(err, REASON_TIMEOUT, "PostgreSQL did not answer within %lld ms",
                           (long long)(session->timeout_us / US_PER_MS));
    *result = PQgetResult(session->conn);
    if (*result == NULL)
        return pg_connection_error(session, PG_QUERY, err);
    return 0;
}

static bool is_error(const PGresult *rows)
{
    ExecStatusType status = PQresultStatus(rows);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

/* Of the statement itself, which stands before the COMMIT; or the error that came first. What has
 * failed leaves a transaction behind that nobody else may meet. */
static int run_shared(const struct pg_connection *session, struct buf *command, PGresult **rows,
                      struct error *err)
{
    int64_t deadline_us = clock_monotonic_us() + session->timeout_us;
    PGresult *older = NULL;
    *rows = NULL;
    buf_add_text(command, "; COMMIT");
    if (pg_run(session, buf_text(command), rows, err) < 0)
        return -1;
    while (!is_error(*rows)) {
        if (pg_await_result(session, deadline_us, err) <= 0) {
            PQclear(older);
            PQclear(*rows);
            return err->kind != ERROR_NONE
                       ? -1
                       : error_retry(err, REASON_TIMEOUT, "PostgreSQL did not answer in time");
        }
        PGresult *next = PQgetResult(session->conn);
        if (next == NULL)
            break;
        PQclear(older);
        older = *rows;
        *rows = next;
    }
    if (is_error(*rows)) {
        struct error late = ERROR_INIT; /* the first error is the one to tell */
        PGresult *ended = NULL;
        PQclear(older);
        if (pg_drain(session, &late) == 0 && pg_run(session, "ROLLBACK", &ended, &late) == 0)
            (void)pg_drain(session, &late);
        PQclear(ended);
        return 0;
    }
    PQclear(*rows);
    *rows = older;
    return 0;
}

static int run(const struct pg_connection *session, const char *sql, int param_count,
               const char *const *params, PGresult **rows, struct error *err)
{
    struct buf command = BUF_EMPTY;
    if (session->shared)
        pg_begin_shared(session, false, &command);
    inline_parameters(&command, sql, param_count, params);
    int done = session->shared ? run_shared(session, &command, rows, err)
                               : pg_run(session, buf_text(&command), rows, err);
    buf_fini(&command);
    return done;
}

int pg_query(struct pg_connection *connection, const char *sql, int param_count,
             const char *const *params, struct pg_result **result, struct error *err)
{
    assert(sql != NULL && result != NULL && err != NULL);
    assert(param_count >= 0 && param_count <= 9);
    PGresult *rows = NULL;
    if (run(connection, sql, param_count, params, &rows, err) < 0)
        return -1;
    ExecStatusType status = PQresultStatus(rows);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        pg_result_error(connection, PG_QUERY, rows, err);
        PQclear(rows);
        struct error late = ERROR_INIT; /* the first error is the one to tell */
        (void)pg_drain(connection, &late);
        return -1;
    }
    if (pg_drain(connection, err) < 0) {
        PQclear(rows);
        return -1;
    }
    *result = pg_result_of(rows);
    return 0;
}

int pg_exec(struct pg_connection *connection, const char *sql, struct error *err)
{
    struct pg_result *result = NULL;
    if (pg_query(connection, sql, 0, NULL, &result, err) < 0)
        return -1;
    pg_result_free(result);
    return 0;
}

/* ---- Results ---- */

struct pg_result *pg_result_of(PGresult *rows)
{
    assert(rows != NULL);
    struct pg_result *result = malloc(sizeof *result);
    if (result == NULL)
        abort();
    result->rows = rows;
    return result;
}

int pg_result_rows(const struct pg_result *result)
{
    assert(result != NULL);
    return PQntuples(result->rows);
}

struct span pg_result_cell(const struct pg_result *result, int row, int column)
{
    assert(result != NULL);
    assert(row >= 0 && row < PQntuples(result->rows));
    assert(column >= 0 && column < PQnfields(result->rows));
    if (PQgetisnull(result->rows, row, column) != 0)
        return span_null();
    return (struct span){PQgetvalue(result->rows, row, column),
                         (size_t)PQgetlength(result->rows, row, column)};
}

bool pg_result_true(const struct pg_result *result, int row, int column)
{
    assert(result != NULL);
    assert(row >= 0 && column >= 0);
    return span_equal_text(pg_result_cell(result, row, column), "t");
}

void pg_result_free(struct pg_result *result)
{
    if (result == NULL)
        return;
    PQclear(result->rows);
    free(result);
}
