/* relay/ahead: what is read ahead comes out as it went in, whatever the source does meanwhile, and
 * jq's events of it are those that it gives of one row after the other. */
#include "relay/ahead.h"

#include "route_fixture.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

#define LARGE 20000

/* A source that uses the same memory for each change, and alters the table in place. */
struct reused {
    struct source base;
    const char *script; /* a letter a change: see next() */
    size_t at;
    uint32_t nexts;
    struct type mood;
    struct column columns[2];
    struct span defs[2];
    struct relation relation;
    struct cell cells[2];
    char number[16], text[LARGE];
    uint64_t ordinal;
    struct position confirmed;
};

static void set_row(struct reused *s, struct change *change, size_t len)
{
    memset(s->text, 'a' + (int)(s->ordinal % 26), len);
    snprintf(s->number, sizeof s->number, "%u", (unsigned)++s->ordinal);
    s->cells[0] = (struct cell){CELL_TEXT, span_of(s->number)};
    s->cells[1] = (struct cell){CELL_TEXT, {s->text, len}};
    *change = (struct change){.op = CHANGE_INSERT,
                              .id = change_id_wal(0x2000, s->ordinal),
                              .position = {0x1000, s->ordinal},
                              .xid = 7,
                              .relation = &s->relation,
                              .after = {.count = 2, .cells = s->cells}};
}

/* r: a row; L: a large one; m: a message; c: the column is another, then a row; t: its type is;
 * d: its default is; w: nothing now; !: it fails, and again. */
static enum step reused_next(struct source *base, int64_t now_us, struct change *change,
                             struct error *err)
{
    struct reused *s = (struct reused *)base;
    s->base.data_us = now_us;
    s->nexts++;
    switch (s->script[s->at]) {
    case '\0':
        return STEP_WAIT;
    case '!':
        error_retry(err, REASON_CONNECTION_LOST, "the connection was lost");
        return STEP_FAILED;
    case 'w':
        s->at++;
        return STEP_WAIT;
    case 'c':
        s->columns[1].name = SPAN_LITERAL("other");
        s->relation.version++;
        break;
    case 'd':
        s->defs[1] = SPAN_LITERAL("'new'");
        s->relation.version++;
        break;
    case 't':
        s->mood.json_form = JSON_FORM_NUMBER;
        break;
    default:
        break;
    }
    char kind = s->script[s->at++];
    set_row(s, change, kind == 'L' ? LARGE : 3);
    if (kind == 't')
        s->cells[1].bytes = SPAN_LITERAL("17");
    if (kind == 'm') {
        change->op = CHANGE_MESSAGE;
        change->relation = NULL;
        change->after = (struct row){.count = 0};
        change->message.prefix = SPAN_LITERAL("a");
        change->message.content = (struct span){s->text, 3};
    }
    return STEP_DONE;
}

static void reused_wait(struct source *base, int *fd, int64_t *deadline_us)
{
    (void)base;
    *fd = 5;
    *deadline_us = 77;
}

static int reused_tick(struct source *base, int64_t now_us, struct error *err)
{
    (void)base;
    (void)now_us;
    (void)err;
    return 0;
}

static void reused_confirm(struct source *base, struct position committed, struct span resume)
{
    (void)resume;
    ((struct reused *)base)->confirmed = committed;
}

static void reused_report(const struct source *base, struct source_status *status)
{
    status->received_lsn = 0x4711;
    status->confirmed = ((const struct reused *)base)->confirmed;
}

static void reused_close(struct source *base, int64_t deadline_us)
{
    (void)base;
    (void)deadline_us;
}

static const struct source_ops reused_ops = {.name = "reused",
                                             .next = reused_next,
                                             .wait = reused_wait,
                                             .tick = reused_tick,
                                             .confirm = reused_confirm,
                                             .report = reused_report,
                                             .close = reused_close};

struct fixture {
    struct route_fixture f;
    struct reused inner;
    struct source *source;
    struct change change;
    struct error err;
};

static void set_up(struct fixture *t, const char *script, const char *program)
{
    *t = (struct fixture){.err = ERROR_INIT};
    route_fixture_init(&t->f);
    struct config_route *route = &t->f.configs[0];
    route->from = route_fixture_text("public.moods");
    route->as = ROUTE_EVENT;
    route->format = FORMAT_JSON;
    route->topic = route_fixture_text("moods");
    route->key = route_fixture_text("{n}");
    route->event.jq = route_fixture_text(program);
    assert_int_equal(route_fixture_open(&t->f), 0);
    struct reused *s = &t->inner;
    s->base.ops = &reused_ops;
    s->script = script;
    s->mood = *types_unknown();
    s->mood.oid = 16500;
    s->mood.base = &s->mood;
    s->columns[0] = (struct column){
        .name = SPAN_LITERAL("n"), .type_oid = TYPE_INT4, .type = types_builtin(TYPE_INT4)};
    s->columns[1] =
        (struct column){.name = SPAN_LITERAL("mood"), .type_oid = 16500, .type = &s->mood};
    s->relation = (struct relation){.oid = 16400,
                                    .schema = SPAN_LITERAL("public"),
                                    .name = SPAN_LITERAL("moods"),
                                    .identity = 'd',
                                    .column_count = 2,
                                    .columns = s->columns,
                                    .version = 1};
    s->defs[1] = SPAN_LITERAL("'old'");
    s->relation.key.defs = s->defs;
    t->source = ahead_open(&s->base, t->f.router);
}

static void tear_down(struct fixture *t)
{
    source_close(t->source, 0);
    route_fixture_fini(&t->f);
}

static void take_row(struct fixture *t, uint64_t ordinal)
{
    assert_int_equal(source_next(t->source, 5, &t->change, &t->err), STEP_DONE);
    assert_int_equal(t->change.id.ordinal, ordinal);
    assert_int_equal(t->source->data_us, 5);
}

/* The next change is that row, and its one event has this value. */
static void expect_event(struct fixture *t, uint64_t ordinal, const char *value)
{
    take_row(t, ordinal);
    arena_reset(&t->f.scratch);
    assert_int_equal(router_begin(t->f.router, &t->change, &t->f.scratch), ROUTER_TAKEN);
    if (router_next(t->f.router, &t->f.event, &t->f.err) != 1)
        fail_msg("%s", t->f.err.text);
    assert_span(t->f.event.value.json, value);
    assert_int_equal(router_next(t->f.router, &t->f.event, &t->f.err), 0);
}

/* ---- Tests ---- */

static void test_rows_keep_their_bytes(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t, "rrrr", ".after");
    expect_event(&t, 1, "{\"n\":1,\"mood\":\"aaa\"}");
    assert_int_equal(t.inner.nexts, 5); /* all, and that there is no more */
    expect_event(&t, 2, "{\"n\":2,\"mood\":\"bbb\"}");
    expect_event(&t, 3, "{\"n\":3,\"mood\":\"ccc\"}");
    expect_event(&t, 4, "{\"n\":4,\"mood\":\"ddd\"}");
    assert_int_equal(source_next(t.source, 6, &t.change, &t.err), STEP_WAIT);
    tear_down(&t);
}

/* Each row goes out with the columns and types that it had. */
static void test_a_table_that_is_altered(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t, "rrcrtr", ".after");
    expect_event(&t, 1, "{\"n\":1,\"mood\":\"aaa\"}");
    expect_event(&t, 2, "{\"n\":2,\"mood\":\"bbb\"}");
    expect_event(&t, 3, "{\"n\":3,\"other\":\"ccc\"}");
    expect_event(&t, 4, "{\"n\":4,\"other\":\"ddd\"}");
    expect_event(&t, 5, "{\"n\":5,\"other\":17}");
    tear_down(&t);
}

static void test_a_default_that_is_altered(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t, "rdr", ".after");
    take_row(&t, 1);
    assert_int_equal(t.inner.nexts, 4);
    assert_span(t.change.relation->key.defs[1], "'old'");
    take_row(&t, 2);
    assert_span(t.change.relation->key.defs[1], "'new'");
    tear_down(&t);
}

/* What is not copied is the last that is read, until the call after it. */
static void test_what_is_not_copied(void **state)
{
    (void)state;
    struct fixture t;
    char large[LARGE + 16];
    set_up(&t, "rmrLr", ".after | {n, l: (.mood | length)}");
    expect_event(&t, 1, "{\"n\":1,\"l\":3}");
    assert_int_equal(t.inner.nexts, 2);
    take_row(&t, 2);
    assert_int_equal(t.inner.nexts, 2);
    assert_int_equal(t.change.op, CHANGE_MESSAGE);
    assert_span(t.change.message.content, "bbb");
    expect_event(&t, 3, "{\"n\":3,\"l\":3}");
    assert_int_equal(t.inner.nexts, 4);
    snprintf(large, sizeof large, "{\"n\":4,\"l\":%d}", LARGE);
    expect_event(&t, 4, large);
    assert_int_equal(t.inner.nexts, 4);
    expect_event(&t, 5, "{\"n\":5,\"l\":3}");
    tear_down(&t);
}

/* What came before a failure is handed on first. */
static void test_a_source_that_fails(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t, "rr!", ".after");
    take_row(&t, 1);
    take_row(&t, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(source_next(t.source, 5, &t.change, &t.err), STEP_FAILED);
        assert_string_equal(reason_slug(t.err.reason), "connection_lost");
        assert_int_equal(t.inner.nexts, 3);
    }
    tear_down(&t);
}

static void test_waiting(void **state)
{
    (void)state;
    struct fixture t;
    int fd;
    int64_t deadline_us;
    set_up(&t, "rrwr", ".after");
    take_row(&t, 1);
    source_wait(t.source, &fd, &deadline_us); /* there is one in hand */
    assert_int_equal(fd, -1);
    assert_int_equal(deadline_us, 0);
    assert_int_equal(source_tick(t.source, 6, &t.err), 0);
    source_wait(t.source, &fd, &deadline_us); /* nobody takes it */
    assert_int_equal(fd, 5);
    assert_int_equal(deadline_us, 77);
    take_row(&t, 2);
    take_row(&t, 3);
    assert_int_equal(source_next(t.source, 5, &t.change, &t.err), STEP_WAIT);
    source_wait(t.source, &fd, &deadline_us);
    assert_int_equal(fd, 5);
    source_confirm(t.source, (struct position){0x1000, 2}, span_null());
    assert_int_equal(t.inner.confirmed.seq, 2);
    assert_string_equal(source_report(t.source).name, "reused");
    assert_int_equal(source_report(t.source).received_lsn, 0x4711);
    tear_down(&t);
}

/* More rows than there is room for; one has two events, and one fails. */
static void test_many(void **state)
{
    (void)state;
    struct fixture t;
    char script[501];
    memset(script, 'r', sizeof script - 1);
    script[sizeof script - 1] = '\0';
    set_up(
        &t, script,
        "if .after.n == 200 then error(\"no\") elif .after.n % 7 == 0 then {a: .after.n}, {b: 1} "
        "else {a: .after.n} end");
    for (uint32_t n = 1; n < sizeof script; n++) {
        char wanted[32];
        take_row(&t, n);
        assert_true(t.inner.nexts < n + 140);
        arena_reset(&t.f.scratch);
        router_begin(t.f.router, &t.change, &t.f.scratch);
        int got = router_next(t.f.router, &t.f.event, &t.f.err);
        assert_int_equal(got, n == 200 ? -1 : 1);
        snprintf(wanted, sizeof wanted, "{\"a\":%u}", n);
        if (got == 1)
            assert_span(t.f.event.value.json, wanted);
        else
            assert_string_equal(t.f.err.text, "value.jq: no");
        assert_int_equal(router_next(t.f.router, &t.f.event, &t.f.err), n % 7 == 0);
        if (n % 7 == 0)
            assert_span(t.f.event.value.json, "{\"b\":1}");
    }
    tear_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_keep_their_bytes),
        cmocka_unit_test(test_a_table_that_is_altered),
        cmocka_unit_test(test_a_default_that_is_altered),
        cmocka_unit_test(test_what_is_not_copied),
        cmocka_unit_test(test_a_source_that_fails),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
