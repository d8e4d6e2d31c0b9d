/* The contract of encoder_ops, which every encoder keeps: a new one is a line in `encoders` below.
 */
#include "encode/encode.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

/* What each makes of the same payloads. */
static const struct {
    enum route_format format;
    const char *name;
    const char *text;  /* of the text cell "{\"a\": 1.50}" of type jsonb */
    const char *bytea; /* of the bytea "hi" */
    const char *empty; /* of an empty text, and of an empty bytea */
    const char *ok;    /* of the text "ok" */
    bool tombstone;    /* NULL gives an absent value */
    const char *json;  /* of the ready JSON {"a": 1.50} */
    const char *key;   /* of a key that is the bytea "hi" */
} encoders[] = {
    {FORMAT_RAW, "raw", "{\"a\": 1.50}", "hi", "", "ok", true, "{\"a\": 1.50}", "hi"},
    {FORMAT_JSON, "json", "{\"a\": 1.50}", "\"aGk=\"", "\"\"", "\"ok\"", true, "{\"a\": 1.50}",
     "hi"},
    {FORMAT_JSON_STRING, "json_string", "\"{\\\"a\\\": 1.50}\"", "\"\\\"aGk=\\\"\"", "\"\\\"\\\"\"",
     "\"\\\"ok\\\"\"", true, "\"{\\\"a\\\": 1.50}\"", "hi"},
    {FORMAT_CLOUDEVENTS, "cloudevents", "{\"a\": 1.50}", "\"aGk=\"", "\"\"", "\"ok\"", true,
     "{\"a\": 1.50}", "hi"},
};
#define ENCODERS (sizeof encoders / sizeof encoders[0])

struct run {
    struct config_route route;
    struct config_routes routes;
    struct encoders *encoders;
    struct arena arena;
    struct change change;
    struct event event;
    struct message message;
    struct error err;
};

static void begin(struct run *r, enum route_format format)
{
    *r = (struct run){.err = ERROR_INIT};
    arena_init(&r->arena, 64, 64);
    r->route.format = format;
    r->route.event.cloudevents.mode = CLOUDEVENTS_BINARY; /* the value is the data */
    r->routes = (struct config_routes){1, &r->route};
    struct encoders_options options = {.routes = &r->routes,
                                       .system_identifier = 7318349394477056000,
                                       .id_header = "walferry-id",
                                       .database = "shop"};
    assert_int_equal(encoders_open(&options, &r->encoders, &r->err), 0);
    r->change = (struct change){.op = CHANGE_INSERT, .id = change_id_wal(16, 1)};
    r->event = (struct event){
        .change = &r->change, .index = 1, .topic = SPAN_LITERAL("t"), .partition = -1};
    content_set_text(&r->event.key, SPAN_LITERAL("k"));
}

static int encode_event(struct run *r)
{
    r->message = (struct message){.partition = -1};
    return encode_message(r->encoders, &r->event, &r->arena, &r->message, &r->err);
}

static int encode(struct run *r, enum cell_kind kind, struct span bytes, uint32_t type_oid)
{
    struct cell cell = {kind, bytes};
    content_set_cell(&r->event.value, &cell, types_builtin(type_oid));
    return encode_event(r);
}

static void end(struct run *r)
{
    encoders_close(r->encoders);
    arena_fini(&r->arena);
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENCODERS; i++) {
        struct run r;
        begin(&r, encoders[i].format);
        assert_string_equal(r.encoders->of_route[0].value->ops->name, encoders[i].name);
        end(&r);
    }
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENCODERS; i++) {
        struct run r;
        begin(&r, encoders[i].format);
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("{\"a\": 1.50}"), TYPE_JSONB), 0);
        assert_span(r.message.value, encoders[i].text);
        assert_int_equal(encode(&r, CELL_BINARY, SPAN_LITERAL("\1{\"a\": 1.50}"), TYPE_JSONB), 0);
        assert_span(r.message.value, encoders[i].text);
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("\\x6869"), TYPE_BYTEA), 0);
        assert_span(r.message.value, encoders[i].bytea);
        assert_int_equal(encode(&r, CELL_BINARY, SPAN_LITERAL("hi"), TYPE_BYTEA), 0);
        assert_span(r.message.value, encoders[i].bytea);
        end(&r);
    }
}

/* A value is in the arena whatever it was made from, because the event's memory goes first. */
static void test_values_are_copies(void **state)
{
    (void)state;
    static const struct {
        enum cell_kind kind;
        uint32_t type_oid;
        struct span bytes;
        const char *value;
    } cells[] = {
        {CELL_TEXT, TYPE_TEXT, {"abcdefgh", 8}, "abcdefgh"},
        {CELL_BINARY, TYPE_BYTEA, {"abcdefgh", 8}, "abcdefgh"},
        {CELL_BINARY, TYPE_TEXT, {"abcdefgh", 8}, "abcdefgh"},
        {CELL_BINARY, TYPE_INT4, {"\0\0\0\7", 4}, "7"},
        {CELL_BINARY, TYPE_BOOL, {"\1", 1}, "t"},
        {CELL_BINARY, TYPE_TIMESTAMPTZ, {"\177\377\377\377\377\377\377\377", 8}, "infinity"},
        {CELL_TEXT, TYPE_BYTEA, {"\\x6162", 6}, "ab"},
    };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct run r;
        char memory[16];
        begin(&r, FORMAT_RAW);
        memcpy(memory, cells[i].bytes.ptr, cells[i].bytes.len);
        struct span bytes = {memory, cells[i].bytes.len};
        assert_int_equal(encode(&r, cells[i].kind, bytes, cells[i].type_oid), 0);
        memset(memory, '!', sizeof memory);
        assert_span(r.message.value, cells[i].value);
        end(&r);
    }
}

/* As a key and as a value, in either form. */
static void test_a_domain_over_bytea_is_bytes(void **state)
{
    (void)state;
    static const struct {
        enum cell_kind kind;
        struct span bytes;
    } cells[] = {{CELL_TEXT, {"\\x6869", 6}}, {CELL_BINARY, {"hi", 2}}};
    const struct type domain = {.oid = 16385,
                                .kind = TYPE_KIND_DOMAIN,
                                .binary_len = -1,
                                .base = types_builtin(TYPE_BYTEA)};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct run r;
        const struct cell cell = {cells[i].kind, cells[i].bytes};
        begin(&r, FORMAT_RAW);
        content_set_cell(&r.event.key, &cell, &domain);
        content_set_cell(&r.event.value, &cell, &domain);
        assert_int_equal(encode_event(&r), 0);
        assert_span(r.message.key, "hi");
        assert_span(r.message.value, "hi");
        end(&r);
    }
}

static void test_null_and_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENCODERS; i++) {
        struct run r;
        begin(&r, encoders[i].format);
        assert_int_equal(encode(&r, CELL_NULL, span_null(), TYPE_TEXT), 0);
        assert_int_equal(r.message.value.ptr == NULL, encoders[i].tombstone);
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL(""), TYPE_TEXT), 0);
        assert_span(r.message.value, encoders[i].empty);
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("\\x"), TYPE_BYTEA), 0);
        assert_span(r.message.value, encoders[i].empty);
        end(&r);
    }
}

/* Errors are the change's, and the encoder goes on after them. */
static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENCODERS; i++) {
        struct run r;
        begin(&r, encoders[i].format);
        assert_int_equal(encode(&r, CELL_UNCHANGED, span_null(), TYPE_TEXT), -1);
        assert_error(r.err, ERROR_DATA, "value_unchanged",
                     "payload: the server did not send it, because the change left it as it was");
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("\\x6"), TYPE_BYTEA), -1);
        assert_error(r.err, ERROR_DATA, "bad_value",
                     "payload: \"\\x6\" is not a bytea in hexadecimal form");
        assert_int_equal(encode(&r, CELL_BYTES, SPAN_LITERAL("\xe9"), TYPE_TEXT), -1);
        assert_error(r.err, ERROR_DATA, "not_utf8",
                     "payload: 1 bytes of text that are not UTF-8 (the first beyond ASCII is byte "
                     "1, 0xe9)");
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("ok"), TYPE_TEXT), 0);
        assert_span(r.message.value, encoders[i].ok);
        end(&r);
    }
}

static void test_raw_knows_no_binary_jsonpath(void **state)
{
    (void)state;
    struct run r;
    begin(&r, FORMAT_RAW);
    assert_int_equal(encode(&r, CELL_BINARY, SPAN_LITERAL("x"), 4072), -1);
    assert_error(r.err, ERROR_DATA, "bad_value",
                 "payload: the binary form of type oid 4072 is not known");
    end(&r);
}

/* A key and a value are made by the same rules, and an error says which of them it was. */
static void test_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENCODERS; i++) {
        struct run r;
        const struct cell bytes = {CELL_TEXT, SPAN_LITERAL("\\x6869")};
        const struct cell bad = {CELL_TEXT, SPAN_LITERAL("\\x6")};
        begin(&r, encoders[i].format);
        content_set_cell(&r.event.key, &bytes, types_builtin(TYPE_BYTEA));
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("ok"), TYPE_TEXT), 0);
        assert_span(r.message.key, encoders[i].key);
        content_set_cell(&r.event.key, &bad, types_builtin(TYPE_BYTEA));
        assert_int_equal(encode(&r, CELL_TEXT, SPAN_LITERAL("ok"), TYPE_TEXT), -1);
        assert_error(r.err, ERROR_DATA, "bad_value",
                     "key: \"\\x6\" is not a bytea in hexadecimal form");
        end(&r);
    }
}

static void test_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENCODERS; i++) {
        struct run r;
        char memory[] = "{\"a\": 1.50}";
        begin(&r, encoders[i].format);
        r.event.value = (struct content){.kind = CONTENT_JSON, .json = span_of(memory)};
        assert_int_equal(encode_event(&r), 0);
        memset(memory, '!', sizeof memory - 1);
        assert_span(r.message.value, encoders[i].json);
        end(&r);
    }
}

static void test_raw_has_no_form_for_a_row(void **state)
{
    (void)state;
    struct run r;
    const struct row row = {.count = 0};
    begin(&r, FORMAT_RAW);
    r.event.value = (struct content){.kind = CONTENT_ROW, .row = {.cells = &row}};
    assert_int_equal(encode_event(&r), -1);
    assert_error(r.err, ERROR_DATA, "bad_value",
                 "payload: a whole row has no form of its own: raw is for one value");
    end(&r);
}

/* A value of a megabyte, whatever the size of the arena's chunks. */
static void test_large(void **state)
{
    (void)state;
    const size_t size = 1024 * 1024;
    char *memory = malloc(size);
    assert_non_null(memory);
    memset(memory, 'x', size);
    struct run r;
    begin(&r, FORMAT_RAW);
    assert_int_equal(encode(&r, CELL_TEXT, (struct span){memory, size}, TYPE_TEXT), 0);
    assert_int_equal(r.message.value.len, size);
    assert_memory_equal(r.message.value.ptr, memory, size);
    end(&r);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_are_copies),
        cmocka_unit_test(test_a_domain_over_bytea_is_bytes),
        cmocka_unit_test(test_null_and_empty),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_raw_knows_no_binary_jsonpath),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_raw_has_no_form_for_a_row),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
