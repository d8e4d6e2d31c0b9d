/* claim_sql: the statements that claiming asks. Numbers and uuids go in as they stand, other keys
 * as quoted elements of a quoted array. */
#include "source/claim_options.h"

#include "pg/pg.h"

#include <assert.h>
#include <inttypes.h>

#define LOCK_CLASS 0x77666c79 /* of our advisory locks; the other half is the table's oid */

static void add_table(const struct claim_table *t, struct buf *sql)
{
    pg_quote_identifier(sql, t->relation.schema);
    buf_add_char(sql, '.');
    pg_quote_identifier(sql, t->relation.name);
}

static void add_column(const struct claim_table *t, uint32_t column, struct buf *sql)
{
    pg_quote_identifier(sql, t->relation.columns[column].name);
}

static void add_guard(const char *last, struct buf *sql)
{
    buf_add_text(sql, poll_guard_sql);
    buf_add_text(sql, last);
}

/* ---- Settling ---- */

/* Its own backend tells of a transaction that is open; ids that nobody has completed are above the
 * snapshot's xmax, and were forgotten in a crash where nobody has them. */
static void add_status(uint64_t xid, struct buf *sql)
{
    if (xid == 0) {
        buf_add_text(sql, "; SELECT 'aborted'");
        return;
    }
    buf_add_format(sql,
                   "; SELECT CASE WHEN EXISTS (SELECT FROM pg_stat_activity WHERE backend_xid = "
                   "'%" PRIu64 "'::xid8::xid AND usename = current_user) THEN 'in progress' WHEN "
                   "'%" PRIu64 "'::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'aborted' "
                   "ELSE pg_xact_status('%" PRIu64 "'::xid8) END",
                   xid, xid, xid);
}

static void add_eviction(const struct claim_question *q, const struct claim_options *o,
                         struct buf *sql)
{
    buf_add_text(sql, "; SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE "
                      "a.usename = current_user AND a.datname = current_database() AND "
                      "a.pid <> pg_backend_pid() AND a.application_name = ");
    pg_quote_literal(sql, span_of(o->application));
    buf_add_format(sql,
                   " AND (a.backend_xid = '%" PRIu64 "'::xid8::xid OR EXISTS (SELECT FROM pg_locks "
                   "l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted AND "
                   "l.classid = %d AND l.objid IN (",
                   q->xid, LOCK_CLASS);
    for (uint32_t i = 0; i < o->table_count; i++)
        buf_add_format(sql, "%s%" PRIu32, i > 0 ? ", " : "", o->tables[i].relation.oid);
    buf_add_text(sql, ")))");
}

/* ---- A window ---- */

static void add_look(const struct claim_options *o, struct buf *sql)
{
    for (uint32_t i = 0; i < o->table_count; i++) {
        buf_add_text(sql, i > 0 ? " OR EXISTS (SELECT FROM " : "; SELECT EXISTS (SELECT FROM ");
        add_table(&o->tables[i], sql);
        buf_add_format(sql, " WHERE %s)", o->tables[i].due);
    }
}

/* Who holds one of them is another relay, or an older instance, which the next open ends. Rows are
 * waited for as long as it takes. */
static void add_locks(const struct claim_options *o, struct buf *sql)
{
    buf_add_text(sql, "SET LOCAL lock_timeout = '10s'; SELECT ");
    for (uint32_t i = 0; i < o->table_count; i++)
        buf_add_format(sql, "%spg_advisory_xact_lock(%d, %" PRId32 ")", i > 0 ? ", " : "",
                       LOCK_CLASS, (int32_t)o->tables[i].relation.oid);
    buf_add_text(sql, "; SET LOCAL lock_timeout = 0; ");
    add_guard("pg_current_xact_id()", sql);
}

/* Behind the rows: where the snapshot is that of the guard nobody has committed since. The locks
 * have written WAL meanwhile, which nothing flushes. */
static const char read_sql[] =
    "; SELECT pg_current_snapshot(), pg_current_wal_insert_lsn(), "
    "(extract(epoch FROM current_setting('wal_writer_delay')::interval) * 1000000)::bigint";
static const char flushed_sql[] = "SELECT pg_current_wal_flush_lsn()";

static void add_rows(const struct claim_table *t, uint32_t limit, struct buf *sql)
{
    buf_add_text(sql, "; SELECT ");
    for (uint32_t i = 0; i < t->relation.column_count; i++) {
        buf_add_text(sql, i > 0 ? ", " : "");
        add_column(t, i, sql);
    }
    buf_add_text(sql, " FROM ");
    add_table(t, sql);
    buf_add_format(sql, " WHERE %s ORDER BY ", t->due);
    add_column(t, t->order, sql);
    if (t->order != t->key) {
        buf_add_text(sql, ", ");
        add_column(t, t->key, sql);
    }
    buf_add_format(sql, " LIMIT %" PRIu32 " FOR UPDATE", limit);
}

/* A text may be NULL or {, which mean something unquoted. */
static void add_element(struct change_id id, struct buf *array)
{
    char text[CHANGE_ID_KEY_MAX];
    if (id.kind != CHANGE_ID_STRING) {
        buf_add(array, (struct span){text, change_id_format_key(id, text)});
        return;
    }
    buf_add_char(array, '"');
    for (size_t i = 0; i < id.string_len; i++) {
        if (id.string[i] == '"' || id.string[i] == '\\')
            buf_add_char(array, '\\');
        buf_add_char(array, id.string[i]);
    }
    buf_add_char(array, '"');
}

static void add_keys(struct span list, struct buf *sql)
{
    struct buf array = BUF_EMPTY;
    buf_add_char(&array, '{');
    for (size_t at = 0; at < list.len;) {
        struct change_id id;
        size_t len = 0;
        while (at + len < list.len && list.ptr[at + len] != ',')
            len++;
        bool good = change_id_parse_key(list.ptr + at, len, 0, &id);
        assert(good);
        (void)good;
        buf_add_text(&array, at > 0 ? "," : "");
        add_element(id, &array);
        at += len + 1;
    }
    buf_add_char(&array, '}');
    pg_quote_literal(sql, buf_span(&array));
    buf_fini(&array);
}

static void add_ids(const struct claim_table *t, const struct claim_ids *ids, const char *where,
                    struct buf *sql)
{
    buf_add_text(sql, " WHERE ");
    add_column(t, t->key, sql);
    buf_add_text(sql, " = ANY (");
    add_keys(buf_span(&ids->text), sql);
    buf_add_format(sql, ")%s", where);
}

/* One row: how many. */
static void add_done(const struct claim_table *t, const struct claim_ids *ids, const char *where,
                     struct buf *sql)
{
    buf_add_text(sql, t->done != NULL ? "WITH done AS (UPDATE " : "WITH done AS (DELETE FROM ");
    add_table(t, sql);
    if (t->done != NULL)
        buf_add_format(sql, " SET %s", t->done);
    add_ids(t, ids, where, sql);
    buf_add_text(sql, " RETURNING 1) SELECT count(*) FROM done; ");
}

/* One row: how many of them are pending all the same. */
static void add_left(const struct claim_table *t, const struct claim_ids *ids, const char *where,
                     struct buf *sql)
{
    buf_add_text(sql, "SELECT count(*) FROM ");
    add_table(t, sql);
    add_ids(t, ids, where, sql);
    buf_add_format(sql, " AND (%s); ", t->pending);
}

/* What triggers have to do is done before anybody counts, those of the commit, too: behind Kafka's
 * it would be too late. */
static const char triggers_sql[] = "SET CONSTRAINTS ALL IMMEDIATE; ";

/* What was claimed is there before anything is added to it by somebody else. What a trigger has put
 * back is of our own transaction. */
static void add_redo(const struct claim_question *q, const struct claim_options *o, struct buf *sql)
{
    struct buf before = BUF_EMPTY, left = BUF_EMPTY;
    if (q->written_before) {
        buf_add_format(&before, " AND age(xmin) > age('%" PRIu64 "'::xid8::xid)", q->xid);
        buf_add_format(&left,
                       " AND (age(xmin) > age('%" PRIu64
                       "'::xid8::xid) OR xmin = pg_current_xact_id()::xid)",
                       q->xid);
    }
    buf_add_text(sql, "; ");
    for (uint32_t i = 0; i < o->table_count; i++) {
        struct buf where = BUF_EMPTY;
        buf_add_format(&where, " AND (%s)%s", o->tables[i].pending, buf_text(&before));
        add_done(&o->tables[i], &q->ids[i], buf_text(&where), sql);
        buf_fini(&where);
    }
    buf_add_text(sql, triggers_sql);
    for (uint32_t i = 0; i < o->table_count; i++)
        add_left(&o->tables[i], &q->ids[i], buf_text(&left), sql);
    buf_fini(&left);
    buf_fini(&before);
}

static void add_finish(const struct claim_question *q, const struct claim_options *o,
                       struct buf *sql)
{
    for (uint32_t i = 0; i < o->table_count; i++)
        add_done(&o->tables[i], &q->ids[i], "", sql);
    buf_add_text(sql, triggers_sql);
    for (uint32_t i = 0; i < o->table_count; i++)
        add_left(&o->tables[i], &q->ids[i], "", sql);
    buf_add_text(sql, flushed_sql);
}

/* A commit that a crash forgets would be done again, which is no harm; but its id might be another
 * transaction's by then. */
static const char durable_sql[] = "SELECT set_config('synchronous_commit', 'on', true) WHERE "
                                  "current_setting('synchronous_commit') IN ('off', 'local')";

void claim_sql(const struct claim_question *q, const struct claim_options *o, struct buf *sql)
{
    assert(sql != NULL);
    switch (q->ask) {
    case CLAIM_ASK_NOTHING:
        assert(false); /* nothing is asked */
        return;
    case CLAIM_ASK_SETTLE:
        add_guard("NULL", sql);
        add_status(q->xid, sql);
        add_eviction(q, o, sql);
        return;
    case CLAIM_ASK_LOOK:
        add_guard("NULL", sql);
        add_look(o, sql);
        return;
    case CLAIM_ASK_LOCK:
        add_locks(o, sql);
        for (uint32_t i = 0; i < o->table_count; i++)
            add_rows(&o->tables[i], q->limit, sql);
        buf_add_text(sql, read_sql);
        return;
    case CLAIM_ASK_REDO:
        add_locks(o, sql);
        add_redo(q, o, sql);
        return;
    case CLAIM_ASK_FINISH:
        add_finish(q, o, sql);
        return;
    case CLAIM_ASK_FLUSH:
        buf_add_text(sql, flushed_sql);
        return;
    case CLAIM_ASK_COMMIT:
        buf_add_text(sql, durable_sql);
        buf_add_text(sql, "; COMMIT");
        return;
    case CLAIM_ASK_ROLLBACK:
        buf_add_text(sql, "ROLLBACK");
        return;
    }
}
