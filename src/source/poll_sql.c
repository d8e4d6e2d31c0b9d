/* poll_sql: the statements that polling asks, and the guard's row read back.
 *
 * pg_current_snapshot() is the statement's snapshot, taken before anything in it is computed, so
 * each LSN is read behind it. In the transaction of a page the guard stands before the page, whose
 * own snapshot is of that time or later. */
#include "source/poll_options.h"

#include "model/position.h"
#include "pg/pg.h"
#include "source/poll_snapshot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

static void add_table(const struct poll_table *table, struct buf *sql)
{
    pg_quote_identifier(sql, table->relation.schema);
    buf_add_char(sql, '.');
    pg_quote_identifier(sql, table->relation.name);
}

static void add_column(const struct poll_table *table, uint32_t column, struct buf *sql)
{
    pg_quote_identifier(sql, table->relation.columns[column].name);
}

/* ---- The guard ---- */

#define UNLESS_IN_RECOVERY(what) "CASE WHEN NOT pg_is_in_recovery() THEN " what " END, "

const char poll_guard_sql[] =
    "SELECT pg_is_in_recovery(), (SELECT system_identifier FROM "
    "pg_control_system()), " UNLESS_IN_RECOVERY(
        "('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))"
        "::bit(32)::bigint") "pg_current_snapshot(), " UNLESS_IN_RECOVERY("pg_current_wal_insert_"
                                                                          "lsn()")
        UNLESS_IN_RECOVERY(
            "pg_current_wal_flush_lsn()") "(SELECT checkpoint_lsn FROM pg_control_checkpoint()), "
                                          "(extract(epoch FROM clock_timestamp()) * "
                                          "1000000)::bigint, "
                                          "pg_size_bytes(current_setting('wal_segment_size')), "
                                          "current_setting('wal_block_size'), ";

/* The first xid behind so many rows, of the table that has most. */
static void add_bound(const struct poll_question *q, const struct poll_options *o, struct buf *sql)
{
    if (q->ask != POLL_ASK_TARGET) {
        buf_add_text(sql, "NULL");
        return;
    }
    buf_add_text(sql, "least(NULL");
    for (uint32_t i = 0; i < o->table_count; i++) {
        const struct poll_table *t = &o->tables[i];
        buf_add_text(sql, ", (SELECT ");
        add_column(t, t->xid, sql);
        buf_add_text(sql, " FROM ");
        add_table(t, sql);
        buf_add_text(sql, " WHERE ");
        add_column(t, t->xid, sql);
        buf_add_format(sql, " >= '%" PRIu64 "'::xid8 ORDER BY 1 OFFSET %" PRIu32 " LIMIT 1)",
                       q->bound_from, q->bound_rows);
    }
    buf_add_text(sql, ")");
}

static bool read_number(struct span cell, uint64_t *number)
{
    char *end;
    if (cell.ptr == NULL || cell.len == 0)
        return false;
    *number = strtoull(cell.ptr, &end, 10);
    return end == cell.ptr + cell.len;
}

bool poll_read_guard(const struct span cells[POLL_GUARD_CELLS], struct poll_guard *g)
{
    assert(g != NULL);
    uint64_t timeline, time_us;
    *g = (struct poll_guard){.in_recovery = !span_equal_text(cells[0], "f")};
    if (g->in_recovery)
        return true;
    g->snapshot = cells[3];
    if (!read_number(cells[1], &g->system_identifier) || !read_number(cells[2], &timeline) ||
        cells[4].ptr == NULL || !lsn_parse(cells[4], &g->insert_lsn) || cells[5].ptr == NULL ||
        !lsn_parse(cells[5], &g->flush_lsn) || cells[6].ptr == NULL ||
        !lsn_parse(cells[6], &g->checkpoint) || !read_number(cells[7], &time_us) ||
        !read_number(cells[8], &g->wal_segment) || !read_number(cells[9], &g->wal_block))
        return false;
    g->timeline = (uint32_t)timeline;
    g->time_us = (int64_t)time_us;
    return cells[10].ptr == NULL || read_number(cells[10], &g->bound_xid);
}

/* ---- A page ---- */

static void add_columns(const struct poll_table *table, struct buf *sql)
{
    for (uint32_t i = 0; i < table->relation.column_count; i++) {
        buf_add_text(sql, i > 0 ? ", " : "");
        add_column(table, i, sql);
    }
}

static void add_snapshot(struct span snapshot, struct buf *sql)
{
    pg_quote_literal(sql, snapshot);
    buf_add_text(sql, "::pg_snapshot");
}

/* The bounds are for the index, the two calls decide. */
static void add_between(const struct poll_question *q, struct span xid, struct buf *sql)
{
    struct snapshot prev, target;
    bool good = snapshot_parse(q->prev, &prev) && snapshot_parse(q->target, &target);
    assert(good);
    (void)good;
    buf_add_format(sql, "(%.*s >= '%" PRIu64 "'::xid8", SPAN_ARG(xid), prev.xmax);
    if (prev.xip.len > 0)
        buf_add_format(sql, " OR %.*s = ANY ('{%.*s}'::xid8[])", SPAN_ARG(xid), SPAN_ARG(prev.xip));
    buf_add_format(sql, ") AND %.*s < '%" PRIu64 "'::xid8 AND NOT pg_visible_in_snapshot(%.*s, ",
                   SPAN_ARG(xid), target.xmax, SPAN_ARG(xid));
    add_snapshot(q->prev, sql);
    buf_add_format(sql, ") AND pg_visible_in_snapshot(%.*s, ", SPAN_ARG(xid));
    add_snapshot(q->target, sql);
    buf_add_text(sql, ")");
}

/* OFFSET 0 keeps the LIMIT out of the choice of an index: by seq, all that was ever published would
 * be read to find what is new. */
static void add_page(const struct poll_question *q, const struct poll_table *t, struct buf *sql)
{
    struct buf xid = BUF_EMPTY;
    add_column(t, t->xid, &xid);
    buf_add_text(sql, "; SELECT * FROM (SELECT ");
    add_columns(t, sql);
    buf_add_text(sql, " FROM ");
    add_table(t, sql);
    buf_add_text(sql, " WHERE ");
    add_between(q, buf_span(&xid), sql);
    if (q->behind) {
        buf_add_text(sql, " AND ");
        add_column(t, t->seq, sql);
        buf_add_format(sql, " >= %" PRId64, q->last_seq);
    }
    buf_add_text(sql, " OFFSET 0) page ORDER BY ");
    add_column(t, t->seq, sql);
    buf_add_format(sql, " LIMIT %" PRIu32, q->limit);
    buf_fini(&xid);
}

void poll_sql(const struct poll_question *q, const struct poll_options *o, struct buf *sql)
{
    assert(q->ask != POLL_ASK_NOTHING && sql != NULL);
    buf_add_text(sql, poll_guard_sql);
    add_bound(q, o, sql);
    if (q->ask == POLL_ASK_PAGE)
        add_page(q, &o->tables[q->table], sql);
}
