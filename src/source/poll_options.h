/* source/poll_options: polling of tables whose rows carry the id of their transaction. Includers
 * take it from source.h.
 *
 * What is new is the difference of two snapshots: the rows that `target` sees and `prev` does not,
 * by the column xid (xid8), in the order of the column seq (bigint). Such a window is one BEGIN …
 * COMMIT. Nothing is locked or written, and nobody waits for a transaction that is long open: its
 * rows come with the window in which it is over. Never the system column xmin, which a savepoint
 * changes.
 *
 * `struct poll` is sans-I/O: it says what to ask the server and is fed the answers. It keeps:
 *   - nothing of a window is handed on before the WAL up to its target was flushed: a crash hands
 *     the ids of what was not out anew, to transactions that `prev` would call seen;
 *   - each answer must come from the primary of the same system and timeline, and of no earlier
 *     time than what was seen of it. A standby's snapshot does not list what is under way.
 *
 * Positions: COMMIT and MARK have the place in the WAL at which the target was read, or one byte
 * more than the one before where that is not beyond it. A backlog is cut into windows of about
 * page_rows rows by an xid: all but the last of them stand only one byte behind the one before. */
#ifndef WALFERRY_SOURCE_POLL_OPTIONS_H
#define WALFERRY_SOURCE_POLL_OPTIONS_H

#include "base/buf.h"
#include "base/error.h"
#include "model/batch.h"
#include "model/change.h"
#include "source/source_end.h"

struct pg_connection;
struct poll;
struct source;

/* A polled table: its columns in the order in which they are asked for. */
struct poll_table {
    struct relation relation; /* version 1 */
    uint32_t seq;             /* which of the columns */
    uint32_t xid;
};

/* The place of nothing: a relay that is to publish what there is from the beginning. */
#define POLL_BEGINNING_LSN 1

struct poll_options {
    const struct poll_table *tables; /* in the order of the file; outlive the source */
    uint32_t table_count;
    struct position start; /* recorded progress */
    struct partial partial;
    struct span resume; /* of the record */
    uint64_t system_identifier;
    uint32_t timeline;
    int64_t interval_us;
    int64_t idle_interval_us;
    uint32_t page_rows;
    struct source_end end; /* flushed; sees all that a target of before does */
    const char *channel;   /* NOTIFY on it wakes early; NULL: nobody listens */
    int64_t now_us;
};

/* ---- The sans-I/O core ---- */

enum poll_ask { POLL_ASK_NOTHING, POLL_ASK_TARGET, POLL_ASK_FLUSH, POLL_ASK_PAGE };

struct poll_question {
    enum poll_ask ask;
    uint64_t bound_from; /* TARGET: the xmax of prev, from which on a window may be cut */
    uint32_t bound_rows; /* behind so many rows */
    uint32_t table;      /* PAGE, and below: rows between prev and target */
    struct span prev, target;
    bool behind; /* only those with seq >= last_seq */
    int64_t last_seq;
    uint32_t limit; /* rows at most */
};

/* The first row of each answer. */
struct poll_guard {
    bool in_recovery; /* then nothing else is known */
    uint64_t system_identifier;
    uint32_t timeline;
    struct span snapshot; /* pg_current_snapshot() */
    uint64_t insert_lsn;  /* read behind the snapshot */
    uint64_t flush_lsn;   /* read behind insert_lsn */
    uint64_t checkpoint;  /* changes with each checkpoint, so with each crash */
    int64_t time_us;      /* the server's clock, Unix epoch */
    uint64_t bound_xid;   /* TARGET: windows may end before it; 0: it need not be cut */
    uint64_t wal_segment; /* bytes */
    uint64_t wal_block;   /* bytes */
};

/* ERROR_STOP, progress_unreadable: resume is none of polling. */
int poll_open(const struct poll_options *options, struct poll **poll, struct error *err);
void poll_close(struct poll *poll); /* NULL is legal */
/* What is to be asked now; NOTHING: an answer is awaited, a change is to be taken, or it is not yet
 * time (poll_deadline). */
void poll_question(struct poll *poll, int64_t now_us, struct poll_question *question);
int64_t poll_deadline(const struct poll *poll);
/* Look soon: somebody has committed. */
void poll_wake(struct poll *poll, int64_t now_us);
/* The answer: the guard, rows of a PAGE, the end. ERROR_RETRY: the next open judges. */
int poll_feed_guard(struct poll *poll, const struct poll_guard *guard, int64_t now_us,
                    struct error *err);
/* cells: one for each column of the question's table; valid until poll_next() has given 0. */
int poll_feed_row(struct poll *poll, struct cell *cells, struct error *err);
void poll_feed_end(struct poll *poll, int64_t now_us);
/* 1: *change filled. 0: feed on. */
int poll_next(struct poll *poll, struct change *change);
/* Appends progress's resume, as of the change that was given last. */
void poll_resume(const struct poll *poll, struct buf *json);
uint64_t poll_received_lsn(const struct poll *poll);

/* ---- What the record says; for who judges ---- */

/* Appends the resume of who has seen this snapshot and no more. */
void poll_resume_write(struct span snapshot, struct buf *json);
/* Of a resume: the snapshot up to which all is published, copied onto *prev, and the xmax that the
 * server must have reached. False where it is none of polling. */
bool poll_resume_read(struct span resume, struct buf *prev, uint64_t *xmax);
/* Is what the transaction wrote published? */
bool poll_resume_sees(struct span resume, uint64_t xid);

/* ---- The text of a question, and the source around it ---- */

/* Appends the statements: one row of the guard's cells, then the page. */
void poll_sql(const struct poll_question *question, const struct poll_options *options,
              struct buf *sql);
/* The cells of the guard's row. False: they cannot be read. */
#define POLL_GUARD_CELLS 11
bool poll_read_guard(const struct span cells[POLL_GUARD_CELLS], struct poll_guard *guard);
/* The statement that asks for them, but for the last: the caller's own. */
extern const char poll_guard_sql[];
/* Appends the name of a table as it stands in the record. */
void poll_table_name(const struct relation *relation, struct buf *name);
/* A place is flushed: what is written begins behind a page's header. */
bool poll_is_flushed(const struct poll_guard *target, uint64_t flush_lsn);

/* Takes the session over, also where it fails. *listens: notifications wake it; not so where the
 * session is a pooler's. */
int poll_source_open(struct pg_connection *connection, const struct poll_options *options,
                     struct source **source, bool *listens, struct error *err);

#endif
