/* encode/: CloudEvents 1.0 in both modes. What the JSON schema of the specification asks for is
 * checked member by member, on what other people's parsers would read. */
#include "encode/encode.h"

#include "json/json_read.h"
#include "types/types.h"

#include <ctype.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "assert_text.h"

#define TIME                                                                                       \
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"
/* RFC 3986: no blank, no control character, none beyond ASCII, % with two digits. */
#define URI_REFERENCE "^([]A-Za-z0-9._~:/?#[@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$"

struct fixture {
    struct config_route route;
    struct config_routes routes;
    struct encoders *encoders;
    struct arena arena;
    struct change change;
    struct event event;
    struct message message;
    struct header attributes[8];
    struct error err;
};

static void set_up(struct fixture *f, enum cloudevents_mode mode)
{
    *f = (struct fixture){.route = {.format = FORMAT_CLOUDEVENTS}, .err = ERROR_INIT};
    f->routes = (struct config_routes){1, &f->route};
    f->route.event.cloudevents.mode = mode;
    arena_init(&f->arena, 256, 256);
    struct encoders_options options = {
        .routes = &f->routes, .system_identifier = 7318349394477056000, .id_header = "walferry-id"};
    assert_int_equal(encoders_open(&options, &f->encoders, &f->err), 0);
    f->change = (struct change){.op = CHANGE_INSERT, .id = change_id_wal(0x16B374D848, 3)};
    f->attributes[0] =
        (struct header){SPAN_LITERAL("source"), SPAN_LITERAL("/shop/public.or ders\xC3\xA4")};
    f->attributes[1] = (struct header){SPAN_LITERAL("type"), SPAN_LITERAL("Order\"Placed")};
    f->attributes[2] = (struct header){SPAN_LITERAL("subject"), SPAN_LITERAL("4711")};
    f->attributes[3] = (struct header){SPAN_LITERAL("partitionkey"), SPAN_LITERAL("4711")};
    f->event = (struct event){.change = &f->change,
                              .index = 2,
                              .topic = SPAN_LITERAL("t"),
                              .partition = -1,
                              .timestamp_us = 1700000000123456,
                              .attribute_count = 4,
                              .attributes = f->attributes};
    content_set_text(&f->event.key, SPAN_LITERAL("4711"));
    f->event.value = (struct content){.kind = CONTENT_JSON, .json = SPAN_LITERAL("{\"a\":1.50}")};
}

static void tear_down(struct fixture *f)
{
    encoders_close(f->encoders);
    arena_fini(&f->arena);
}

static void encode(struct fixture *f)
{
    f->message = (struct message){.partition = -1};
    if (encode_message(f->encoders, &f->event, &f->arena, &f->message, &f->err) != 0)
        fail_msg("%s", f->err.text);
}

static bool fits(const char *rule, struct span text)
{
    char copy[256];
    regex_t compiled;
    assert_true(text.len < sizeof copy);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    assert_int_equal(regcomp(&compiled, rule, REG_EXTENDED | REG_NOSUB), 0);
    bool fit = regexec(&compiled, copy, 0, NULL, 0) == 0;
    regfree(&compiled);
    return fit;
}

/* A string that is not empty. */
static struct span text_of(const struct json_tree *event, const char *name)
{
    struct span text;
    if (!json_tree_member_string(event, name, &text))
        fail_msg("%s is no string", name);
    assert_true(text.len > 0);
    return text;
}

/* The required attributes, the formats of those that have one, and nothing that the schema does not
 * allow beside them. */
static void check_schema(const struct json_tree *event)
{
    static const char *const EXTENSIONS[] = {"partitionkey", "sequence", "traceparent",
                                             "correlationid", "causationid"};
    size_t known = 4;
    assert_int_equal(json_tree_kind(event), JSON_TREE_OBJECT);
    assert_span(text_of(event, "specversion"), "1.0");
    (void)text_of(event, "id");
    (void)text_of(event, "type");
    assert_true(fits(URI_REFERENCE, text_of(event, "source")));
    for (const char *const *name =
             (const char *const[]){"subject", "datacontenttype", "time", NULL};
         *name != NULL; name++) {
        if (json_tree_member(event, *name) == NULL)
            continue;
        (void)text_of(event, *name);
        known++;
    }
    if (json_tree_member(event, "time") != NULL)
        assert_true(fits(TIME, text_of(event, "time")));
    for (size_t i = 0; i < sizeof EXTENSIONS / sizeof EXTENSIONS[0]; i++) {
        if (json_tree_member(event, EXTENSIONS[i]) == NULL)
            continue;
        (void)text_of(event, EXTENSIONS[i]);
        assert_true(fits("^[a-z0-9]{1,20}$", span_of(EXTENSIONS[i])));
        known++;
    }
    assert_null(json_tree_member(event, "data_base64"));
    known += json_tree_member(event, "data") != NULL;
    assert_int_equal(json_tree_count(event), known);
}

static void test_structured(void **state)
{
    (void)state;
    struct fixture f;
    struct json_tree *event;
    set_up(&f, CLOUDEVENTS_STRUCTURED);
    encode(&f);
    if (json_tree_parse(f.message.value, &event, &f.err) < 0)
        fail_msg("%s", f.err.text);
    check_schema(event);
    assert_span(text_of(event, "id"), "7318349394477056000-00000016B374D848-3.2");
    assert_span(text_of(event, "source"), "/shop/public.or%20ders%C3%A4");
    assert_span(text_of(event, "type"), "Order\"Placed");
    assert_span(text_of(event, "subject"), "4711");
    assert_span(text_of(event, "partitionkey"), "4711");
    assert_span(text_of(event, "time"), "2023-11-14T22:13:20.123456Z");
    assert_span(text_of(event, "sequence"), "00000016b374d848-0000000003-000002");
    assert_span(text_of(event, "datacontenttype"), "application/json");
    assert_non_null(memmem(f.message.value.ptr, f.message.value.len, "\"data\":{\"a\":1.50}", 17));
    json_tree_free(event);
    assert_int_equal(f.message.header_count, 2);
    assert_span(f.message.headers[0].name, "walferry-id");
    assert_span(f.message.headers[1].name, "content-type");
    assert_span(f.message.headers[1].value, "application/cloudevents+json; charset=UTF-8");
    tear_down(&f);
}

static void test_without_a_value(void **state)
{
    (void)state;
    struct fixture f;
    struct json_tree *event;
    set_up(&f, CLOUDEVENTS_STRUCTURED);
    content_set_text(&f.event.value, span_null());
    f.event.timestamp_us = -1;
    f.event.attribute_count = 2;
    encode(&f);
    assert_int_equal(json_tree_parse(f.message.value, &event, &f.err), 0);
    check_schema(event);
    assert_null(json_tree_member(event, "data"));
    assert_span(text_of(event, "time"), "1969-12-31T23:59:59.999999Z");
    json_tree_free(event);
    tear_down(&f);
}

static void test_binary(void **state)
{
    (void)state;
    static const char *const WANTED[] = {
        "walferry-id",     "7318349394477056000-00000016B374D848-3.2",
        "ce_specversion",  "1.0",
        "ce_id",           "7318349394477056000-00000016B374D848-3.2",
        "ce_source",       "/shop/public.or%20ders%C3%A4",
        "ce_type",         "Order\"Placed",
        "ce_subject",      "4711",
        "ce_partitionkey", "4711",
        "ce_time",         "2023-11-14T22:13:20.123456Z",
        "ce_sequence",     "00000016b374d848-0000000003-000002",
        "content-type",    "application/json",
    };
    struct fixture f;
    set_up(&f, CLOUDEVENTS_BINARY);
    encode(&f);
    assert_span(f.message.value, "{\"a\":1.50}");
    assert_span(f.message.key, "4711");
    assert_int_equal(f.message.header_count, sizeof WANTED / sizeof WANTED[0] / 2);
    for (uint32_t i = 0; i < f.message.header_count; i++) {
        assert_span(f.message.headers[i].name, WANTED[2 * i]);
        assert_span(f.message.headers[i].value, WANTED[2 * i + 1]);
    }
    tear_down(&f);
}

/* As texts they are ordered as the log is. */
static void test_sequences_are_ordered(void **state)
{
    (void)state;
    static const struct {
        uint64_t lsn, ordinal;
        uint32_t index;
    } PLACES[] = {{9, 1, 1},  {9, 1, 2},   {9, 1, 10},   {9, 2, 1},
                  {9, 10, 1}, {0xA, 1, 1}, {0x100, 1, 1}};
    struct fixture f;
    char last[64] = "";
    set_up(&f, CLOUDEVENTS_BINARY);
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        f.change.id = change_id_wal(PLACES[i].lsn, PLACES[i].ordinal);
        f.event.index = PLACES[i].index;
        encode(&f);
        struct span value = f.message.headers[f.message.header_count - 2].value;
        char text[64];
        snprintf(text, sizeof text, "%.*s", SPAN_ARG(value));
        assert_true(strcmp(last, text) < 0);
        memcpy(last, text, sizeof last);
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structured),
        cmocka_unit_test(test_without_a_value),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_sequences_are_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
