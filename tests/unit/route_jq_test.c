/* route/route_jq: what is refused, what is evaluated, and that nothing gets out of the cage. The
 * worker is the program itself, once with sanitizers and once with the limits that hold only
 * without. */
#include "route/route_jq.h"
#include "route/route_jq_number.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_text.h"

#define RELEASE "build/walferry"
#define SANITIZED "build/asan/walferry"

struct fixture {
    struct arena arena;
    struct arena scratch;
    struct jq_cage *cage;
    struct error err;
    struct jq_answer answer;
};

static void set_up(struct fixture *f, const char *program, int64_t cpu_ms)
{
    *f = (struct fixture){.err = ERROR_INIT};
    arena_init(&f->arena, 4096, 16384);
    arena_init(&f->scratch, 4096, 16384);
    struct jq_cage_options options = {
        .program = program, .cpu_ms = cpu_ms, .memory = 16 << 20, .arena = &f->arena};
    f->cage = jq_cage_open(&options);
}

static void tear_down(struct fixture *f)
{
    jq_cage_close(f->cage);
    arena_fini(&f->arena);
    arena_fini(&f->scratch);
}

static uint32_t add(struct fixture *f, const char *text)
{
    uint32_t number = JQ_NONE;
    if (jq_cage_add(f->cage, span_of(text), &number, &f->err) < 0)
        fail_msg("%s: %s", text, f->err.text);
    return number;
}

static int ask(struct fixture *f, uint32_t filter, uint32_t value, const char *row)
{
    struct jq_question question = {.filter = filter, .value = value, .row = span_of(row)};
    arena_reset(&f->scratch);
    f->err = ERROR_INIT;
    return jq_cage_ask(f->cage, &question, &f->scratch, &f->answer, &f->err);
}

/* One value of the program for the row. */
static void expect(struct fixture *f, const char *program, const char *row, const char *wanted)
{
    if (ask(f, JQ_NONE, add(f, program), row) < 0)
        fail_msg("%s: %s", program, f->err.text);
    assert_true(f->answer.taken);
    assert_int_equal(f->answer.count, 1);
    assert_span(f->answer.values[0], wanted);
}

/* ---- What is compiled ---- */

static void test_refused_names(void **state)
{
    (void)state;
    static const struct {
        const char *program, *text;
    } CASES[] = {
        {"env", "line 1, column 1: env reads the environment, and so is refused"},
        {".a | $ENV.HOME", "line 1, column 6: $ENV reads the environment, and so is refused"},
        {".a |\n  \"\\(now)\"", "line 2, column 6: now reads the clock, and so is refused"},
        {"# now\n[input]", "line 2, column 2: input reads another row, and so is refused"},
        {"[inputs]", "line 1, column 2: inputs reads other rows, and so is refused"},
        {"{a: debug}", "line 1, column 5: debug writes to standard error, and so is refused"},
        {"stderr", "line 1, column 1: stderr writes to standard error, and so is refused"},
        {"halt", "line 1, column 1: halt ends the process, and so is refused"},
        {"\"x\"|halt_error", "line 1, column 5: halt_error ends the process, and so is refused"},
        {"0|localtime", "line 1, column 3: localtime depends on the time zone, and so is refused"},
        {"0|strflocaltime(\"%Z\")",
         "line 1, column 3: strflocaltime depends on the time zone, and so is refused"},
        {"input_filename", "line 1, column 1: input_filename tells of files, and so is refused"},
        {"input_line_number",
         "line 1, column 1: input_line_number tells of files, and so is refused"},
        {"import \"a\" as a; .", "line 1, column 1: import reads a file, and so is refused"},
        {"include \"a\"; .", "line 1, column 1: include reads a file, and so is refused"},
        {"\"a\"|modulemeta", "line 1, column 5: modulemeta reads a file, and so is refused"},
        {"get_search_list", "line 1, column 1: get_search_list tells of files, and so is refused"},
        {"[get_jq_origin]", "line 1, column 2: get_jq_origin tells of files, and so is refused"},
        {"[get_prog_origin]",
         "line 1, column 2: get_prog_origin tells of files, and so is refused"},
        {"$__loc__",
         "line 1, column 1: $__loc__ depends on how the program is written, and so is refused"},
        {"builtins", "line 1, column 1: builtins depends on the version of jq, and so is refused"},
        {"def now: 1; .", "line 1, column 5: now reads the clock, and so is refused"},
        {"{a: 1, b: (2, now)}", "line 1, column 15: now reads the clock, and so is refused"},
        {"{a: if .x then 1, now, 2 end}",
         "line 1, column 19: now reads the clock, and so is refused"},
        {"{a: if .x then {b}, now else 2 end}",
         "line 1, column 21: now reads the clock, and so is refused"},
        {"$ ENV", "line 1, column 3: a $ wants its name right behind it"},
        {".id == 9007199254740993", "line 1, column 8: 9007199254740993 is a number that jq would "
                                    "round: compare it as a string"},
        {"\"abc", "line 1, column 1: a string is not closed"},
    };
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint32_t number;
        assert_int_equal(jq_cage_add(f.cage, span_of(CASES[i].program), &number, &f.err), -1);
        assert_error(f.err, ERROR_STOP, "bad_jq", CASES[i].text);
    }
    tear_down(&f);
}

static void test_names_that_only_look_so(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    expect(&f, "[.now, .env, .input.debug]", "{\"now\":1,\"env\":2,\"input\":{\"debug\":3}}",
           "[1,2,3]");
    expect(&f, "{now: 1, \"env\": 2, input}", "{\"input\":3}", "{\"now\":1,\"env\":2,\"input\":3}");
    expect(&f, "{a: (if .a then {now} else 1 end), now}", "{\"a\":1,\"now\":2}",
           "{\"a\":{\"now\":2},\"now\":2}");
    expect(&f, ". as {input: $now} | $now", "{\"input\":3}", "3");
    expect(&f, "\"now env \\(.a) halt\"", "{\"a\":\"x\"}", "\"now env x halt\"");
    expect(&f, "1 # now", "null", "1");
    tear_down(&f);
}

/* libjq tells the line alone; where in it is found all the same. */
static void expect_error(struct fixture *f, const char *program, const char *place)
{
    uint32_t number;
    assert_int_equal(jq_cage_add(f->cage, span_of(program), &number, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_int_equal(strstr(f->err.hint, "bracket") != NULL, strstr(place, "syntax") != NULL);
    if (strncmp(f->err.text, place, strlen(place)) != 0 || strchr(f->err.text, '\n') != NULL)
        fail_msg("%s: \"%s\" does not begin with \"%s\"", program, f->err.text, place);
}

static void test_errors_have_a_place(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    expect_error(&f, ".a | )", "line 1, column 6: syntax error");
    expect_error(&f, "{a: .a,\n b: .b c: .c}", "line 2, column 8: syntax error");
    expect_error(&f, ".a == \"ä\" | nope(.x)", "line 1, column 13: nope/1 is not defined");
    expect_error(&f, "{a: (.a | .b}", "line 1, column 13: syntax error");
    expect_error(&f, ".a | # x\n  .b | $who", "line 2, column 8: ");
    expect_error(&f, "if .a then 1 else", "line 1, column 18: syntax error");
    expect_error(&f, "\"x\ny\" | nope", "line 2, column 6: nope/0 is not defined");
    expect_error(&f, ".a %% 2", "line 1, column 5: syntax error");
    /* It goes on after all of these. */
    expect(&f, ".a", "{\"a\":1}", "1");
    tear_down(&f);
}

/* ---- What is evaluated ---- */

static void test_filters_and_values(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    uint32_t filter = add(&f, ".after.status == \"placed\"");
    uint32_t value = add(&f, ".after.items[] | {sku, n: .count}");
    uint32_t maybe = add(&f, ".after.flag"), many = add(&f, "true, false"), error = add(&f, ".a.b");
    assert_int_equal(ask(&f, filter, value,
                         "{\"after\":{\"status\":\"placed\",\"items\":[{\"sku\":\"a\",\"count\":2},"
                         "{\"sku\":\"b\"}]}}"),
                     0);
    assert_true(f.answer.taken);
    assert_int_equal(f.answer.count, 2);
    assert_span(f.answer.values[0], "{\"sku\":\"a\",\"n\":2}");
    assert_span(f.answer.values[1], "{\"sku\":\"b\",\"n\":null}");
    assert_int_equal(ask(&f, filter, value, "{\"after\":{\"status\":\"paid\",\"items\":[]}}"), 0);
    assert_false(f.answer.taken);
    assert_int_equal(ask(&f, filter, JQ_NONE, "{\"after\":{\"status\":\"placed\"}}"), 0);
    assert_true(f.answer.taken);
    assert_int_equal(f.answer.count, 0);
    assert_int_equal(ask(&f, maybe, JQ_NONE, "{\"after\":{}}"), 0);
    assert_false(f.answer.taken);
    assert_int_equal(ask(&f, maybe, JQ_NONE, "{\"after\":{\"flag\":1}}"), -1);
    assert_error(f.err, ERROR_DATA, "jq_failed",
                 "when.jq: it gives neither true nor false, but a value of type number");
    assert_int_equal(ask(&f, many, JQ_NONE, "null"), -1);
    assert_error(f.err, ERROR_DATA, "jq_failed",
                 "when.jq: it gives more than one value where one is needed");
    assert_int_equal(ask(&f, JQ_NONE, error, "{\"a\":1}"), -1);
    assert_int_equal(f.err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(f.err.reason), "jq_failed");
    assert_non_null(strstr(f.err.text, "value.jq: Cannot index number with "));
    assert_int_equal(ask(&f, JQ_NONE, value, "{\"after\":{\"items\":[]}}"), 0);
    assert_true(f.answer.taken);
    assert_int_equal(f.answer.count, 0);
    tear_down(&f);
}

/* To who uses libjq 1.6 an error that is null looks like the end of the values: no event, and no
 * word. */
static void test_the_error_null(void **state)
{
    (void)state;
    static const struct {
        const char *program, *why;
    } CASES[] = {
        {"error(null)", "error(null): an error without a message"},
        {".missing | error", "error(null): an error without a message"},
        {"{a}, error(.why) # the reason", "error(null): an error without a message"},
        {"error(\"no\")", "no"},
        {"try error(null) catch error(null)", "error(null): an error without a message"},
        {"error({a: 1})", "{\"a\":1}"},
    };
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint32_t program = add(&f, CASES[i].program);
        char why[80];
        snprintf(why, sizeof why, "value.jq: %s", CASES[i].why);
        assert_int_equal(ask(&f, JQ_NONE, program, "{\"a\":1}"), -1);
        assert_error(f.err, ERROR_DATA, "jq_failed", why);
    }
    uint32_t caught = add(&f, "try (.a | error) catch \"caught\"");
    assert_int_equal(ask(&f, JQ_NONE, caught, "{}"), 0);
    assert_span(f.answer.values[0], "\"caught\"");
    uint32_t broken = add(&f, "label $out | 1, break $out, 2");
    assert_int_equal(ask(&f, JQ_NONE, broken, "{}"), 0);
    assert_int_equal(f.answer.count, 1);
    uint32_t nothing = add(&f, "empty");
    assert_int_equal(ask(&f, JQ_NONE, nothing, "{}"), 0);
    assert_int_equal(f.answer.count, 0);
    tear_down(&f);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"0", "0"},
        {"-0", "-0"},
        {"12.50", "12.5"},
        {"0.10", "0.1"},
        {"-1e3", "-1000"},
        {"9007199254740992", "9007199254740992"},
        {"9007199254740993", "\"9007199254740993\""},
        {"-9223372036854775808", "\"-9223372036854775808\""},
        {"123456789012345680", "123456789012345680"},
        {"1234567890123456789012345678.0123456789", "\"1234567890123456789012345678.0123456789\""},
        {"0.1000000000", "0.1"},
        {"0.10000000000000001", "\"0.10000000000000001\""},
        {"0.30000000000000004", "0.30000000000000004"},
        {"1e400", "\"1e400\""},
        {"1e21", "1e21"},
        {"100000000000000000000", "100000000000000000000"},
        {"0.000001", "0.000001"},
        {"0.0000001", "1e-7"},
        {"1.7976931348623157e308", "1.7976931348623157e308"},
        {"5e-324", "\"5e-324\""},
        {"0.00000000000000000000000000000", "0"},
    };
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    uint32_t same = add(&f, ".");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(ask(&f, JQ_NONE, same, CASES[i].in), 0);
        assert_span(f.answer.values[0], CASES[i].out);
    }
    struct jq_question strict = {.filter = JQ_NONE,
                                 .value = same,
                                 .numbers_are_errors = true,
                                 .row = SPAN_LITERAL("{\"id\":9007199254740993}")};
    assert_int_equal(jq_cage_ask(f.cage, &strict, &f.scratch, &f.answer, &f.err), -1);
    assert_error(f.err, ERROR_DATA, "jq_failed",
                 "row: the number 9007199254740993 is one that jq would round");
    tear_down(&f);
}

/* jq 1.7 keeps the numbers of a program as they are written, 1.6 does not: here both give these. */
static void test_the_same_bytes_of_every_version(void **state)
{
    (void)state;
    static const struct {
        const char *program, *out;
    } CASES[] = {
        {"1.000", "1"},
        {"1.000|tostring", "\"1\""},
        {"[1.10, 1e3, 1e17, 0.00001, 100000000000000000000]|tojson",
         "\"[1.1,1000,1e+17,1e-05,1e+20]\""},
        {".n|tostring", "\"12.5\""},
        {"\"\\(.n) \\(.big)\"", "\"12.5 9007199254740993\""},
        {"[.n * 2, .n / 3]", "[25,4.166666666666667]"},
        {"1e3 as $x | $x + 1", "1001"},
        {".a[1:]", "[2,3]"},
        {".a|.[-1]", "3"},
        {"[limit(3; repeat(.n))]", "[12.5,12.5,12.5]"},
        {"{b: 1, a: 2, \"c\": nan}", "{\"b\":1,\"a\":2,\"c\":null}"},
        {"to_entries|map(.key)", "[\"n\",\"big\",\"a\",\"t\"]"},
        {"0|todate", "\"1970-01-01T00:00:00Z\""},
        {"0|strftime(\"%Y %Z\")", "\"1970 UTC\""},
        {".t|fromdate", "1700000000"},
        {".t|strptime(\"%Y-%m-%dT%H:%M:%SZ\")|mktime", "1700000000"},
        {"@base64 \"\\(.t)\"", "\"MjAyMy0xMS0xNFQyMjoxMzoyMFo=\""},
        {".t|test(\"^2023-\")", "true"},
        {"[.a[]|select(. > 1)]", "[2,3]"},
        {"def f(x): x + 1; f(.n)", "13.5"},
        {"reduce .a[] as $i (0; . + $i)", "6"},
        {".x?.y? // \"none\"", "\"none\""},
        {"try error(\"x\") catch .", "\"x\""},
        {"\"\\u00e4\\ud83d\\ude00\\u0000\"", "\"\xC3\xA4\xF0\x9F\x98\x80\\u0000\""},
    };
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    uint32_t numbers[sizeof CASES / sizeof CASES[0]];
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        numbers[i] = add(&f, CASES[i].program);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        if (ask(&f, JQ_NONE, numbers[i],
                "{\"n\":12.50,\"big\":9007199254740993,\"a\":[1,2,3],"
                "\"t\":\"2023-11-14T22:13:20Z\"}") < 0)
            fail_msg("%s: %s", CASES[i].program, f.err.text);
        assert_span(f.answer.values[0], CASES[i].out);
    }
    tear_down(&f);
}

static void test_strings(void **state)
{
    (void)state;
    static const char *const BAD[] = {"\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u12", "{\"a\":}",
                                      "[1,]",        "{\"a\" 1}",          "tru",     "1 2",
                                      "\"a"};
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    uint32_t same = add(&f, ".");
    const char *all =
        "{\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\":[\"\\u0041\\u00e9\\u20ac\\ud834\\udd1e\",{},[]"
        ",true,false,null,\"\"]}";
    assert_int_equal(ask(&f, JQ_NONE, same, all), 0);
    assert_span(f.answer.values[0], "{\"a\\\"\\\\/\\u0008\\u000c\\n\\r\\t\":[\"A\xC3\xA9\xE2\x82"
                                    "\xAC\xF0\x9D\x84\x9E\",{},[],true,false,null,\"\"]}");
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(ask(&f, JQ_NONE, same, BAD[i]), -1);
        assert_string_equal(reason_slug(f.err.reason), "jq_failed");
    }
    tear_down(&f);
}

/* ---- What is looked at ---- */

/* "op, before{*}, after{id status}, source": columns that are read, or all of them. */
static void describe_reads(const struct jq_reads *reads, struct buf *out)
{
    static const char *const NAMES[] = {"op", "before", "after", "source"};
    buf_reset(out);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t member = 1U << i;
        if ((reads->members & member) == 0)
            continue;
        buf_add_text(out, out->len > 0 ? " " : "");
        buf_add_text(out, NAMES[i]);
        if (member != JQ_BEFORE && member != JQ_AFTER)
            continue;
        buf_add_text(out, "{");
        if ((reads->whole & member) != 0)
            buf_add_text(out, "*");
        for (uint32_t k = 0; (reads->whole & member) == 0 && k < reads->count; k++)
            if ((reads->columns[k].members & member) != 0) {
                buf_add_text(out, out->ptr[out->len - 1] == '{' ? "" : ",");
                buf_add(out, reads->columns[k].name);
            }
        buf_add_text(out, "}");
    }
}

#define ALL "op before{*} after{*} source"

static void test_reads(void **state)
{
    (void)state;
    static const struct {
        const char *program, *reads;
    } CASES[] = {
        /* a fixed set of names */
        {"{}", ""},
        {"{a: .op}", "op"},
        {".after", "after{*}"},
        {".after.source", "after{source}"},
        {".after | {id, status, total: .sum}", "after{id,status,sum}"},
        {".after | {\"id\", a: .[\"b\"], c: .\"d\"}", "after{id,b,d}"},
        {"if .op == \"delete\" then .before else .after end | {id}", "op before{id} after{id}"},
        {"(.after // .before) | .id", "before{id} after{id}"},
        {".after.a.b[0].c[]?", "after{a}"},
        {".after as $a | .before as {id: $i, $n, t: [$t]} | {a: $a.x, $i, $n}",
         "before{id,n,t} after{x}"},
        {"select(.op == \"insert\") | .after | select(.a > 1 and .b) | {c}", "op after{a,b,c}"},
        {"def f: .after; def g(h; $x): h | {a, b: $x.n}; g(f; .before)", "before{n} after{a}"},
        {"def f(g): def h: g; h | .a; f(.after)", "after{a}"},
        {"first(.after, .before) | .id", "before{id} after{id}"},
        {"try .after.a catch .message", "after{a}"},
        {"reduce .after.list[] as $x (0; . + $x)", "after{list}"},
        {"foreach (.after | .a, .b) as $x (0; . + $x; {n: .})", "after{a,b}"},
        {"\"\\(.after.a) \\(.op)\"", "op after{a}"},
        {"@base64 \"\\(.after.a)\"", "after{a}"},
        {"getpath([\"after\", \"a\", \"b\"])", "after{a}"},
        {"del(.before, .source)", "op after{*}"},
        {"del(.before) | .after.id", "after{id}"},
        {".after.name | ascii_downcase | test(\"a\")", "after{name}"},
        {"label $out | (.after.a, break $out)", "after{a}"},
        {"{op, a: (.after | {id, b: [.c, .d]}), status}", "op after{id,c,d}"},
        {". as $r | {a: $r.after.id, s: $r.source.lsn}", "after{id} source"},
        {"-.after.n, .after.m * 2", "after{n,m}"},
        {".after.list[.after.n:], .after.list[-1]", "after{list,n}"},
        {"def select(f): .; select(.op) | .after.a", "after{a}"},
        /* what `as` binds in 1.6 and 1.7, and in 1.8 */
        {"(.after // .before as $x | $x.a) | .b", "before{a} after{a,b}"},
        {"(.after // -.before.n as $x | $x.a) | .b", "before{n} after{*}"},
        {"(.after // try .before as $x | $x.a) | .b", "before{a} after{a,b}"},
        {".after.b, .before as $x | $x.a", "before{a} after{b}"},
        {"-.after as $x | .op", "op after{*}"},
        {".op == .after as $x | .op", "op after{*}"},
        {"try .op catch . as $x | .after.a", ALL},
        {"try .op catch -. as $x | .after.a", ALL},
        {"try .op catch try . as $x | .after.a", ALL},
        {"try .op catch (. as $x | .after.a)", "op"},
        {"try .after as $x | $x.a", "after{a}"},
        /* a row as a whole, by each way to walk it */
        {".after | to_entries", "after{*}"},
        {".after | with_entries(.)", "after{*}"},
        {".after | map_values(.)", "after{*}"},
        {".after | keys", "after{*}"},
        {".after[]", "after{*}"},
        {".after | .[]?", "after{*}"},
        {".after | ..", "after{*}"},
        {".after | tojson", "after{*}"},
        {".after | paths", "after{*}"},
        {".after | del(.a)", "after{*}"},
        {".after + {a: 1}", "after{*}"},
        {".after == null", "after{*}"},
        {"[.after]", "after{*}"},
        {"{after}", "after{*}"},
        {"\"\\(.after)\"", "after{*}"},
        {".after[.after.kind]", "after{*}"},
        {".after.\"a\\(.op)\"", "op after{*}"},
        {".after as {(.op): $s} | $s", "op after{*}"},
        {".after | .a = 1", "after{*}"},
        {".after | .a |= 1", "after{*}"},
        {"if .before then 1 else 2 end", "before{*}"},
        {"def f: .a; .after | map(f)", "after{*}"},
        /* all there is */
        {".", ALL},
        {"[.[]]", ALL},
        {"[..]", ALL},
        {"to_entries", ALL},
        {"with_entries(select(.key == \"after\"))", ALL},
        {"map_values(1)", ALL},
        {"[keys, length]", ALL},
        {"{a: [keys, length]}", ALL},
        {"{a: \"\\(1, keys, 2)\", b}", ALL},
        {"[paths]", ALL},
        {"[paths(scalars)] | length", ALL},
        {"tojson", ALL},
        {"tostring", ALL},
        {"@json", ALL},
        {"\"\\(.)\"", ALL},
        {"@text \"\\(.)\"", ALL},
        {"has(\"before\")", ALL},
        {"any", ALL},
        {"map(.)", ALL},
        {"[recurse]", ALL},
        {"walk(.)", ALL},
        {"path(..)", ALL},
        {"delpaths([[\"op\"]])", ALL},
        {"getpath([\"sou\" + \"rce\"])", ALL},
        {"getpath([.op])", ALL},
        {".[\"be\" + \"fore\"]", ALL},
        {".[\"be\\u0066ore\"]", ALL},
        {".\"be\\u0066ore\"", ALL},
        {".[.op]", ALL},
        {". as $all | $all[.op]", ALL},
        {". as $all | 1 | $all | keys", ALL},
        {". as {(\"sou\" + \"rce\"): $s} | $s", ALL},
        {". as [$a] ?// {\"source\": $a} | $a", ALL},
        {"[.][0].op", ALL},
        {"{a: .} | .a.op", ALL},
        {". == {}", ALL},
        {". + {}", ALL},
        {".x = 1", ALL},
        {".after.x |= 1", ALL},
        {"if .op == \"insert\" then . else .after end", ALL},
        {"try error catch .", ALL},
        {"reduce . as $r (0; $r | length)", ALL},
        {"reduce 1 as $x (.; .op)", ALL},
        {"def f: .; f", ALL},
        {"def f(g): g; f(.)", ALL},
        {"def f($a): $a; f(.)", ALL},
        {"def f: if .op then .after | f else 1 end; f", ALL}, /* calls itself */
        {"del(.[\"before\"])", ALL},
        {"del(.before.x)", ALL},
        {"limit(1; .)", ALL},
        {"select(.op == \"insert\")", ALL},
    };
    struct fixture f;
    struct buf said = BUF_EMPTY;
    set_up(&f, SANITIZED, 1000);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct jq_reads reads = {.members = 0};
        jq_cage_reads(f.cage, add(&f, CASES[i].program), &reads);
        describe_reads(&reads, &said);
        buf_add_char(&said, '\0');
        if (strcmp(said.ptr, CASES[i].reads) != 0)
            fail_msg("%s: reads %s, not %s", CASES[i].program, said.ptr, CASES[i].reads);
    }
    buf_fini(&said);
    tear_down(&f);
}

/* Of two programs the columns of both. */
static void test_reads_of_two(void **state)
{
    (void)state;
    struct fixture f;
    struct jq_reads reads = {.members = 0};
    set_up(&f, SANITIZED, 1000);
    jq_cage_reads(f.cage, add(&f, ".before.a == .after.b"), &reads);
    jq_cage_reads(f.cage, add(&f, ".after | {a, c}"), &reads);
    assert_int_equal(reads.members, JQ_BEFORE | JQ_AFTER);
    assert_int_equal(reads.whole, 0);
    assert_true(jq_reads_column(&reads, JQ_BEFORE, SPAN_LITERAL("a")));
    assert_true(jq_reads_column(&reads, JQ_AFTER, SPAN_LITERAL("c")));
    assert_false(jq_reads_column(&reads, JQ_BEFORE, SPAN_LITERAL("c")));
    jq_cage_reads(f.cage, add(&f, ".before"), &reads);
    assert_true(jq_reads_column(&reads, JQ_BEFORE, SPAN_LITERAL("c")));
    assert_false(jq_reads_column(&reads, JQ_AFTER, SPAN_LITERAL("d")));
    tear_down(&f);
}

/* ---- What never ends ---- */

static void test_bombs(void **state)
{
    (void)state;
    static const char *const BOMBS[] = {
        "[recurse(.+1)]",
        "def f: f; f",
        "def f: 1 + f; f",
        "[range(1e9)]",
        "reduce range(1e12) as $i (0; .+$i)",
        "\"x\" * (. + 1e9)",
        "limit(1e9; repeat(1))",
        "repeat(1)",
        "[limit(1e9; repeat(\"xxxxxxxxxxxxxxxx\"))]",
        "last(repeat(1))",
        "until(false; .)",
        "reduce range(1e7) as $i (0; [.])",
        "def f: [f]; f",
        "(\"a\" * 60) + \"b\" | test(\"^(a+)+$\")",
        "[range(100)] | combinations(50)",
        "\"x\" | until(false; . + .)",
    };
    for (size_t i = 0; i < sizeof BOMBS / sizeof BOMBS[0]; i++) {
        struct fixture f;
        set_up(&f, RELEASE, 200);
        uint32_t good = add(&f, ".a + 1"), bomb = add(&f, BOMBS[i]);
        if (ask(&f, JQ_NONE, bomb, "0") == 0)
            fail_msg("%s came to an end", BOMBS[i]);
        if (f.err.kind != ERROR_DATA)
            fail_msg("%s: %s", BOMBS[i], f.err.text);
        assert_int_equal(ask(&f, JQ_NONE, good, "{\"a\":1}"), 0);
        assert_span(f.answer.values[0], "2");
        /* Behind a row that is none, and so in a worker that has done something. */
        assert_int_equal(ask(&f, JQ_NONE, bomb, "0"), -1);
        assert_int_equal(f.err.kind, ERROR_DATA);
        tear_down(&f);
    }
}

static void count_call(void *count)
{
    ++*(int *)count;
}

/* However long a row takes, who must do something meanwhile can; a quick one calls nobody. */
static void test_what_is_done_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    int calls = 0;
    set_up(&f, RELEASE, 800);
    uint32_t quick = add(&f, "."), endless = add(&f, "def f: f; f");
    jq_cage_meanwhile(f.cage, count_call, &calls);
    assert_int_equal(ask(&f, JQ_NONE, endless, "0"), -1);
    assert_true(calls >= 6); /* of 800 ms of CPU time */
    jq_cage_meanwhile(f.cage, NULL, NULL);
    assert_int_equal(ask(&f, JQ_NONE, endless, "0"), -1);
    assert_int_equal(ask(&f, JQ_NONE, quick, "0"), 0);
    tear_down(&f);
}

static void test_which_limit(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, RELEASE, 100);
    uint32_t endless = add(&f, "def f: f; f");
    uint32_t deep = add(&f, "reduce range(600) as $i (0; [.])");
    uint32_t infinite_ = add(&f, "infinite");
    assert_int_equal(ask(&f, JQ_NONE, endless, "0"), -1);
    assert_error(f.err, ERROR_DATA, "jq_limit", "jq took more than 100 ms of CPU time for the row");
    assert_int_equal(ask(&f, endless, JQ_NONE, "0"), -1);
    assert_string_equal(reason_slug(f.err.reason), "jq_limit");
    assert_int_equal(ask(&f, JQ_NONE, deep, "0"), -1);
    assert_error(f.err, ERROR_DATA, "jq_failed",
                 "value.jq: it gives a value of more than 512 levels");
    assert_int_equal(ask(&f, JQ_NONE, infinite_, "0"), -1);
    assert_error(f.err, ERROR_DATA, "jq_failed",
                 "value.jq: it gives an infinite number, which JSON has not");
    tear_down(&f);
    set_up(&f, RELEASE, 60000);
    uint32_t large = add(&f, "[range(1e9)]"), many = add(&f, "range(1e9)");
    assert_int_equal(ask(&f, JQ_NONE, large, "0"), -1);
    assert_string_equal(reason_slug(f.err.reason), "jq_limit");
    assert_non_null(strstr(f.err.text, " more than 16777216 bytes of memory for the row"));
    assert_int_equal(ask(&f, JQ_NONE, many, "0"), -1);
    assert_string_equal(reason_slug(f.err.reason), "jq_limit");
    assert_non_null(strstr(f.err.text, " more than 16777216 bytes of memory for the row"));
    tear_down(&f);
}

/* A row is not held responsible for what the rows before it have left behind. */
static void test_many_rows_and_large_ones(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, RELEASE, 1000);
    uint32_t length = add(&f, ".a|length"), twice = add(&f, "[.a, .a]");
    size_t size = 2 << 20;
    char *row = malloc(size + 16);
    assert_non_null(row);
    memcpy(row, "{\"a\":\"", 6);
    memset(row + 6, 'x', size);
    memcpy(row + 6 + size, "\"}", 3);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(ask(&f, JQ_NONE, i % 20 == 0 ? twice : length, row), 0);
        assert_int_equal(f.answer.count, 1);
        if (i % 20 != 0)
            assert_span(f.answer.values[0], "2097152");
    }
    for (int i = 0; i < 2000; i++)
        assert_int_equal(ask(&f, JQ_NONE, length, "{\"a\":[1,2,3]}"), 0);
    free(row);
    tear_down(&f);
}

/* ---- Ahead of the need ---- */

#define MANY 100

static struct jq_ticket ticket(uint32_t n)
{
    return (struct jq_ticket){.id = change_id_wal(0x1000, n + 1)};
}

static void expect_rows(struct fixture *f, uint32_t filter, uint32_t value)
{
    for (uint32_t i = 0; i < MANY; i++) {
        char row[32];
        snprintf(row, sizeof row, "{\"n\":%u}", i);
        assert_true(jq_cage_has_room(f->cage));
        struct jq_question question = {.filter = filter, .value = value, .row = span_of(row)};
        jq_cage_expect(f->cage, ticket(i), &question);
    }
}

static int take(struct fixture *f, uint32_t n)
{
    arena_reset(&f->scratch);
    f->err = ERROR_INIT;
    return jq_cage_take(f->cage, ticket(n), &f->scratch, &f->answer, &f->err);
}

static void expect_n(struct fixture *f, uint32_t n)
{
    char wanted[32];
    if (take(f, n) != 1)
        fail_msg("row %u: %s", n, f->err.text);
    assert_true(f->answer.taken);
    assert_int_equal(f->answer.count, 1);
    snprintf(wanted, sizeof wanted, "{\"n\":%u}", n);
    assert_span(f->answer.values[0], wanted);
}

/* Whatever one row of many does, the others have their answers, in their order, and it alone has
 * the error. */
static void test_one_of_many(void **state)
{
    (void)state;
    static const struct {
        const char *program, *reason;
    } CASES[] = {
        {"if .n == 40 then (def f: f; f) else {n} end", "jq_limit"},
        {"if .n == 40 then [range(1e9)] else {n} end", "jq_limit"},
        {"if .n == 40 then (def f: 1 + f; f) else {n} end", "jq_limit"},
        {"if .n == 40 then error(\"no\") else {n} end", "jq_failed"},
        {"if .n == 40 then infinite else {n} end", "jq_failed"},
        {"if .n == 0 then (def f: f; f) else {n} end", "jq_limit"},
        {"if .n == 99 then (def f: f; f) else {n} end", "jq_limit"},
        {"if .n % 50 == 7 then (def f: f; f) else {n} end", "jq_limit"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct fixture f;
        set_up(&f, RELEASE, 50);
        uint32_t program = add(&f, CASES[i].program), failures = 0;
        for (int round = 0; round < 2; round++) {
            expect_rows(&f, JQ_NONE, program);
            for (uint32_t n = 0; n < MANY; n++) {
                bool bad = i == 5 ? n == 0 : i == 6 ? n == 99 : i == 7 ? n % 50 == 7 : n == 40;
                if (!bad) {
                    expect_n(&f, n);
                    continue;
                }
                assert_int_equal(take(&f, n), -1);
                assert_int_equal(f.err.kind, ERROR_DATA);
                assert_string_equal(reason_slug(f.err.reason), CASES[i].reason);
                failures++;
            }
        }
        assert_int_equal(failures, i == 7 ? 4 : 2);
        tear_down(&f);
    }
}

static void test_several_values_of_many(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, SANITIZED, 1000);
    uint32_t odd = add(&f, ".n % 2 == 1"), value = add(&f, "range(.n)");
    expect_rows(&f, odd, value);
    for (uint32_t n = 0; n < MANY; n++) {
        assert_int_equal(take(&f, n), 1);
        assert_int_equal(f.answer.taken, n % 2 == 1);
        if (n % 2 == 0)
            continue;
        assert_int_equal(f.answer.count, n);
        for (uint32_t i = 0; i < n; i++) {
            char wanted[16];
            snprintf(wanted, sizeof wanted, "%u", i);
            assert_span(f.answer.values[i], wanted);
        }
    }
    assert_int_equal(take(&f, MANY), 0);
    tear_down(&f);
}

static void test_what_is_not_taken(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, RELEASE, 50);
    uint32_t program = add(&f, "if .n % 10 == 3 then (def f: f; f) else {n} end");
    expect_rows(&f, JQ_NONE, program);
    expect_n(&f, 25); /* the endless ones before it are nobody's */
    expect_n(&f, 26);
    assert_int_equal(take(&f, 7), 0); /* is not expected any more, and then nothing is */
    assert_int_equal(take(&f, 27), 0);
    assert_int_equal(ask(&f, JQ_NONE, program, "{\"n\":5}"), 0);
    assert_span(f.answer.values[0], "{\"n\":5}");
    tear_down(&f);
}

/* More than a socket takes, both ways, and more than there is room for. */
static void test_bounds(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, RELEASE, 1000);
    uint32_t thrice = add(&f, "[.a, .a, .a]"), count = 0;
    size_t size = 60000;
    char *row = malloc(size + 16);
    assert_non_null(row);
    memcpy(row, "{\"a\":\"", 6);
    memset(row + 6, 'x', size);
    memcpy(row + 6 + size, "\"}", 3);
    struct jq_question question = {.filter = JQ_NONE, .value = thrice, .row = span_of(row)};
    for (; jq_cage_has_room(f.cage); count++)
        jq_cage_expect(f.cage, ticket(count), &question);
    assert_int_equal(count, 3);
    for (uint32_t n = 0; n < count; n++) {
        assert_int_equal(take(&f, n), 1);
        assert_int_equal(f.answer.values[0].len, 3 * (size + 2) + 4);
    }
    assert_true(jq_cage_has_room(f.cage));
    assert_int_equal(take(&f, count), 0);
    for (count = 0; jq_cage_has_room(f.cage); count++) {
        struct jq_question small = {.filter = JQ_NONE, .value = thrice, .row = span_of("{}")};
        jq_cage_expect(f.cage, ticket(count), &small);
    }
    assert_int_equal(count, 128);
    for (uint32_t n = 0; n < count; n++) {
        assert_int_equal(take(&f, n), 1);
        assert_span(f.answer.values[0], "[null,null,null]");
    }
    free(row);
    tear_down(&f);
}

/* The only child of this process. */
static pid_t child(void)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    return pid;
}

/* Until it is over: kill() only asks for it. */
static void end_child(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void test_a_worker_that_is_killed(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, RELEASE, 1000);
    uint32_t program = add(&f, "{n}");
    expect_rows(&f, JQ_NONE, program);
    for (uint32_t n = 0; n < MANY; n++) {
        if (n == 1 || n == 50 || n == 51)
            assert_int_equal(kill(child(), SIGKILL), 0);
        expect_n(&f, n);
    }
    tear_down(&f);
}

/* Such a one says nothing about programs that were compiled, nor about rows, wanted or not. */
static void test_a_worker_that_dies_at_its_start(void **state)
{
    (void)state;
    struct fixture f;
    char directory[] = "/tmp/walferry-jq-XXXXXX", path[64], own[4096];
    assert_non_null(mkdtemp(directory));
    assert_non_null(realpath(RELEASE, own));
    snprintf(path, sizeof path, "%s/worker", directory);
    assert_int_equal(symlink(own, path), 0);
    set_up(&f, path, 1000);
    uint32_t program = add(&f, "{n}");
    assert_int_equal(kill(child(), SIGSTOP), 0); /* what it had answered would be taken */
    expect_rows(&f, JQ_NONE, program);
    end_child(child());
    assert_int_equal(unlink(path), 0);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("#!/bin/sh\nkill -SEGV $$\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
    alarm(30);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(&f, 7), -1);
        assert_int_equal(f.err.kind, ERROR_RETRY);
        assert_string_equal(reason_slug(f.err.reason), "jq_worker");
    }
    alarm(0);
    tear_down(&f);
    (void)unlink(path);
    (void)rmdir(directory);
}

static void test_a_worker_that_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t number;
    set_up(&f, "build/no-such-program", 1000);
    assert_int_equal(jq_cage_add(f.cage, SPAN_LITERAL("."), &number, &f.err), -1);
    assert_error(f.err, ERROR_RETRY, "jq_worker",
                 "cannot start the process that evaluates jq: No such file or directory");
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_names_that_only_look_so),
        cmocka_unit_test(test_errors_have_a_place),
        cmocka_unit_test(test_filters_and_values),
        cmocka_unit_test(test_the_error_null),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_same_bytes_of_every_version),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_reads_of_two),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_what_is_done_meanwhile),
        cmocka_unit_test(test_which_limit),
        cmocka_unit_test(test_many_rows_and_large_ones),
        cmocka_unit_test(test_one_of_many),
        cmocka_unit_test(test_several_values_of_many),
        cmocka_unit_test(test_what_is_not_taken),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_a_worker_that_is_killed),
        cmocka_unit_test(test_a_worker_that_dies_at_its_start),
        cmocka_unit_test(test_a_worker_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
