/* encode/encode_letter: a change that cannot be published, as bytes and headers that say all of it.
 */
#include "encode/encode.h"
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

#define SYSTEM UINT64_C(7318349394477056000)

struct fixture {
    struct config_route items[2];
    struct config_routes routes;
    struct encoders *encoders;
    struct arena arena;
    struct column columns[4];
    struct relation relation;
    struct cell before[4], after[4];
    struct change change;
    struct message letter;
};

static struct cell text(const char *value)
{
    return value != NULL ? (struct cell){CELL_TEXT, span_of(value)} : (struct cell){CELL_NULL, {0}};
}

static void open_encoders(struct fixture *f, size_t bytes_max)
{
    struct error err = ERROR_INIT;
    encoders_close(f->encoders);
    struct encoders_options options = {.routes = &f->routes,
                                       .system_identifier = SYSTEM,
                                       .id_header = "",
                                       .letter_topic = "walferry.orders.dead-letter",
                                       .letter_bytes_max = bytes_max};
    assert_int_equal(encoders_open(&options, &f->encoders, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->items[1].name.text = "orders";
    f->items[0].name.text = "audit";
    f->routes = (struct config_routes){2, f->items};
    arena_init(&f->arena, 4096, 4096);
    const uint32_t oids[] = {TYPE_INT8, TYPE_TEXT, TYPE_JSONB, TYPE_BYTEA};
    const char *const names[] = {"id", "name \"x\"", "doc", "raw"};
    for (int i = 0; i < 4; i++)
        f->columns[i] = (struct column){.name = span_of(names[i]),
                                        .type_oid = oids[i],
                                        .type_modifier = i == 1 ? 14 : -1,
                                        .key = i == 0,
                                        .type = types_builtin(oids[i])};
    f->relation = (struct relation){.oid = 16401,
                                    .schema = SPAN_LITERAL("shop"),
                                    .name = SPAN_LITERAL("orders"),
                                    .identity = 'd',
                                    .column_count = 4,
                                    .columns = f->columns,
                                    .version = 1};
    f->change = (struct change){.op = CHANGE_UPDATE,
                                .position = {0x1000, 3},
                                .id = change_id_wal(0x16B374D848, 3),
                                .xid = 731,
                                .lsn = 0x16B374D000,
                                .commit_time_us = 1700000000123456,
                                .sent_time_us = 1700000000123999,
                                .relation = &f->relation,
                                .before = {.count = 4, .cells = f->before},
                                .after = {.count = 4, .cells = f->after}};
    f->before[0] = text("7");
    f->after[0] = text("8");
    f->after[1] = text("a \"b\"\n");
    f->after[2] = (struct cell){.kind = CELL_UNCHANGED};
    open_encoders(f, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    encoders_close(f->encoders);
    arena_fini(&f->arena);
    free(f);
    return 0;
}

/* What is read back gives the same letter again. */
static void encode(struct fixture *f, struct span key)
{
    encode_letter(f->encoders, &f->change, 1, key, &f->arena, &f->letter);
    if (f->letter.value.ptr == NULL)
        return;
    struct letter_reader *reader = letter_reader_open();
    struct change change, again;
    struct message letter;
    struct error err = ERROR_INIT;
    assert_int_equal(letter_reader_read(reader, f->letter.value, &change, &err), 0);
    assert_true(change_id_equal(change.id, f->change.id));
    encode_letter(f->encoders, &change, 1, key, &f->arena, &letter);
    assert_int_equal(letter.value.len, f->letter.value.len);
    assert_memory_equal(letter.value.ptr, f->letter.value.ptr, letter.value.len);
    const struct relation *relation = change.relation;
    assert_int_equal(letter_reader_read(reader, f->letter.value, &again, &err), 0);
    assert_ptr_equal(again.relation, relation); /* a table is one relation */
    letter_reader_close(reader);
}

static struct span header(const struct message *letter, const char *name)
{
    for (uint32_t i = 0; i < letter->header_count; i++)
        if (span_equal_text(letter->headers[i].name, name))
            return letter->headers[i].value;
    return span_null();
}

static void it_holds_all_of_a_row(void **state)
{
    struct fixture *f = *state;
    encode(f, SPAN_LITERAL("8"));
    assert_span(
        f->letter.value,
        "{\"v\":1,\"id\":\"7318349394477056000-00000016B374D848-3\",\"op\":\"update\",\"xid\":731,"
        "\"lsn\":\"16/B374D000\",\"commit_time_us\":1700000000123456,\"sent_time_us\":"
        "1700000000123999,\"key\":\"8\",\"schema\":\"shop\",\"table\":\"orders\",\"table_oid\":"
        "16401,\"replica_identity\":\"d\",\"columns\":[{\"name\":\"id\",\"type\":\"int8\","
        "\"type_oid\":20,\"identity\":true},{\"name\":\"name \\\"x\\\"\",\"type\":\"text\","
        "\"type_oid\":25,\"type_modifier\":14},{\"name\":\"doc\",\"type\":\"jsonb\",\"type_oid\":"
        "3802},{\"name\":\"raw\",\"type\":\"bytea\",\"type_oid\":17}],\"before\":{\"id\":\"7\"},"
        "\"after\":{\"id\":\"8\",\"name \\\"x\\\"\":\"a \\\"b\\\"\\n\",\"doc\":{\"unchanged\":true}"
        ",\"raw\":null}}");
    assert_span(f->letter.key, "8");
    assert_span(f->letter.topic, "walferry.orders.dead-letter");
    assert_true(f->letter.dead_letter);
    assert_false(f->letter.topic_of_row);
    assert_int_equal(f->letter.partition, -1);
    assert_int_equal(f->letter.route, 1);
    assert_int_equal(f->letter.timestamp_ms, 1700000000123);
    assert_true(change_id_equal(f->letter.id, f->change.id));
    assert_int_equal(f->letter.position.seq, 3);
}

static void what_is_no_text_is_base64(void **state)
{
    struct fixture *f = *state;
    struct cell raw[4];
    f->after[1] = (struct cell){CELL_BYTES, {"\xff\xfe", 2}};
    f->after[2] = text("\xc3\xa9");
    f->after[3] = (struct cell){CELL_BINARY, {"\x01\x02", 2}};
    memcpy(raw, f->after, sizeof raw);
    raw[2] = text("\xe9"); /* Latin 1 */
    f->change.after.raw = raw;
    f->change.before.count = 0;
    encode(f, (struct span){"\xff", 1});
    struct span value = f->letter.value;
    const char *text = arena_text(&f->arena, value);
    assert_non_null(strstr(text, "\"key\":{\"base64\":\"/w==\"}"));
    assert_non_null(strstr(text, "\"name \\\"x\\\"\":{\"base64\":\"//4=\"}"));
    assert_non_null(strstr(text, "\"doc\":\"\xc3\xa9\",\"raw\":\"\\\\x0102\"}"));
    assert_non_null(strstr(text, ",\"after_raw\":{\"doc\":\"6Q==\"}}"));
    assert_null(strstr(text, "before"));
}

static void a_message_and_a_truncate(void **state)
{
    struct fixture *f = *state;
    f->change.op = CHANGE_MESSAGE;
    f->change.relation = NULL;
    f->change.message.prefix = SPAN_LITERAL("outbox");
    f->change.message.content = (struct span){"\xff{}", 3};
    encode(f, span_null());
    const char *text = arena_text(&f->arena, f->letter.value);
    assert_non_null(strstr(text, "\"op\":\"message\""));
    assert_non_null(strstr(text, "\"key\":null,\"prefix\":\"outbox\",\"content\":{\"base64\":\"/3t9"
                                 "\"}}"));
    assert_absent(f->letter.key);
    assert_span(header(&f->letter, "walferry-error-table"), "message:outbox");

    const struct relation *truncated[] = {&f->relation, &f->relation};
    f->change.op = CHANGE_TRUNCATE;
    f->change.relation = &f->relation;
    f->change.before.count = f->change.after.count = 0;
    f->change.truncate.count = 2;
    f->change.truncate.relations = truncated;
    f->change.truncate.cascade = true;
    encode(f, span_null());
    text = arena_text(&f->arena, f->letter.value);
    assert_non_null(strstr(text, "\"key\":null,\"tables\":[{\"schema\":\"shop\""));
    assert_non_null(strstr(text, "],\"cascade\":true,\"restart_identity\":false}"));
}

static void its_headers_say_where_it_comes_from_and_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct error why = ERROR_INIT;
    encode(f, span_null());
    assert_span(header(&f->letter, "walferry-id"), "7318349394477056000-00000016B374D848-3");
    assert_span(header(&f->letter, "walferry-error-route"), "orders");
    assert_span(header(&f->letter, "walferry-error-table"), "shop.orders");
    assert_span(header(&f->letter, "walferry-error-lsn"), "16/B374D848");
    assert_span(header(&f->letter, "walferry-error-xid"), "731");
    assert_absent(header(&f->letter, "walferry-error-reason"));
    error_data(&why, REASON_BAD_PARTITION, "no partition %d", 9);
    letter_blame(&f->letter, &why, SPAN_LITERAL("orders.events"), &f->arena);
    assert_span(header(&f->letter, "walferry-error-reason"), "bad_partition");
    assert_span(header(&f->letter, "walferry-error-message"), "no partition 9");
    assert_span(header(&f->letter, "walferry-error-topic"), "orders.events");
    assert_int_equal(f->letter.header_count, 8);
    encode(f, span_null());
    letter_blame(&f->letter, &why, span_null(), &f->arena);
    assert_int_equal(f->letter.header_count, 7);
}

static void a_value_that_is_too_large_is_left_out(void **state)
{
    struct fixture *f = *state;
    encode(f, SPAN_LITERAL("8"));
    size_t bytes = f->letter.value.len;
    char said[24];
    snprintf(said, sizeof said, "%zu", bytes);
    assert_true(letter_truncate(&f->letter, &f->arena));
    assert_absent(f->letter.value);
    assert_span(header(&f->letter, "walferry-error-truncated"), said);
    assert_false(letter_truncate(&f->letter, &f->arena));

    open_encoders(f, bytes);
    encode(f, SPAN_LITERAL("8"));
    assert_int_equal(f->letter.value.len, bytes);
    open_encoders(f, bytes - 1);
    encode(f, SPAN_LITERAL("8"));
    assert_absent(f->letter.value);
    assert_span(f->letter.key, "8");
    assert_span(header(&f->letter, "walferry-error-truncated"), said);
    open_encoders(f, 20); /* less than the cells have: it is not even written */
    encode(f, SPAN_LITERAL("8"));
    assert_absent(f->letter.value);
    assert_int_equal(f->encoders->letter.len, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_holds_all_of_a_row),
        T(what_is_no_text_is_base64),
        T(a_message_and_a_truncate),
        T(its_headers_say_where_it_comes_from_and_what_is_wrong),
        T(a_value_that_is_too_large_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
