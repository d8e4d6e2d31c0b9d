/* source/claim_options: polling of tables of any shape, whose rows are claimed by locks. Includers
 * take it from source.h.
 *
 * One transaction of the database goes around each window of rows:
 *
 *   begin; lock the tables' advisory locks; SELECT … FOR UPDATE in the order of the rows
 *     events and {ids, xid} into one Kafka transaction
 *   UPDATE or DELETE those rows                             before Kafka commits
 *   commit                                                  behind it
 *
 * So no row is finished that Kafka does not hold. What Kafka holds and is not finished, because
 * something ended between the two commits, is in the record: the next open asks what became of the
 * transaction xid, and finishes those ids without sending them again, by a window without rows.
 *
 * pg_xact_status() alone does not tell. The locks need no WAL on disk, so a crash of the server may
 * hand the id out again, to somebody who commits. A row that is still pending and was written
 * before xid (its xmin) is not finished, whatever the status says; one that was written after it
 * is somebody's new wish to have it sent.
 *
 * What the application has committed without waiting for the disk is no row yet: a crash of the
 * server forgets it and may hand its key out again. So Kafka commits nothing before the WAL is on
 * disk as far as the rows' own commits.
 *
 * One relay claims at a time. The session of an older instance, which is fenced by then, is ended
 * by its application_name where it holds the locks or the transaction. A row that somebody else has
 * locked is waited for: passing over it would break the order of its key. `struct claim` is
 * sans-I/O, as struct poll is. */
#ifndef WALFERRY_SOURCE_CLAIM_OPTIONS_H
#define WALFERRY_SOURCE_CLAIM_OPTIONS_H

#include "source/poll_options.h"

struct claim;

#define CLAIM_TABLES_MAX 256
/* The ids of a window, in its record. */
#define CLAIM_IDS_BYTES (64 * 1024)

/* A claimed table. The texts are SQL over its columns, of who makes them. */
struct claim_table {
    struct relation relation; /* version 1 */
    uint32_t key;             /* which of the columns names a row: an integer, a uuid or a text */
    uint32_t order;           /* which one orders them; where equal, the key does */
    const char *pending;      /* is it not finished? */
    const char *due;          /* and may it be claimed now? */
    const char *done;         /* what an UPDATE sets; NULL: DELETE */
    uint32_t shape;           /* over what tells that a row is finished; 0: it may be another one */
};

/* What the server says against the finish of rows (a trigger that raises, a constraint) is tried
 * again, an epoch for each try, and then ends the relay. Outlives the epochs. */
struct finish_trouble {
    char sqlstate[6]; /* of the last try that failed so */
    uint32_t tries;   /* in a row; 0 once a finish has gone through */
};

struct claim_options {
    const struct claim_table *tables; /* in the order of the file; outlive the source */
    uint32_t table_count;
    struct position start;
    struct partial partial;
    struct span resume;
    uint64_t system_identifier;
    uint32_t timeline;
    int64_t interval_us;
    int64_t idle_interval_us;
    uint32_t window_rows;           /* at most */
    const char *application;        /* of the sessions that may be ended */
    const char *channel;            /* as in poll_options */
    struct finish_trouble *trouble; /* of the source; outlives it */
    int64_t now_us;
};

/* ---- The sans-I/O core ---- */

enum claim_ask {
    CLAIM_ASK_NOTHING,
    CLAIM_ASK_SETTLE, /* what became of xid? ends who holds the locks */
    CLAIM_ASK_LOOK,   /* is anything due? */
    CLAIM_ASK_LOCK,   /* begins the transaction of a window, and reads its rows */
    CLAIM_ASK_REDO,   /* begins one that finishes ids */
    CLAIM_ASK_FINISH, /* and so on in it */
    CLAIM_ASK_FLUSH,
    CLAIM_ASK_COMMIT,
    CLAIM_ASK_ROLLBACK
};

/* The ids of one table: keys as change_id_format_key() has them, with commas between them. */
struct claim_ids {
    struct buf text;
    uint32_t count;
};

struct claim_question {
    enum claim_ask ask;
    uint64_t xid;                /* SETTLE, REDO: of the record; 0: none */
    bool written_before;         /* REDO: only rows that are older than xid */
    uint32_t limit;              /* LOCK: rows of a table at most */
    const struct claim_ids *ids; /* REDO, FINISH: one each table */
};

enum claim_status { CLAIM_COMMITTED, CLAIM_ABORTED, CLAIM_IN_PROGRESS, CLAIM_UNKNOWN };

/* ERROR_STOP, progress_unreadable: resume is none of claiming, or names a table that is not there.
 */
int claim_open(const struct claim_options *options, struct claim **claim, struct error *err);
void claim_close(struct claim *claim); /* NULL is legal */
void claim_question(struct claim *claim, int64_t now_us, struct claim_question *question);
int64_t claim_deadline(const struct claim *claim);
void claim_wake(struct claim *claim, int64_t now_us);
/* The first row of SETTLE, LOOK, LOCK and REDO; bound_xid: the transaction's own. ERROR_RETRY. */
int claim_feed_guard(struct claim *claim, const struct poll_guard *guard, struct error *err);
int claim_feed_status(struct claim *claim, enum claim_status status, int64_t now_us,
                      struct error *err);
void claim_feed_due(struct claim *claim, bool due);
/* LOCK. cells: as poll_feed_row(). */
int claim_feed_row(struct claim *claim, uint32_t table, struct cell *cells, struct error *err);
/* LOCK, behind the rows, where others have committed since the guard: the WAL ends there, and their
 * commits are on disk at flushed_us at the latest. */
void claim_feed_read(struct claim *claim, uint64_t insert_lsn, int64_t flushed_us);
/* FINISH and FLUSH, the last row of their answers. */
void claim_feed_flushed(struct claim *claim, uint64_t flush_lsn);
/* FINISH and REDO: rows of a table that were finished, and then how many of its ids are pending all
 * the same. ERROR_STOP, rows_not_finished. */
int claim_feed_finished(struct claim *claim, uint32_t table, uint64_t rows, struct error *err);
int claim_feed_left(struct claim *claim, uint32_t table, uint64_t rows, struct error *err);
void claim_feed_end(struct claim *claim, int64_t now_us);
int claim_next(struct claim *claim, struct change *change);
/* Kafka has committed up to here. */
void claim_confirm(struct claim *claim, struct position committed);
void claim_resume(const struct claim *claim, struct buf *json);
uint64_t claim_received_lsn(const struct claim *claim);

/* ---- What the record says ---- */

struct claim_record {
    uint64_t xid;     /* 0: nothing is to be finished */
    uint64_t flushed; /* a place in the WAL that was on disk */
};

/* The resume of who has published nothing. */
#define CLAIM_RESUME_EMPTY "{\"ids\":{},\"xid\":null,\"flushed\":\"0/0\"}"
/* False where it is none of claiming. */
bool claim_resume_read(struct span resume, struct claim_record *record);
/* Were rows of the table, as poll_table_name() has it, finished in this shape? ERROR_STOP. */
int claim_check_shape(struct span resume, struct span table, uint32_t shape, struct error *err);
/* Are the ids of the record's window those of this row? */
bool claim_resume_has(struct span resume, struct change_id id);

/* ---- Texts, and the source around it ---- */

/* Appends the statements; the guard's row is the first that is answered but for what only locks. */
void claim_sql(const struct claim_question *question, const struct claim_options *options,
               struct buf *sql);
int claim_source_open(struct pg_connection *connection, const struct claim_options *options,
                      struct source **source, bool *listens, struct error *err);

#endif
