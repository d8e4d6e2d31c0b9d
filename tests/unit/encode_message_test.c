/* encode/: an event becomes the bytes of a message, all of them in the batch's arena. */
#include "encode/encode.h"
#include "types/types.h"
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

struct fixture {
    struct config_route items[3];
    struct config_routes routes;
    struct encoders *encoders;
    struct arena arena;
    struct change change;
    struct event event;
    struct message message;
    struct error err;
};

static void init(struct fixture *f, const char *id_header)
{
    *f = (struct fixture){.routes = {3, f->items}, .err = ERROR_INIT};
    arena_init(&f->arena, 256, 256);
    struct encoders_options options = {
        .routes = &f->routes, .system_identifier = 7318349394477056000, .id_header = id_header};
    assert_int_equal(encoders_open(&options, &f->encoders, &f->err), 0);
    f->change = (struct change){.op = CHANGE_INSERT,
                                .position = {.lsn = 0x1000, .seq = 3},
                                .id = change_id_wal(0x16B374D848, 3),
                                .xid = 731,
                                .commit_time_us = 1700000000123456};
    const struct cell payload = {CELL_TEXT, SPAN_LITERAL("{\"total\": 12.50}")};
    f->event = (struct event){.change = &f->change,
                              .route = 2,
                              .index = 1,
                              .topic = SPAN_LITERAL("outbox.event.order"),
                              .partition = 5,
                              .timestamp_us = 1700000000123999};
    content_set_text(&f->event.key, SPAN_LITERAL("4711"));
    content_set_cell(&f->event.value, &payload, types_builtin(TYPE_JSONB));
}

static int encode(struct fixture *f)
{
    f->message = (struct message){.partition = -1};
    return encode_message(f->encoders, &f->event, &f->arena, &f->message, &f->err);
}

static void fini(struct fixture *f)
{
    encoders_close(f->encoders);
    arena_fini(&f->arena);
}

/* The row's memory goes with the change; what the file says stays. */
static void test_names_of_the_row_are_copied(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "walferry-id");
    char of_row[] = "tenant";
    const struct header headers[] = {{SPAN_LITERAL("eventType"), SPAN_LITERAL("Put")},
                                     {span_of(of_row), SPAN_LITERAL("blue")}};
    f.event.headers = headers;
    f.event.header_count = 2;
    f.event.named_headers = 1;
    assert_int_equal(encode(&f), 0);
    memset(of_row, '-', sizeof of_row);
    assert_int_equal(f.message.header_count, 3);
    assert_ptr_equal(f.message.headers[0].name.ptr, headers[0].name.ptr);
    assert_span(f.message.headers[1].name, "tenant");
    assert_span(f.message.headers[2].name, "walferry-id");
    fini(&f);
}

static void test_everything_is_carried(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "walferry-id");
    assert_int_equal(encode(&f), 0);
    const struct message *m = &f.message;
    assert_span(m->topic, "outbox.event.order");
    assert_int_equal(m->topic.ptr[m->topic.len], 0);
    assert_span(m->key, "4711");
    assert_span(m->value, "{\"total\": 12.50}");
    assert_int_equal(m->partition, 5);
    assert_int_equal(m->route, 2);
    assert_int_equal(m->timestamp_ms, 1700000000123);
    assert_true(change_id_equal(m->id, change_id_wal(0x16B374D848, 3)));
    assert_int_equal(m->header_count, 1);
    assert_span(m->headers[0].name, "walferry-id");
    assert_span(m->headers[0].value, "7318349394477056000-00000016B374D848-3");
    fini(&f);
}

static void test_nothing_points_back(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "id");
    char topic[] = "t", key[] = "k", name[] = "n", value[] = "v", payload[] = "p";
    struct header header = {span_of(name), span_of(value)};
    f.event.topic = span_of(topic);
    content_set_text(&f.event.key, span_of(key));
    f.event.value.cell.value.bytes = span_of(payload);
    f.event.headers = &header;
    f.event.header_count = 1;
    assert_int_equal(encode(&f), 0);
    topic[0] = key[0] = name[0] = value[0] = payload[0] = '!';
    header = (struct header){span_null(), span_null()};
    assert_span(f.message.topic, "t");
    assert_span(f.message.key, "k");
    assert_span(f.message.value, "p");
    assert_span(f.message.headers[0].name, "n");
    assert_span(f.message.headers[0].value, "v");
    assert_span(f.message.headers[1].name, "id");
    fini(&f);
}

static void test_no_id_header(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "");
    assert_int_equal(encode(&f), 0);
    assert_int_equal(f.message.header_count, 0);
    assert_null(f.message.headers);
    fini(&f);
}

static void test_second_event_of_a_change(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "walferry-id");
    f.event.index = 2;
    assert_int_equal(encode(&f), 0);
    assert_span(f.message.headers[0].value, "7318349394477056000-00000016B374D848-3.2");
    fini(&f);
}

static void test_headers_in_order(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "walferry-id");
    struct header headers[] = {{SPAN_LITERAL("a"), SPAN_LITERAL("1")},
                               {SPAN_LITERAL("b"), span_null()},
                               {SPAN_LITERAL("c"), SPAN_LITERAL("")}};
    f.event.headers = headers;
    f.event.header_count = 3;
    assert_int_equal(encode(&f), 0);
    assert_int_equal(f.message.header_count, 4);
    assert_span(f.message.headers[0].value, "1");
    assert_absent(f.message.headers[1].value);
    assert_span(f.message.headers[2].value, "");
    assert_span(f.message.headers[3].name, "walferry-id");
    fini(&f);
}

static void test_absent_and_empty_keys(void **state)
{
    (void)state;
    struct fixture f;
    init(&f, "");
    content_set_text(&f.event.key, span_null());
    assert_int_equal(encode(&f), 0);
    assert_absent(f.message.key);
    content_set_text(&f.event.key, SPAN_LITERAL(""));
    assert_int_equal(encode(&f), 0);
    assert_span(f.message.key, "");
    fini(&f);
}

static void test_time_is_rounded_down(void **state)
{
    (void)state;
    const int64_t times[][2] = {{0, 0}, {999, 0}, {1000, 1}, {-1, -1}, {-1000, -1}, {-1001, -2}};
    struct fixture f;
    init(&f, "");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        f.event.timestamp_us = times[i][0];
        assert_int_equal(encode(&f), 0);
        assert_int_equal(f.message.timestamp_ms, times[i][1]);
    }
    fini(&f);
}

/* From the row to the bytes, in one go. */
static void test_behind_the_router(void **state)
{
    (void)state;
    struct route_fixture r;
    struct fixture f;
    init(&f, "walferry-id");
    route_fixture_init(&r);
    assert_int_equal(route_fixture_open(&r), 0);
    assert_int_equal(route_fixture_route(&r), 1);
    assert_int_equal(encode_message(f.encoders, &r.event, &f.arena, &f.message, &f.err), 0);
    route_fixture_fini(&r);
    assert_span(f.message.topic, "outbox.event.order");
    assert_span(f.message.key, "4711");
    assert_span(f.message.value, "{\"total\": 12.50}");
    assert_int_equal(f.message.header_count, 2);
    assert_span(f.message.headers[0].value, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
    fini(&f);
}

static void test_close_of_nothing(void **state)
{
    (void)state;
    encoder_close(NULL);
    encoders_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_carried),
        cmocka_unit_test(test_names_of_the_row_are_copied),
        cmocka_unit_test(test_nothing_points_back),
        cmocka_unit_test(test_no_id_header),
        cmocka_unit_test(test_second_event_of_a_change),
        cmocka_unit_test(test_headers_in_order),
        cmocka_unit_test(test_absent_and_empty_keys),
        cmocka_unit_test(test_time_is_rounded_down),
        cmocka_unit_test(test_behind_the_router),
        cmocka_unit_test(test_close_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
