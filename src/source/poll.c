/* poll: the sans-I/O core of polling: which question comes next, what an answer means, and the
 * changes that come of it. Both rules of poll_options.h are kept here.
 *
 *   IDLE ──▶ TARGET ──▶ (UNFLUSHED ⇄ FLUSH) ──▶ PAGES ⇄ PAGE ──▶ COMMIT or MARK, IDLE
 *               └── nothing is new: MARK, IDLE
 *
 * A window that the record says is half done begins at PAGES. Each page after the first of a table
 * begins with the row that was last, so that two rows of one seq are noticed. It knows no SQL, no
 * route and no batch. */
#include "source/poll_options.h"

#include "json/json_read.h"
#include "json/json_write.h"
#include "source/poll_snapshot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLUSH_US = 5000,  /* between two looks whether the WAL is out */
    SPACING_US = 2000 /* between two looks that notifications ask for, at least */
};

enum phase {
    IDLE,      /* until due_us */
    TARGET,    /* asked */
    UNFLUSHED, /* until due_us */
    FLUSH,     /* asked */
    PAGES,     /* one is to be asked for */
    PAGE       /* asked */
};

enum ending { ENDING_NONE, ENDING_COMMIT, ENDING_MARK };

/* How far the window is with a table. */
struct reached {
    bool any;
    int64_t seq;
};

struct poll {
    struct poll_options o;
    enum phase phase;
    int64_t due_us;
    int64_t looked_us; /* when the last target was asked for */
    int64_t pause_us;  /* between looks, now */
    bool woken;

    /* What is published, and where that is. */
    struct buf prev;
    uint64_t prev_lsn;
    /* The window at hand. */
    struct buf target;
    uint64_t target_lsn;
    struct poll_guard guard; /* of the target, but for its text */
    bool cut;                /* it ends before what there is */
    bool begun;              /* BEGIN was given */
    bool resumed;            /* parts of it are published */
    uint64_t done;           /* rows that were given */
    struct reached *reached; /* one for each table */
    uint32_t table;
    uint32_t rows;  /* of the page */
    uint32_t limit; /* that it was asked for */
    bool guarded;   /* the answer has begun */
    bool refused;   /* it was taken at another time than it must */

    /* What poll_next() is to give. */
    struct cell *cells; /* NULL: no row */
    int64_t seq;
    uint64_t xid;
    enum ending ending;
    uint64_t received_lsn;
};

/* ---- Opening ---- */

static void read_reached(struct poll *p, const struct json_tree *last)
{
    struct buf name = BUF_EMPTY;
    for (uint32_t i = 0; i < p->o.table_count; i++) {
        buf_reset(&name);
        poll_table_name(&p->o.tables[i].relation, &name);
        p->reached[i].any = json_tree_member_i64(last, buf_text(&name), &p->reached[i].seq);
    }
    buf_fini(&name);
}

/* False: it is not what polling writes. */
static bool take_resume(struct poll *p, const struct json_tree *root)
{
    struct span prev, target;
    struct snapshot s;
    if (!json_tree_member_string(root, "prev", &prev) || !snapshot_parse(prev, &s))
        return false;
    buf_add(&p->prev, prev);
    if (p->o.partial.final_lsn == 0)
        return true;
    if (!json_tree_member_string(root, "target", &target) || !snapshot_parse(target, &s))
        return false;
    buf_add(&p->target, target);
    read_reached(p, json_tree_member(root, "last_seq"));
    p->target_lsn = p->o.partial.final_lsn;
    p->done = p->o.partial.done;
    p->resumed = true;
    p->phase = PAGES;
    return true;
}

int poll_open(const struct poll_options *options, struct poll **poll, struct error *err)
{
    assert(options->table_count > 0 && options->page_rows > 0);
    assert(options->interval_us > 0 && options->idle_interval_us >= options->interval_us);
    struct poll *p = calloc(1, sizeof *p);
    struct reached *reached = calloc(options->table_count, sizeof *reached);
    if (p == NULL || reached == NULL)
        abort();
    p->o = *options;
    p->reached = reached;
    p->due_us = options->now_us;
    p->pause_us = options->interval_us;
    p->prev_lsn = options->start.lsn;
    p->received_lsn = options->start.lsn;
    struct json_tree *root = NULL;
    struct error bad = ERROR_INIT;
    bool good = options->resume.ptr != NULL && json_tree_parse(options->resume, &root, &bad) == 0 &&
                take_resume(p, root);
    json_tree_free(root);
    if (!good) {
        poll_close(p);
        error_stop(err, REASON_PROGRESS_UNREADABLE,
                   "resume of the progress record is none of polling");
        error_hint(err, "publish again what is in the tables, or begin with what comes from now on "
                        "(--to now --accept-loss)");
        return error_mend(err, "rebase --to beginning --accept-repeat");
    }
    *poll = p;
    return 0;
}

void poll_close(struct poll *p)
{
    if (p == NULL)
        return;
    buf_fini(&p->prev);
    buf_fini(&p->target);
    free(p->reached);
    free(p);
}

/* ---- Asking ---- */

static struct snapshot parsed(const struct buf *text)
{
    struct snapshot s;
    bool good = snapshot_parse(buf_span(text), &s);
    assert(good);
    (void)good;
    return s;
}

static bool is_due(const struct poll *p, int64_t now_us)
{
    bool waits = p->phase == IDLE || p->phase == UNFLUSHED;
    return p->cells == NULL && p->ending == ENDING_NONE && waits && now_us >= p->due_us;
}

static void ask_page(struct poll *p, struct poll_question *q)
{
    const struct reached *reached = &p->reached[p->table];
    p->phase = PAGE;
    p->rows = 0;
    q->ask = POLL_ASK_PAGE;
    q->table = p->table;
    q->prev = buf_span(&p->prev);
    q->target = buf_span(&p->target);
    q->behind = reached->any;
    q->last_seq = reached->seq;
    q->limit = p->limit = p->o.page_rows + (reached->any ? 1 : 0);
}

void poll_question(struct poll *p, int64_t now_us, struct poll_question *q)
{
    assert(p != NULL && q != NULL);
    *q = (struct poll_question){.ask = POLL_ASK_NOTHING};
    if (p->phase == PAGES && p->cells == NULL && p->ending == ENDING_NONE) {
        ask_page(p, q);
    } else if (is_due(p, now_us) && p->phase == IDLE) {
        p->phase = TARGET;
        p->looked_us = now_us;
        p->woken = false;
        q->ask = POLL_ASK_TARGET;
        q->bound_from = parsed(&p->prev).xmax;
        q->bound_rows = p->o.page_rows;
    } else if (is_due(p, now_us)) {
        p->phase = FLUSH;
        q->ask = POLL_ASK_FLUSH;
    }
}

int64_t poll_deadline(const struct poll *p)
{
    assert(p != NULL);
    return p->phase == IDLE || p->phase == UNFLUSHED ? p->due_us : INT64_MAX;
}

void poll_wake(struct poll *p, int64_t now_us)
{
    assert(p != NULL);
    int64_t soon_us = p->looked_us + SPACING_US;
    if (soon_us < now_us)
        soon_us = now_us;
    p->woken = true;
    if (p->phase == IDLE && soon_us < p->due_us)
        p->due_us = soon_us;
}

/* The interval is short while rows come, and grows to the idle one without. */
static void plan_look(struct poll *p, bool rows, int64_t now_us)
{
    p->pause_us = rows ? p->o.interval_us : p->pause_us * 2;
    if (p->pause_us > p->o.idle_interval_us)
        p->pause_us = p->o.idle_interval_us;
    p->phase = IDLE;
    p->due_us = p->cut ? now_us : now_us + p->pause_us;
    p->cut = false;
    if (p->woken)
        poll_wake(p, now_us);
}

/* ---- Guards ---- */

static int check_server(const struct poll *p, const struct poll_guard *g, struct error *err)
{
    if (g->in_recovery) {
        error_retry(err, REASON_IN_RECOVERY,
                    "a server in recovery answers, whose snapshots do not tell what is under way");
        return error_hint(
            err, "point source.connection at the primary (target_session_attrs=read-write)");
    }
    if (g->system_identifier == p->o.system_identifier && g->timeline == p->o.timeline)
        return 0;
    return error_retry(err, REASON_SERVER_CHANGED,
                       "system %" PRIu64 " on timeline %" PRIu32 " answers, and not %" PRIu64
                       " on timeline %" PRIu32,
                       g->system_identifier, g->timeline, p->o.system_identifier, p->o.timeline);
}

/* It must have got as far as what is known of it. */
static int check_time(const struct buf *known, const struct snapshot *now, struct error *err)
{
    uint64_t xmax = parsed(known).xmax;
    if (now->xmax >= xmax)
        return 0;
    return error_retry(err, REASON_SERVER_CHANGED,
                       "a server answers that has handed out transaction ids below %" PRIu64
                       " only, although %" PRIu64 " was seen",
                       now->xmax, xmax);
}

/* As much as the server says is there, or up to a transaction that leaves about a page. Where the
 * snapshot before was taken at the same place in the WAL it is called a byte behind. */
static void take_target(struct poll *p, const struct poll_guard *g, const struct snapshot *now)
{
    uint64_t bound = parsed(&p->prev).xmax + 1;
    if (g->bound_xid > bound)
        bound = g->bound_xid;
    buf_reset(&p->target);
    p->cut = g->bound_xid != 0 && bound < now->xmax && p->prev_lsn + 1 < g->insert_lsn;
    if (p->cut)
        snapshot_below(now, bound, &p->target);
    else
        buf_add(&p->target, g->snapshot);
    bool beyond = !p->cut && g->insert_lsn > p->prev_lsn;
    p->target_lsn = beyond ? g->insert_lsn : p->prev_lsn + 1;
    p->guard = *g;
    p->guard.snapshot = span_null();
    p->refused = false;
}

/* What is to be read ends there, whatever the server has by now. */
static void end_there(const struct poll *p, struct poll_guard *g, struct snapshot *now)
{
    bool good = snapshot_parse(p->o.end.snapshot, now);
    assert(good);
    (void)good;
    g->snapshot = p->o.end.snapshot;
    g->insert_lsn = p->o.end.lsn;
}

int poll_feed_guard(struct poll *p, const struct poll_guard *g, int64_t now_us, struct error *err)
{
    assert(!p->guarded && (p->phase == TARGET || p->phase == FLUSH || p->phase == PAGE));
    struct snapshot now;
    (void)now_us;
    if (check_server(p, g, err) < 0)
        return -1;
    if (!snapshot_parse(g->snapshot, &now))
        return error_retry(err, REASON_DATABASE, "a snapshot cannot be read: %.*s",
                           SPAN_ARG(g->snapshot));
    if (check_time(p->phase == TARGET ? &p->prev : &p->target, &now, err) < 0)
        return -1;
    p->guarded = true;
    if (g->insert_lsn > p->received_lsn)
        p->received_lsn = g->insert_lsn;
    struct poll_guard end = *g;
    if (p->phase == TARGET && p->o.end.lsn != 0)
        end_there(p, &end, &now);
    if (p->phase == TARGET)
        take_target(p, &end, &now);
    else if (p->phase == FLUSH)
        p->refused = g->checkpoint != p->guard.checkpoint;
    p->guard.flush_lsn = g->flush_lsn;
    if (p->guard.time_us == 0)
        p->guard.time_us = g->time_us;
    return 0;
}

bool poll_is_flushed(const struct poll_guard *target, uint64_t flush_lsn)
{
    /* Where a page begins, the place for the next record is behind its header, which nothing has
     * written yet: 40 bytes at the beginning of a segment, else 24 (PostgreSQL 15,
     * access/xlog_internal.h). */
    uint64_t lsn = target->insert_lsn;
    if (target->wal_segment != 0 && lsn % target->wal_segment == 40)
        lsn -= 40;
    else if (target->wal_block != 0 && lsn % target->wal_block == 24)
        lsn -= 24;
    return flush_lsn >= lsn;
}

/* ---- Rows ---- */

static bool read_id(const struct cell *cell, uint64_t *id)
{
    const char *at = cell->bytes.ptr;
    const char *end = at + cell->bytes.len;
    *id = 0;
    if (cell->kind != CELL_TEXT || at == end)
        return false;
    for (; at < end; at++)
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(*id, UINT64_C(10), id) ||
            __builtin_add_overflow(*id, (uint64_t)(*at - '0'), id))
            return false;
    return true;
}

static int refuse_row(const struct poll_table *t, const char *what, const struct cell *seq,
                      struct error *err)
{
    error_stop(err, REASON_SEQ_NOT_UNIQUE, "a row of %.*s.%.*s %s (%.*s)",
               SPAN_ARG(t->relation.schema), SPAN_ARG(t->relation.name), what,
               SPAN_ARG(seq->bytes));
    return error_hint(err, "polling needs a seq of its own for each row, from 0: make it an "
                           "identity column with a primary key, as sql/001_outbox.sql does");
}

int poll_feed_row(struct poll *p, struct cell *cells, struct error *err)
{
    assert(p->phase == PAGE && p->guarded && p->cells == NULL);
    const struct poll_table *t = &p->o.tables[p->table];
    struct reached *reached = &p->reached[p->table];
    const struct cell *seq = &cells[t->seq];
    uint64_t value;
    if (!read_id(seq, &value) || value > INT64_MAX || !read_id(&cells[t->xid], &p->xid))
        return refuse_row(t, "has no seq from 0, or no xid", seq, err);
    p->rows++;
    bool again = p->rows == 1 && reached->any && (int64_t)value == reached->seq;
    if (again)
        return 0;
    if (reached->any && (int64_t)value <= reached->seq)
        return refuse_row(t, "has the seq of another one", seq, err);
    p->seq = (int64_t)value;
    p->cells = cells;
    return 0;
}

/* ---- Ends ---- */

static void end_window(struct poll *p, int64_t now_us)
{
    bool rows = p->begun || p->resumed;
    p->ending = rows ? ENDING_COMMIT : ENDING_MARK;
    plan_look(p, rows, now_us);
}

static void begin_window(struct poll *p, int64_t now_us)
{
    bool same = span_equal(buf_span(&p->target), buf_span(&p->prev));
    if (!same) {
        p->phase = PAGES;
        p->table = 0;
        return;
    }
    if (p->guard.insert_lsn > p->prev_lsn)
        p->ending = ENDING_MARK;
    plan_look(p, false, now_us);
}

static void end_target(struct poll *p, int64_t now_us)
{
    if (poll_is_flushed(&p->guard, p->guard.flush_lsn) && !p->refused) {
        begin_window(p, now_us);
        return;
    }
    /* Behind a checkpoint it may be another life of the server: what it had not flushed before a
     * crash is gone, and the place in the WAL says nothing any more. */
    p->phase = p->refused ? IDLE : UNFLUSHED;
    p->due_us = p->refused ? now_us : now_us + FLUSH_US;
}

static void end_page(struct poll *p, int64_t now_us)
{
    bool full = p->rows >= p->limit;
    p->phase = PAGES;
    if (full)
        return;
    p->table++;
    if (p->table == p->o.table_count)
        end_window(p, now_us);
}

void poll_feed_end(struct poll *p, int64_t now_us)
{
    assert(p->guarded && p->cells == NULL);
    p->guarded = false;
    if (p->phase == PAGE)
        end_page(p, now_us);
    else
        end_target(p, now_us);
}

/* ---- Changes ---- */

static void give_begin(struct poll *p, struct change *change)
{
    p->begun = true;
    *change = (struct change){.op = CHANGE_BEGIN,
                              .position = {p->prev_lsn, 0},
                              .id = change_id_wal(p->target_lsn, 0),
                              .commit_time_us = p->guard.time_us};
}

static void give_row(struct poll *p, struct change *change)
{
    const struct poll_table *t = &p->o.tables[p->table];
    uint32_t oid = p->o.table_count > 1 ? t->relation.oid : 0;
    p->reached[p->table] = (struct reached){.any = true, .seq = p->seq};
    p->done++;
    *change = (struct change){.op = CHANGE_INSERT,
                              .position = {p->prev_lsn, p->done},
                              .id = change_id_poll(p->xid, oid, (uint64_t)p->seq),
                              .xid = (uint32_t)p->xid,
                              .commit_time_us = p->guard.time_us,
                              .relation = &t->relation,
                              .after = {t->relation.column_count, p->cells, NULL}};
    p->cells = NULL;
}

/* The window is behind. */
static void give_end(struct poll *p, struct change *change)
{
    bool commit = p->ending == ENDING_COMMIT;
    *change = (struct change){.op = commit ? CHANGE_COMMIT : CHANGE_MARK,
                              .position = {p->target_lsn, 0},
                              .commit_time_us = commit ? p->guard.time_us : 0,
                              .over_xid = parsed(&p->target).xmin};
    if (commit)
        change->id = change_id_wal(p->target_lsn, 0);
    buf_reset(&p->prev);
    buf_add(&p->prev, buf_span(&p->target));
    p->prev_lsn = p->target_lsn;
    p->ending = ENDING_NONE;
    p->begun = p->resumed = false;
    p->done = 0;
    memset(p->reached, 0, p->o.table_count * sizeof *p->reached);
}

int poll_next(struct poll *p, struct change *change)
{
    assert(p != NULL && change != NULL);
    if (p->cells == NULL && p->ending == ENDING_NONE)
        return 0;
    bool in_window = p->cells != NULL || p->ending == ENDING_COMMIT;
    if (in_window && !p->begun)
        give_begin(p, change);
    else if (p->cells != NULL)
        give_row(p, change);
    else
        give_end(p, change);
    return 1;
}

/* ---- The record ---- */

void poll_resume(const struct poll *p, struct buf *json)
{
    if (p->done == 0) {
        poll_resume_write(buf_span(&p->prev), json);
        return;
    }
    struct buf name = BUF_EMPTY;
    struct json_writer w = json_writer(json);
    json_write_begin_object(&w);
    json_write_member_string(&w, "prev", buf_span(&p->prev));
    json_write_member_string(&w, "target", buf_span(&p->target));
    json_write_name(&w, "last_seq");
    json_write_begin_object(&w);
    for (uint32_t i = 0; i < p->o.table_count; i++) {
        if (!p->reached[i].any)
            continue;
        buf_reset(&name);
        poll_table_name(&p->o.tables[i].relation, &name);
        json_write_member_i64(&w, buf_text(&name), p->reached[i].seq);
    }
    json_write_end_object(&w);
    json_write_end_object(&w);
    buf_fini(&name);
}

uint64_t poll_received_lsn(const struct poll *p)
{
    return p->received_lsn;
}
