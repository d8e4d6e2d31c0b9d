/* source/: where changes come from. Every source speaks BEGIN … COMMIT; nobody knows which one
 * runs: source/stream, source/poll or source/claim (source/poll_options.h, claim_options.h).
 *
 * Each is split in two. `struct stream` is sans-I/O: CopyData payloads in, changes and status bytes
 * out, told the time, never asking for it; it keeps I1 on the status bytes, drops what is behind
 * the start, skips the done part of a split transaction, notices silence. The source around it
 * (stream_source) moves the bytes through pg/ and paces its reading. */
#ifndef WALFERRY_SOURCE_SOURCE_H
#define WALFERRY_SOURCE_SOURCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/step.h"
#include "metrics/metrics.h"
#include "model/batch.h"
#include "model/change.h"

struct source;

struct source_status {     /* what any source can tell of itself */
    const char *name;      /* of the ops: "stream" */
    uint64_t received_lsn; /* the newest place in the WAL that was seen, whatever became of it */
    struct position confirmed; /* the newest that it was told to confirm; the start before that */
    uint64_t type_failures;    /* look-ups of types that told nothing */
    const struct error *type_failure; /* the newest of them, valid until next; NULL: none */
};

struct source_ops {
    const char *name;
    /* Done: *change filled, valid until the next call. Wait: nothing now, see wait. */
    enum step (*next)(struct source *s, int64_t now_us, struct change *change, struct error *err);
    /* What to wait for when next gave STEP_WAIT: a descriptor that becomes readable (-1: none) and
     * a deadline (monotonic) at which next or tick should be called whatever happens. */
    void (*wait)(struct source *s, int *fd, int64_t *deadline_us);
    /* Keeps the connection alive without taking changes; to be called at least once a second. */
    int (*tick)(struct source *s, int64_t now_us, struct error *err);
    /* Kafka has committed everything up to the position: it may be confirmed. Never goes back.
     * resume: the source's own part of that record, as it came with the batch; absent where it
     * writes none. Valid during the call. */
    void (*confirm)(struct source *s, struct position committed, struct span resume);
    /* Appends the source's own part of progress, JSON, as of the change given last. NULL: none. */
    void (*resume)(const struct source *s, struct buf *json);
    /* How far it is, for /status and metrics. */
    void (*report)(const struct source *s, struct source_status *status);
    /* deadline_us > now: ends the stream in order (last confirmation, CopyDone, the server's reply)
     * if that can be had until then; 0: just leaves. Frees. */
    void (*close)(struct source *s, int64_t deadline_us);
};

struct source {
    const struct source_ops *ops;
    /* Monotonic time at which bytes came last, of whatever kind; the implementation keeps it. */
    int64_t data_us;
};

static inline enum step source_next(struct source *s, int64_t now_us, struct change *change,
                                    struct error *err)
{
    return s->ops->next(s, now_us, change, err);
}
static inline void source_wait(struct source *s, int *fd, int64_t *deadline_us)
{
    s->ops->wait(s, fd, deadline_us);
}
static inline int source_tick(struct source *s, int64_t now_us, struct error *err)
{
    return s->ops->tick(s, now_us, err);
}
static inline void source_confirm(struct source *s, struct position committed, struct span resume)
{
    s->ops->confirm(s, committed, resume);
}
static inline struct source_status source_report(const struct source *s)
{
    struct source_status status = {.name = s->ops->name};
    s->ops->report(s, &status);
    return status;
}
static inline void source_close(struct source *s, int64_t deadline_us)
{
    if (s != NULL)
        s->ops->close(s, deadline_us);
}

/* ---- The sans-I/O core of the stream ---- */

struct pg_replication;
struct relation_facts;
struct stream;
struct type_registry;

/* What the server must send again from below the start: a server whose files were put back to an
 * earlier time, and written to since, has another history there. Until it has, nothing is handed on
 * and nothing is confirmed beyond what was, so that a refused start leaves the slot as it is. */
struct stream_witness {
    uint64_t from_lsn;  /* the server was asked for what commits from here on; 0: for the start */
    uint64_t final_lsn; /* of the only transaction from there to the start; 0: there is none */
    uint64_t confirmed_lsn; /* of the slot as it was found; not beyond from_lsn */
    uint32_t xid;
    int64_t commit_time_us;
};

struct stream_options {
    struct position start; /* recorded progress; seq 0 unless partial */
    struct stream_witness witness;
    struct partial partial;    /* of the recorded progress */
    int64_t server_timeout_us; /* the server's wal_sender_timeout; 0: off, and 60 s are taken */
    uint32_t patience; /* so many of these without a sign, and the server is silent; 0 is 1 */
    int64_t now_us;
    /* For the source around the core, kept as long as it: where types and commands are looked up
     * (NULL: nowhere), and the application_name to which ":types" is put. */
    const char *connection, *application;
    const char *const *password_command; /* as in pg_options */
    const char *relay;    /* whose commands are looked up in walferry.command; NULL: nobody's */
    bool keys;            /* somebody wants to know what identifies the rows */
    bool repeats;         /* the done part of a split transaction comes, too, as `repeated` */
    const char *encoding; /* the database's, in PostgreSQL's word; NULL: UTF8 */
};

struct stream *stream_open(const struct stream_options *options);
void stream_close(struct stream *stream); /* NULL is legal */

/* One CopyData payload from the server ('w' XLogData or 'k' keepalive). The bytes must stay valid
 * until stream_next() has given 0. 0, or -1 with ERROR_RETRY/ERROR_STOP (undecodable, unknown type,
 * another transaction where the partial one or the witness must come). */
int stream_feed(struct stream *stream, struct span copy_data, int64_t now_us, struct error *err);
/* The change of what was fed: 1 or 0. At most one a feed, to be taken before the next. An urgent
 * MARK may repeat the position of the COMMIT or MARK before it, where that is not yet confirmed. */
int stream_next(struct stream *stream, struct change *change);
/* Appends a standby status update ('r') where one is due at now_us; true: it did. wall_us: Unix. */
bool stream_status(struct stream *stream, int64_t now_us, int64_t wall_us, struct buf *out);
/* The same whether due or not; for the end of the stream. */
void stream_status_now(struct stream *stream, int64_t now_us, int64_t wall_us, struct buf *out);
/* -1 with ERROR_RETRY where the server was silent for server_timeout_us, `patience` times, or is in
 * a shutdown that cannot be confirmed within 5 s. */
int stream_tick(struct stream *stream, int64_t now_us, struct error *err);
/* The server is alive although nothing is fed: a part of a message has come, or bytes wait in the
 * socket while there is no room for changes. Else a slow link would look like a silent server. */
void stream_heard(struct stream *stream, int64_t now_us);
/* When stream_status or stream_tick want to be called next. */
int64_t stream_deadline(const struct stream *stream);
/* committed: a position that was handed on, or the start. Never goes back. */
void stream_confirm(struct stream *stream, struct position committed);
uint64_t stream_received_lsn(const struct stream *stream);
bool stream_in_transaction(const struct stream *stream);
/* What the catalogue says of a relation that the stream gave (decode/decode.h). */
void stream_learn_relation(struct stream *s, const struct relation *r,
                           const struct relation_facts *facts);
/* The types of what was described, as long as the stream. */
struct type_registry *stream_types(struct stream *stream);
/* ---- The source around it ---- */
/* Before the first row of a relation it asks the catalogue for types that are not PostgreSQL's own,
 * without blocking, a quarter of server_timeout_us at most; next gives 0 meanwhile. Takes the
 * started replication connection over (also when it fails). */
int stream_source_open(struct pg_replication *connection, const struct stream_options *options,
                       struct source **source, struct error *err);

#include "source/claim_options.h" /* and poll_options.h, source_end.h */
#endif
