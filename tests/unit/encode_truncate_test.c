/* encode/encode_truncate: a message loses the end of one text, and what is left is JSON. */
#include "encode/encode.h"

#include "json/json_slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct config_route route_of(enum route_as as, const char *field)
{
    return (struct config_route){
        .as = as, .oversize = {.policy = OVERSIZE_TRUNCATE, .field = {.text = field}}};
}

static struct message message_of(const char *value)
{
    return (struct message){.value = span_of(value)};
}

/* A text of `count` times `character`, and what stands around it. */
static const char *around(const char *before, const char *character, size_t count,
                          const char *behind)
{
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, before);
    for (size_t i = 0; i < count; i++)
        buf_add_text(&text, character);
    buf_add_text(&text, behind);
    const char *made = arena_text(&arena, buf_span(&text));
    buf_fini(&text);
    return made;
}

static size_t cost(const struct message *m)
{
    size_t bytes = m->value.len;
    for (uint32_t i = 0; i < m->header_count; i++)
        bytes += m->headers[i].name.len + m->headers[i].value.len + 4;
    return bytes;
}

static size_t count(struct span text, const char *part)
{
    size_t found = 0;
    for (size_t i = 0; i + strlen(part) <= text.len; i++)
        found += memcmp(text.ptr + i, part, strlen(part)) == 0 ? 1 : 0;
    return found;
}

static void it_is_cut_by_what_is_too_much_and_little_more(void **state)
{
    (void)state;
    static const char *const characters[] = {
        "x", "é", "€", "😀", "\\n", "\\u00e9", "\\ud83d\\ude00"};
    struct config_route route = route_of(ROUTE_EVENT, "payload.note");
    for (size_t c = 0; c < sizeof characters / sizeof characters[0]; c++) {
        for (size_t over = 1; over < 40; over++) {
            struct message m = message_of(around("{\"n\":1.50, \"payload\":{\"id\":7,\"note\":\"",
                                                 characters[c], 200, "\",\"z\":null}}"));
            size_t before = m.value.len;
            enum json_kind kind;
            struct error err = ERROR_INIT;
            assert_true(message_truncate(&m, &route, over, &arena));
            assert_true(cost(&m) + over <= before);
            assert_true(cost(&m) + over + 60 > before);
            assert_int_equal(json_slice_check(m.value, &kind, &err), 0);
            assert_int_equal(count(m.value, "\\ud83d"), count(m.value, "\\ude00"));
            struct span tail = {m.value.ptr + m.value.len - 12, 12};
            assert_span(tail, "\",\"z\":null}}");
        }
    }
}

static void it_says_what_it_was(void **state)
{
    (void)state;
    struct config_route route = route_of(ROUTE_OUTBOX, "note");
    struct message m = message_of(around("{\"note\":\"", "x", 500, "\"}"));
    assert_true(message_truncate(&m, &route, 10, &arena));
    assert_int_equal(m.header_count, 1);
    assert_span(m.headers[0].name, "walferry-truncated");
    assert_span(m.headers[0].value, "note 511");
    assert_false(message_truncate(&m, &route, 10, &arena)); /* once */
}

static void of_a_change_both_rows_are_cut(void **state)
{
    (void)state;
    struct config_route route = route_of(ROUTE_CHANGE, "note");
    const char *before = around("{\"before\":{\"id\":1,\"note\":\"", "b", 300,
                                "\"},\"after\":{\"id\":1,\"note\":\"");
    struct message m = message_of(around(before, "a", 300, "\"},\"op\":\"u\"}"));
    size_t whole = m.value.len;
    assert_true(message_truncate(&m, &route, 20, &arena));
    assert_non_null(strstr(arena_text(&arena, m.value), around("\"", "b", 300, "\"")));
    m = message_of(around(before, "a", 300, "\"},\"op\":\"u\"}"));
    assert_true(message_truncate(&m, &route, 400, &arena));
    assert_true(cost(&m) + 400 <= whole);
    static const char end[] = "\"after\":{\"id\":1,\"note\":\"\"},\"op\":\"u\"}";
    struct span tail = {m.value.ptr + m.value.len - (sizeof end - 1), sizeof end - 1};
    assert_span(tail, end);
}

static void what_cannot_be_cut_is_left(void **state)
{
    (void)state;
    static const char *const fields[] = {"none", "id", "payload", "payload.none", "note.x"};
    const char *value = around("{\"id\":7,\"payload\":{\"a\":\"\"},\"note\":\"", "x", 100, "\"}");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct config_route route = route_of(ROUTE_EVENT, fields[i]);
        struct message m = message_of(value);
        assert_false(message_truncate(&m, &route, 1, &arena));
        assert_ptr_equal(m.value.ptr, value);
        assert_int_equal(m.header_count, 0);
    }
    struct config_route route = route_of(ROUTE_EVENT, "note");
    struct message m = message_of(value);
    assert_false(message_truncate(&m, &route, 100, &arena)); /* with its header it is no less */
    m = message_of("no JSON");
    assert_false(message_truncate(&m, &route, 1, &arena));
    m = (struct message){.value = span_null()};
    assert_false(message_truncate(&m, &route, 1, &arena));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_cut_by_what_is_too_much_and_little_more),
        TEST(it_says_what_it_was),
        TEST(of_a_change_both_rows_are_cut),
        TEST(what_cannot_be_cut_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
