/* route/route_jq_reads: what it says is not read may be left out. Programs are evaluated twice,
 * with all of a row and with what is said to be read of it: answers and errors are the same.
 *
 * Random ones have few names, which are always bound, so that they hide each other wherever jq lets
 * them. WALFERRY_SEED and WALFERRY_JQ_PROGRAMS say which and how many. */
#include "route/route_jq.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

#define WORKER "build/walferry"
/* So many programs are compiled together; each libjq compiles all of its own for each. */
#define TOGETHER 50
#define ROWS 6
#define COLUMNS 5

static const char *const COLUMN_NAMES[COLUMNS] = {"a", "b", "op", "after", "x y"};

struct fixture {
    struct arena arena, scratch;
    struct jq_cage *cage;
    struct error err;
    uint32_t count, narrow, compared;
    char *programs[TOGETHER];
    uint32_t numbers[TOGETHER];
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.err = ERROR_INIT};
    arena_init(&f->arena, 4096, 65536);
    arena_init(&f->scratch, 4096, 65536);
    struct jq_cage_options options = {
        .program = WORKER, .cpu_ms = 500, .memory = 64 << 20, .arena = &f->arena};
    f->cage = jq_cage_open(&options);
}

static void tear_down(struct fixture *f)
{
    jq_cage_close(f->cage);
    arena_fini(&f->arena);
    arena_fini(&f->scratch);
}

/* ---- Rows ---- */

/* One text of JSON for each column; NULL: there is no such row. */
struct sample {
    const char *op;
    const char *before[COLUMNS], *after[COLUMNS];
};

static const struct sample SAMPLES[ROWS] = {
    {"insert", {NULL}, {"1", "\"b\"", "[1,{\"a\":2}]", "{\"a\":3,\"op\":[4]}", "null"}},
    {"update",
     {"\"a\"", "5", "\"op\"", "{\"after\":{\"a\":6}}", "7"},
     {"8", "\"after\"", "false", "{\"a\":9,\"b\":{\"a\":10}}", "\"x y\""}},
    {"update",
     {"{\"a\":{\"a\":11}}", "[12]", "13", "14", "15"},
     {"{\"a\":{\"b\":16},\"after\":17}", "[\"b\",18]", "\"source\"", "19", "20"}},
    {"delete", {"21", "\"a\"", "22", "[{\"b\":23}]", "24"}, {NULL}},
    {"read", {NULL}, {"\"op\"", "true", "25", "26", "{\"b\":27}"}},
    {"update", {"null", "null", "0", "false", "\"\""}, {"null", "false", "28", "null", "29"}},
};

static bool is_in(const struct jq_reads *reads, uint32_t member)
{
    return reads == NULL || (reads->members & member) != 0;
}

static void write_columns(struct buf *out, const struct jq_reads *reads, enum jq_member member,
                          const char *const *cells)
{
    bool first = true;
    buf_add_char(out, cells[0] != NULL ? '{' : 'n');
    for (uint32_t i = 0; cells[0] != NULL && i < COLUMNS; i++) {
        if (reads != NULL && !jq_reads_column(reads, member, span_of(COLUMN_NAMES[i])))
            continue;
        buf_add_text(out, first ? "\"" : ",\"");
        buf_add_text(out, COLUMN_NAMES[i]);
        buf_add_text(out, "\":");
        buf_add_text(out, cells[i]);
        first = false;
    }
    buf_add_text(out, cells[0] != NULL ? "}," : "ull,");
}

/* In the order of route_event_json.c; reads NULL: all of it. */
static void write_row(struct buf *out, const struct jq_reads *reads, const struct sample *sample)
{
    buf_reset(out);
    buf_add_char(out, '{');
    if (is_in(reads, JQ_OP)) {
        buf_add_text(out, "\"op\":\"");
        buf_add_text(out, sample->op);
        buf_add_text(out, "\",");
    }
    if (is_in(reads, JQ_BEFORE)) {
        buf_add_text(out, "\"before\":");
        write_columns(out, reads, JQ_BEFORE, sample->before);
    }
    if (is_in(reads, JQ_AFTER)) {
        buf_add_text(out, "\"after\":");
        write_columns(out, reads, JQ_AFTER, sample->after);
    }
    if (is_in(reads, JQ_SOURCE))
        buf_add_text(out, "\"source\":{\"table\":\"t\",\"a\":31,\"xid\":32},");
    out->len -= out->len > 1; /* the last comma */
    buf_add_char(out, '}');
}

/* ---- Two answers ---- */

/* False: it met a limit, which says nothing. */
static bool evaluate(struct fixture *f, uint32_t number, struct span row, struct buf *said)
{
    struct jq_question question = {.filter = JQ_NONE, .value = number, .row = row};
    struct jq_answer answer;
    arena_reset(&f->scratch);
    f->err = ERROR_INIT;
    buf_reset(said);
    if (jq_cage_ask(f->cage, &question, &f->scratch, &answer, &f->err) < 0) {
        if (f->err.kind != ERROR_DATA)
            fail_msg("%s", f->err.text);
        buf_add_text(said, "error: ");
        buf_add_text(said, f->err.text);
        return f->err.reason != REASON_JQ_LIMIT;
    }
    for (uint32_t i = 0; i < answer.count; i++) {
        buf_add(said, answer.values[i]);
        buf_add_char(said, '\n');
    }
    return true;
}

static void compare(struct fixture *f, uint32_t i)
{
    struct buf all = BUF_EMPTY, some = BUF_EMPTY, wanted = BUF_EMPTY, got = BUF_EMPTY;
    struct jq_reads reads = {.members = 0};
    jq_cage_reads(f->cage, f->numbers[i], &reads);
    f->narrow += reads.whole != JQ_ALL;
    for (uint32_t k = 0; k < ROWS && reads.whole != JQ_ALL; k++) {
        write_row(&all, NULL, &SAMPLES[k]);
        write_row(&some, &reads, &SAMPLES[k]);
        if (!evaluate(f, f->numbers[i], buf_span(&all), &wanted) ||
            !evaluate(f, f->numbers[i], buf_span(&some), &got))
            break;
        f->compared++;
        if (!span_equal(buf_span(&wanted), buf_span(&got)))
            fail_msg("%s\nof     %.*s\ngives  %.*s\nbut of %.*s\ngives  %.*s", f->programs[i],
                     SPAN_ARG(buf_span(&all)), SPAN_ARG(buf_span(&wanted)),
                     SPAN_ARG(buf_span(&some)), SPAN_ARG(buf_span(&got)));
    }
    buf_fini(&all);
    buf_fini(&some);
    buf_fini(&wanted);
    buf_fini(&got);
}

/* One that this libjq does not take is left out. */
static bool add(struct fixture *f, struct span program)
{
    assert_true(f->count < TOGETHER);
    f->err = ERROR_INIT;
    char *text = arena_format(&f->arena, "%.*s", SPAN_ARG(program));
    if (jq_cage_add(f->cage, span_of(text), &f->numbers[f->count], &f->err) < 0) {
        if (f->err.kind != ERROR_STOP)
            fail_msg("%s", f->err.text);
        return false;
    }
    f->programs[f->count++] = text;
    return true;
}

/* ---- Names that hide names ---- */

static void test_names_that_hide_names(void **state)
{
    (void)state;
    static const char *const PROGRAMS[] = {
        /* The loop's variable is not bound where the first value is made. */
        ". as $x | reduce .after.op[]? as $x ($x | tojson; .)",
        ". as $x | [foreach .after.b as $x ($x | keys; .)]",
        ". as $x | [foreach .after.b as {a: $x} ($x | keys; .; .)]",
        ".before as $x | reduce 1 as $x ($x; .)",
        /* Of two that one pattern binds it may be the first. */
        ". as {after: $x, op: $x} | $x",
        ". as {op: $x, after: $x} | $x",
        ". as {after: {a: $x}, before: $x} | $x",
        ". as {before: $x, after: {a: $x}} | $x",
        ". as {$after: {$after}} | $after",
        ". as {$after, before: {after: $after}} | $after | tojson",
        /* A pattern's own variables are not bound in the names that it calculates. */
        ". as $x | .after as {a: $x, ($x | keys[0]): $y} | $y",
        ". as $x | .after as {a: $x, (\"b\" | select($x.before != null)): $y} | $y",
        ". as $x | .after as {a: $x, \"\\($x | keys[0])\": $y} | $y",
        ". as $x | {a: 1} as {a: $x, b: {(\"c\" | select($x.before)): $y}} | [$y]",
        /* What is bound innermost. */
        "def f(a; a): a; f(.after.a; .after.b)",
        "def f($a; a): $a, a; f(.after.a; .after.b)",
        "def f(a; $a): $a, a; f(.after.a; .after.b)",
        "def f: .after.a; def g: f; def f: .after.b; f, g",
        "def f(f): f; f(.after.a)",
        "def f(g): def g: .a; .after | g; f(.before)",
        ".after as $x | def f: $x.a; .before as $x | f, $x.b",
        ".after as $x | (.before as $x | $x.a), $x.b",
        "def f($x): .before as $x | $x.a; .after as $x | f($x), $x.b",
    };
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof PROGRAMS[0]; i++)
        if (!add(&f, span_of(PROGRAMS[i])))
            fail_msg("%s: %s", PROGRAMS[i], f.err.text);
    for (uint32_t i = 0; i < f.count; i++)
        compare(&f, i);
    tear_down(&f);
}

/* ---- Random programs ---- */

struct grammar {
    uint64_t random;
    struct buf out;
    uint32_t depth;
};

/* xorshift64star */
static uint32_t below(struct grammar *g, uint32_t limit)
{
    g->random ^= g->random >> 12;
    g->random ^= g->random << 25;
    g->random ^= g->random >> 27;
    return (uint32_t)((g->random * UINT64_C(2685821657736338717)) >> 33) % limit;
}

/* What a letter of a template stands for is in expand(). */
static void expand(struct grammar *g, const char *template);

#define PICK(g, texts) (texts)[below(g, sizeof(texts) / sizeof(texts)[0])]

/* What reads one name. */
static const char *const NAMED[] = {
    ".N",           ".after.N",  ".before.N",
    ".after.N",     ".before.N", ".op",
    "V.N",          "V.N",       "V.after.N",
    "f.N",          "g(P).N",    ".\"N\"",
    ".[\"N\"]",     ".N?",       "$x.N.N",
    "(P).N",        "P|.N",      ".N.[\"N\"]",
    "P|.\"N\"|.N?", "V|.N",      "getpath([\"N\",\"N\"])",
    "f|.N",         "P.N",       "V.before.N",
    ".source.N",    "h(P).N",    "k(P; P).N",
    "h(P)|.N",
};

/* A part, where it can be helped. */
static const char *const PARTS[] = {
    ".",
    ".after",
    ".before",
    "V",
    "V",
    "f",
    "g(P)",
    "h(P)",
    "k(P; P)",
    "(P, P)",
    "(P // P)",
    "(P as M|P)",
    "first(P)",
    "(P|P)",
    "select(E)",
    "V.after",
    "V.before",
    "del(.N)",
    "if E then P else P end",
    "(def D: P; P)",
    "limit(1; P)",
    "try P catch P",
    "(L|P)",
    "(P|select(E))",
    "getpath([\"N\"])",
    "del(.N, .N)",
    "if E then P elif E then P else P end",
    "(def f: P; f)",
    "(P as M|P)",
    "(-P as M|P)",
    "(P // P as M|P)",
    "(try P catch P as M|P)",
    "P?",
    "(def g(f): P; g(P))",
    "(def h($x): P; h(P))",
    "(def k(f; $y): P; k(P; P))",
};

static const char *const EXPRESSIONS[] = {
    "R",
    "R",
    "R",
    "R",
    "R",
    "R",
    "[R, E]",
    "{O}",
    "{O, O}",
    "(E, E)",
    "(E // E)",
    "(E == E)",
    "(E and E)",
    "(E|E)",
    "(P|E)",
    "(P as M|E)",
    "(P as M|E)",
    "(P as M|P as M|E)",
    "if E then E else E end",
    "if E then E end",
    "reduce P as M (E; E)",
    "reduce (R, R) as M (E; E)",
    "foreach P as M (E; E; E)",
    "foreach (R, R) as M (E; E)",
    "\"a\\(E)b\\(E)\"",
    "@json \"\\(E)\"",
    "try E catch E",
    "(E)?",
    "first(E)",
    "isempty(E)",
    "limit(2; E)",
    "(L|E)",
    "(def D: E; E)",
    "1",
    "\"after\"",
    "null",
    "[E]",
    "[R|tojson]",
    "(R|length)",
    "(E + E)",
    "(E|tostring)",
    "(R|not)",
    "(E < E)",
    "-E",
    "try error(E) catch E",
    "(R|keys?)",
    "(R|type)",
    "(P as M ?// M|E)",
    "[R[]?]",
    "[R|..]",
    "R[E]?",
    "R[1:]?",
    "{(\"a\", R|tostring): E}",
    "(R|has(\"a\")?)",
    "(R|to_entries?)",
    "([R]|map(E))",
    "(E|.N |= E)?",
    "(E|.N = E)?",
    "path(.N)",
    "(R|tojson)",
    "(P as M|E) // E",
    "last(E)",
    "[P.N]",
    "(P|R|ascii_downcase?)",
    "(E|.N //= E)?",
    "any(E; E)",
    "(P|E, E)",
    "{O} # P\n",
    "(P|paths)",

    "([E][0]|E)",
    "@text",
    "range(R)?",
    "(E|@base64?)",
    "error(E)",
    "\"\\(P as M|R)\"",
    "{a: (E), b: [E] | R}",
    "[limit(3; P as M | R, R)]",
    "(P|E)|E",
    "(P|.. |= .)",
    "(P|with_entries(E)?)",
    "(P|map_values(E)?)",
    "(E|walk(E))?",
    "(P|delpaths([[\"N\"]])?)",
};

static const char *const MATCHES[] = {
    "V",
    "V",
    "V",
    "{V}",
    "{N: M}",
    "{\"N\": M}",
    "{V: M}",
    "{N: M, N: M}",
    "{(E|tostring): M}",
    "[M]",
    "[M, M]",
    "{\"a\\(E)\": M}",
    "{V, N: M}",
    "{N: M, (\"N\" | select(E)): M}",
    "{$after, $before}",
    "{$op, N: M}",
};

static const char *const MEMBERS[] = {
    "N",
    "N: (R)",
    "N: (E)",
    "\"N\"",
    "\"N\": (E)",
    "V",
    "(\"N\"): (E)",
    "@text \"N\"",
    "N: -(E)",
    "N: P.N",
    "N: [R] | R",
    "\"\\(E)\": (E)",
    "N: P.N // E",
    "N: if E then R, R else E end",
};

static const char *const DEFINITIONS[] = {"f",    "g(f)",    "h($x)",    "k(f; $y)",
                                          "g(g)", "k(f; f)", "k($x; f)", "f: E; def f"};
static const char *const NAMES[] = {"a", "b", "op", "after", "before", "source", "x y"};
static const char *const VARIABLES[] = {"$x", "$y", "$after", "$op"};

/* Too deep: the first of a list, which is short. */
static const char *chosen(struct grammar *g, const char *const *list, size_t count, size_t plain)
{
    return list[below(g, (uint32_t)(g->depth > 4 ? plain : count))];
}

#define CHOSEN(g, list, plain) chosen(g, list, sizeof(list) / sizeof(list)[0], plain)

/* `"x y"` can stand only where a string does. */
static const char *name(struct grammar *g, char before)
{
    const char *made = PICK(g, NAMES);
    return before != '"' && strchr(made, ' ') != NULL ? "a" : made;
}

static void expand_letter(struct grammar *g, char letter, char before)
{
    switch (letter) {
    case 'N':
        buf_add_text(&g->out, name(g, before));
        return;
    case 'V':
        buf_add_text(&g->out, PICK(g, VARIABLES));
        return;
    case 'L':
        buf_add_text(&g->out, "label $out");
        return;
    case 'D':
        expand(g, PICK(g, DEFINITIONS));
        return;
    case 'R':
        expand(g, CHOSEN(g, NAMED, 6));
        return;
    case 'P':
        expand(g, CHOSEN(g, PARTS, 5));
        return;
    case 'E':
        expand(g, CHOSEN(g, EXPRESSIONS, 6));
        return;
    case 'M':
        expand(g, CHOSEN(g, MATCHES, 4));
        return;
    case 'O':
        expand(g, CHOSEN(g, MEMBERS, 2));
        return;
    default:
        buf_add_char(&g->out, letter);
    }
}

static void expand(struct grammar *g, const char *template)
{
    g->depth++;
    for (const char *at = template; *at != '\0'; at++)
        expand_letter(g, *at, at > template ? at[-1] : '\0');
    g->depth--;
}

/* All names mean something, whatever hides them. */
static struct span random_program(struct grammar *g)
{
    static const char *const STARTS[] = {
        ". as $x|. as $y|.after as $after|.op as $op|",
        ".after as $x|. as $y|.before as $after|1 as $op|",
        ". as {after: $x, before: $y, $op}|$y as $after|",
        "{} as $x|.before as $y|. as $after|. as $op|",
    };
    static const char *const FUNCTIONS[] = {
        "",
        "def f: P;",
        "def g(f): f|P;",
        "def h($x): P;",
        "def k(f; $y): P, $y;",
        "def h($y): P; def k($x; f): $x|f;",
    };
    static const char *const BODIES[] = {"E",   "{O}",  "{O, O}",     "P as M|E",
                                         "P|E", "[E]?", "P as M|{O}", "R"};
    buf_reset(&g->out);
    g->depth = 2;
    expand(g, PICK(g, STARTS));
    expand(g, "def f: .after; def g(f): f; def h($x): $x; def k(f; $y): f, $y;");
    expand(g, PICK(g, FUNCTIONS));
    g->depth = 0;
    expand(g, PICK(g, BODIES));
    return buf_span(&g->out);
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void test_random_programs(void **state)
{
    (void)state;
    uint64_t programs = number_of("WALFERRY_JQ_PROGRAMS", 200);
    struct grammar g = {.random = number_of("WALFERRY_SEED", 1) * UINT64_C(0x9E3779B97F4A7C15) | 1};
    uint64_t compiled = 0, narrow = 0, compared = 0;
    for (uint64_t done = 0; done < programs; done += TOGETHER) {
        struct fixture f;
        set_up(&f);
        for (uint32_t i = 0; i < TOGETHER; i++)
            (void)add(&f, random_program(&g));
        for (uint32_t i = 0; i < f.count; i++)
            compare(&f, i);
        compiled += f.count;
        narrow += f.narrow;
        compared += f.compared;
        tear_down(&f);
    }
    buf_fini(&g.out);
    print_message("%" PRIu64 " programs, %" PRIu64 " compile, %" PRIu64 " do not read all, %" PRIu64
                  " rows\n",
                  programs, compiled, narrow, compared);
    assert_true(compiled * 2 > programs && narrow * 4 > compiled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_hide_names),
        cmocka_unit_test(test_random_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
