/* types/types_debezium: what Debezium writes of a value. The vectors are its own (tests/compat
 * records the real connector). */
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1024, 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* One of PostgreSQL's own by its name, else one that people have made. */
static struct column column_of(const char *type, int32_t modifier)
{
    struct column column = {.type_modifier = modifier, .type = types_builtin_named(span_of(type))};
    if (column.type == NULL) {
        struct type_registry *registry = type_registry_open(&arena);
        struct type_facts base = {.oid = 20000,
                                  .kind = TYPE_KIND_BASE,
                                  .modifier = -1,
                                  .schema = SPAN_LITERAL("public"),
                                  .name = span_of(type)};
        type_registry_learn(registry, &base);
        column.type = type_registry_get(registry, 20000);
    }
    column.type_oid = column.type->oid;
    return column;
}

static int write_cell(const char *type, int32_t modifier, struct cell cell,
                      const struct debezium_modes *modes, struct buf *out, struct error *err)
{
    struct column column = column_of(type, modifier);
    struct json_writer w = json_writer(out);
    return types_debezium_write(&w, &cell, &column, modes, &arena, err);
}

static void expect_in(struct debezium_modes modes, const char *type, int32_t modifier,
                      const char *text, const char *wanted)
{
    struct buf out = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct cell cell = {CELL_TEXT, span_of(text)};
    if (write_cell(type, modifier, cell, &modes, &out, &err) < 0)
        fail_msg("%s %s: %s", type, text, err.text);
    if (!span_equal_text(buf_span(&out), wanted))
        fail_msg("%s(%d) %s: %.*s, not %s", type, modifier, text, SPAN_ARG(buf_span(&out)), wanted);
    buf_fini(&out);
}

static void expect(const char *type, const char *text, const char *wanted)
{
    expect_in(DEBEZIUM_MODES_DEFAULT, type, -1, text, wanted);
}

static void expect_counted(const char *type, const char *text, const char *wanted)
{
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    struct buf out = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct cell cell = {CELL_TEXT, span_of(text)};
    assert_int_equal(write_cell(type, -1, cell, &modes, &out, &err), 1);
    assert_span(buf_span(&out), wanted);
    buf_fini(&out);
}

/* What is no value of its type stands there as its text, and is counted. */
static void expect_as_text(const char *type, const char *text)
{
    struct buf wanted = BUF_EMPTY;
    struct json_writer w = json_writer(&wanted);
    json_write_text(&w, text);
    expect_counted(type, text, buf_text(&wanted));
    buf_fini(&wanted);
}

static void test_simple(void **state)
{
    (void)state;
    expect("bool", "t", "true");
    expect("bool", "f", "false");
    expect("int2", "-32768", "-32768");
    expect("int4", "0", "0");
    expect("int8", "-9223372036854775808", "-9223372036854775808");
    expect("oid", "4294967295", "4294967295");
    expect("text", "", "\"\"");
    expect("text", "a\"\\\n\x01", "\"a\\\"\\\\\\n\\u0001\"");
    expect("bpchar", "ab  ", "\"ab  \"");
    expect("uuid", "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f",
           "\"5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f\"");
    expect("jsonb", "{\"bar\": \"baz\"}", "\"{\\\"bar\\\": \\\"baz\\\"}\"");
    expect("xml", "<a/>", "\"<a/>\"");
    expect("inet", "192.168.2.0/12", "\"192.168.2.0/12\"");
    expect_as_text("bool", "true");
    expect_as_text("int4", "");
    expect_as_text("int8", "1.5");
}

static void test_floats(void **state)
{
    (void)state;
    expect("float4", "3.3", "3.3");
    expect("float8", "4", "4.0");
    expect("float8", "0", "0.0");
    expect("float8", "-0", "-0.0");
    expect("float8", "0.001", "0.001");
    expect("float8", "0.00099", "9.9E-4");
    expect("float8", "9999999", "9999999.0");
    expect("float8", "1e+07", "1.0E7");
    expect("float8", "12345678.5", "1.23456785E7");
    expect("float8", "1.7976931348623157e+308", "1.7976931348623157E308");
    expect("float8", "2.2250738585072014e-308", "2.2250738585072014E-308");
    expect("float8", "5e-324", "4.9E-324");
    expect("float8", "1e-323", "9.9E-324");
    expect("float8", "1e+23", "1.0E23");
    expect("float4", "1e-45", "1.4E-45");
    expect("float4", "3.4028235e+38", "3.4028235E38");
    expect("float4", "1e+15", "1.0E15");
    expect("float4", "-7.2813936e+07", "-7.281394E7");
    expect("float8", "123456789012345680", "1.2345678901234568E17");
    expect("float8", "NaN", "\"NaN\"");
    expect("float8", "Infinity", "\"Infinity\"");
    expect("float4", "-Infinity", "\"-Infinity\"");
    expect_as_text("float8", "1e");
    expect_as_text("float8", "1x");
    expect_as_text("float8", ".");
}

static void test_dates(void **state)
{
    (void)state;
    expect("date", "2016-11-04", "17109");
    expect("date", "1969-12-31", "-1");
    expect("date", "infinity", "-2147472692");
    expect("date", "-infinity", "-2147472691");
    struct debezium_modes iso = DEBEZIUM_MODES_DEFAULT;
    iso.time = DEBEZIUM_TIME_ISOSTRING;
    expect_in(iso, "date", -1, "2017-09-15", "\"2017-09-15Z\"");
    expect_as_text("date", "2017-02-29");
}

static void test_times(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect("time", "24:00:00", "86400000000");
    expect("time", "04:05:11.789", "14711789000");
    expect_in(modes, "time", 3, "04:05:11.789", "14711789");
    expect_in(modes, "time", 0, "04:05:11", "14711000");
    expect("timetz", "11:51:30.123789+00", "\"11:51:30.123789Z\"");
    expect("timetz", "13:51:02+02", "\"11:51:02Z\"");
    expect("timetz", "00:30:00+05:30", "\"19:00:00Z\"");
    modes.time = DEBEZIUM_TIME_ADAPTIVE_TIME_MICROSECONDS;
    expect_in(modes, "time", 3, "04:05:11.789", "14711789000");
    modes.time = DEBEZIUM_TIME_MICROSECONDS;
    expect_in(modes, "time", 0, "00:00:01", "1000000");
    modes.time = DEBEZIUM_TIME_NANOSECONDS;
    expect_in(modes, "time", 0, "00:00:01", "1000000000");
    modes.time = DEBEZIUM_TIME_CONNECT;
    expect_in(modes, "time", -1, "04:05:11.789456", "14711789");
    modes.time = DEBEZIUM_TIME_ISOSTRING;
    expect_in(modes, "time", -1, "04:05:11.789", "\"04:05:11.789Z\"");
    expect_in(modes, "time", -1, "24:00:00", "\"00:00:00Z\"");
    expect_as_text("time", "24:00:01");
}

static void test_timestamps(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect("timestamp", "2016-11-04 13:51:30.123456", "1478267490123456");
    expect_in(modes, "timestamp", 3, "2016-11-04 13:51:30.123", "1478267490123");
    expect("timestamp", "1969-12-31 23:59:59.999999", "-1");
    expect_in(modes, "timestamp", 3, "1969-12-31 23:59:59.999", "-1");
    expect("timestamp", "infinity", "9223372036825200000");
    expect("timestamp", "-infinity", "-9223372036832400000");
    expect("timestamp", "294276-12-31 23:59:59.999999", "-9223372036853775810");
    expect("timestamp", "4713-01-01 00:00:00 BC", "-210863520000000000");
    expect("timestamptz", "0044-03-15 12:00:00.5+00 BC", "\"-0043-03-15T12:00:00.500000Z\"");
    expect("timestamptz", "2016-11-04 13:51:30.123456+02", "\"2016-11-04T11:51:30.123456Z\"");
    expect("timestamptz", "2016-11-04 13:51:30+00", "\"2016-11-04T13:51:30.000000Z\"");
    expect_in(modes, "timestamptz", 0, "2016-11-04 13:51:30+00", "\"2016-11-04T13:51:30Z\"");
    expect_in(modes, "timestamptz", 3, "2016-11-04 23:51:30.5-02", "\"2016-11-05T01:51:30.500Z\"");
    expect("timestamptz", "2016-11-04 01:51:30+02", "\"2016-11-03T23:51:30.000000Z\"");
    expect("timestamptz", "infinity", "\"infinity\"");
    expect("timestamptz", "-infinity", "\"-infinity\"");
    expect_in(modes, "timestamptz", 0, "21016-11-04 13:51:30+00", "\"+21016-11-04T13:51:30Z\"");
    modes.time = DEBEZIUM_TIME_MICROSECONDS;
    expect_in(modes, "timestamp", 3, "2016-11-04 13:51:30.123", "1478267490123000");
    modes.time = DEBEZIUM_TIME_NANOSECONDS;
    expect_in(modes, "timestamp", 0, "2016-11-04 13:51:30.123456", "1478267490123456000");
    expect_in(modes, "timestamp", 0, "infinity", "9223372036854775807");
    expect_in(modes, "timestamp", 0, "-infinity", "-9223372036854775808");
    expect_in(modes, "timestamp", 0, "0001-01-01 00:00:00", "null");
    modes.time = DEBEZIUM_TIME_CONNECT;
    expect_in(modes, "timestamp", -1, "infinity", "9223372036825200");
    expect_in(modes, "timestamp", -1, "2016-11-04 13:51:30.123456", "1478267490123");
    modes.time = DEBEZIUM_TIME_ISOSTRING;
    expect_in(modes, "timestamp", -1, "-infinity", "\"-290308-12-21T19:59:27.6Z\"");
    expect_in(modes, "timestamp", -1, "2019-07-09 02:28:57.123456",
              "\"2019-07-09T02:28:57.123456Z\"");
}

#define NUMERIC(precision, scale) ((int32_t)((precision) << 16 | ((scale)&0x7FF)) + 4)

static void test_numerics(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect_in(modes, "numeric", NUMERIC(5, 2), "1.10", "\"bg==\"");
    expect_in(modes, "numeric", NUMERIC(10, 4), "22.2200", "\"A2P4\"");
    expect_in(modes, "numeric", NUMERIC(10, 2), "0.00", "\"AA==\"");
    expect_in(modes, "numeric", NUMERIC(10, 2), "-1.28", "\"gA==\"");
    expect_in(modes, "numeric", NUMERIC(10, 2), "-1.29", "\"/38=\"");
    expect_in(modes, "numeric", NUMERIC(10, 2), "1.28", "\"AIA=\"");
    expect_in(modes, "numeric", NUMERIC(10, 2), "-0.01", "\"/w==\"");
    expect_in(modes, "numeric", NUMERIC(3, -2), "12300", "\"ew==\"");
    expect_in(modes, "numeric", NUMERIC(38, 0), "99999999999999999999999999999999999999",
              "\"SztMqFqGxHoJiiI//////w==\"");
    expect_in(modes, "numeric", NUMERIC(38, 0), "-99999999999999999999999999999999999999",
              "\"tMSzV6V5O4X2dd3AAAAAAQ==\"");
    expect("numeric", "10.1111", "{\"scale\":4,\"value\":\"AYr3\"}");
    expect("numeric", "10", "{\"scale\":0,\"value\":\"Cg==\"}");
    expect("numeric", "0.00", "{\"scale\":0,\"value\":\"AA==\"}");
    expect("numeric", "1.500", "{\"scale\":1,\"value\":\"Dw==\"}");
    expect("numeric", "100", "{\"scale\":0,\"value\":\"ZA==\"}");
    expect("money", "$1,234.11", "\"AeIT\"");
    expect("money", "-$1,234.11", "\"/h3t\"");
    modes.money_fraction_digits = 1;
    expect_in(modes, "money", -1, "$1.25", "\"DQ==\"");
    expect_in(modes, "money", -1, "-$9.95", "\"nA==\"");
    modes.money_fraction_digits = 0;
    expect_in(modes, "money", -1, "$0.50", "\"AQ==\"");
    expect_in(modes, "money", -1, "$0.49", "\"AA==\"");
    expect_counted("numeric", "NaN", "null");
    expect_counted("numeric", "-Infinity", "null");
    expect_as_text("numeric", "1.2.3");
    expect_as_text("numeric", "");
    expect_as_text("money", "1 EUR");
}

static void test_numerics_in_modes(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    modes.decimal = DEBEZIUM_DECIMAL_STRING;
    expect_in(modes, "numeric", NUMERIC(5, 2), "1.10", "\"1.10\"");
    expect_in(modes, "numeric", -1, "NaN", "\"NAN\"");
    expect_in(modes, "numeric", -1, "Infinity", "\"POSITIVE_INFINITY\"");
    expect_in(modes, "numeric", -1, "-Infinity", "\"NEGATIVE_INFINITY\"");
    expect_in(modes, "money", -1, "-$1,234.11", "\"-1234.11\"");
    modes.decimal = DEBEZIUM_DECIMAL_DOUBLE;
    expect_in(modes, "numeric", NUMERIC(5, 2), "1.10", "1.1");
    expect_in(modes, "numeric", -1, "12345678901234567890.123", "1.2345678901234567E19");
    expect_in(modes, "numeric", -1, "0", "0.0");
    expect_in(modes, "numeric", -1, "NaN", "\"NaN\"");
    expect_in(modes, "money", -1, "$1,234.11", "1234.11");
}

static void test_intervals(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect("interval", "1 year 2 mons 3 days 04:05:06.78", "37091106780000");
    expect("interval", "00:00:00", "0");
    expect("interval", "-00:00:00.000001", "-1");
    expect("interval", "1 mon", "2629800000000");
    expect("interval", "-1 days", "-86400000000");
    expect("interval", "1 day -00:00:01", "86399000000");
    modes.interval = DEBEZIUM_INTERVAL_STRING;
    expect_in(modes, "interval", -1, "1 year 2 mons 3 days 04:05:06.78", "\"P1Y2M3DT4H5M6.78S\"");
    expect_in(modes, "interval", -1, "00:00:00", "\"P0Y0M0DT0H0M0S\"");
    expect_in(modes, "interval", -1, "-1 years -2 mons +3 days -04:05:06.7",
              "\"P-1Y-2M3DT-4H-5M-6.7S\"");
    expect_in(modes, "interval", -1, "00:00:01.008714", "\"P0Y0M0DT0H0M1.008713999S\"");
    expect_as_text("interval", "1 fortnight");
    expect_as_text("interval", "04:05");
}

static void test_bytes(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect_in(modes, "bit", 1, "1", "true");
    expect_in(modes, "bit", 1, "0", "false");
    expect_in(modes, "varbit", 1, "", "null");
    expect_in(modes, "bit", 2, "11", "\"Aw==\"");
    expect_in(modes, "bit", 7, "1000000", "\"QA==\"");
    expect_in(modes, "bit", 7, "0000000", "\"\"");
    expect_in(modes, "bit", 20, "10000000000000000001", "\"AQAI\"");
    expect("bytea", "\\x", "\"\"");
    expect("bytea", "\\xfbefff", "\"++//\"");
    modes.binary = DEBEZIUM_BINARY_BASE64_URL_SAFE;
    expect_in(modes, "bytea", -1, "\\xfbefff", "\"--__\"");
    modes.binary = DEBEZIUM_BINARY_HEX;
    expect_in(modes, "bytea", -1, "\\xFBef00", "\"fbef00\"");
    expect("point", "(1,1)",
           "{\"x\":1.0,\"y\":1.0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAPA/\",\"srid\":null}");
    expect_as_text("bit", "12");
    expect_as_text("point", "(1,1");
}

static void test_arrays(void **state)
{
    (void)state;
    expect("_int4", "{1,NULL,2}", "[1,null,2]");
    expect("_int4", "{}", "[]");
    expect("_int4", "[0:1]={5,6}", "[5,6]");
    expect("_int4", "{{1,2},{3,NULL}}", "[[1,2],[3,null]]");
    expect("_text", "{a,\"b c\",\"NULL\",NULL,\"q\\\"\\\\\",\"\",\"{}\",\"a,b\"}",
           "[\"a\",\"b c\",\"NULL\",null,\"q\\\"\\\\\",\"\",\"{}\",\"a,b\"]");
    expect("_bool", "{t,f}", "[true,false]");
    expect("_bytea", "{\"\\\\x6869\"}", "[\"aGk=\"]");
    expect_counted("_box", "{(3,4),(1,2);(1,1),(0,0)}", "[\"(3,4),(1,2)\",\"(1,1),(0,0)\"]");
    static const char *const broken[] = {
        "",     "{",      "{1",    "{1,",   "{1,}",    "{,1}",
        "{1}2", "{{1}",   "1",     "{\"1}", "{1}}",    "{{{{{{{1}}}}}}}",
        "[0:1", "{1}{2}", "{\"\\", "}",     "{\"1\"2}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        expect_as_text("_text", broken[i]);
}

static void test_extensions(void **state)
{
    (void)state;
    struct debezium_modes map = DEBEZIUM_MODES_DEFAULT;
    map.hstore = DEBEZIUM_HSTORE_MAP;
    expect("hstore", "\"key\"=>\"val\", \"k2\"=>NULL",
           "\"{\\\"k2\\\":null,\\\"key\\\":\\\"val\\\"}\"");
    expect_in(map, "hstore", -1, "\"a b\"=>\"c\\\"d\", \"\\\\\"=>\"x\"",
              "{\"a b\":\"c\\\"d\",\"\\\\\":\"x\"}");
    expect("hstore", "", "\"{}\"");
    expect_in(map, "hstore", -1, "", "{}");
    expect("citext", "MiXed", "\"MiXed\"");
    expect("geometry", "0101000000000000000000F03F000000000000F03F",
           "{\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAPA/\",\"srid\":null}");
    expect("geography", "0101000020730C00001C7C613255DE6540787AA52C435C42C0",
           "{\"wkb\":\"AQEAACBzDAAAHHxhMlXeZUB4eqUsQ1xCwA==\",\"srid\":3187}");
    expect("vector", "[1,2.5,-3e-05]", "[1.0,2.5,-3.0E-5]");
    expect("halfvec", "[1]", "[1.0]");
    expect("sparsevec", "{1:0.5,3:2}/5", "{\"dimensions\":5,\"vector\":[[1,0.5],[3,2.0]]}");
    expect("sparsevec", "{}/5", "{\"dimensions\":5,\"vector\":[]}");
    expect_counted("pair", "(1,a)", "\"(1,a)\"");
    expect_as_text("hstore", "\"a\"");
    expect_as_text("hstore", "\"a\"=>\"b\",\"c\"=>\"d\"");
    expect_as_text("geometry", "0101");
    expect_as_text("vector", "[1,x]");
    expect_as_text("sparsevec", "{1:2}");
}

static bool omitted(const char *type, bool compatible)
{
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    modes.compatible = compatible;
    struct column column = column_of(type, -1);
    return types_debezium_omits(&modes, &column);
}

static void test_omitted(void **state)
{
    (void)state;
    static const char *const out[] = {
        "int4multirange", "tsquery", "pg_lsn",    "jsonpath", "box",  "_money", "_name",
        "_xml",           "_point",  "_interval", "_varbit",  "_box", "pair"};
    static const char *const in[] = {"int4range", "tsvector", "money", "name",  "xml",
                                     "point",     "_text",    "_uuid", "hstore"};
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++) {
        assert_true(omitted(out[i], true));
        assert_false(omitted(out[i], false));
    }
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        assert_false(omitted(in[i], true));
}

static void expect_unchanged(struct debezium_modes modes, const char *type, const char *wanted)
{
    struct buf out = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct cell cell = {.kind = CELL_UNCHANGED};
    assert_in_range(write_cell(type, -1, cell, &modes, &out, &err), 0, 1);
    assert_span(buf_span(&out), wanted);
    buf_fini(&out);
}

static void test_unchanged(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect_unchanged(modes, "text", "\"__debezium_unavailable_value\"");
    expect_unchanged(modes, "bytea", "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"");
    expect_unchanged(modes, "_text", "[\"__debezium_unavailable_value\"]");
    expect_unchanged(modes, "_bytea", "[\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"]");
    expect_unchanged(modes, "_uuid", "[\"b68a35a7-17ad-35b3-af2a-ae46edb4545a\"]");
    expect_unchanged(
        modes, "hstore",
        "\"{\\\"__debezium_unavailable_value\\\":\\\"__debezium_unavailable_value\\\"}\"");
    modes.hstore = DEBEZIUM_HSTORE_MAP;
    modes.binary = DEBEZIUM_BINARY_HEX;
    modes.unavailable = SPAN_LITERAL("ab\xFF");
    expect_unchanged(modes, "_int4", "[97,98,-1]");
    struct debezium_modes of_bytes = DEBEZIUM_MODES_DEFAULT;
    of_bytes.unavailable = SPAN_LITERAL("?");
    of_bytes.unavailable_bytes = (struct span){"\0\xFF", 2};
    expect_unchanged(of_bytes, "text", "\"?\"");
    expect_unchanged(of_bytes, "bytea", "\"AP8=\"");
    expect_unchanged(of_bytes, "_int4", "[0,-1]");
    of_bytes.unavailable = (struct span){"\0x", 2};
    expect_unchanged(of_bytes, "hstore", "\"{\\\"\\\\u0000x\\\":\\\"\\\\u0000x\\\"}\"");
    of_bytes.unavailable = SPAN_LITERAL("?");
    expect_unchanged(of_bytes, "_uuid", "[\"d07d34ef-ac63-3800-bad6-7c7e0a985e00\"]");
    expect_unchanged(modes, "_date", "[97,98,-1]");
    expect_unchanged(modes, "_int8", "[97,98,-1]");
    modes.compatible = true;
    expect_unchanged(modes, "numeric", "null");
    expect_unchanged(modes, "_numeric", "null");
    expect_unchanged(modes, "_bytea", "null");
    modes.time = DEBEZIUM_TIME_ISOSTRING;
    expect_unchanged(modes, "_date", "null");
    modes.unavailable = SPAN_LITERAL("gone");
    modes.decimal = DEBEZIUM_DECIMAL_STRING;
    expect_unchanged(modes, "numeric", "\"gone\"");
    for (int i = DEBEZIUM_BINARY_BASE64; i <= DEBEZIUM_BINARY_BASE64_URL_SAFE; i++) {
        modes.binary = (enum debezium_binary)i;
        expect_unchanged(modes, "bytea", "null");
    }
    modes.binary = DEBEZIUM_BINARY_HEX;
    expect_unchanged(modes, "bytea", "\"gone\"");
    expect_unchanged(modes, "hstore", "{\"gone\":\"gone\"}");
}

static void expect_zero(struct debezium_modes modes, const char *type, int32_t modifier,
                        const char *wanted)
{
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    struct column column = column_of(type, modifier);
    types_debezium_write_zero(&w, &column, &modes, &arena);
    assert_span(buf_span(&out), wanted);
    buf_fini(&out);
}

static void test_zeros(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    expect_zero(modes, "bool", -1, "false");
    expect_zero(modes, "int8", -1, "0");
    expect_zero(modes, "float4", -1, "0.0");
    expect_zero(modes, "text", -1, "\"\"");
    expect_zero(modes, "uuid", -1, "\"\"");
    expect_zero(modes, "bytea", -1, "\"\"");
    expect_zero(modes, "numeric", NUMERIC(10, 2), "\"AA==\"");
    expect_zero(modes, "numeric", -1, "{\"scale\":0,\"value\":\"AA==\"}");
    expect_zero(modes, "money", -1, "\"AA==\"");
    expect_zero(modes, "bit", 1, "false");
    expect_zero(modes, "bit", 3, "\"\"");
    expect_zero(modes, "date", -1, "0");
    expect_zero(modes, "timestamptz", -1, "\"1970-01-01T00:00:00Z\"");
    expect_zero(modes, "interval", -1, "0");
    expect_zero(modes, "_int4", -1, "[]");
    expect_zero(modes, "hstore", -1, "\"{}\"");
    modes.decimal = DEBEZIUM_DECIMAL_STRING;
    modes.interval = DEBEZIUM_INTERVAL_STRING;
    modes.time = DEBEZIUM_TIME_ISOSTRING;
    modes.hstore = DEBEZIUM_HSTORE_MAP;
    expect_zero(modes, "numeric", NUMERIC(10, 2), "\"0.00\"");
    expect_zero(modes, "numeric", -1, "\"0\"");
    expect_zero(modes, "money", -1, "\"0.00\"");
    expect_zero(modes, "date", -1, "\"1970-01-01Z\"");
    expect_zero(modes, "time", -1, "\"00:00:00Z\"");
    expect_zero(modes, "timestamp", -1, "\"1970-01-01T00:00:00Z\"");
    expect_zero(modes, "interval", -1, "\"P0Y0M0DT0H0M0S\"");
    expect_zero(modes, "hstore", -1, "{}");
}

static void test_no_value(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    struct buf out = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct cell cell = {.kind = CELL_NULL};
    assert_int_equal(write_cell("int4", -1, cell, &modes, &out, &err), 0);
    assert_span(buf_span(&out), "null");
    buf_reset(&out);
    cell.kind = CELL_UNCHANGED;
    assert_int_equal(write_cell("text", -1, cell, &modes, &out, &err), 0);
    assert_span(buf_span(&out), "\"__debezium_unavailable_value\"");
    buf_reset(&out);
    cell = (struct cell){CELL_BYTES, SPAN_LITERAL("a\xFF")};
    assert_int_equal(write_cell("text", -1, cell, &modes, &out, &err), -1);
    assert_int_equal(err.reason, REASON_NOT_UTF8);
    assert_span(buf_span(&out), "");
    cell = (struct cell){CELL_BINARY, SPAN_LITERAL("\0\0\0\7")};
    assert_int_equal(write_cell("int4", -1, cell, &modes, &out, &err), 0);
    assert_span(buf_span(&out), "7");
    buf_fini(&out);
}

/* In a header numbers are Java's BigDecimal, and under `connect` times are its Date. */
static void test_headers(void **state)
{
    (void)state;
    struct debezium_modes modes = debezium_modes_of_header(DEBEZIUM_MODES_DEFAULT);
    const int32_t two = (10 << 16 | 2) + 4, ten = (38 << 16 | 10) + 4;
    expect_in(modes, "numeric", two, "1.10", "1.10");
    expect_in(modes, "numeric", two, "0.05", "0.05");
    expect_in(modes, "numeric", two, "0", "0.00");
    expect_in(modes, "numeric", ten, "12.0000000001", "12.0000000001");
    expect_in(modes, "numeric", ten, "0.0000010000", "0.0000010000");
    expect_in(modes, "numeric", ten, "0.0000000001", "1E-10");
    expect_in(modes, "numeric", ten, "-0.0000000120", "-1.20E-8");
    expect_in(modes, "numeric", ten, "0", "0E-10");
    expect_in(modes, "numeric", (2 << 16 | (-3 & 0x7FF)) + 4, "12000", "1.2E+4");
    expect_in(modes, "numeric", -1, "10.1111", "{\"scale\":4,\"value\":\"AYr3\"}");
    expect_in(modes, "float8", -1, "NaN", "NaN");
    expect_in(modes, "text", -1, "a\n\"", "\"a\n\\\"\"");
    modes = DEBEZIUM_MODES_DEFAULT;
    modes.time = DEBEZIUM_TIME_CONNECT;
    modes = debezium_modes_of_header(modes);
    expect_in(modes, "date", -1, "2016-11-04", "2016-11-04");
    expect_in(modes, "date", -1, "infinity", "00:00:00.000Z");
    expect_in(modes, "time", -1, "04:05:11.789123", "04:05:11.789Z");
    expect_in(modes, "timestamp", -1, "2016-11-04 13:51:30.123456", "2016-11-04T13:51:30.123Z");
    expect_in(modes, "timestamp", -1, "2016-11-04 00:00:00", "2016-11-04");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_simple, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_floats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timestamps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numerics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numerics_in_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_intervals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arrays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_extensions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_omitted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unchanged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_value, set_up, tear_down),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
