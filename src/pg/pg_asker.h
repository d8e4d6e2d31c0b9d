/* pg/pg_asker: statements on a session that stands, without waiting; the rows of an answer one by
 * one, so that no answer is ever in memory as a whole. Includers take it from pg.h.
 *
 * The session may be one of a pooler that gives each transaction another server session: nothing is
 * set but for the transaction (pg_options.shared), and each text of pg_ask() is a transaction of
 * its own, READ COMMITTED and READ ONLY. Such a session keeps no LISTEN: ask pg_asker_is_direct()
 * first. */
#ifndef WALFERRY_PG_PG_ASKER_H
#define WALFERRY_PG_PG_ASKER_H

#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_connection;
struct pg_result;

struct pg_asker { /* pg_ask.c's own */
    struct pg_connection *connection;
    struct pg_result *row; /* libpq's; NULL: none is at hand */
    uint32_t statement;
    bool asking;
    bool sending;
};

/* Takes over a session that was opened `shared`. */
struct pg_asker *pg_asker_open(struct pg_connection *connection);
void pg_asker_close(struct pg_asker *asker); /* NULL is legal; does not wait for an answer */
int pg_asker_fd(const struct pg_asker *asker);
/* Some of what was asked is not yet sent: call pg_answer() soon, whatever the descriptor says. */
bool pg_asker_is_sending(const struct pg_asker *asker);
/* Is the server session our own, and not a pooler's? Waits for the answer. */
int pg_asker_is_direct(struct pg_asker *asker, bool *direct, struct error *err);
/* Waits. channel: any text; quoted here. */
int pg_asker_listen(struct pg_asker *asker, const char *channel, struct error *err);
/* Has a notification come since the last call? Never while an answer is awaited. */
int pg_asker_is_notified(struct pg_asker *asker, bool *notified, struct error *err);

/* sql: one or more statements with ; between them. Not before the last answer has ended. */
int pg_ask(struct pg_asker *asker, const char *sql, struct error *err);
/* Begins a transaction that may write, READ COMMITTED, with the same settings, and leaves it open;
 * behind a pooler, too, it has its session until it ends. */
int pg_ask_begin(struct pg_asker *asker, const char *sql, struct error *err);
/* In that transaction; sql may end it. */
int pg_ask_on(struct pg_asker *asker, const char *sql, struct error *err);
/* The same, of one statement with $1, a text, and $2, a bytea; both are copied, `bytes` once. */
int pg_ask_bytes(struct pg_asker *asker, const char *sql, const char *text, struct span bytes,
                 struct error *err);

enum pg_answer {
    PG_ANSWER_FAILED = -1, /* *err says why; the session is only good for closing */
    PG_ANSWER_WAIT = 0,    /* nothing now: call again once the descriptor is readable */
    PG_ANSWER_ROW,
    PG_ANSWER_END
};
enum pg_answer pg_answer(struct pg_asker *asker, struct error *err);
/* Behind PG_ANSWER_FAILED: what the server said of the statement; "" where it said nothing, or that
 * the session ends. */
void pg_asker_sqlstate(const struct pg_asker *asker, char sqlstate[6]);
/* Of the classes that heal by themselves: the connection, conflicts, room, locks, an operator; ""
 * is one. Errors of the system (58) and of the server itself (XX) are none: a page or a file that
 * is damaged stays so. PostgreSQL documentation, appendix A. */
bool pg_sqlstate_may_heal(const char *sqlstate);
/* The same: what was begun is rolled back, and the session is good for more once that is answered.
 * Only where the server has said something. */
int pg_ask_rollback(struct pg_asker *asker, struct error *err);
/* Of the row at hand: which of the statements that give rows it belongs to, from 0; its cells, in
 * text, valid until the next pg_answer(). */
uint32_t pg_answer_statement(const struct pg_asker *asker);
uint32_t pg_answer_count(const struct pg_asker *asker);
struct span pg_answer_cell(const struct pg_asker *asker, uint32_t column);

#endif
