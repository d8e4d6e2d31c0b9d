/* Random JSON through every encoder, and through jq, is the same JSON again: jansson, which knows
 * nothing of ours, says so. WALFERRY_SEED plays one run again. */
#include "encode/encode.h"
#include "route_fixture.h"
#include "types/types.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "assert_text.h"

#define RUNS 400

struct source {
    uint64_t state;
};

static uint32_t draw(struct source *s, uint32_t below)
{
    s->state = s->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(s->state >> 33) % below;
}

static json_t *random_string(struct source *s)
{
    static const char *const PIECES[] = {"a",
                                         "Z9",
                                         " ",
                                         "\"",
                                         "\\",
                                         "/",
                                         "\n",
                                         "\t",
                                         "\x01",
                                         "\x7f",
                                         "\xC3\xA4",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "\xE2\x80\xA8",
                                         "null",
                                         "{}"};
    char text[128] = "";
    for (uint32_t i = draw(s, 8); i > 0; i--)
        strncat(text, PIECES[draw(s, sizeof PIECES / sizeof PIECES[0])], 16);
    return json_string(text);
}

static json_t *random_number(struct source *s)
{
    switch (draw(s, 4)) {
    case 0:
        return json_integer((json_int_t)draw(s, 1000) - 500);
    case 1:
        return json_integer(((json_int_t)draw(s, 1u << 22) << 31) | draw(s, 1u << 31));
    case 2:
        return json_real((double)draw(s, 100000) / 100);
    default:
        return json_real((double)draw(s, 1u << 31) * (draw(s, 2) != 0 ? 1e-30 : 1e30) / 7);
    }
}

static json_t *random_json(struct source *s, uint32_t depth)
{
    json_t *made;
    switch (draw(s, depth > 4 ? 5 : 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(draw(s, 2));
    case 2:
    case 3:
        return random_number(s);
    case 4:
        return random_string(s);
    case 5:
        made = json_array();
        for (uint32_t i = draw(s, 6); i > 0; i--)
            json_array_append_new(made, random_json(s, depth + 1));
        return made;
    default:
        made = json_object();
        for (uint32_t i = draw(s, 12); i > 0; i--) {
            json_t *name = random_string(s);
            json_object_set_new(made, json_string_value(name), random_json(s, depth + 1));
            json_decref(name);
        }
        return made;
    }
}

static json_t *parse(struct span text)
{
    json_error_t why;
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, &why);
    if (value == NULL)
        fail_msg("%s: %.*s", why.text, SPAN_ARG(text));
    return value;
}

/* What an encoder has put into a string is parsed out of it. */
static json_t *parse_in_a_string(struct span text)
{
    json_t *outer = parse(text);
    assert_true(json_is_string(outer));
    struct span inner = {json_string_value(outer), json_string_length(outer)};
    json_t *value = parse(inner);
    json_decref(outer);
    return value;
}

static json_t *member_of(json_t *object, const char *name)
{
    json_t *member = json_incref(json_object_get(object, name));
    json_decref(object);
    assert_non_null(member);
    return member;
}

static void expect_same(json_t *wanted, json_t *found, const char *of, uint64_t seed)
{
    if (!json_equal(wanted, found))
        fail_msg("%s, seed %llu: %s is not %s", of, (unsigned long long)seed,
                 json_dumps(found, JSON_ENCODE_ANY), json_dumps(wanted, JSON_ENCODE_ANY));
    json_decref(found);
}

static const struct {
    enum route_format format;
    enum cloudevents_mode mode;
    const char *name;
    bool cell_in_a_string;
    bool json_in_a_string;
} FORMATS[] = {
    {FORMAT_RAW, 0, "raw", false, false},
    {FORMAT_JSON, 0, "json", false, false},
    {FORMAT_JSON_STRING, 0, "json_string", true, true},
    {FORMAT_CLOUDEVENTS, CLOUDEVENTS_BINARY, "cloudevents, binary", false, false},
    {FORMAT_CLOUDEVENTS, CLOUDEVENTS_STRUCTURED, "cloudevents, structured", false, false},
    {FORMAT_DEBEZIUM, 0, "debezium", true, false},
};
#define FORMATS_COUNT (sizeof FORMATS / sizeof FORMATS[0])

struct fixture {
    struct config_route items[FORMATS_COUNT];
    struct config_routes routes;
    struct encoders *encoders;
    struct arena arena;
    struct change change;
    struct event event;
    struct error err;
};

static json_t *encoded(struct fixture *f, uint32_t i, bool in_a_string)
{
    struct message message = {.partition = -1};
    f->event.route = i;
    if (encode_message(f->encoders, &f->event, &f->arena, &message, &f->err) != 0)
        fail_msg("%s: %s", FORMATS[i].name, f->err.text);
    json_t *found = in_a_string ? parse_in_a_string(message.value) : parse(message.value);
    bool wrapped = f->items[i].format == FORMAT_CLOUDEVENTS &&
                   f->items[i].event.cloudevents.mode == CLOUDEVENTS_STRUCTURED;
    return wrapped ? member_of(found, "data") : found;
}

static void run(struct fixture *f, uint64_t seed)
{
    struct source source = {seed};
    json_t *wanted = random_json(&source, 0);
    char *text = json_dumps(wanted, JSON_ENCODE_ANY | (draw(&source, 2) != 0 ? JSON_COMPACT : 0) |
                                        (draw(&source, 2) != 0 ? JSON_ENSURE_ASCII : 0));
    assert_non_null(text);
    for (uint32_t i = 0; i < FORMATS_COUNT; i++) {
        struct cell cell = {CELL_TEXT, span_of(text)};
        arena_reset(&f->arena);
        content_set_cell(&f->event.value, &cell, types_builtin(TYPE_JSONB));
        expect_same(wanted, encoded(f, i, FORMATS[i].cell_in_a_string), FORMATS[i].name, seed);
        f->event.value = (struct content){.kind = CONTENT_JSON, .json = span_of(text)};
        expect_same(wanted, encoded(f, i, FORMATS[i].json_in_a_string), FORMATS[i].name, seed);
    }
    free(text);
    json_decref(wanted);
}

static uint64_t first_seed(void)
{
    const char *text = getenv("WALFERRY_SEED");
    return text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) * 1000;
}

static void test_every_encoder(void **state)
{
    (void)state;
    struct fixture f = {.err = ERROR_INIT};
    for (size_t i = 0; i < FORMATS_COUNT; i++) {
        f.items[i].format = FORMATS[i].format;
        f.items[i].event.cloudevents.mode = FORMATS[i].mode;
    }
    f.routes = (struct config_routes){FORMATS_COUNT, f.items};
    arena_init(&f.arena, 4096, 65536);
    struct encoders_options options = {.routes = &f.routes, .id_header = "walferry-id"};
    assert_int_equal(encoders_open(&options, &f.encoders, &f.err), 0);
    f.change = (struct change){.op = CHANGE_INSERT, .id = change_id_wal(16, 1)};
    f.event = (struct event){
        .change = &f.change, .index = 1, .topic = SPAN_LITERAL("t"), .partition = -1};
    content_set_text(&f.event.key, SPAN_LITERAL("k"));
    uint64_t seed = first_seed();
    for (uint64_t i = 0; i < RUNS; i++)
        run(&f, seed + i);
    encoders_close(f.encoders);
    arena_fini(&f.arena);
}

/* All numbers of the source are such as a double holds. */
static void test_jq(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].as = ROUTE_EVENT;
    f.configs[0].format = FORMAT_JSON;
    f.configs[0].topic = route_fixture_text("t");
    f.configs[0].event.jq = route_fixture_text("{v: .after.payload}");
    route_fixture_column(&f, "payload")->type_oid = TYPE_JSONB;
    assert_int_equal(route_fixture_open(&f), 0);
    uint64_t seed = first_seed();
    for (uint64_t i = 0; i < RUNS; i++) {
        struct source source = {seed + i};
        json_t *drawn = random_json(&source, 0);
        char *text = json_dumps(drawn, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        json_t *wanted = parse(span_of(text));
        json_decref(drawn);
        arena_reset(&f.scratch);
        route_fixture_set(&f, "payload", text);
        if (route_fixture_route(&f) != 1)
            fail_msg("seed %llu: %s: %s", (unsigned long long)(seed + i), f.err.text, text);
        json_t *found = member_of(parse(f.event.value.json), "v");
        /* What is written as a number of either kind is one number to jq. */
        char *one = json_dumps(wanted, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        char *two = json_dumps(found, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        json_t *left = json_loads(one, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        json_t *right = json_loads(two, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        expect_same(left, right, "jq", seed + i);
        json_decref(left);
        json_decref(found);
        json_decref(wanted);
        free(one);
        free(two);
        free(text);
    }
    route_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_encoder),
        cmocka_unit_test(test_jq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
