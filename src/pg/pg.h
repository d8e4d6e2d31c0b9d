/* pg/: everything that touches libpq: connecting, queries, the replication COPY, slots, catalogue.
 *
 * Errors are sorted by SQLSTATE and by libpq's own state into the kinds of base/error: what may
 * heal by itself is ERROR_RETRY; credentials, privileges, wal_level and the like are ERROR_STOP
 * (EXIT_USAGE) with the exact mend as hint; refused credentials have reason "auth_failed".
 * Passwords never appear. The module knows nothing of batches, topics or progress. */
#ifndef WALFERRY_PG_PG_H
#define WALFERRY_PG_PG_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "pg/pg_options.h"

#include <stdint.h>

struct pg_connection;  /* an ordinary SQL session */
struct pg_replication; /* a walsender session (replication=database) */

/* Session settings are pinned (client_encoding, datestyle, intervalstyle, extra_float_digits,
 * bytea_output, lc_monetary, search_path, timezone, time-outs of statements and locks, the
 * read-only default). A server older than 14 is ERROR_STOP. */
int pg_open(const struct pg_options *options, struct pg_connection **connection, struct error *err);
void pg_close(struct pg_connection *connection); /* NULL is legal */

/* A result of text cells; NULL cells have ptr NULL. Valid until pg_result_free. */
struct pg_result;
int pg_query(struct pg_connection *connection, const char *sql, int param_count,
             const char *const *params, struct pg_result **result, struct error *err);
int pg_exec(struct pg_connection *connection, const char *sql, struct error *err);
int pg_result_rows(const struct pg_result *result);
struct span pg_result_cell(const struct pg_result *result, int row, int column);
bool pg_result_true(const struct pg_result *result, int row, int column); /* NULL is not */
void pg_result_free(struct pg_result *result);                            /* NULL is legal */
/* From here on in the database's encoding: the server converts nothing. Before, in UTF-8. */
int pg_speak_server_encoding(struct pg_connection *connection, struct error *err);
/* Quoted for SQL, appended. */
void pg_quote_identifier(struct buf *out, struct span name);
void pg_quote_literal(struct buf *out, struct span text);

/* Role and database that a connection string, or libpq's environment, names; "" where neither does.
 * ERROR_STOP, EXIT_USAGE, "bad_connection" where the string cannot be read. */
struct pg_names {
    char user[64];
    char database[64];
    bool password; /* one stands in the string */
};
int pg_connection_names(const char *connection, struct pg_names *names, struct error *err);

struct pg_system {
    uint64_t system_identifier;
    uint32_t timeline;
    uint64_t flush_lsn; /* IDENTIFY_SYSTEM xlogpos */
    int server_version; /* 150004 */
    bool in_recovery;
    int64_t wal_sender_timeout_ms; /* 0: off */
    char wal_level[16];
    char encoding[32]; /* of the database: "UTF8" */
    char database[64];
    char user[64];
};

enum slot_state { SLOT_ABSENT, SLOT_PRESENT };

struct pg_slot {
    enum slot_state state;
    char plugin[64];
    char database[64];
    char wal_status[16]; /* reserved extended unreserved lost; empty: unknown */
    bool active, temporary;
    int32_t active_pid;          /* 0: none */
    char active_application[64]; /* of active_pid, as far as we may see it */
    char active_user[64];
    bool at_work; /* its session reads or computes: it waits neither for the log nor for us */
    uint64_t restart_lsn;         /* 0: NULL */
    uint64_t confirmed_flush_lsn; /* 0: NULL, the slot is in creation or not logical */
    uint64_t current_lsn;         /* pg_current_wal_lsn(), or the replay LSN in recovery */
    int64_t safe_wal_size; /* bytes, 0 where the next checkpoint takes it, or has; -1: no limit */
};

/* Both questions work on either kind of session. */
int pg_identify(struct pg_connection *connection, struct pg_system *system, struct error *err);
int pg_slot_state(struct pg_connection *connection, const char *slot, struct pg_slot *state,
                  struct error *err);
/* What became of a transaction of the past. */
enum pg_outcome { PG_FATE_UNKNOWN, PG_FATE_COMMITTED, PG_FATE_ABORTED, PG_FATE_FUTURE };
struct pg_fate {
    enum pg_outcome outcome; /* unknown: too long ago, under way, or we may not ask */
    int64_t commit_at_us;    /* Unix epoch; 0: not known, as where track_commit_timestamp is off */
};
/* xid8: with its epoch. FUTURE: the server has not given that id out yet. */
int pg_transaction_fate(struct pg_connection *connection, uint64_t xid8, struct pg_fate *fate,
                        struct error *err);
/* Ends the slot's session, if its application_name is `application` and its role ours. */
int pg_terminate_slot_owner(struct pg_connection *connection, const char *slot,
                            const char *application, bool *ended, struct error *err);

/* The replication session. The pg_connection inside answers the questions above, too. */
int pg_replication_open(const struct pg_options *options, struct pg_replication **replication,
                        struct error *err);
struct pg_connection *pg_replication_sql(struct pg_replication *replication);
void pg_replication_close(struct pg_replication *replication); /* NULL is legal */
/* The slot that is created next goes with the session; its snapshot (what had committed before its
 * consistent point) is exported until the next command, by the name that stands there then. */
void pg_replication_temporary(struct pg_replication *replication);
const char *pg_replication_export(struct pg_replication *replication);
/* CREATE_REPLICATION_SLOT … LOGICAL pgoutput. Waits for every open writing
 * transaction of the cluster: returns 1 after wait_ms if it is not there yet (call again), 0 done
 * with *consistent_lsn. */
int pg_replication_create_slot(struct pg_replication *replication, const char *slot,
                               int64_t wait_ms, uint64_t *consistent_lsn, struct error *err);
/* START_REPLICATION SLOT … LOGICAL <lsn> (proto_version '1', publication_names, messages). more:
 * another publication to be read, too; NULL: none. */
int pg_replication_start(struct pg_replication *replication, const char *slot,
                         const char *publication, const char *more, uint64_t start_lsn,
                         struct error *err);
/* One CopyData payload without blocking. 1: *data, valid until the next call. 0: none buffered,
 * fill when the descriptor is readable. -1: error or end of the stream (ERROR_RETRY). */
int pg_replication_take(struct pg_replication *replication, struct span *data, struct error *err);
/* Reads what has arrived, at most one buffer; never blocks. */
int pg_replication_fill(struct pg_replication *replication, struct error *err);
/* True where bytes came since the last call that make no whole payload yet. */
bool pg_replication_heard(struct pg_replication *replication);
/* Bytes already decrypted inside TLS, which poll(2) does not show. */
bool pg_replication_pending(const struct pg_replication *replication);
bool pg_replication_encrypted(const struct pg_replication *replication);
int pg_replication_fd(const struct pg_replication *replication);
/* Queues CopyData and flushes what the socket takes; never blocks. */
int pg_replication_send(struct pg_replication *replication, struct span data, struct error *err);
/* Sends CopyDone and waits for the server's end until the deadline (monotonic). Best effort. */
void pg_replication_finish(struct pg_replication *replication, int64_t deadline_us);

/* One question on a session of its own, opened for it at the very server of `beside` and gone with
 * the question. Nothing waits: a step goes on as far as it can without. 1: *result is the answer of
 * the last statement in `sql`; 0: call again once the descriptor, which stays the same, is
 * readable; -1: it has failed and is only to be closed. The kind of an error is that of a session;
 * what the options point to, and `beside`, must outlive it. */
struct pg_question;
int pg_question_open(const struct pg_options *options, const struct pg_replication *beside,
                     const char *sql, struct pg_question **question, struct error *err);
int pg_question_step(struct pg_question *question, struct pg_result **result, struct error *err);
/* Another one on the same session, once the one before is answered. */
int pg_question_again(struct pg_question *question, const char *sql, struct error *err);
int pg_question_fd(const struct pg_question *question);
void pg_question_close(struct pg_question *question); /* NULL is legal */

/* Whom slot creation waits for: pid, application, state, age, with "; " between them. */
int pg_blocking_transactions(struct pg_connection *sql, struct buf *lines, struct error *err);
const char *pg_library_version(void);
#include "pg/pg_asker.h"

#endif
