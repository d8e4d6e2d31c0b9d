/* pgoutput_encoder: the server's side of src/decode/, for tests.
 *
 * One write_* for each message that the decoder reads, with the same fields in the same order
 * (PostgreSQL documentation, "Logical Replication Message Formats" and "Streaming Replication
 * Protocol"). Each appends to `out`; nothing is checked, so that a test can also write nonsense.
 * Times are microseconds of the Unix epoch and become PostgreSQL's own. A whole CopyData payload is
 * write_xlogdata() around a message, or write_keepalive(). */
#ifndef WALFERRY_TESTS_PGOUTPUT_ENCODER_H
#define WALFERRY_TESTS_PGOUTPUT_ENCODER_H

#include "base/buf.h"
#include "model/change.h"

void write_begin(struct buf *out, uint64_t final_lsn, int64_t commit_time_us, uint32_t xid);
void write_commit(struct buf *out, uint64_t commit_lsn, uint64_t end_lsn, int64_t commit_time_us);
void write_origin(struct buf *out, uint64_t origin_lsn, const char *name);
/* oid, schema, name, identity and columns of *relation; schema goes out as it is, so pg_catalog is
 * the empty span here. */
void write_relation(struct buf *out, const struct relation *relation);
void write_type(struct buf *out, uint32_t oid, const char *schema, const char *name);
void write_insert(struct buf *out, uint32_t oid, const struct row *row);
/* old_kind: 'K' or 'O', or 0 where the server sends no old row (old may then be NULL). */
void write_update(struct buf *out, uint32_t oid, char old_kind, const struct row *old_row,
                  const struct row *new_row);
void write_delete(struct buf *out, uint32_t oid, char old_kind, const struct row *old_row);
void write_truncate(struct buf *out, uint32_t count, const uint32_t *oids, bool cascade,
                    bool restart_identity);
void write_message(struct buf *out, bool transactional, uint64_t lsn, const char *prefix,
                   struct span content);
/* TupleData alone, as the three above hold it. */
void write_tuple(struct buf *out, const struct row *row);

/* CopyData payloads from the server: 'w' around one message, and 'k'. */
void write_xlogdata(struct buf *out, uint64_t wal_start, uint64_t wal_end, int64_t server_time_us,
                    struct span message);
void write_keepalive(struct buf *out, uint64_t wal_end, int64_t server_time_us, bool reply);

/* The client's answer: a standby status update ('r'). */
struct standby_status {
    uint64_t write_lsn;
    uint64_t flush_lsn;
    uint64_t apply_lsn;
    int64_t client_time_us; /* Unix epoch */
    bool reply;             /* the client asks for a keepalive */
};

/* False where the payload is anything but exactly one status update. */
bool read_status(struct span payload, struct standby_status *status);

/* A span in the initialiser of a static object, where SPAN_LITERAL is not constant enough. */
#define SPAN_STATIC(text)                                                                          \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

/* Cells, for rows written by hand. */
static inline struct cell cell_text(const char *text)
{
    return (struct cell){CELL_TEXT, span_of(text)};
}
static inline struct cell cell_binary(struct span bytes)
{
    return (struct cell){CELL_BINARY, bytes};
}
static inline struct cell cell_null(void)
{
    return (struct cell){CELL_NULL, span_null()};
}
static inline struct cell cell_unchanged(void)
{
    return (struct cell){CELL_UNCHANGED, span_null()};
}

#endif
