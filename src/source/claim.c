/* claim: the sans-I/O core of claiming: which question comes next, what an answer means, and the
 * changes that come of it. The protocol stands in claim_options.h.
 *
 *   SETTLE ──▶ REDO ──▶ ENDING ──▶ (Kafka) ──▶ COMMIT ──▶ IDLE
 *      └── nothing is open ──▶ IDLE
 *   IDLE ──▶ LOOK ──▶ LOCK ──▶ FINISH, FLUSH ──▶ ENDING ──▶ (Kafka) ──▶ COMMIT ──▶ IDLE, or LOCK
 *               └── nothing is due: MARK, IDLE
 *
 * A window's place is one byte behind the one before: only a look that finds nothing says that all
 * is published up to a place in the WAL. Behind each COMMIT stands a MARK of the same place: a
 * window none of whose rows gave an event has to be recorded all the same, because its transaction
 * waits for that. */
#include "source/claim_options.h"

#include "base/crash.h"
#include "json/json_read.h"
#include "json/json_write.h"
#include "model/position.h"
#include "source/poll_snapshot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SPACING_US = 2000, /* between two looks that notifications ask for, at least */
    FLUSH_US = 5000,
    SETTLE_US = 100000, /* between two looks at a transaction that is open */
    SETTLE_MAX_US = 30000000
};

enum phase {
    SETTLE, /* until due_us */
    IDLE,   /* until due_us */
    LOCK,
    REDO,
    FINISH,
    FLUSH,  /* until due_us */
    ENDING, /* COMMIT and MARK are given, Kafka has not told */
    COMMIT,
    ROLLBACK
};

struct claim {
    struct claim_options o;
    enum phase phase;
    bool asked; /* the phase's question; an answer is awaited */
    int64_t due_us;
    int64_t looked_us;
    int64_t pause_us;
    int64_t settle_by_us;
    bool woken;

    uint64_t prev_lsn; /* what is published, and where that is */
    uint64_t committed_lsn;
    uint64_t received_lsn;
    uint64_t flushed_lsn;
    enum claim_status status;
    bool open_part; /* the record is of a part of a window */
    bool old_ids;   /* ids are those of the record, whose transaction was xid */

    /* The window at hand. */
    struct claim_ids *ids; /* one for each table: what was given */
    size_t ids_bytes;
    uint64_t xid;
    uint64_t target_lsn;
    uint64_t rows_lsn;  /* the commits of its rows are before that */
    int64_t flushed_us; /* and on disk by then */
    int64_t time_us;
    uint32_t *rows; /* of each table, given or not */
    uint64_t done;  /* rows that were given */
    uint64_t redone;
    bool due, cut, full, begun;

    /* What claim_next() is to give. */
    struct cell *cells; /* NULL: no row */
    uint32_t table;
    struct change_id id;
    bool commit, mark;
};

/* ---- Opening ---- */

static void reset_window(struct claim *c)
{
    for (uint32_t i = 0; i < c->o.table_count; i++) {
        buf_reset(&c->ids[i].text);
        c->ids[i].count = c->rows[i] = 0;
    }
    c->ids_bytes = 0;
    c->xid = c->done = c->redone = 0;
    c->cut = c->full = c->begun = c->old_ids = false;
}

static uint32_t count_keys(struct span list)
{
    uint32_t count = list.len > 0;
    for (size_t i = 0; i < list.len; i++)
        count += list.ptr[i] == ',';
    return count;
}

/* They go into SQL as they stand. */
static bool are_keys(struct span list)
{
    struct change_id id;
    for (size_t at = 0; at < list.len;) {
        size_t len = 0;
        while (at + len < list.len && list.ptr[at + len] != ',')
            len++;
        if (!change_id_parse_key(list.ptr + at, len, 0, &id))
            return false;
        at += len + 1;
    }
    return true;
}

static bool take_ids(struct claim *c, const char *table, struct span list)
{
    struct buf name = BUF_EMPTY;
    bool taken = false;
    for (uint32_t i = 0; i < c->o.table_count && !taken && are_keys(list); i++) {
        buf_reset(&name);
        poll_table_name(&c->o.tables[i].relation, &name);
        taken = span_equal_text(buf_span(&name), table);
        if (!taken)
            continue;
        buf_add(&c->ids[i].text, list);
        c->ids[i].count = count_keys(list);
    }
    buf_fini(&name);
    return taken;
}

static int read_ids(struct claim *c, struct error *err)
{
    struct json_tree *root = NULL;
    struct error bad = ERROR_INIT;
    struct span list;
    int result = json_tree_parse(c->o.resume, &root, &bad);
    const struct json_tree *ids = json_tree_member(root, "ids");
    for (size_t i = 0; result == 0 && i < json_tree_count(ids); i++) {
        const char *table = json_tree_name_at(ids, i);
        if (!json_tree_member_string(ids, table, &list) || !take_ids(c, table, list)) {
            result = error_stop(err, REASON_PROGRESS_UNREADABLE,
                                "the record names rows of table %s that are published and may not "
                                "be finished, and no route claims them",
                                table);
            error_hint(err, "put its route back as it was, let the relay start once, then change "
                            "it; or publish again what is pending");
            error_mend(err, "rebase --to beginning --accept-repeat");
        }
    }
    json_tree_free(root);
    return result;
}

static int check_shapes(const struct claim *c, struct error *err)
{
    struct buf name = BUF_EMPTY;
    int result = 0;
    for (uint32_t i = 0; i < c->o.table_count && result == 0; i++) {
        buf_reset(&name);
        poll_table_name(&c->o.tables[i].relation, &name);
        result = claim_check_shape(c->o.resume, buf_span(&name), c->o.tables[i].shape, err);
    }
    buf_fini(&name);
    return result;
}

static int read_resume(struct claim *c, struct error *err)
{
    struct claim_record record;
    if (!claim_resume_read(c->o.resume, &record)) {
        error_stop(err, REASON_PROGRESS_UNREADABLE,
                   "resume of the progress record is none of claiming");
        error_hint(err, "publish what is pending");
        return error_mend(err, "rebase --to beginning --accept-repeat");
    }
    c->xid = record.xid;
    c->flushed_lsn = record.flushed;
    c->old_ids = record.xid != 0;
    c->open_part = c->o.partial.final_lsn != 0;
    if (check_shapes(c, err) < 0)
        return -1;
    return record.xid != 0 ? read_ids(c, err) : 0;
}

int claim_open(const struct claim_options *options, struct claim **claim, struct error *err)
{
    assert(options->table_count > 0 && options->window_rows > 0);
    assert(options->interval_us > 0 && options->idle_interval_us >= options->interval_us);
    struct claim *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->o = *options;
    c->ids = calloc(options->table_count, sizeof *c->ids);
    c->rows = calloc(options->table_count, sizeof *c->rows);
    if (c->ids == NULL || c->rows == NULL)
        abort();
    for (uint32_t i = 0; i < options->table_count; i++)
        c->ids[i].text = BUF_EMPTY;
    c->phase = SETTLE;
    c->due_us = options->now_us;
    c->settle_by_us = options->now_us + SETTLE_MAX_US;
    c->pause_us = options->interval_us;
    c->prev_lsn = c->received_lsn = options->start.lsn;
    if (read_resume(c, err) < 0) {
        claim_close(c);
        return -1;
    }
    *claim = c;
    return 0;
}

void claim_close(struct claim *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->o.table_count; i++)
        buf_fini(&c->ids[i].text);
    free(c->ids);
    free(c->rows);
    free(c);
}

/* ---- Asking ---- */

static enum claim_ask ask_of(const struct claim *c)
{
    static const enum claim_ask asks[] = {
        [SETTLE] = CLAIM_ASK_SETTLE, [IDLE] = CLAIM_ASK_LOOK,     [LOCK] = CLAIM_ASK_LOCK,
        [REDO] = CLAIM_ASK_REDO,     [FINISH] = CLAIM_ASK_FINISH, [ENDING] = CLAIM_ASK_NOTHING,
        [FLUSH] = CLAIM_ASK_FLUSH,   [COMMIT] = CLAIM_ASK_COMMIT, [ROLLBACK] = CLAIM_ASK_ROLLBACK};
    return asks[c->phase];
}

static bool gives(const struct claim *c)
{
    return c->cells != NULL || c->commit || c->mark;
}

static bool is_timed(const struct claim *c)
{
    return c->phase == SETTLE || c->phase == IDLE || c->phase == FLUSH;
}

void claim_question(struct claim *c, int64_t now_us, struct claim_question *q)
{
    assert(c != NULL && q != NULL);
    *q = (struct claim_question){.ask = CLAIM_ASK_NOTHING};
    if (c->phase == ENDING && !gives(c) && c->committed_lsn == c->prev_lsn) {
        CRASH_POINT("P2");
        c->phase = COMMIT;
    }
    bool waits = is_timed(c) && now_us < c->due_us;
    if (c->asked || gives(c) || waits || c->phase == ENDING)
        return;
    *q = (struct claim_question){.ask = ask_of(c),
                                 .xid = c->xid,
                                 .written_before = c->status == CLAIM_COMMITTED,
                                 .limit = c->o.window_rows,
                                 .ids = c->ids};
    c->asked = true;
    if (c->phase == IDLE) {
        c->looked_us = now_us;
        c->woken = c->due = false;
    }
}

int64_t claim_deadline(const struct claim *c)
{
    assert(c != NULL);
    return is_timed(c) && !c->asked ? c->due_us : INT64_MAX;
}

void claim_wake(struct claim *c, int64_t now_us)
{
    assert(c != NULL);
    int64_t soon_us = c->looked_us + SPACING_US;
    if (soon_us < now_us)
        soon_us = now_us;
    c->woken = true;
    if (c->phase == IDLE && soon_us < c->due_us)
        c->due_us = soon_us;
}

static void plan_look(struct claim *c, bool rows, int64_t now_us)
{
    c->pause_us = rows ? c->o.interval_us : c->pause_us * 2;
    if (c->pause_us > c->o.idle_interval_us)
        c->pause_us = c->o.idle_interval_us;
    c->phase = IDLE;
    c->due_us = now_us + c->pause_us;
    if (c->woken)
        claim_wake(c, now_us);
}

/* ---- Answers ---- */

static int check_server(const struct claim *c, const struct poll_guard *g, struct error *err)
{
    if (g->in_recovery) {
        error_retry(err, REASON_IN_RECOVERY,
                    "a server in recovery answers, where no row is claimed");
        return error_hint(
            err, "point source.connection at the primary (target_session_attrs=read-write)");
    }
    if (g->system_identifier != c->o.system_identifier || g->timeline != c->o.timeline)
        return error_retry(err, REASON_SERVER_CHANGED,
                           "system %" PRIu64 " on timeline %" PRIu32 " answers, and not %" PRIu64
                           " on timeline %" PRIu32,
                           g->system_identifier, g->timeline, c->o.system_identifier,
                           c->o.timeline);
    if (g->insert_lsn >= c->flushed_lsn)
        return 0;
    return error_retry(err, REASON_SERVER_CHANGED, "a server answers that has not got as far");
}

int claim_feed_guard(struct claim *c, const struct poll_guard *g, struct error *err)
{
    assert(c->asked);
    if (check_server(c, g, err) < 0)
        return -1;
    c->flushed_lsn = g->flush_lsn > c->flushed_lsn ? g->flush_lsn : c->flushed_lsn;
    if (g->insert_lsn > c->received_lsn)
        c->received_lsn = g->insert_lsn;
    c->target_lsn = c->phase == IDLE ? g->insert_lsn : c->prev_lsn + 1;
    c->time_us = g->time_us;
    c->rows_lsn = g->insert_lsn;
    c->flushed_us = INT64_MAX;
    if (c->phase == LOCK || c->phase == REDO)
        c->xid = g->bound_xid;
    return 0;
}

int claim_feed_status(struct claim *c, enum claim_status status, int64_t now_us, struct error *err)
{
    assert(c->asked && c->phase == SETTLE);
    c->status = status;
    if (status == CLAIM_UNKNOWN && c->old_ids) {
        error_stop(err, REASON_TRANSACTION_UNKNOWN,
                   "PostgreSQL does not know any more whether transaction %" PRIu64
                   " has finished the rows that were published last",
                   c->xid);
        error_hint(err, "look at the rows that the record names and finish those that are "
                        "published; then begin with what is pending");
        return error_mend(err, "rebase --to beginning --accept-repeat");
    }
    if (status == CLAIM_IN_PROGRESS && now_us > c->settle_by_us)
        return error_retry(err, REASON_LOCKED, "transaction %" PRIu64 " is still open", c->xid);
    return 0;
}

void claim_feed_due(struct claim *c, bool due)
{
    assert(c->asked && c->phase == IDLE);
    c->due = due;
}

/* What is not taken stays locked until the window ends, and comes with the next. */
static int refuse_key(const struct claim_table *t, const struct cell *key, struct error *err)
{
    const struct relation *r = &t->relation;
    if (key->kind != CELL_TEXT)
        return error_stop(err, REASON_COLUMN_TYPE, "a row of %.*s.%.*s has no key",
                          SPAN_ARG(r->schema), SPAN_ARG(r->name));
    error_stop(err, REASON_COLUMN_TYPE,
               "a row of %.*s.%.*s has a key of %zu bytes in column %.*s, which begins with %.*s: "
               "%d are the most",
               SPAN_ARG(r->schema), SPAN_ARG(r->name), key->bytes.len,
               SPAN_ARG(r->columns[t->key].name), 32, key->bytes.ptr, CHANGE_ID_STRING_MAX);
    return error_hint(err, "add an identity column with a unique index, and name it in "
                           "routes[].poll.key; nothing of this row is published");
}

int claim_feed_row(struct claim *c, uint32_t table, struct cell *cells, struct error *err)
{
    assert(c->asked && c->phase == LOCK && c->cells == NULL);
    const struct claim_table *t = &c->o.tables[table];
    struct claim_ids *ids = &c->ids[table];
    const struct cell *key = &cells[t->key];
    c->full |= ++c->rows[table] >= c->o.window_rows;
    if (c->cut)
        return 0;
    uint32_t oid = c->o.table_count > 1 ? t->relation.oid : 0;
    if (key->kind != CELL_TEXT || !change_id_of_key(key->bytes.ptr, key->bytes.len, oid, &c->id))
        return refuse_key(t, key, err);
    char text[CHANGE_ID_KEY_MAX];
    struct span name = {text, change_id_format_key(c->id, text)};
    if (c->ids_bytes + name.len >= CLAIM_IDS_BYTES) {
        c->cut = c->full = true;
        return 0;
    }
    if (ids->count++ > 0)
        buf_add_char(&ids->text, ',');
    buf_add(&ids->text, name);
    c->ids_bytes += name.len + 1;
    c->table = table;
    c->cells = cells;
    return 0;
}

void claim_feed_read(struct claim *c, uint64_t insert_lsn, int64_t flushed_us)
{
    assert(c->asked && c->phase == LOCK);
    c->rows_lsn = insert_lsn;
    c->flushed_us = flushed_us;
}

void claim_feed_flushed(struct claim *c, uint64_t flush_lsn)
{
    assert(c->asked && (c->phase == FINISH || c->phase == FLUSH));
    if (flush_lsn > c->flushed_lsn)
        c->flushed_lsn = flush_lsn;
}

static int refuse_table(const struct claim *c, uint32_t table, uint64_t rows, const char *what,
                        struct error *err)
{
    const struct relation *r = &c->o.tables[table].relation;
    error_stop(err, REASON_ROWS_NOT_FINISHED,
               "of %" PRIu32 " rows of %.*s.%.*s that were to be finished %" PRIu64 " %s",
               c->ids[table].count, SPAN_ARG(r->schema), SPAN_ARG(r->name), rows, what);
    return error_hint(err,
                      "a trigger or a rule of the table is in the way; they would be published "
                      "again and again");
}

int claim_feed_finished(struct claim *c, uint32_t table, uint64_t rows, struct error *err)
{
    assert(c->asked && (c->phase == FINISH || c->phase == REDO));
    c->redone += rows;
    if (c->phase == REDO || rows == c->ids[table].count)
        return 0;
    return refuse_table(c, table, rows, "were", err);
}

int claim_feed_left(struct claim *c, uint32_t table, uint64_t rows, struct error *err)
{
    assert(c->asked && (c->phase == FINISH || c->phase == REDO));
    return rows == 0 ? 0 : refuse_table(c, table, rows, "are pending all the same", err);
}

/* ---- Ends ---- */

static void end_window(struct claim *c)
{
    c->phase = ENDING;
    c->commit = c->mark = true;
    CRASH_POINT("P1");
}

static void end_finish(struct claim *c, int64_t now_us)
{
    if (c->flushed_lsn >= c->rows_lsn || now_us >= c->flushed_us) {
        end_window(c);
        return;
    }
    c->phase = FLUSH;
    c->due_us = now_us + FLUSH_US;
}

static void end_settle(struct claim *c, int64_t now_us)
{
    if (c->status == CLAIM_IN_PROGRESS) {
        c->due_us = now_us + SETTLE_US;
    } else if (c->old_ids) {
        c->phase = REDO;
    } else {
        reset_window(c);
        c->phase = IDLE;
        c->due_us = now_us;
    }
}

/* Where all is finished there is nothing to record, but for a part that has to be closed. */
static void end_redo(struct claim *c)
{
    if (c->redone > 0 || c->open_part)
        end_window(c);
    else
        c->phase = ROLLBACK;
}

static void end_look(struct claim *c, int64_t now_us)
{
    if (c->due) {
        c->phase = LOCK;
        return;
    }
    c->mark = c->target_lsn > c->prev_lsn;
    plan_look(c, false, now_us);
}

static void end_commit(struct claim *c, int64_t now_us)
{
    bool more = c->full || c->old_ids;
    CRASH_POINT("P3");
    reset_window(c);
    plan_look(c, true, now_us);
    if (more)
        c->phase = LOCK;
}

void claim_feed_end(struct claim *c, int64_t now_us)
{
    assert(c->asked && c->cells == NULL);
    c->asked = false;
    switch (c->phase) {
    case SETTLE:
        end_settle(c, now_us);
        return;
    case IDLE:
        end_look(c, now_us);
        return;
    case LOCK:
        c->phase = c->done > 0 ? FINISH : ROLLBACK;
        return;
    case REDO:
        end_redo(c);
        return;
    case FINISH:
    case FLUSH:
        end_finish(c, now_us);
        return;
    case COMMIT:
        end_commit(c, now_us);
        return;
    case ROLLBACK:
        reset_window(c);
        plan_look(c, false, now_us);
        return;
    case ENDING:
        assert(false); /* nothing was asked */
    }
}

void claim_confirm(struct claim *c, struct position committed)
{
    assert(c != NULL);
    if (committed.seq == 0)
        c->committed_lsn = committed.lsn;
}

/* ---- Changes ---- */

static void give_begin(struct claim *c, struct change *change)
{
    c->begun = true;
    *change = (struct change){.op = CHANGE_BEGIN,
                              .position = {c->prev_lsn, 0},
                              .id = change_id_wal(c->target_lsn, 0),
                              .commit_time_us = c->time_us};
}

static void give_row(struct claim *c, struct change *change)
{
    const struct relation *relation = &c->o.tables[c->table].relation;
    c->done++;
    *change = (struct change){.op = CHANGE_INSERT,
                              .position = {c->prev_lsn, c->done},
                              .id = c->id,
                              .xid = (uint32_t)c->xid,
                              .commit_time_us = c->time_us,
                              .relation = relation,
                              .after = {relation->column_count, c->cells, NULL}};
    c->cells = NULL;
}

static void give_end(struct claim *c, struct change *change)
{
    bool commit = c->commit;
    *change = (struct change){.op = commit ? CHANGE_COMMIT : CHANGE_MARK,
                              .position = {c->target_lsn, 0},
                              .commit_time_us = commit ? c->time_us : 0,
                              .urgent = !commit && c->phase == ENDING};
    if (commit)
        change->id = change_id_wal(c->target_lsn, 0);
    else
        c->mark = false;
    c->commit = c->open_part = false;
    c->prev_lsn = c->target_lsn;
}

int claim_next(struct claim *c, struct change *change)
{
    assert(c != NULL && change != NULL);
    if (!gives(c))
        return 0;
    if ((c->cells != NULL || c->commit) && !c->begun)
        give_begin(c, change);
    else if (c->cells != NULL)
        give_row(c, change);
    else
        give_end(c, change);
    return 1;
}

/* ---- The record ---- */

/* A member for each table. ids: those of its window, where it has some; else its shape. */
static void write_tables(const struct claim *c, const char *member, bool ids, struct json_writer *w)
{
    struct buf name = BUF_EMPTY;
    char shape[16];
    json_write_name(w, member);
    json_write_begin_object(w);
    for (uint32_t i = 0; i < c->o.table_count; i++) {
        const struct claim_table *table = &c->o.tables[i];
        if (ids ? c->ids[i].count == 0 : table->shape == 0)
            continue;
        buf_reset(&name);
        poll_table_name(&table->relation, &name);
        snprintf(shape, sizeof shape, "%08" PRIx32, table->shape);
        json_write_member_string(w, buf_text(&name),
                                 ids ? buf_span(&c->ids[i].text) : span_of(shape));
    }
    json_write_end_object(w);
    buf_fini(&name);
}

void claim_resume(const struct claim *c, struct buf *json)
{
    char lsn[LSN_TEXT_MAX], xid[24];
    struct json_writer w = json_writer(json);
    json_write_begin_object(&w);
    write_tables(c, "ids", true, &w);
    write_tables(c, "shapes", false, &w);
    snprintf(xid, sizeof xid, "%" PRIu64, c->xid);
    json_write_member_text(&w, "xid", c->xid != 0 ? xid : NULL);
    json_write_member_text(&w, "flushed", lsn_format(c->flushed_lsn, lsn));
    json_write_end_object(&w);
}

uint64_t claim_received_lsn(const struct claim *c)
{
    return c->received_lsn;
}
