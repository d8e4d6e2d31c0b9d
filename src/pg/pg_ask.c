/* pg_ask: see pg_asker.h. libpq's single-row mode: a row is handed out as soon as it is there, and
 * what is not yet wanted stays in the socket. */
#include "pg/pg_internal.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg_asker *pg_asker_open(struct pg_connection *connection)
{
    assert(connection != NULL && connection->shared);
    struct pg_asker *a = calloc(1, sizeof *a);
    if (a == NULL)
        abort();
    a->connection = connection;
    return a;
}

void pg_asker_close(struct pg_asker *a)
{
    if (a == NULL)
        return;
    PQclear(a->row); /* NULL is legal */
    pg_close(a->connection);
    free(a);
}

int pg_asker_fd(const struct pg_asker *a)
{
    assert(a != NULL);
    return PQsocket(a->connection->conn);
}

bool pg_asker_is_sending(const struct pg_asker *a)
{
    assert(a != NULL && a->connection != NULL);
    return a->sending;
}

/* ---- Notifications ---- */

/* A pooler tells each client a number of its own for the session. */
int pg_asker_is_direct(struct pg_asker *a, bool *direct, struct error *err)
{
    assert(!a->asking && direct != NULL);
    assert(err != NULL);
    struct pg_result *result = NULL;
    if (pg_query(a->connection, "SELECT pg_backend_pid()", 0, NULL, &result, err) < 0)
        return -1;
    long pid = strtol(pg_result_cell(result, 0, 0).ptr, NULL, 10);
    *direct = pid == PQbackendPID(a->connection->conn);
    pg_result_free(result);
    return 0;
}

int pg_asker_listen(struct pg_asker *a, const char *channel, struct error *err)
{
    assert(!a->asking && channel != NULL);
    assert(err != NULL);
    struct buf sql = BUF_EMPTY;
    buf_add_text(&sql, "LISTEN ");
    pg_quote_identifier(&sql, span_of(channel));
    int result = pg_exec(a->connection, buf_text(&sql), err);
    buf_fini(&sql);
    return result;
}

int pg_asker_is_notified(struct pg_asker *a, bool *notified, struct error *err)
{
    assert(!a->asking && notified != NULL);
    assert(err != NULL);
    *notified = false;
    if (PQconsumeInput(a->connection->conn) == 0)
        return pg_connection_error(a->connection, PG_QUERY, err);
    PGnotify *notify;
    while ((notify = PQnotifies(a->connection->conn)) != NULL) {
        *notified = true;
        PQfreemem(notify);
    }
    return 0;
}

/* ---- Asking ---- */

static int flush(struct pg_asker *a, struct error *err)
{
    int left = PQflush(a->connection->conn);
    a->sending = left > 0;
    return left < 0 ? pg_connection_error(a->connection, PG_QUERY, err) : 0;
}

static int ask(struct pg_asker *a, struct buf *begin, const char *sql, const char *end,
               struct error *err)
{
    assert(!a->asking && sql != NULL);
    assert(err != NULL);
    struct buf text = *begin;
    buf_add_text(&text, sql);
    buf_add_text(&text, end);
    PGconn *conn = a->connection->conn;
    int sent = PQsendQuery(conn, buf_text(&text));
    buf_fini(&text);
    if (sent == 0 || PQsetSingleRowMode(conn) == 0)
        return pg_connection_error(a->connection, PG_QUERY, err);
    a->asking = true;
    a->statement = 0;
    return flush(a, err);
}

int pg_ask(struct pg_asker *a, const char *sql, struct error *err)
{
    assert(a != NULL && sql != NULL);
    struct buf begin = BUF_EMPTY;
    pg_begin_shared(a->connection, false, &begin);
    return ask(a, &begin, sql, "; COMMIT", err);
}

int pg_ask_begin(struct pg_asker *a, const char *sql, struct error *err)
{
    assert(a != NULL && sql != NULL);
    struct buf begin = BUF_EMPTY;
    pg_begin_shared(a->connection, true, &begin);
    return ask(a, &begin, sql, "", err);
}

int pg_ask_on(struct pg_asker *a, const char *sql, struct error *err)
{
    assert(a != NULL && sql != NULL);
    struct buf nothing = BUF_EMPTY;
    return ask(a, &nothing, sql, "", err);
}

int pg_ask_bytes(struct pg_asker *a, const char *sql, const char *text, struct span bytes,
                 struct error *err)
{
    enum { OID_BYTEA = 17, OID_TEXT = 25 };
    assert(!a->asking && sql != NULL && text != NULL);
    assert(bytes.ptr != NULL && bytes.len <= INT_MAX);
    static const Oid types[] = {OID_TEXT, OID_BYTEA};
    static const int formats[] = {0, 1};
    const char *values[] = {text, bytes.ptr};
    const int lengths[] = {0, (int)bytes.len};
    PGconn *conn = a->connection->conn;
    if (PQsendQueryParams(conn, sql, 2, types, values, lengths, formats, 0) == 0 ||
        PQsetSingleRowMode(conn) == 0)
        return pg_connection_error(a->connection, PG_QUERY, err);
    a->asking = true;
    a->statement = 0;
    return flush(a, err);
}

/* 1: a result is there; 0: not yet. */
static int await_result(struct pg_asker *a, struct error *err)
{
    PGconn *conn = a->connection->conn;
    if (a->sending && flush(a, err) < 0)
        return -1;
    if (PQisBusy(conn) == 0)
        return 1;
    if (PQconsumeInput(conn) == 0)
        return pg_connection_error(a->connection, PG_QUERY, err);
    return PQisBusy(conn) == 0;
}

enum pg_answer pg_answer(struct pg_asker *a, struct error *err)
{
    assert(a->asking && err != NULL);
    for (;;) {
        int there = await_result(a, err);
        if (there <= 0)
            return there < 0 ? PG_ANSWER_FAILED : PG_ANSWER_WAIT;
        PQclear(a->row);
        a->row = PQgetResult(a->connection->conn);
        if (a->row == NULL) {
            a->asking = false;
            return PG_ANSWER_END;
        }
        switch (PQresultStatus(a->row)) {
        case PGRES_SINGLE_TUPLE:
            return PG_ANSWER_ROW;
        case PGRES_TUPLES_OK:
            a->statement++;
            break;
        case PGRES_COMMAND_OK:
            break;
        default:
            pg_result_error(a->connection, PG_QUERY, a->row, err);
            return PG_ANSWER_FAILED;
        }
    }
}

void pg_asker_sqlstate(const struct pg_asker *a, char sqlstate[6])
{
    assert(a != NULL);
    assert(sqlstate != NULL);
    const char *text = a->row != NULL ? PQresultErrorField(a->row, PG_DIAG_SQLSTATE) : NULL;
    const char *severity =
        a->row != NULL ? PQresultErrorField(a->row, PG_DIAG_SEVERITY_NONLOCALIZED) : NULL;
    bool of_session = severity != NULL && strcmp(severity, "ERROR") != 0; /* FATAL, PANIC */
    snprintf(sqlstate, 6, "%s", text != NULL && !of_session ? text : "");
}

bool pg_sqlstate_may_heal(const char *sqlstate)
{
    static const char *const classes[] = {"08", "25", "40", "53", "55P", "55006", "57", "F0"};
    assert(sqlstate != NULL && strlen(sqlstate) <= 5);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate, classes[i], strlen(classes[i])) == 0)
            return true;
    return sqlstate[0] == '\0';
}

/* Behind an error the server skips the rest of what was asked: nothing is waited for here that is
 * not on its way. */
int pg_ask_rollback(struct pg_asker *a, struct error *err)
{
    assert(a != NULL && a->asking);
    PQclear(a->row);
    while ((a->row = PQgetResult(a->connection->conn)) != NULL) {
        PQclear(a->row);
        a->row = NULL;
        if (PQstatus(a->connection->conn) != CONNECTION_OK)
            return pg_connection_error(a->connection, PG_QUERY, err);
    }
    a->asking = false;
    return pg_ask_on(a, "ROLLBACK", err);
}

uint32_t pg_answer_statement(const struct pg_asker *a)
{
    assert(a->row != NULL);
    return a->statement;
}

uint32_t pg_answer_count(const struct pg_asker *a)
{
    assert(a->row != NULL);
    return (uint32_t)PQnfields(a->row);
}

struct span pg_answer_cell(const struct pg_asker *a, uint32_t column)
{
    assert(a->row != NULL && column < (uint32_t)PQnfields(a->row));
    if (PQgetisnull(a->row, 0, (int)column) != 0)
        return span_null();
    return (struct span){PQgetvalue(a->row, 0, (int)column),
                         (size_t)PQgetlength(a->row, 0, (int)column)};
}
