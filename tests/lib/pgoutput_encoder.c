/* pgoutput_encoder: see the header. It mirrors src/decode/ field for field and shares no code with
 * it, so that a wrong idea of the format cannot hide in both. It checks nothing, by intention. */
#include "pgoutput_encoder.h"

/* 2000-01-01 in microseconds of the Unix epoch. */
#define ENCODER_PG_EPOCH_US INT64_C(946684800000000)

static void write_time(struct buf *out, int64_t unix_us)
{
    buf_add_u64(out, (uint64_t)(unix_us - ENCODER_PG_EPOCH_US));
}

static void write_string(struct buf *out, struct span text)
{
    buf_add(out, text);
    buf_add_u8(out, 0);
}

void write_begin(struct buf *out, uint64_t final_lsn, int64_t commit_time_us, uint32_t xid)
{
    buf_add_char(out, 'B');
    buf_add_u64(out, final_lsn);
    write_time(out, commit_time_us);
    buf_add_u32(out, xid);
}

void write_commit(struct buf *out, uint64_t commit_lsn, uint64_t end_lsn, int64_t commit_time_us)
{
    buf_add_char(out, 'C');
    buf_add_u8(out, 0);
    buf_add_u64(out, commit_lsn);
    buf_add_u64(out, end_lsn);
    write_time(out, commit_time_us);
}

void write_origin(struct buf *out, uint64_t origin_lsn, const char *name)
{
    buf_add_char(out, 'O');
    buf_add_u64(out, origin_lsn);
    write_string(out, span_of(name));
}

void write_relation(struct buf *out, const struct relation *relation)
{
    buf_add_char(out, 'R');
    buf_add_u32(out, relation->oid);
    write_string(out, relation->schema);
    write_string(out, relation->name);
    buf_add_char(out, relation->identity);
    buf_add_u16(out, (uint16_t)relation->column_count);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct column *column = &relation->columns[i];

        buf_add_u8(out, column->key ? 1 : 0);
        write_string(out, column->name);
        buf_add_u32(out, column->type_oid);
        buf_add_u32(out, (uint32_t)column->type_modifier);
    }
}

void write_type(struct buf *out, uint32_t oid, const char *schema, const char *name)
{
    buf_add_char(out, 'Y');
    buf_add_u32(out, oid);
    write_string(out, span_of(schema));
    write_string(out, span_of(name));
}

void write_tuple(struct buf *out, const struct row *row)
{
    buf_add_u16(out, (uint16_t)row->count);
    for (uint32_t i = 0; i < row->count; i++) {
        const struct cell *cell = &row->cells[i];

        buf_add_char(out, "ntbu"[cell->kind]);
        if (cell->kind == CELL_TEXT || cell->kind == CELL_BINARY) {
            buf_add_u32(out, (uint32_t)cell->bytes.len);
            buf_add(out, cell->bytes);
        }
    }
}

void write_insert(struct buf *out, uint32_t oid, const struct row *row)
{
    buf_add_char(out, 'I');
    buf_add_u32(out, oid);
    buf_add_char(out, 'N');
    write_tuple(out, row);
}

void write_update(struct buf *out, uint32_t oid, char old_kind, const struct row *old_row,
                  const struct row *new_row)
{
    buf_add_char(out, 'U');
    buf_add_u32(out, oid);
    if (old_kind != 0) {
        buf_add_char(out, old_kind);
        write_tuple(out, old_row);
    }
    buf_add_char(out, 'N');
    write_tuple(out, new_row);
}

void write_delete(struct buf *out, uint32_t oid, char old_kind, const struct row *old_row)
{
    buf_add_char(out, 'D');
    buf_add_u32(out, oid);
    buf_add_char(out, old_kind);
    write_tuple(out, old_row);
}

void write_truncate(struct buf *out, uint32_t count, const uint32_t *oids, bool cascade,
                    bool restart_identity)
{
    buf_add_char(out, 'T');
    buf_add_u32(out, count);
    buf_add_u8(out, (uint8_t)((cascade ? 1 : 0) | (restart_identity ? 2 : 0)));
    for (uint32_t i = 0; i < count; i++)
        buf_add_u32(out, oids[i]);
}

void write_message(struct buf *out, bool transactional, uint64_t lsn, const char *prefix,
                   struct span content)
{
    buf_add_char(out, 'M');
    buf_add_u8(out, transactional ? 1 : 0);
    buf_add_u64(out, lsn);
    write_string(out, span_of(prefix));
    buf_add_u32(out, (uint32_t)content.len);
    buf_add(out, content);
}

void write_xlogdata(struct buf *out, uint64_t wal_start, uint64_t wal_end, int64_t server_time_us,
                    struct span message)
{
    buf_add_char(out, 'w');
    buf_add_u64(out, wal_start);
    buf_add_u64(out, wal_end);
    write_time(out, server_time_us);
    buf_add(out, message);
}

void write_keepalive(struct buf *out, uint64_t wal_end, int64_t server_time_us, bool reply)
{
    buf_add_char(out, 'k');
    buf_add_u64(out, wal_end);
    write_time(out, server_time_us);
    buf_add_u8(out, reply ? 1 : 0);
}

static uint64_t read_u64(const char *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

bool read_status(struct span payload, struct standby_status *status)
{
    if (payload.len != 34 || payload.ptr[0] != 'r')
        return false;
    status->write_lsn = read_u64(payload.ptr + 1);
    status->flush_lsn = read_u64(payload.ptr + 9);
    status->apply_lsn = read_u64(payload.ptr + 17);
    status->client_time_us = (int64_t)read_u64(payload.ptr + 25) + ENCODER_PG_EPOCH_US;
    status->reply = payload.ptr[33] == 1;
    return true;
}
