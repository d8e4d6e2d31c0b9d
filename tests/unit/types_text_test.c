/* types/: cells in text and binary form become text, bytes and integers. */
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

#define BINARY(bytes) ((struct cell){CELL_BINARY, SPAN_LITERAL(bytes)})
#define TEXT(bytes) ((struct cell){CELL_TEXT, SPAN_LITERAL(bytes)})

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256, 256);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static int text_of(struct cell cell, uint32_t oid, struct span *text, struct error *err)
{
    struct rendering made = {span_null(), OWNER_ARENA};
    int result = types_render_text(&cell, types_builtin(oid), &arena, &made, err);
    *text = made.bytes;
    return result;
}

static int raw_of(struct cell cell, uint32_t oid, struct span *bytes, struct error *err)
{
    struct rendering made = {span_null(), OWNER_ARENA};
    int result = types_render_raw(&cell, types_builtin(oid), &arena, &made, err);
    *bytes = made.bytes;
    return result;
}

static void expect_text(struct cell cell, uint32_t oid, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct span text;
    if (text_of(cell, oid, &text, &err) < 0)
        fail_msg("%s", err.text);
    assert_span(text, wanted);
}

static void test_text_is_text(void **state)
{
    (void)state;
    expect_text(TEXT("abc"), TYPE_TEXT, "abc");
    expect_text(TEXT("\\x6869"), TYPE_BYTEA, "\\x6869");
    expect_text(TEXT("1.50"), 1700, "1.50");
    expect_text(TEXT(""), TYPE_VARCHAR, "");
}

static void test_binary_text(void **state)
{
    (void)state;
    expect_text(BINARY("\1"), TYPE_BOOL, "t");
    expect_text(BINARY("\0"), TYPE_BOOL, "f");
    expect_text(BINARY("\xFF\xFF"), TYPE_INT2, "-1");
    expect_text(BINARY("\x7F\xFF"), TYPE_INT2, "32767");
    expect_text(BINARY("\x80\0\0\0"), TYPE_INT4, "-2147483648");
    expect_text(BINARY("\0\0\x12\x67"), TYPE_INT4, "4711");
    expect_text(BINARY("\x80\0\0\0\0\0\0\0"), TYPE_INT8, "-9223372036854775808");
    expect_text(BINARY("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), TYPE_INT8, "9223372036854775807");
    expect_text(BINARY("abc"), TYPE_TEXT, "abc");
    expect_text(BINARY("abc"), TYPE_VARCHAR, "abc");
    expect_text(BINARY("abc "), TYPE_BPCHAR, "abc ");
    expect_text(BINARY("{\"a\": 1}"), TYPE_JSON, "{\"a\": 1}");
    expect_text(BINARY("\1{\"a\": 1}"), TYPE_JSONB, "{\"a\": 1}");
    expect_text(BINARY("\0\x01\xFE\xFF"), TYPE_BYTEA, "\\x0001feff");
    expect_text(BINARY(""), TYPE_BYTEA, "\\x");
    expect_text(BINARY("\x5f\x0c\x1f\x9e\x0d\x1d\x4c\x3b\x9f\x3e\x0a\x1b\x2c\x3d\x4e\x5f"),
                TYPE_UUID, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
}

static void test_binary_timestamps(void **state)
{
    (void)state;
    expect_text(BINARY("\0\0\0\0\0\0\0\0"), TYPE_TIMESTAMPTZ, "2000-01-01 00:00:00+00");
    expect_text(BINARY("\0\0\0\0\0\0\0\0"), TYPE_TIMESTAMP, "2000-01-01 00:00:00");
    expect_text(BINARY("\0\0\0\0\0\0\0\1"), TYPE_TIMESTAMP, "2000-01-01 00:00:00.000001");
    expect_text(BINARY("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), TYPE_TIMESTAMPTZ,
                "1999-12-31 23:59:59.999999+00");
    expect_text(BINARY("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE"), TYPE_TIMESTAMP,
                "294277-01-09 04:00:54.775806");
    expect_text(BINARY("\x80\0\0\0\0\0\0\1"), TYPE_TIMESTAMP, "290279-12-22 19:59:05.224193 BC");
    expect_text(BINARY("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), TYPE_TIMESTAMP, "infinity");
    expect_text(BINARY("\x80\0\0\0\0\0\0\0"), TYPE_TIMESTAMPTZ, "-infinity");
}

static void refuse_text(struct cell cell, uint32_t oid, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct span text;
    assert_int_equal(text_of(cell, oid, &text, &err), -1);
    assert_error(err, ERROR_DATA, "bad_value", wanted);
}

static void test_bad_binary(void **state)
{
    (void)state;
    refuse_text(BINARY("abc"), TYPE_INT4, "a binary integer of 3 bytes instead of 4");
    refuse_text(BINARY(""), TYPE_BOOL, "a binary boolean of 0 bytes instead of 1");
    refuse_text(BINARY("abc"), TYPE_UUID, "a binary uuid of 3 bytes instead of 16");
    refuse_text(BINARY("abc"), TYPE_TIMESTAMPTZ, "a binary timestamptz of 3 bytes instead of 8");
    refuse_text(BINARY("\2{}"), TYPE_JSONB, "a binary jsonb of a version other than 1");
    refuse_text(BINARY(""), TYPE_JSONB, "a binary jsonb of a version other than 1");
    refuse_text(BINARY("abc"), 3614, "the binary form of type oid 3614 is not known");
}

static void test_raw(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct span bytes;
    struct cell cell = {.kind = CELL_NULL};
    assert_int_equal(raw_of(cell, TYPE_TEXT, &bytes, &err), 0);
    assert_absent(bytes);
    cell = TEXT("\\x00ff41Aa");
    assert_int_equal(raw_of(cell, TYPE_BYTEA, &bytes, &err), 0);
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.ptr, "\0\xFF\x41\xAA", 4);
    cell = TEXT("\\x");
    assert_int_equal(raw_of(cell, TYPE_BYTEA, &bytes, &err), 0);
    assert_span(bytes, "");
    cell = TEXT("\\x6869");
    assert_int_equal(raw_of(cell, TYPE_TEXT, &bytes, &err), 0);
    assert_span(bytes, "\\x6869");
    cell = BINARY("hi");
    assert_int_equal(raw_of(cell, TYPE_BYTEA, &bytes, &err), 0);
    assert_ptr_equal(bytes.ptr, cell.bytes.ptr);
    cell = BINARY("\1[1]");
    assert_int_equal(raw_of(cell, TYPE_JSONB, &bytes, &err), 0);
    assert_span(bytes, "[1]");
}

static struct rendering render(struct cell cell, const struct type *type, bool raw)
{
    struct error err = ERROR_INIT;
    struct rendering made;
    int result = raw ? types_render_raw(&cell, type, &arena, &made, &err)
                     : types_render_text(&cell, type, &arena, &made, &err);
    if (result < 0)
        fail_msg("%s", err.text);
    return made;
}

/* What is the cell's is overwritten with the next change; what is the arena's stays. */
static void expect_owner(const char *bytes, size_t len, enum cell_kind kind, uint32_t oid, bool raw,
                         const char *wanted, enum owner owner)
{
    char memory[64];
    memcpy(memory, bytes, len);
    struct cell cell = {kind, {memory, len}};
    struct rendering made = render(cell, types_builtin(oid), raw);
    assert_span(made.bytes, wanted);
    assert_int_equal(made.owner, owner);
    bool inside = made.bytes.ptr >= memory && made.bytes.ptr <= memory + sizeof memory;
    assert_int_equal(inside, owner == OWNER_CELL);
    struct span kept = rendering_keep(made, &arena);
    memset(memory, 0xee, sizeof memory);
    assert_span(kept, wanted);
}

#define EXPECT_OWNER(bytes, ...) expect_owner((bytes), sizeof(bytes) - 1, __VA_ARGS__)

static void test_owners(void **state)
{
    (void)state;
    EXPECT_OWNER("abc", CELL_TEXT, TYPE_TEXT, false, "abc", OWNER_CELL);
    EXPECT_OWNER("abc", CELL_TEXT, TYPE_TEXT, true, "abc", OWNER_CELL);
    EXPECT_OWNER("1.50", CELL_TEXT, 1700, true, "1.50", OWNER_CELL);
    EXPECT_OWNER("", CELL_TEXT, TYPE_TEXT, true, "", OWNER_CELL);
    EXPECT_OWNER("\\x6869", CELL_TEXT, TYPE_BYTEA, false, "\\x6869", OWNER_CELL);
    EXPECT_OWNER("\\x6869", CELL_TEXT, TYPE_BYTEA, true, "hi", OWNER_ARENA);
    EXPECT_OWNER("\\x", CELL_TEXT, TYPE_BYTEA, true, "", OWNER_ARENA);
    EXPECT_OWNER("hi", CELL_BINARY, TYPE_BYTEA, true, "hi", OWNER_CELL);
    EXPECT_OWNER("hi", CELL_BINARY, TYPE_BYTEA, false, "\\x6869", OWNER_ARENA);
    EXPECT_OWNER("hi", CELL_BINARY, TYPE_VARCHAR, true, "hi", OWNER_CELL);
    EXPECT_OWNER("\1[1]", CELL_BINARY, TYPE_JSONB, true, "[1]", OWNER_CELL);
    EXPECT_OWNER("\1", CELL_BINARY, TYPE_BOOL, true, "t", OWNER_ARENA);
    EXPECT_OWNER("\0\0\0\7", CELL_BINARY, TYPE_INT4, true, "7", OWNER_ARENA);
    EXPECT_OWNER("\177\377\377\377\377\377\377\377", CELL_BINARY, TYPE_TIMESTAMP, true, "infinity",
                 OWNER_ARENA);
    EXPECT_OWNER("\0\0\0\0\0\0\0\0", CELL_BINARY, TYPE_TIMESTAMPTZ, true, "2000-01-01 00:00:00+00",
                 OWNER_ARENA);
    EXPECT_OWNER("\x5f\x0c\x1f\x9e\x0d\x1d\x4c\x3b\x9f\x3e\x0a\x1b\x2c\x3d\x4e\x5f", CELL_BINARY,
                 TYPE_UUID, true, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f", OWNER_ARENA);
    struct rendering none =
        render((struct cell){.kind = CELL_NULL}, types_builtin(TYPE_TEXT), true);
    assert_absent(none.bytes);
    assert_int_equal(none.owner, OWNER_ARENA);
    assert_absent(rendering_keep(none, &arena));
}

/* A domain over a domain has the same base as the one that it is over. */
static void test_domains(void **state)
{
    (void)state;
    struct type domain = {.oid = 16385,
                          .kind = TYPE_KIND_DOMAIN,
                          .binary_len = -1,
                          .base = types_builtin(TYPE_BYTEA)};
    assert_span(render(TEXT("\\x6869"), &domain, true).bytes, "hi");
    assert_span(render(TEXT("\\x6869"), &domain, false).bytes, "\\x6869");
    assert_span(render(BINARY("hi"), &domain, true).bytes, "hi");
    domain.base = types_builtin(TYPE_INT4);
    assert_span(render(BINARY("\0\0\0\7"), &domain, true).bytes, "7");
    struct error err = ERROR_INIT;
    struct cell cell = BINARY("\0\0\0\7");
    int32_t value = 0;
    assert_int_equal(types_read_int32(&cell, &domain, &value, &err), 0);
    assert_int_equal(value, 7);
    domain.base = types_builtin(TYPE_TIMESTAMPTZ);
    cell = BINARY("\0\0\0\0\0\0\0\1");
    int64_t us = 0;
    assert_int_equal(types_read_timestamp_us(&cell, &domain, &us, &err), 0);
    assert_int_equal(us, INT64_C(946684800000001));
}

static void test_every_byte_of_bytea(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF";
    for (int c = 0; c < 256; c++) {
        char text[4] = {'\\', 'x', '0', (char)c};
        struct cell cell = {CELL_TEXT, {text, 4}};
        struct error err = ERROR_INIT;
        struct span bytes;
        int result = raw_of(cell, TYPE_BYTEA, &bytes, &err);
        bool hex = c != 0 && strchr(digits, c) != NULL;
        assert_int_equal(result, hex ? 0 : -1);
        char one[2] = {(char)c, 0};
        if (hex)
            assert_int_equal((unsigned char)bytes.ptr[0], strtol(one, NULL, 16));
        text[2] = (char)c;
        text[3] = '0';
        assert_int_equal(raw_of(cell, TYPE_BYTEA, &bytes, &err), hex ? 0 : -1);
    }
}

static void refuse_bytea(const char *text, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct span bytes;
    struct cell cell = {CELL_TEXT, span_of(text)};
    assert_int_equal(raw_of(cell, TYPE_BYTEA, &bytes, &err), -1);
    assert_error(err, ERROR_DATA, "bad_value", wanted);
}

static void test_bad_bytea(void **state)
{
    (void)state;
    refuse_bytea("", "\"\" is not a bytea in hexadecimal form");
    refuse_bytea("\\x1", "\"\\x1\" is not a bytea in hexadecimal form");
    refuse_bytea("abc\n", "\"abc?\" is not a bytea in hexadecimal form");
    refuse_bytea("\\\\000123456789012345678901234567890123456789012345678901234567890",
                 "\"\\\\0001234567890123456789012345678901234567890123...\" is not a bytea in "
                 "hexadecimal form");
}

static void expect_int(struct cell cell, uint32_t oid, int32_t wanted)
{
    struct error err = ERROR_INIT;
    int32_t value = 0;
    assert_int_equal(types_read_int32(&cell, types_builtin(oid), &value, &err), 0);
    assert_int_equal(value, wanted);
}

static void refuse_int(struct cell cell, uint32_t oid, const char *wanted)
{
    struct error err = ERROR_INIT;
    int32_t value;
    assert_int_equal(types_read_int32(&cell, types_builtin(oid), &value, &err), -1);
    assert_error(err, ERROR_DATA, "bad_value", wanted);
}

static void test_int32(void **state)
{
    (void)state;
    expect_int(TEXT("0"), TYPE_INT4, 0);
    expect_int(TEXT("-2147483648"), TYPE_INT4, INT32_MIN);
    expect_int(TEXT("2147483647"), TYPE_INT8, INT32_MAX);
    expect_int(TEXT("7"), TYPE_TEXT, 7);
    expect_int(BINARY("\xFF\xFE"), TYPE_INT2, -2);
    expect_int(BINARY("\0\0\0\7"), TYPE_INT4, 7);
    expect_int(BINARY("\0\0\0\0\0\0\0\7"), TYPE_INT8, 7);
    refuse_int(TEXT("2147483648"), TYPE_INT8, "2147483648 is beyond an integer of 32 bits");
    refuse_int(TEXT("-2147483649"), TYPE_INT8, "-2147483649 is beyond an integer of 32 bits");
    refuse_int(TEXT(""), TYPE_TEXT, "\"\" is not an integer");
    refuse_int(TEXT("-"), TYPE_TEXT, "\"-\" is not an integer");
    refuse_int(TEXT("1.0"), 1700, "\"1.0\" is not an integer");
    refuse_int(TEXT(" 1"), TYPE_TEXT, "\" 1\" is not an integer");
    refuse_int(TEXT("99999999999999999999"), TYPE_TEXT,
               "\"99999999999999999999\" is not an integer");
    refuse_int(BINARY("\1"), TYPE_BOOL, "type oid 16 is not an integer");
    refuse_int(BINARY("\1"), TYPE_INT4, "a binary integer of 1 bytes instead of 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_text),
        cmocka_unit_test(test_binary_text),
        cmocka_unit_test(test_binary_timestamps),
        cmocka_unit_test(test_bad_binary),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_every_byte_of_bytea),
        cmocka_unit_test(test_bad_bytea),
        cmocka_unit_test(test_int32),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
