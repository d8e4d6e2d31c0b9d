/* The contract of source_ops where it meets what the server is told and what a restart repeats,
 * asked of two sources alike: the real stream core over a server that the test plays with
 * tests/lib/pgoutput_encoder, and stream_source over a real PostgreSQL (WALFERRY_TEST_PG gives the
 * conninfo of a superuser, else a private server; left out where neither can be had). A new source
 * adds a `struct peer` and a line in main(). */
#include "base/clock.h"
#include "pg/pg.h"
#include "pgoutput_encoder.h"
#include "private_postgres.h"
#include "source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 64
#define ROWS_MAX 32
#define PATIENCE_US (20 * US_PER_S)

/* What the suite wants of a database and of the source in front of it. */
struct peer {
    const char *name;
    void (*setup)(struct peer *peer);
    void (*teardown)(struct peer *peer);
    /* Where a first run begins. */
    struct position (*first)(struct peer *peer);
    struct source *(*open)(struct peer *peer, struct position start, struct partial partial);
    /* Commits a transaction of so many rows, numbered on from the last. */
    void (*transaction)(struct peer *peer, uint32_t rows);
    void (*rolled_back)(struct peer *peer);
    /* A message outside any transaction. */
    void (*message)(struct peer *peer);
    /* The newest LSN that the server has been told is done. */
    uint64_t (*told)(struct peer *peer);
    void (*lose_connection)(struct peer *peer);
    int64_t (*now)(struct peer *peer);
    uint32_t rows; /* numbered so far */
};

/* ---- A server that the test plays ---- */

struct model_item {
    uint64_t lsn; /* of a message; final LSN of a transaction, which ends 0x10 behind */
    uint32_t first;
    uint32_t rows; /* 0: a message */
};

struct model_peer {
    struct peer base;
    struct model_item items[ITEMS_MAX];
    uint32_t count;
    uint64_t told_lsn;
    bool lost;
    int64_t now_us;
};

struct model_source {
    struct source base;
    struct model_peer *peer;
    struct stream *stream;
    uint64_t start_lsn;
    struct position confirmed;
    uint32_t item;
    uint32_t step; /* of the item: BEGIN, Relation, rows, COMMIT */
    struct buf message;
    struct buf data;
};

static struct column model_columns[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL}};
static const struct relation model_relation = {
    16400, SPAN_STATIC("public"), SPAN_STATIC("contract"), 'd', 1, model_columns, 0,
    false, {.count = 0}};

static void render_row(struct buf *out, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    struct cell cell = cell_text(text);
    write_insert(out, model_relation.oid, &(struct row){.count = 1, .cells = &cell});
}

/* The item's next message, in s->message; false at its end. */
static bool render(struct model_source *s, const struct model_item *item)
{
    const int64_t at_us = INT64_C(1700000000000000);
    uint32_t step = s->step++;
    buf_reset(&s->message);
    if (item->rows == 0) {
        if (step == 0)
            write_message(&s->message, false, item->lsn, "contract", SPAN_LITERAL("x"));
        return step == 0;
    }
    if (step == 0)
        write_begin(&s->message, item->lsn, at_us, 700 + item->first);
    else if (step == 1)
        write_relation(&s->message, &model_relation);
    else if (step < 2 + item->rows)
        render_row(&s->message, item->first + step - 2);
    else if (step == 2 + item->rows)
        write_commit(&s->message, item->lsn, item->lsn + 0x10, at_us);
    return step <= 2 + item->rows;
}

static bool receive(struct model_source *s)
{
    while (s->item < s->peer->count) {
        const struct model_item *item = &s->peer->items[s->item];
        if (item->lsn >= s->start_lsn && render(s, item)) {
            buf_reset(&s->data);
            write_xlogdata(&s->data, item->lsn, item->lsn, 0, buf_span(&s->message));
            return true;
        }
        s->item++;
        s->step = 0;
    }
    return false;
}

static enum step model_next(struct source *base, int64_t now_us, struct change *change,
                            struct error *err)
{
    struct model_source *s = (struct model_source *)base;
    while (receive(s)) {
        s->base.data_us = now_us;
        if (stream_feed(s->stream, buf_span(&s->data), now_us, err) < 0)
            return -1;
        if (stream_next(s->stream, change) == 1)
            return 1;
    }
    return 0;
}

static void model_wait(struct source *base, int *fd, int64_t *deadline_us)
{
    *fd = -1;
    *deadline_us = stream_deadline(((struct model_source *)base)->stream);
}

static void model_tell(struct model_source *s, const struct buf *status)
{
    struct standby_status read;
    assert_true(read_status(buf_span(status), &read));
    assert_true(read.flush_lsn >= s->peer->told_lsn);
    s->peer->told_lsn = read.flush_lsn;
}

static int model_tick(struct source *base, int64_t now_us, struct error *err)
{
    struct model_source *s = (struct model_source *)base;
    struct buf status = BUF_EMPTY;
    if (s->peer->lost)
        return error_retry(err, REASON_CONNECTION_LOST, "the connection was lost");
    stream_heard(s->stream, now_us);
    if (stream_status(s->stream, now_us, now_us, &status))
        model_tell(s, &status);
    buf_fini(&status);
    return stream_tick(s->stream, now_us, err);
}

static void model_confirm(struct source *base, struct position committed, struct span resume)
{
    struct model_source *s = (struct model_source *)base;
    (void)resume;
    s->confirmed = committed;
    stream_confirm(s->stream, committed);
}

static void model_report(const struct source *base, struct source_status *status)
{
    const struct model_source *s = (const struct model_source *)base;
    status->received_lsn = stream_received_lsn(s->stream);
    status->confirmed = s->confirmed;
}

static void model_close(struct source *base, int64_t deadline_us)
{
    struct model_source *s = (struct model_source *)base;
    if (deadline_us > s->peer->now_us && !s->peer->lost) {
        struct buf status = BUF_EMPTY;
        stream_status_now(s->stream, s->peer->now_us, s->peer->now_us, &status);
        model_tell(s, &status);
        buf_fini(&status);
    }
    stream_close(s->stream);
    buf_fini(&s->message);
    buf_fini(&s->data);
    free(s);
}

static struct source *model_open(struct peer *base, struct position start, struct partial partial)
{
    static const struct source_ops ops = {.name = "model",
                                          .next = model_next,
                                          .wait = model_wait,
                                          .tick = model_tick,
                                          .confirm = model_confirm,
                                          .report = model_report,
                                          .close = model_close};
    struct model_peer *peer = (struct model_peer *)base;
    struct model_source *s = calloc(1, sizeof *s);
    struct stream_options options = {.start = start,
                                     .partial = partial,
                                     .server_timeout_us = 60 * US_PER_S,
                                     .now_us = peer->now_us};
    s->base.ops = &ops;
    s->peer = peer;
    s->start_lsn = start.lsn;
    s->confirmed = start;
    s->stream = stream_open(&options);
    return &s->base;
}

static void model_setup(struct peer *base)
{
    struct model_peer *peer = (struct model_peer *)base;
    struct peer kept = *base;
    *peer = (struct model_peer){.base = kept, .now_us = US_PER_S};
    peer->base.rows = 0;
}

static void model_teardown(struct peer *base)
{
    (void)base;
}

static struct position model_first(struct peer *base)
{
    (void)base;
    return (struct position){0x1000, 0};
}

static void model_add(struct peer *base, uint32_t rows)
{
    struct model_peer *peer = (struct model_peer *)base;
    assert_true(peer->count < ITEMS_MAX);
    uint64_t lsn = 0x1000 + 0x100 * (uint64_t)(peer->count + 1);
    peer->items[peer->count++] =
        (struct model_item){.lsn = lsn, .first = base->rows + 1, .rows = rows};
    base->rows += rows;
}

static void model_rolled_back(struct peer *base)
{
    (void)base; /* the server does not send it */
}

static void model_message(struct peer *base)
{
    model_add(base, 0);
}

static uint64_t model_told(struct peer *base)
{
    return ((struct model_peer *)base)->told_lsn;
}

static void model_lose(struct peer *base)
{
    ((struct model_peer *)base)->lost = true;
}

static int64_t model_now(struct peer *base)
{
    return ((struct model_peer *)base)->now_us += 20 * US_PER_MS;
}

static struct model_peer model = {.base = {.name = "stream core",
                                           .setup = model_setup,
                                           .teardown = model_teardown,
                                           .first = model_first,
                                           .open = model_open,
                                           .transaction = model_add,
                                           .rolled_back = model_rolled_back,
                                           .message = model_message,
                                           .told = model_told,
                                           .lose_connection = model_lose,
                                           .now = model_now}};

/* ---- A real server ---- */

#define SLOT "walferry_contract"

struct real_peer {
    struct peer base;
    const char *conninfo;
    struct pg_connection *sql;
};

/* The first cell of the answer, in a static buffer. */
static const char *ask(struct peer *base, const char *sql)
{
    static char text[64];
    struct error err = ERROR_INIT;
    struct pg_result *result = NULL;
    if (pg_query(((struct real_peer *)base)->sql, sql, 0, NULL, &result, &err) < 0)
        fail_msg("%s: %s", sql, err.text);
    struct span cell = pg_result_rows(result) > 0 ? pg_result_cell(result, 0, 0) : span_null();
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(cell));
    pg_result_free(result);
    return text;
}

static void real_setup(struct peer *base)
{
    struct real_peer *peer = (struct real_peer *)base;
    struct pg_options options = {.connection = peer->conninfo, .application_name = "contract"};
    struct error err = ERROR_INIT;
    base->rows = 0;
    if (pg_open(&options, &peer->sql, &err) < 0)
        fail_msg("%s", err.text);
    ask(base, "DROP TABLE IF EXISTS public.contract");
    ask(base, "CREATE TABLE public.contract (id bigint PRIMARY KEY)");
    ask(base, "DROP PUBLICATION IF EXISTS " SLOT);
    ask(base, "CREATE PUBLICATION " SLOT " FOR TABLE public.contract");
    ask(base, "SELECT pg_create_logical_replication_slot('" SLOT "', 'pgoutput')");
}

static void wait_for_slot(struct peer *base)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (strcmp(ask(base, "SELECT active FROM pg_replication_slots WHERE slot_name = '" SLOT "'"),
                  "f") != 0) {
        assert_true(clock_monotonic_us() < until_us);
        clock_sleep_us(10 * US_PER_MS);
    }
}

static void real_teardown(struct peer *base)
{
    wait_for_slot(base);
    ask(base, "SELECT pg_drop_replication_slot('" SLOT "')");
    ask(base, "DROP PUBLICATION " SLOT);
    ask(base, "DROP TABLE public.contract");
    pg_close(((struct real_peer *)base)->sql);
}

static uint64_t real_told(struct peer *base)
{
    uint64_t lsn = 0;
    const char *text = ask(
        base, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" SLOT "'");
    assert_true(lsn_parse(span_of(text), &lsn));
    return lsn;
}

static struct position real_first(struct peer *base)
{
    return (struct position){real_told(base), 0};
}

static struct source *real_open(struct peer *base, struct position start, struct partial partial)
{
    const char *conninfo = ((struct real_peer *)base)->conninfo;
    struct pg_options options = {.connection = conninfo, .application_name = "contract"};
    struct error err = ERROR_INIT;
    struct pg_replication *connection = NULL;
    struct source *source = NULL;
    wait_for_slot(base);
    struct stream_options stream = {.start = start,
                                    .partial = partial,
                                    .server_timeout_us = 60 * US_PER_S,
                                    .now_us = clock_monotonic_us()};
    if (pg_replication_open(&options, &connection, &err) < 0 ||
        pg_replication_start(connection, SLOT, SLOT, NULL, start.lsn, &err) < 0 ||
        stream_source_open(connection, &stream, &source, &err) < 0)
        fail_msg("%s", err.text);
    return source;
}

static void real_transaction(struct peer *base, uint32_t rows)
{
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT INTO public.contract SELECT generate_series(%u, %u)",
             base->rows + 1, base->rows + rows);
    ask(base, sql);
    base->rows += rows;
}

static void real_rolled_back(struct peer *base)
{
    ask(base, "BEGIN");
    ask(base, "INSERT INTO public.contract VALUES (1000000)");
    ask(base, "ROLLBACK");
}

static void real_message(struct peer *base)
{
    ask(base, "SELECT pg_logical_emit_message(false, 'contract', 'x')");
}

static void real_lose(struct peer *base)
{
    ask(base, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = "
              "'" SLOT "'");
}

static int64_t real_now(struct peer *base)
{
    (void)base;
    clock_sleep_us(2 * US_PER_MS);
    return clock_monotonic_us();
}

static struct real_peer real = {.base = {.name = "stream source on PostgreSQL",
                                         .setup = real_setup,
                                         .teardown = real_teardown,
                                         .first = real_first,
                                         .open = real_open,
                                         .transaction = real_transaction,
                                         .rolled_back = real_rolled_back,
                                         .message = real_message,
                                         .told = real_told,
                                         .lose_connection = real_lose,
                                         .now = real_now}};

/* ---- The fixture ---- */

static struct peer *under_test;

struct fixture {
    struct peer *peer;
    struct source *source;
    struct position start;
    struct position last; /* of what was handed on */
    struct error err;
    uint32_t messages; /* outside transactions, so far */
};

struct seen {
    uint64_t final_lsn;
    uint32_t xid;
    uint64_t begin_lsn;
    uint64_t end_lsn;
    uint32_t rows;
    uint32_t numbers[ROWS_MAX];
    uint64_t ordinals[ROWS_MAX];
};

static void open_at(struct fixture *f, struct position start, struct partial partial)
{
    f->start = start;
    f->last = (struct position){start.lsn, 0}; /* a BEGIN stands before the part that is done */
    f->source = f->peer->open(f->peer, start, partial);
    assert_non_null(f->source->ops->name);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    f->peer = under_test;
    f->peer->setup(f->peer);
    open_at(f, f->peer->first(f->peer), (struct partial){0});
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    source_close(f->source, 0);
    f->peer->teardown(f->peer);
    free(f);
    return 0;
}

static void close_source(struct fixture *f, int64_t patience_us)
{
    source_close(f->source, patience_us > 0 ? f->peer->now(f->peer) + patience_us : 0);
    f->source = NULL;
}

/* One turn of a loop: next, and tick where there was nothing. As next. */
static int turn(struct fixture *f, struct change *change)
{
    int64_t now_us = f->peer->now(f->peer);
    int got = source_next(f->source, now_us, change, &f->err);
    if (got != 0)
        return got;
    int fd = -2;
    int64_t deadline_us = INT64_MIN;
    source_wait(f->source, &fd, &deadline_us);
    assert_true(fd >= -1);
    assert_true(deadline_us > INT64_MIN && deadline_us < INT64_MAX);
    return source_tick(f->source, now_us, &f->err);
}

/* The next change; none within the patience is a failure. */
static void pull(struct fixture *f, struct change *change)
{
    int64_t until_us = f->peer->now(f->peer) + PATIENCE_US;
    int got;
    while ((got = turn(f, change)) == 0)
        assert_true(f->peer->now(f->peer) < until_us);
    if (got < 0)
        fail_msg("%s", f->err.text);
}

/* The same, checked, without what stands between transactions. */
static void pull_in_order(struct fixture *f, struct change *change)
{
    for (;;) {
        pull(f, change);
        if (change->op == CHANGE_MESSAGE && !change->message.transactional) {
            assert_int_equal(change->id.ordinal, 0);
            f->messages++;
            continue;
        }
        assert_true(position_compare(change->position, f->last) >= 0);
        f->last = change->position;
        if (change->op != CHANGE_MARK)
            return;
        assert_int_equal(change->position.seq, 0);
    }
}

static void check_row(const struct change *change, struct seen *seen)
{
    assert_int_equal(change->op, CHANGE_INSERT);
    assert_int_equal(change->id.final_lsn, seen->final_lsn);
    assert_int_equal(change->xid, seen->xid);
    assert_int_equal(change->position.lsn, seen->begin_lsn);
    assert_int_equal(change->position.seq, change->id.ordinal);
    assert_true(span_equal_text(change->relation->schema, "public"));
    assert_true(span_equal_text(change->relation->name, "contract"));
    assert_int_equal(change->after.count, change->relation->column_count);
    assert_int_equal(change->after.cells[0].kind, CELL_TEXT);
    char text[24];
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(change->after.cells[0].bytes));
    assert_true(seen->rows < ROWS_MAX);
    seen->ordinals[seen->rows] = change->id.ordinal;
    seen->numbers[seen->rows++] = (uint32_t)strtoul(text, NULL, 10);
}

/* BEGIN, rows, COMMIT: nothing else may stand between them. */
static struct seen pull_transaction(struct fixture *f)
{
    struct seen seen = {0};
    struct change change;
    pull_in_order(f, &change);
    assert_int_equal(change.op, CHANGE_BEGIN);
    assert_int_equal(change.id.ordinal, 0);
    assert_int_equal(change.position.seq, 0);
    assert_true(change.id.final_lsn != 0 && change.xid != 0 && change.commit_time_us != 0);
    seen.final_lsn = change.id.final_lsn;
    seen.xid = change.xid;
    seen.begin_lsn = change.position.lsn;
    int64_t commit_time_us = change.commit_time_us;
    for (;;) {
        pull(f, &change);
        assert_int_equal(change.commit_time_us, commit_time_us);
        assert_true(position_compare(change.position, f->last) > 0);
        f->last = change.position;
        if (change.op == CHANGE_COMMIT)
            break;
        check_row(&change, &seen);
    }
    assert_int_equal(change.id.ordinal, 0);
    assert_int_equal(change.position.seq, 0);
    assert_int_equal(change.xid, seen.xid);
    assert_true(change.position.lsn > seen.final_lsn);
    seen.end_lsn = change.position.lsn;
    return seen;
}

static void is(const struct seen *seen, uint32_t first, uint32_t rows, uint64_t first_ordinal)
{
    assert_int_equal(seen->rows, rows);
    for (uint32_t i = 0; i < rows; i++) {
        assert_int_equal(seen->numbers[i], first + i);
        assert_int_equal(seen->ordinals[i], first_ordinal + i);
    }
}

/* Ticks until the server has been told so much. */
static void wait_until_told(struct fixture *f, uint64_t lsn)
{
    int64_t until_us = f->peer->now(f->peer) + PATIENCE_US;
    while (f->peer->told(f->peer) < lsn) {
        int64_t now_us = f->peer->now(f->peer);
        assert_true(now_us < until_us);
        assert_int_equal(source_tick(f->source, now_us, &f->err), 0);
    }
    assert_int_equal(f->peer->told(f->peer), lsn);
}

static void tick_for_a_while(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        assert_int_equal(source_tick(f->source, f->peer->now(f->peer), &f->err), 0);
}

/* ---- The contract ---- */

static void transactions_come_whole_and_in_order(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 3);
    f->peer->rolled_back(f->peer);
    f->peer->transaction(f->peer, 1);
    struct seen first = pull_transaction(f);
    struct seen second = pull_transaction(f);
    is(&first, 1, 3, 1);
    is(&second, 4, 1, 1);
    assert_true(second.begin_lsn >= first.end_lsn);
    assert_true(second.final_lsn >= first.end_lsn);
    assert_true(second.xid != first.xid);
}

static void nothing_is_nothing(void **state)
{
    struct fixture *f = *state;
    struct change change;
    for (int i = 0; i < 5; i++) {
        int got = turn(f, &change);
        assert_true(got == 0 || (got == 1 && change.op == CHANGE_MARK));
    }
}

static void a_restart_behind_a_commit_repeats_nothing(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 2);
    f->peer->transaction(f->peer, 2);
    f->peer->transaction(f->peer, 1);
    struct seen first = pull_transaction(f);
    struct seen second = pull_transaction(f);
    close_source(f, 0);
    open_at(f, (struct position){first.end_lsn, 0}, (struct partial){0});
    struct seen again = pull_transaction(f);
    is(&again, 3, 2, 1);
    assert_int_equal(again.final_lsn, second.final_lsn);
    assert_int_equal(again.end_lsn, second.end_lsn);
    assert_int_equal(again.xid, second.xid);
    struct seen third = pull_transaction(f);
    is(&third, 5, 1, 1);
}

static void a_restart_inside_a_transaction_passes_over_what_is_done(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 1);
    f->peer->transaction(f->peer, 5);
    struct seen first = pull_transaction(f);
    struct seen whole = pull_transaction(f);
    close_source(f, 0);
    open_at(f, (struct position){first.end_lsn, 3},
            (struct partial){.final_lsn = whole.final_lsn, .done = 3, .part = 1});
    struct seen rest = pull_transaction(f);
    is(&rest, 5, 2, 4);
    assert_int_equal(rest.end_lsn, whole.end_lsn);
}

/* Whoever looks for a stall must see that bytes of a transaction came, also of what is skipped. */
static void skipped_changes_are_a_sign_of_life(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 4);
    struct seen whole = pull_transaction(f);
    assert_true(f->source->data_us != 0);
    close_source(f, 0);
    open_at(f, (struct position){f->start.lsn, 4},
            (struct partial){.final_lsn = whole.final_lsn, .done = 4, .part = 1});
    int64_t opened_us = f->peer->now(f->peer);
    struct seen rest = pull_transaction(f);
    is(&rest, 5, 0, 5);
    assert_int_equal(rest.end_lsn, whole.end_lsn);
    assert_true(f->source->data_us > opened_us);
}

static void a_tick_takes_nothing(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 2);
    tick_for_a_while(f);
    struct seen seen = pull_transaction(f);
    is(&seen, 1, 2, 1);
}

static void messages_outside_transactions_stand_outside_the_order(void **state)
{
    struct fixture *f = *state;
    f->peer->message(f->peer);
    f->peer->transaction(f->peer, 1);
    struct seen seen = pull_transaction(f);
    is(&seen, 1, 1, 1);
    assert_int_equal(f->messages, 1);
}

/* I1, as the server sees it. */
static void the_server_is_told_what_was_confirmed_and_no_more(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 1);
    f->peer->transaction(f->peer, 1);
    struct seen first = pull_transaction(f);
    struct seen second = pull_transaction(f);
    tick_for_a_while(f);
    assert_true(f->peer->told(f->peer) <= f->start.lsn);
    source_confirm(f->source, (struct position){first.end_lsn, 0}, span_null());
    wait_until_told(f, first.end_lsn);
    source_confirm(f->source, (struct position){second.end_lsn, 0}, span_null());
    wait_until_told(f, second.end_lsn);
}

/* What /status shows of any source. */
static void it_reports_what_it_has_seen_and_what_is_confirmed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(position_compare(source_report(f->source).confirmed, f->start), 0);
    f->peer->transaction(f->peer, 1);
    struct seen seen = pull_transaction(f);
    struct source_status status = source_report(f->source);
    assert_string_equal(status.name, f->source->ops->name);
    assert_true(status.received_lsn >= seen.final_lsn);
    assert_int_equal(position_compare(status.confirmed, f->start), 0);
    source_confirm(f->source, (struct position){seen.end_lsn, 0}, span_null());
    assert_int_equal(source_report(f->source).confirmed.lsn, seen.end_lsn);
}

/* Progress in the middle of a transaction confirms what lies before it. */
static void a_part_confirms_what_is_before_its_transaction(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 1);
    f->peer->transaction(f->peer, 4);
    struct seen first = pull_transaction(f);
    pull_transaction(f);
    source_confirm(f->source, (struct position){first.end_lsn, 2}, span_null());
    wait_until_told(f, first.end_lsn);
}

static void an_orderly_close_tells_the_last_confirmation(void **state)
{
    struct fixture *f = *state;
    f->peer->transaction(f->peer, 1);
    struct seen seen = pull_transaction(f);
    source_confirm(f->source, (struct position){seen.end_lsn, 0}, span_null());
    close_source(f, 5 * US_PER_S);
    assert_int_equal(f->peer->told(f->peer), seen.end_lsn);
}

static void a_lost_connection_is_an_error_to_retry(void **state)
{
    struct fixture *f = *state;
    struct change change;
    f->peer->transaction(f->peer, 1);
    pull_transaction(f);
    f->peer->lose_connection(f->peer);
    int64_t until_us = f->peer->now(f->peer) + PATIENCE_US;
    while (turn(f, &change) >= 0)
        assert_true(f->peer->now(f->peer) < until_us);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_true(f->err.reason != REASON_NONE && f->err.text[0] != '\0');
    close_source(f, US_PER_S); /* legal, and does not wait in vain */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run(struct peer *peer)
{
    const struct CMUnitTest tests[] = {
        TEST(transactions_come_whole_and_in_order),
        TEST(nothing_is_nothing),
        TEST(a_restart_behind_a_commit_repeats_nothing),
        TEST(a_restart_inside_a_transaction_passes_over_what_is_done),
        TEST(skipped_changes_are_a_sign_of_life),
        TEST(a_tick_takes_nothing),
        TEST(messages_outside_transactions_stand_outside_the_order),
        TEST(it_reports_what_it_has_seen_and_what_is_confirmed),
        TEST(the_server_is_told_what_was_confirmed_and_no_more),
        TEST(a_part_confirms_what_is_before_its_transaction),
        TEST(an_orderly_close_tells_the_last_confirmation),
        TEST(a_lost_connection_is_an_error_to_retry),
    };
    under_test = peer;
    return cmocka_run_group_tests_name(peer->name, tests, NULL, NULL);
}

static int run_real(void)
{
    struct private_postgres server = {.pid = 0};
    real.conninfo = getenv("WALFERRY_TEST_PG");
    if (real.conninfo == NULL && private_postgres_start(&server, "wal_level = logical\n", NULL))
        real.conninfo = private_postgres_dsn(&server, "postgres", "");
    if (real.conninfo == NULL) {
        printf("# no PostgreSQL: %s is left out\n", real.base.name);
        return 0;
    }
    int failed = run(&real.base);
    if (server.pid != 0)
        private_postgres_stop(&server);
    return failed;
}

int main(void)
{
    int failed = run(&model.base);
    return failed + run_real();
}
