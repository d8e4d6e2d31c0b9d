/* decode: the dispatch over the message types of pgoutput, protocol version 1, one short read_…
 * each.
 *
 *   B Begin   C Commit   O Origin   R Relation   Y Type   M Message
 *   I Insert  U Update   D Delete   T Truncate
 *
 * Invariant: cells point into the message and no row allocates; the arrays for cells grow only when
 * a wider relation is described. After an error the decoder is not to be used again: what follows
 * in the stream could be read wrongly. Positions and ordinals are the source's business. */
#include "decode/decode.h"

#include "decode/decode_reader.h"
#include "decode/decode_relations.h"
#include "decode/decode_texts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Columns that the arrays for cells hold from the start. */
#define CELLS_COLUMNS_FIRST 16
#define MESSAGE_FLAG_TRANSACTIONAL 1
#define TRUNCATE_FLAG_CASCADE 1
#define TRUNCATE_FLAG_RESTART_IDENTITY 2

struct decoder {
    struct type_registry *types; /* in the epoch arena */
    struct texts texts;
    struct relations relations;
    /* Two rows of cells_columns cells: before, after. */
    struct cell *cells;
    uint32_t cells_columns;
    const struct relation **truncated;
    uint32_t truncated_size;
    /* The transaction at hand. */
    bool in_transaction;
    uint64_t final_lsn;
    uint32_t xid;
    int64_t commit_time_us;
    bool has_origin;
    struct buf origin;
    uint64_t origin_lsn;
};

/* Room for two rows of the widest relation, so that rows never allocate. */
static void reserve_cells(struct decoder *d, uint32_t columns)
{
    if (columns <= d->cells_columns)
        return;
    struct cell *grown = realloc(d->cells, 2 * (size_t)columns * sizeof *grown);
    if (grown == NULL)
        abort();
    d->cells = grown;
    d->cells_columns = columns;
}

struct decoder *decoder_open(struct arena *epoch, const struct text_encoding *encoding)
{
    assert(epoch != NULL);
    struct decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        abort();
    d->types = type_registry_open(epoch);
    texts_init(&d->texts, encoding);
    relations_init(&d->relations, d->types, &d->texts, epoch);
    reserve_cells(d, CELLS_COLUMNS_FIRST);
    return d;
}

void decoder_close(struct decoder *d)
{
    if (d == NULL)
        return;
    texts_fini(&d->texts);
    buf_fini(&d->origin);
    free(d->cells);
    free(d->truncated);
    free(d);
}

struct type_registry *decoder_types(struct decoder *d)
{
    assert(d != NULL);
    return d->types;
}

void decoder_learn_relation(struct decoder *d, const struct relation *relation,
                            const struct relation_facts *facts)
{
    assert(d != NULL && relation != NULL);
    relations_learn(&d->relations, relation->oid, facts);
}

bool decoder_in_transaction(const struct decoder *d)
{
    assert(d != NULL);
    return d->in_transaction;
}

/* ---- Transactions ---- */

/* Byte 'B' | Int64 final_lsn | Int64 commit time | Int32 xid */
static int read_begin(struct decoder *d, struct reader *r, struct change *change)
{
    uint64_t final_lsn = read_u64(r);
    int64_t commit_time_us = read_time(r);
    uint32_t xid = read_u32(r);
    if (r->failed)
        return 0;
    if (d->in_transaction) {
        reader_fail(r, "a transaction begins inside another one");
        return 0;
    }
    d->in_transaction = true;
    d->final_lsn = final_lsn;
    d->commit_time_us = commit_time_us;
    d->xid = xid;
    d->has_origin = false;
    change->op = CHANGE_BEGIN;
    return 1;
}

/* Byte 'C' | Int8 flags (0) | Int64 commit_lsn | Int64 end_lsn | Int64 commit time */
static int read_commit(struct decoder *d, struct reader *r, struct change *change)
{
    uint8_t flags = read_u8(r);
    uint64_t commit_lsn = read_u64(r);
    uint64_t end_lsn = read_u64(r);
    read_time(r);
    if (r->failed)
        return 0;
    char first[LSN_TEXT_MAX], second[LSN_TEXT_MAX];
    if (flags != 0)
        reader_fail(r, "unknown flags 0x%02x", flags);
    else if (!d->in_transaction)
        reader_fail(r, "a transaction ends that has not begun");
    else if (commit_lsn != d->final_lsn)
        reader_fail(r, "commit at %s of a transaction that was to commit at %s",
                    lsn_format(commit_lsn, first), lsn_format(d->final_lsn, second));
    else if (end_lsn < commit_lsn)
        reader_fail(r, "commit at %s ends at %s", lsn_format(commit_lsn, first),
                    lsn_format(end_lsn, second));
    change->op = CHANGE_COMMIT;
    change->position.lsn = end_lsn;
    return 1;
}

/* Byte 'O' | Int64 lsn at the origin | String name. Of the whole transaction. */
static void read_origin(struct decoder *d, struct reader *r)
{
    uint64_t lsn = read_u64(r);
    struct span name = read_string(r);
    if (r->failed || reader_left(r) > 0 || !texts_name(&d->texts, &name, &d->texts.arena))
        return;
    d->has_origin = name.len > 0;
    d->origin_lsn = lsn;
    buf_reset(&d->origin);
    buf_add(&d->origin, name);
}

/* Byte 'Y' | Int32 oid | String schema | String name */
static void read_type(struct decoder *d, struct reader *r)
{
    uint32_t oid = read_u32(r);
    struct span schema = read_string(r);
    struct span name = read_string(r);
    if (r->failed || reader_left(r) > 0)
        return;
    (void)texts_name(&d->texts, &schema, &d->texts.arena);
    (void)texts_name(&d->texts, &name, &d->texts.arena);
    type_registry_announce(d->types, oid, schema, name);
}

/* Byte 'M' | Int8 flags | Int64 lsn | String prefix | Int32 length | bytes */
static int read_message(struct decoder *d, struct reader *r, struct change *change)
{
    uint8_t flags = read_u8(r);
    uint64_t lsn = read_u64(r);
    bool transactional = (flags & MESSAGE_FLAG_TRANSACTIONAL) != 0;
    change->op = CHANGE_MESSAGE;
    change->message.transactional = transactional;
    change->message.prefix = read_string(r);
    uint32_t length = read_u32(r);
    change->message.content = read_bytes(r, length);
    if (!r->failed && transactional != d->in_transaction)
        reader_fail(r, transactional ? "a transactional message outside a transaction"
                                     : "a non-transactional message inside a transaction");
    if (!transactional)
        change->position.lsn = lsn;
    return 1;
}

/* ---- Rows ---- */

/* TupleData: Int16 columns, then for each a kind: n NULL, u unchanged TOAST, t text, b binary; the
 * last two with Int32 length and that many bytes. */
static void read_row(struct reader *r, const struct relation *relation, struct cell *cells,
                     struct row *row)
{
    uint16_t count = read_u16(r);
    if (!r->failed && count != relation->column_count)
        reader_fail(r, "a row of %u columns for relation %.*s, which has %" PRIu32, count,
                    SPAN_ARG(relation->name), relation->column_count);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct cell *cell = &cells[i];
        uint8_t kind = read_u8(r);
        cell->bytes = span_null();
        switch (kind) {
        case 't':
        case 'b':
            cell->kind = kind == 't' ? CELL_TEXT : CELL_BINARY;
            cell->bytes = read_bytes(r, read_u32(r));
            break;
        case 'n':
            cell->kind = CELL_NULL;
            break;
        case 'u':
            cell->kind = CELL_UNCHANGED;
            break;
        default:
            reader_fail(r, "unknown kind of cell 0x%02x", kind);
        }
    }
    row->count = count;
    row->cells = cells;
}

/* Int32 oid, of a relation that was described, inside a transaction; NULL otherwise. */
static const struct relation *read_relation_oid(struct decoder *d, struct reader *r)
{
    uint32_t oid = read_u32(r);
    if (r->failed)
        return NULL;
    const struct relation *relation = relations_find(&d->relations, oid);
    if (relation == NULL)
        reader_fail(r, "relation %" PRIu32 " was never described", oid);
    else if (!d->in_transaction)
        reader_fail(r, "a change of relation %.*s outside a transaction", SPAN_ARG(relation->name));
    return r->failed ? NULL : relation;
}

static struct cell *before_cells(struct decoder *d)
{
    return d->cells;
}

static struct cell *after_cells(struct decoder *d)
{
    return d->cells + d->cells_columns;
}

/* Byte 'I' | Int32 oid | 'N' | TupleData */
static int read_insert(struct decoder *d, struct reader *r, struct change *change)
{
    change->op = CHANGE_INSERT;
    change->relation = read_relation_oid(d, r);
    uint8_t kind = read_u8(r);
    if (!r->failed && kind != 'N')
        reader_fail(r, "unknown kind of row 0x%02x", kind);
    if (!r->failed)
        read_row(r, change->relation, after_cells(d), &change->after);
    return 1;
}

/* Byte 'U' | Int32 oid | optional 'K' or 'O' | TupleData | 'N' | TupleData */
static int read_update(struct decoder *d, struct reader *r, struct change *change)
{
    change->op = CHANGE_UPDATE;
    change->relation = read_relation_oid(d, r);
    uint8_t kind = read_u8(r);
    if (!r->failed && (kind == 'K' || kind == 'O')) {
        read_row(r, change->relation, before_cells(d), &change->before);
        kind = read_u8(r);
    }
    if (!r->failed && kind != 'N')
        reader_fail(r, "unknown kind of row 0x%02x", kind);
    if (!r->failed)
        read_row(r, change->relation, after_cells(d), &change->after);
    return 1;
}

/* Byte 'D' | Int32 oid | 'K' or 'O' | TupleData */
static int read_delete(struct decoder *d, struct reader *r, struct change *change)
{
    change->op = CHANGE_DELETE;
    change->relation = read_relation_oid(d, r);
    uint8_t kind = read_u8(r);
    if (!r->failed && kind != 'K' && kind != 'O')
        reader_fail(r, "unknown kind of row 0x%02x", kind);
    if (!r->failed)
        read_row(r, change->relation, before_cells(d), &change->before);
    return 1;
}

static void reserve_truncated(struct decoder *d, uint32_t count)
{
    if (count <= d->truncated_size)
        return;
    void *grown = realloc((void *)d->truncated, count * sizeof *d->truncated);
    if (grown == NULL)
        abort();
    d->truncated = grown;
    d->truncated_size = count;
}

/* Byte 'T' | Int32 relations | Int8 flags | Int32 oid of each */
static int read_truncate(struct decoder *d, struct reader *r, struct change *change)
{
    uint32_t count = read_u32(r);
    uint8_t flags = read_u8(r);
    if (!r->failed && (count == 0 || reader_left(r) / sizeof(uint32_t) < count))
        reader_fail(r, "a truncate of %" PRIu32 " relations", count);
    if (r->failed)
        return 0;
    reserve_truncated(d, count);
    for (uint32_t i = 0; i < count && !r->failed; i++)
        d->truncated[i] = read_relation_oid(d, r);
    change->op = CHANGE_TRUNCATE;
    change->relation = d->truncated[0];
    change->truncate.count = count;
    change->truncate.relations = d->truncated;
    change->truncate.cascade = (flags & TRUNCATE_FLAG_CASCADE) != 0;
    change->truncate.restart_identity = (flags & TRUNCATE_FLAG_RESTART_IDENTITY) != 0;
    return 1;
}

static void read_relation(struct decoder *d, struct reader *r)
{
    relations_read(&d->relations, r);
    reserve_cells(d, d->relations.columns_max);
}

/* ---- Dispatch ---- */

static int read_by_type(struct decoder *d, struct reader *r, struct change *change)
{
    uint8_t type = read_u8(r);
    switch (type) {
    case 'I':
        return read_insert(d, r, change);
    case 'U':
        return read_update(d, r, change);
    case 'D':
        return read_delete(d, r, change);
    case 'B':
        return read_begin(d, r, change);
    case 'C':
        return read_commit(d, r, change);
    case 'M':
        return read_message(d, r, change);
    case 'T':
        return read_truncate(d, r, change);
    case 'R':
        read_relation(d, r);
        return 0;
    case 'Y':
        read_type(d, r);
        return 0;
    case 'O':
        read_origin(d, r);
        return 0;
    default:
        r->at = r->start;
        reader_fail(r, "unknown message type");
        return 0;
    }
}

/* "'Z' (0x5a) at offset 0: …": the byte as a person and as a hex dump shows it. */
static int undecodable(const struct reader *r, struct error *err)
{
    unsigned char type = r->end > r->start ? (unsigned char)*r->start : 0;
    char shown[8] = "";
    if (type > 0x20 && type < 0x7f)
        memcpy(shown, (char[]){'\'', (char)type, '\'', ' ', '\0'}, 5);
    if (r->end == r->start)
        error_stop(err, REASON_UNDECODABLE, "pgoutput message without a type byte");
    else
        error_stop(err, REASON_UNDECODABLE, "pgoutput message %s(0x%02x) at offset %zu: %s", shown,
                   type, r->failed_at, r->problem);
    return error_hint(err,
                      "nothing behind this message was read or confirmed; start a walferry that "
                      "knows this server's version of pgoutput");
}

int decoder_next(struct decoder *d, struct span message, struct change *change, struct error *err)
{
    assert(d != NULL && change != NULL && err != NULL);
    assert(message.ptr != NULL || message.len == 0);
    struct reader r;
    reader_init(&r, message.ptr != NULL ? message : SPAN_LITERAL(""));
    *change = (struct change){.op = CHANGE_MARK};
    texts_reset(&d->texts);
    int result = read_by_type(d, &r, change);
    if (!r.failed && reader_left(&r) > 0)
        reader_fail(&r, "%zu bytes too many", reader_left(&r));
    if (r.failed)
        return undecodable(&r, err);
    if (result == 1)
        texts_convert(&d->texts, change);
    if (result == 1 && d->in_transaction) {
        change->id = change_id_wal(d->final_lsn, 0);
        change->xid = d->xid;
        change->commit_time_us = d->commit_time_us;
        change->origin = d->has_origin ? buf_span(&d->origin) : span_null();
        change->origin_lsn = d->has_origin ? d->origin_lsn : 0;
    }
    if (result == 1 && change->op == CHANGE_COMMIT)
        d->in_transaction = false;
    return result;
}
