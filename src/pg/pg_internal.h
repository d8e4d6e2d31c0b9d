/* pg_internal: what the files of pg/ share. Not for other modules.
 *
 * A session is one libpq connection in non-blocking mode. Every wait goes through pg_wait(): it has
 * a deadline, and it looks at the stop flag ten times a second, so no call of this module
 * outlives its time-out. After an error of kind ERROR_RETRY a session is only good for closing. */
#ifndef WALFERRY_PG_PG_INTERNAL_H
#define WALFERRY_PG_PG_INTERNAL_H

#include "pg/pg.h"

#include <libpq-fe.h>

#define PG_PASSWORD_KEY "source.password_command"

/* Where an error happened; the same SQLSTATE means different things in different places. */
enum pg_context { PG_CONNECT, PG_QUERY, PG_CREATE_SLOT, PG_START, PG_STREAM };

struct pg_connection {
    PGconn *conn;
    bool replication; /* a walsender: simple query protocol only, and replication commands */
    bool shared;      /* each statement is a transaction with settings of its own */
    int64_t timeout_us;
    const char *given_by;    /* for hints: where its connection string is to be mended */
    const atomic_bool *stop; /* may be NULL */
    struct waits *waits;     /* may be NULL */
};

/* ---- pg_connect ---- */
int pg_session_open(const struct pg_options *options, bool replication,
                    struct pg_connection *session, struct error *err);
void pg_session_close(struct pg_connection *session);
/* Begins to connect to the server, database and role of `beside` and waits for nothing; the rest is
 * PQconnectPoll's. password: what pg_password() gave, or NULL. Then pg_pin_settings is to be run.
 * After a failure, too, it is to be closed. */
int pg_session_start(const struct pg_options *options, const struct pg_connection *beside,
                     const char *password, struct pg_connection *session, struct error *err);
extern const char pg_lift_timeout[];
extern const char pg_pin_settings[];

/* ---- pg_password ---- */
/* Asks for the password, where a program gives it; else nothing is appended. */
int pg_password(const struct pg_options *options, struct buf *password, struct error *err);
/* The same without waiting, for options with a program (base/program_errand.h). */
struct program_errand;
int pg_password_errand(const struct pg_options *options, struct program_errand **errand,
                       struct error *err);
/* Says where the mend is of an error of a connect that was made with it; others stay. */
void pg_password_refused(const struct pg_connection *session, struct span password,
                         struct error *err);

/* ---- pg_shared ---- */
/* Begins a transaction with the same settings for itself alone, which may write or only reads:
 * appended. */
void pg_begin_shared(const struct pg_connection *session, bool writes, struct buf *out);

/* ---- pg_wait ---- */
/* Waits for `events` of poll(2) on the session's socket. 1: there; 0: the deadline has passed;
 * -1: the stop flag, ERROR_RETRY "stopping". */
int pg_wait(const struct pg_connection *session, short events, int64_t deadline_us,
            struct error *err);
/* Sends what is queued, reading meanwhile as libpq asks for. 1: sent, 0: deadline, -1: error. */
int pg_flush(const struct pg_connection *session, int64_t deadline_us, struct error *err);
/* Waits until PQgetResult would not block: 1, or 0: deadline, -1: error. */
int pg_await_result(const struct pg_connection *session, int64_t deadline_us, struct error *err);
/* Takes and drops the remaining results of a command; -1 where one is an error, or that did not end
 * in time. */
int pg_drain(const struct pg_connection *session, struct error *err);

/* ---- pg_query ---- */
/* Takes the rows over. */
struct pg_result *pg_result_of(PGresult *rows);
/* Runs one command of the simple query protocol and gives its (first) result, whatever its status
 * is; free with PQclear. */
int pg_run(const struct pg_connection *session, const char *command, PGresult **result,
           struct error *err);

/* ---- pg_replication ---- */
const struct pg_connection *pg_replication_session(const struct pg_replication *replication);

/* ---- pg_errors ---- */
/* Fill *err and return -1. From a result that is an error; from the connection's own state. */
int pg_result_error(const struct pg_connection *session, enum pg_context context,
                    const PGresult *result, struct error *err);
int pg_connection_error(const struct pg_connection *session, enum pg_context context,
                        struct error *err);
/* Did the connect fail because the server's certificate is not believed? */
bool pg_is_unverified(const struct pg_connection *session);
/* "source.connection", unless the options say otherwise. */
const char *pg_given_by(const struct pg_options *options);
/* ERROR_STOP, pooler: what answers is none of PostgreSQL's own. Returns -1. */
int pg_not_a_walsender(const struct pg_connection *session, const char *what, struct error *err);
/* PQerrorMessage of a failed connect under PQERRORS_VERBOSE: the last SQLSTATE in it ("" for none)
 * and a text for people without severity, SQLSTATE and LOCATION lines. */
void pg_split_connect_message(const char *message, char sqlstate[6], struct buf *text);

#endif
