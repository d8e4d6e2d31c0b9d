/* pg_replication: the walsender session and its COPY.
 *
 *   IDLE ──create_slot──▶ CREATING ──done──▶ IDLE ──start──▶ STREAMING ──end, error──▶ ENDED
 *
 * While STREAMING nothing blocks: take parses what libpq holds, fill reads the socket once, send
 * queues. A close while CREATING cancels the command, so that no half-made slot stays behind. Knows
 * nothing of what is inside a CopyData payload. PostgreSQL documentation, "Streaming Replication
 * Protocol" and "Asynchronous Command Processing". */
#include "pg/pg_internal.h"

#include "base/clock.h"
#include "model/position.h"

#include <assert.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { CANCEL_WAIT_US = 2000000, QUIET_FILLS = 3 };

enum replication_state { IDLE, CREATING, STREAMING, ENDED };

struct pg_replication {
    struct pg_connection sql;
    enum replication_state state;
    char *data;     /* libpq's copy of the payload handed out last; freed by the next take */
    bool temporary; /* of the slot that is created */
    bool exports;   /* its snapshot */
    char snapshot[64];
    char slot[128];                      /* being created */
    void *tls;                           /* OpenSSL's SSL *; NULL: no TLS */
    int (*tls_pending)(const void *ssl); /* SSL_pending; NULL: not to be had */
    bool encrypted;                      /* TLS or GSSAPI */
    int quiet_fills;                     /* since the last whole payload, up to QUIET_FILLS */
    bool heard;                          /* bytes of a payload that is not whole yet */
};

/* Bytes that OpenSSL has decrypted but libpq had no room for do not make the socket readable, and
 * libpq does not tell of them. SSL_pending does, so it is asked for at run time in the library that
 * libpq has loaded already; linking it would bind the program to one of libpq's possible libraries.
 * Where it cannot be had (GSSAPI, another TLS library) the socket is only waited for after several
 * reads in a row without a whole payload: a read takes at least 8 KB and a record holds at most 16
 * KB, so what is left after that came later, and its rest comes out with the next bytes, a
 * keepalive at the latest. */
static void look_at_encryption(struct pg_replication *r)
{
    r->encrypted = PQsslInUse(r->sql.conn) != 0 || PQgssEncInUse(r->sql.conn) != 0;
    r->tls = PQsslStruct(r->sql.conn, "OpenSSL");
    if (r->tls == NULL)
        return;
    void *symbol = dlsym(RTLD_DEFAULT, "SSL_pending");
    _Static_assert(sizeof symbol == sizeof r->tls_pending, "POSIX: a symbol may be a function");
    memcpy(&r->tls_pending, &symbol, sizeof symbol);
}

int pg_replication_open(const struct pg_options *options, struct pg_replication **replication,
                        struct error *err)
{
    assert(options != NULL && replication != NULL);
    assert(err != NULL);
    struct pg_replication *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    if (pg_session_open(options, true, &r->sql, err) < 0) {
        free(r);
        return -1;
    }
    look_at_encryption(r);
    *replication = r;
    return 0;
}

struct pg_connection *pg_replication_sql(struct pg_replication *replication)
{
    assert(replication != NULL);
    assert(replication->state == IDLE);
    return &replication->sql;
}

const struct pg_connection *pg_replication_session(const struct pg_replication *replication)
{
    assert(replication != NULL);
    return &replication->sql;
}

/* ---- Commands ---- */

/* The grammar of replication commands has '…' and "…", with doubled quotes and no escapes. */
static void add_quoted(struct buf *out, const char *text, char quote)
{
    buf_add_char(out, quote);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == quote)
            buf_add_char(out, *c);
        buf_add_char(out, *c);
    }
    buf_add_char(out, quote);
}

void pg_replication_temporary(struct pg_replication *replication)
{
    assert(replication != NULL && replication->state == IDLE);
    replication->temporary = true;
}

const char *pg_replication_export(struct pg_replication *replication)
{
    assert(replication != NULL && replication->state == IDLE);
    replication->exports = true;
    return replication->snapshot;
}

static int send_create(struct pg_replication *r, const char *slot, struct error *err)
{
    struct buf command = BUF_EMPTY;
    buf_add_text(&command, "CREATE_REPLICATION_SLOT ");
    add_quoted(&command, slot, '"');
    buf_add_text(&command, r->temporary ? " TEMPORARY" : "");
    buf_add_text(&command, " LOGICAL pgoutput ");
    buf_add_text(&command, r->exports ? "EXPORT_SNAPSHOT" : "NOEXPORT_SNAPSHOT");
    int sent = PQsendQuery(r->sql.conn, buf_text(&command));
    buf_fini(&command);
    if (sent == 0)
        return pg_connection_error(&r->sql, PG_CREATE_SLOT, err);
    snprintf(r->slot, sizeof r->slot, "%s", slot);
    r->state = CREATING;
    return 0;
}

/* slot_name | consistent_point | snapshot_name | output_plugin */
static int take_created(struct pg_replication *r, uint64_t *consistent_lsn, struct error *err)
{
    PGresult *result = PQgetResult(r->sql.conn);
    r->state = IDLE;
    if (result == NULL)
        return pg_connection_error(&r->sql, PG_CREATE_SLOT, err);
    int done = 0;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        done = pg_result_error(&r->sql, PG_CREATE_SLOT, result, err);
    else if (PQntuples(result) != 1 || PQnfields(result) < 2 ||
             !lsn_parse(span_of(PQgetvalue(result, 0, 1)), consistent_lsn))
        done = error_retry(err, REASON_DATABASE,
                           "the answer to CREATE_REPLICATION_SLOT is unreadable");
    else if (r->exports && PQnfields(result) > 2)
        snprintf(r->snapshot, sizeof r->snapshot, "%s", PQgetvalue(result, 0, 2));
    PQclear(result);
    struct error late = ERROR_INIT;
    return pg_drain(&r->sql, done < 0 ? &late : err) < 0 ? -1 : done;
}

int pg_replication_create_slot(struct pg_replication *replication, const char *slot,
                               int64_t wait_ms, uint64_t *consistent_lsn, struct error *err)
{
    assert(replication != NULL && slot != NULL);
    assert(consistent_lsn != NULL && wait_ms >= 0);
    assert(replication->state == IDLE || replication->state == CREATING);
    if (replication->state == IDLE && send_create(replication, slot, err) < 0)
        return -1;
    assert(strcmp(replication->slot, slot) == 0);
    int64_t deadline_us = clock_monotonic_us() + wait_ms * US_PER_MS;
    int ready = pg_await_result(&replication->sql, deadline_us, err);
    if (ready < 0)
        return -1;
    if (ready == 0)
        return 1;
    return take_created(replication, consistent_lsn, err);
}

/* The publications' names stand in a list of identifiers inside a literal. */
static void build_start(struct buf *out, const char *slot, const char *publication,
                        const char *more, uint64_t start_lsn)
{
    char lsn[LSN_TEXT_MAX];
    struct buf list = BUF_EMPTY;
    pg_quote_identifier(&list, span_of(publication));
    if (more != NULL) {
        buf_add_char(&list, ',');
        pg_quote_identifier(&list, span_of(more));
    }
    buf_add_text(out, "START_REPLICATION SLOT ");
    add_quoted(out, slot, '"');
    buf_add_format(out, " LOGICAL %s (proto_version '1', publication_names ",
                   lsn_format(start_lsn, lsn));
    add_quoted(out, buf_text(&list), '\'');
    buf_add_text(out, ", messages 'true')");
    buf_fini(&list);
}

int pg_replication_start(struct pg_replication *replication, const char *slot,
                         const char *publication, const char *more, uint64_t start_lsn,
                         struct error *err)
{
    assert(replication != NULL && replication->state == IDLE);
    assert(slot != NULL && publication != NULL);
    struct buf command = BUF_EMPTY;
    build_start(&command, slot, publication, more, start_lsn);
    PGresult *result = NULL;
    int done = pg_run(&replication->sql, buf_text(&command), &result, err);
    buf_fini(&command);
    if (done < 0)
        return -1;
    if (PQresultStatus(result) == PGRES_COPY_BOTH) {
        replication->state = STREAMING;
    } else {
        done = pg_result_error(&replication->sql, PG_START, result, err);
        struct error late = ERROR_INIT;
        (void)pg_drain(&replication->sql, &late);
    }
    PQclear(result);
    return done;
}

/* ---- The COPY ---- */

static int stream_ended(struct pg_replication *r, struct error *err)
{
    r->state = ENDED;
    /* What ended it is parsed already, so this does not wait. */
    if (PQisBusy(r->sql.conn) != 0)
        return error_retry(err, REASON_STREAM_ENDED, "PostgreSQL ended the stream");
    PGresult *result = PQgetResult(r->sql.conn);
    if (result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR)
        pg_result_error(&r->sql, PG_STREAM, result, err);
    else
        error_retry(err, REASON_STREAM_ENDED, "PostgreSQL ended the stream");
    PQclear(result);
    return -1;
}

int pg_replication_take(struct pg_replication *replication, struct span *data, struct error *err)
{
    assert(replication != NULL && data != NULL && err != NULL);
    if (replication->state != STREAMING)
        return error_retry(err, REASON_STREAM_ENDED, "the stream is not open");
    PQfreemem(replication->data);
    replication->data = NULL;
    int length = PQgetCopyData(replication->sql.conn, &replication->data, 1);
    if (length > 0) {
        *data = (struct span){replication->data, (size_t)length};
        replication->quiet_fills = 0;
        return 1;
    }
    if (length == 0)
        return 0;
    if (length == -1)
        return stream_ended(replication, err);
    replication->state = ENDED;
    return pg_connection_error(&replication->sql, PG_STREAM, err);
}

/* PQconsumeInput does not tell whether it found anything. Asked only while the payload at hand is
 * not whole: a stream of small ones pays for no system call. */
static bool is_readable(const struct pg_replication *r)
{
    struct pollfd fd = {.fd = PQsocket(r->sql.conn), .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

int pg_replication_fill(struct pg_replication *replication, struct error *err)
{
    assert(replication != NULL && err != NULL);
    if (replication->state != STREAMING)
        return error_retry(err, REASON_STREAM_ENDED, "the stream is not open");
    if (replication->quiet_fills > 0 && is_readable(replication))
        replication->heard = true;
    if (PQconsumeInput(replication->sql.conn) == 0) {
        replication->state = ENDED;
        return pg_connection_error(&replication->sql, PG_STREAM, err);
    }
    if (replication->quiet_fills < QUIET_FILLS)
        replication->quiet_fills++;
    return 0;
}

bool pg_replication_heard(struct pg_replication *replication)
{
    assert(replication != NULL);
    bool heard = replication->heard;
    replication->heard = false;
    return heard;
}

bool pg_replication_pending(const struct pg_replication *replication)
{
    assert(replication != NULL);
    if (!replication->encrypted)
        return false;
    if (replication->tls_pending != NULL)
        return replication->tls_pending(replication->tls) > 0;
    return replication->quiet_fills < QUIET_FILLS;
}

bool pg_replication_encrypted(const struct pg_replication *replication)
{
    assert(replication != NULL);
    return replication->encrypted;
}

int pg_replication_fd(const struct pg_replication *replication)
{
    assert(replication != NULL);
    return PQsocket(replication->sql.conn);
}

int pg_replication_send(struct pg_replication *replication, struct span data, struct error *err)
{
    assert(replication != NULL && err != NULL);
    assert(data.len > 0 && data.len <= INT32_MAX / 2);
    if (replication->state != STREAMING)
        return error_retry(err, REASON_STREAM_ENDED, "the stream is not open");
    int queued = PQputCopyData(replication->sql.conn, data.ptr, (int)data.len);
    if (queued > 0 && PQflush(replication->sql.conn) >= 0)
        return 0;
    if (queued == 0)
        return error_retry(err, REASON_SEND_BLOCKED, "PostgreSQL does not read what it is sent");
    replication->state = ENDED;
    return pg_connection_error(&replication->sql, PG_STREAM, err);
}

/* ---- The end ---- */

/* One step towards the server's CopyDone: true when there is nothing more to wait for. */
static bool discard_copy(struct pg_replication *r, int64_t deadline_us)
{
    struct error err = ERROR_INIT;
    for (;;) {
        char *data = NULL;
        int length = PQgetCopyData(r->sql.conn, &data, 1);
        PQfreemem(data);
        if (length < 0)
            return true;
        if (length > 0)
            continue;
        short events = PQflush(r->sql.conn) > 0 ? POLLIN | POLLOUT : POLLIN;
        if (!pg_replication_pending(r) && pg_wait(&r->sql, events, deadline_us, &err) <= 0)
            return false;
        if (pg_replication_fill(r, &err) < 0)
            return false;
    }
}

void pg_replication_finish(struct pg_replication *replication, int64_t deadline_us)
{
    assert(replication != NULL);
    if (replication->state != STREAMING)
        return;
    PQfreemem(replication->data);
    replication->data = NULL;
    /* The stop flag is up already in most cases, and the deadline is what counts here. */
    replication->sql.stop = NULL;
    if (PQputCopyEnd(replication->sql.conn, NULL) > 0 && discard_copy(replication, deadline_us)) {
        struct error err = ERROR_INIT;
        while (pg_await_result(&replication->sql, deadline_us, &err) > 0) {
            PGresult *result = PQgetResult(replication->sql.conn);
            bool done = result == NULL || PQresultStatus(result) == PGRES_FATAL_ERROR;
            PQclear(result);
            if (done)
                break;
        }
    }
    replication->state = ENDED;
}

/* The server does not look at its socket while it waits for transactions: a plain close would leave
 * it to finish the slot later, with nobody to own it. Where the cancel comes too late, the slot is
 * there and is dropped. PQcancel connects anew, no longer than tcp_user_timeout. */
static void abandon_slot(struct pg_replication *r)
{
    struct error err = ERROR_INIT;
    char message[256];
    r->sql.stop = NULL;
    PGcancel *cancel = PQgetCancel(r->sql.conn);
    if (cancel == NULL)
        return;
    bool sent = PQcancel(cancel, message, sizeof message) != 0;
    PQfreeCancel(cancel);
    if (!sent || pg_await_result(&r->sql, clock_monotonic_us() + CANCEL_WAIT_US, &err) <= 0)
        return;
    uint64_t lsn;
    if (take_created(r, &lsn, &err) < 0)
        return;
    struct buf command = BUF_EMPTY;
    PGresult *result = NULL;
    buf_add_text(&command, "DROP_REPLICATION_SLOT ");
    add_quoted(&command, r->slot, '"');
    if (pg_run(&r->sql, buf_text(&command), &result, &err) == 0)
        PQclear(result);
    buf_fini(&command);
}

void pg_replication_close(struct pg_replication *replication)
{
    if (replication == NULL)
        return;
    if (replication->state == CREATING)
        abandon_slot(replication);
    PQfreemem(replication->data);
    pg_session_close(&replication->sql);
    free(replication);
}
