/* route/route_jq_walk: see route_jq_walk.h. One function for each kind of expression: it stands at
 * its first token, is given what `.` may be there, and leaves behind its last one. */
#include "route/route_jq_walk.h"

#include "route/route_jq_scope.h"

#include <assert.h>

/* Who nests deeper, or takes more, is not followed: functions that call themselves, mostly. */
#define DEPTH_MAX 200
#define STEPS_MAX 50000

static jq_parts walk_term(struct walk *w, jq_parts input);
static jq_parts walk_operands(struct walk *w, jq_parts input, bool commas);

/* ---- Tokens ---- */

static jq_parts lose(struct walk *w)
{
    w->lost = true;
    return 0;
}

static bool is_at(const struct walk *w, const char *text)
{
    return span_equal_text(walk_token(w, 0), text);
}

static bool accept(struct walk *w, const char *text)
{
    bool there = is_at(w, text);
    w->at += there;
    return there;
}

static void expect(struct walk *w, const char *text)
{
    if (!accept(w, text))
        lose(w);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* .name, as one token */
static bool is_dot_name(struct span token)
{
    return token.len > 1 && token.ptr[0] == '.' && is_letter(token.ptr[1]);
}

/* Of which the bytes between the quotes are what it means. */
static bool is_plain_string(struct span token)
{
    return token.len >= 2 && token.ptr[0] == '"' && token.ptr[token.len - 1] == '"' &&
           memchr(token.ptr, '\\', token.len) == NULL;
}

static struct span inside(struct span token)
{
    return (struct span){token.ptr + 1, token.len - 2};
}

static struct span behind_first(struct span token)
{
    return (struct span){token.ptr + 1, token.len - 1};
}

static void read_pipe(struct walk *w, jq_parts input)
{
    walk_read(w, walk_pipe(w, input));
}

/* ---- Strings, indexes, objects ---- */

/* One token, or pieces with what is interpolated between them. */
static void walk_string(struct walk *w, jq_parts input)
{
    struct span token = walk_token(w, 0);
    assert(token.ptr[0] == '"');
    w->at++;
    while (!w->lost && token.ptr[token.len - 1] == '(') {
        read_pipe(w, input);
        token = walk_token(w, 0);
        if (token.len < 2 || token.ptr[0] != ')') {
            lose(w);
            return;
        }
        w->at++;
    }
}

/* ."name" or ["name"], behind what is asked for it. */
static jq_parts walk_quoted_name(struct walk *w, jq_parts input, jq_parts of)
{
    struct span token = walk_token(w, 0);
    walk_string(w, input);
    if (is_plain_string(token))
        return walk_member(w, of, inside(token));
    walk_read(w, of);
    return 0;
}

/* Behind the bracket. The index is evaluated of what the whole term is. */
static jq_parts walk_index(struct walk *w, jq_parts input, jq_parts of)
{
    if (is_plain_string(walk_token(w, 0)) && span_equal_text(walk_token(w, 1), "]")) {
        jq_parts part = walk_quoted_name(w, input, of);
        w->at++;
        return part;
    }
    walk_read(w, of);
    if (!is_at(w, "]") && !is_at(w, ":"))
        read_pipe(w, input);
    if (accept(w, ":") && !is_at(w, "]"))
        read_pipe(w, input);
    expect(w, "]");
    return 0;
}

static jq_parts walk_variable(struct walk *w)
{
    const struct scope *variable = scope_find(w->scope, walk_token(w, 0), 0);
    w->at++;
    return variable != NULL ? variable->parts : lose(w);
}

/* Behind the colon: no comma is part of it. */
static void read_object_value(struct walk *w, jq_parts input)
{
    jq_parts value = walk_operands(w, input, false);
    while (!w->lost && accept(w, "|"))
        value = walk_operands(w, value, false);
    walk_read(w, value);
}

/* name, "name", $name and @format "name" stand for a member of the input where no value does. */
static void read_object_member(struct walk *w, jq_parts input)
{
    struct span token = walk_token(w, 0);
    jq_parts alone = 0;
    if (accept(w, "(")) {
        read_pipe(w, input);
        expect(w, ")");
    } else if (token.ptr[0] == '$') {
        alone = walk_variable(w);
    } else if (token.ptr[0] == '"' || token.ptr[0] == '@') {
        bool plain = is_plain_string(token);
        if (token.ptr[0] == '@')
            w->at++;
        if (walk_token(w, 0).ptr[0] != '"')
            lose(w);
        else
            walk_string(w, input);
        if (!is_at(w, ":"))
            alone = plain ? walk_member(w, input, inside(token)) : input;
    } else {
        w->at++;
        if (!is_at(w, ":"))
            alone = walk_member(w, input, token);
    }
    walk_read(w, alone);
    if (accept(w, ":"))
        read_object_value(w, input);
}

static jq_parts walk_object(struct walk *w, jq_parts input)
{
    expect(w, "{");
    while (!w->lost && !is_at(w, "}")) {
        if (w->at >= w->text->count)
            return lose(w);
        read_object_member(w, input);
        if (!accept(w, ",") && !is_at(w, "}"))
            return lose(w);
    }
    expect(w, "}");
    return 0;
}

/* ---- Variables ---- */

/* What is taken apart: of what `.` is, and where none of its variables is bound. */
struct pattern {
    jq_parts input;
    const struct scope *outside;
};

static void walk_pattern(struct walk *w, const struct pattern *p, jq_parts of);

/* jq takes the first of those that have one name, or the last, where they do not stand alike: so it
 * may be either. */
static void bind(struct walk *w, const struct pattern *p, struct span name, jq_parts parts)
{
    for (const struct scope *other = w->scope; other != p->outside; other = other->next)
        if (span_equal(other->name, name))
            parts |= other->parts;
    scope_bind(w, name, parts);
}

static void walk_array_pattern(struct walk *w, const struct pattern *p, jq_parts of)
{
    walk_read(w, of);
    do
        walk_pattern(w, p, 0);
    while (!w->lost && accept(w, ","));
    expect(w, "]");
}

/* A name that is calculated, where the variables are not bound yet. */
static jq_parts walk_pattern_name(struct walk *w, const struct pattern *p, jq_parts of)
{
    const struct scope *inside = w->scope;
    jq_parts part = 0;
    w->scope = p->outside;
    if (accept(w, "(")) {
        read_pipe(w, p->input);
        expect(w, ")");
        walk_read(w, of);
    } else {
        part = walk_quoted_name(w, p->input, of);
    }
    w->scope = inside;
    return part;
}

static void walk_member_pattern(struct walk *w, const struct pattern *p, jq_parts of)
{
    struct span token = walk_token(w, 0);
    jq_parts part = 0;
    if (token.ptr[0] == '(' || token.ptr[0] == '"') {
        part = walk_pattern_name(w, p, of);
    } else if (token.ptr[0] == '$') {
        part = walk_member(w, of, behind_first(token));
        bind(w, p, token, part);
        w->at++;
        if (!is_at(w, ":"))
            return;
    } else {
        part = walk_member(w, of, token);
        w->at++;
    }
    expect(w, ":");
    walk_pattern(w, p, part);
}

/* Binds its names to parts of what is taken apart. */
static void walk_pattern(struct walk *w, const struct pattern *p, jq_parts of)
{
    struct span token = walk_token(w, 0);
    if (w->lost || token.len == 0) {
        lose(w);
    } else if (token.ptr[0] == '$') {
        bind(w, p, token, of);
        w->at++;
    } else if (accept(w, "[")) {
        walk_array_pattern(w, p, of);
    } else if (accept(w, "{")) {
        do
            walk_member_pattern(w, p, of);
        while (!w->lost && accept(w, ","));
        expect(w, "}");
    } else {
        lose(w);
    }
}

/* Behind `as`. One that has another way to be taken apart (?//) is not followed. */
static void walk_patterns(struct walk *w, jq_parts input, jq_parts of)
{
    const struct pattern p = {.input = input, .outside = w->scope};
    walk_pattern(w, &p, of);
    if (is_at(w, "?//"))
        lose(w);
}

/* What is at hand in an update was made by the one before, or at first, and read there. The first
 * one is made where the variables are not bound. */
static jq_parts walk_loop(struct walk *w, jq_parts input)
{
    const struct scope *outer = w->scope, *inner;
    w->at++;
    jq_parts of = walk_term(w, input);
    expect(w, "as");
    walk_patterns(w, input, of);
    expect(w, "(");
    inner = w->scope;
    w->scope = outer;
    read_pipe(w, input);
    w->scope = inner;
    while (!w->lost && accept(w, ";"))
        read_pipe(w, 0);
    expect(w, ")");
    w->scope = outer;
    return 0;
}

/* ---- Functions ---- */

/* An argument, or the body of a function, with `.` as it is there. */
static jq_parts walk_at(struct walk *w, uint32_t at, const struct scope *scope, jq_parts input)
{
    const struct scope *outer = w->scope;
    uint32_t back = w->at;
    w->at = at;
    w->scope = scope;
    jq_parts parts = walk_pipe(w, input);
    if (!is_at(w, ";") && !is_at(w, ")"))
        lose(w);
    w->at = back;
    w->scope = outer;
    return parts;
}

static jq_parts walk_argument(struct walk *w, const struct call *call, uint32_t i, jq_parts input)
{
    return walk_at(w, call->arguments[i], w->scope, input);
}

static void read_arguments(struct walk *w, const struct call *call, uint32_t first, jq_parts input)
{
    for (uint32_t i = first; i < call->count && !w->lost; i++)
        walk_read(w, walk_argument(w, call, i, input));
}

/* A function of the program. */
static jq_parts walk_defined(struct walk *w, const struct call *call, const struct scope *function,
                             jq_parts input)
{
    const struct scope *caller = w->scope, *inner = function;
    uint32_t back = w->at;
    w->at = function->parameters;
    for (uint32_t i = 0; i < call->count && !w->lost; i++, w->at += 2) {
        struct span name = walk_token(w, 0);
        jq_parts parts = name.ptr[0] == '$' ? walk_argument(w, call, i, input) : 0;
        w->scope = inner;
        if (name.ptr[0] == '$') {
            scope_bind(w, name, parts);
            name = behind_first(name);
        }
        scope_close(w, name, call->arguments[i], caller);
        inner = w->scope;
        w->scope = caller;
    }
    w->at = back;
    return w->lost ? 0 : walk_at(w, function->body, inner, input);
}

/* getpath(["after", "id"]): names that stand there, and nothing else. */
static bool follow_path(struct walk *w, const struct call *call, jq_parts *parts)
{
    uint32_t back = w->at;
    w->at = call->arguments[0];
    bool plain = accept(w, "[") && !is_at(w, "]");
    for (bool more = plain; more && plain; w->at++) {
        plain = is_plain_string(walk_token(w, 0));
        more = span_equal_text(walk_token(w, 1), ",");
        w->at += more;
    }
    plain = plain && is_at(w, "]") && span_equal_text(walk_token(w, 1), ")");
    for (w->at = call->arguments[0] + 1; plain && !is_at(w, "]"); w->at++)
        if (!is_at(w, ","))
            *parts = walk_member(w, *parts, inside(walk_token(w, 0)));
    w->at = back;
    return plain;
}

/* del(.before, .source): the members that are not there any more. */
static bool leave_out(struct walk *w, const struct call *call, jq_parts *parts)
{
    uint32_t back = w->at, gone = 0;
    bool plain = true, more = true;
    struct jq_reads none = {.members = 0}, *reads = w->reads;
    w->reads = &none;
    for (w->at = call->arguments[0]; plain && more; w->at++) {
        plain = is_dot_name(walk_token(w, 0));
        if (plain)
            gone |= walk_member(w, JQ_ALL, behind_first(walk_token(w, 0))) >> PART_MEMBER_SHIFT;
        w->at++;
        more = is_at(w, ",");
    }
    w->at--;
    plain = plain && is_at(w, ")");
    w->reads = reads;
    w->at = back;
    if (plain) {
        walk_read(w, *parts & ~(jq_parts)JQ_ALL);
        *parts &= JQ_ALL & ~gone;
    }
    return plain;
}

/* Functions that look at no more of the input than their arguments do. Any other may look at all of
 * it, and so may what it calls its arguments with. */
static jq_parts walk_builtin(struct walk *w, const struct call *call, jq_parts input)
{
    jq_parts parts = input;
    if (call_is(call, "empty", 0) || call_is(call, "true", 0) || call_is(call, "false", 0) ||
        call_is(call, "null", 0))
        return 0;
    if (call_is(call, "select", 1)) {
        read_arguments(w, call, 0, input);
        return input;
    }
    if (call_is(call, "first", 1) || call_is(call, "last", 1))
        return walk_argument(w, call, 0, input);
    if (call_is(call, "limit", 2)) {
        walk_read(w, walk_argument(w, call, 0, input));
        return walk_argument(w, call, 1, input);
    }
    if (call_is(call, "error", 1) || call_is(call, "isempty", 1) || call_is(call, "range", 1) ||
        call_is(call, "range", 2)) {
        read_arguments(w, call, 0, input);
        return 0;
    }
    if ((call_is(call, "getpath", 1) && follow_path(w, call, &parts)) ||
        (call_is(call, "del", 1) && leave_out(w, call, &parts)))
        return parts;
    walk_read(w, input);
    read_arguments(w, call, 0, 0);
    return 0;
}

static jq_parts walk_call(struct walk *w, jq_parts input)
{
    struct call call;
    if (!scope_read_call(w, &call))
        return lose(w);
    const struct scope *function = scope_find(w->scope, call.name, call.count);
    if (function == NULL)
        return walk_builtin(w, &call, input);
    if (function->parameters == 0) /* an argument of the function at hand */
        return walk_at(w, function->body, function->caller, input);
    return walk_defined(w, &call, function, input);
}

/* ---- Terms ---- */

/* 1.7 takes one without else, which is the input then. */
static jq_parts walk_if(struct walk *w, jq_parts input)
{
    jq_parts parts = 0;
    do {
        w->at++;
        read_pipe(w, input);
        expect(w, "then");
        parts |= walk_pipe(w, input);
    } while (!w->lost && is_at(w, "elif"));
    parts |= accept(w, "else") ? walk_pipe(w, input) : input;
    expect(w, "end");
    return parts;
}

static bool is_reserved(struct span token)
{
    static const char *const WORDS[] = {"then", "elif", "else", "end",   "and",     "or",
                                        "as",   "try",  "def",  "catch", "include", "import"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (span_equal_text(token, WORDS[i]))
            return true;
    return false;
}

static jq_parts walk_word(struct walk *w, jq_parts input)
{
    if (is_at(w, "if"))
        return walk_if(w, input);
    if (is_at(w, "reduce") || is_at(w, "foreach"))
        return walk_loop(w, input);
    if (accept(w, "break")) {
        w->at++;
        return 0;
    }
    return is_reserved(walk_token(w, 0)) ? lose(w) : walk_call(w, input);
}

static jq_parts walk_bracket(struct walk *w, jq_parts input)
{
    if (is_at(w, "{"))
        return walk_object(w, input);
    bool array = is_at(w, "[");
    jq_parts parts = 0;
    w->at++;
    if (!array || !is_at(w, "]"))
        parts = walk_pipe(w, input);
    expect(w, array ? "]" : ")");
    if (!array)
        return parts;
    walk_read(w, parts);
    return 0;
}

static jq_parts walk_primary(struct walk *w, jq_parts input)
{
    struct span token = walk_token(w, 0);
    char first = token.len > 0 ? token.ptr[0] : '\0';
    if (is_dot_name(token)) {
        w->at++;
        return walk_member(w, input, behind_first(token));
    }
    if (accept(w, "."))
        return walk_token(w, 0).ptr[0] == '"' ? walk_quoted_name(w, input, input) : input;
    if (first == '(' || first == '[' || first == '{')
        return walk_bracket(w, input);
    if (first == '$')
        return walk_variable(w);
    if (is_letter(first))
        return walk_word(w, input);
    if (first == '"') {
        walk_string(w, input);
        return 0;
    }
    bool number = is_digit(first) || (first == '.' && token.len > 1 && is_digit(token.ptr[1]));
    if (!number && first != '@' && !span_equal_text(token, ".."))
        return lose(w);
    w->at++;
    if (first == '@' && walk_token(w, 0).ptr[0] == '"')
        walk_string(w, input);
    else if (!number)
        walk_read(w, input);
    return 0;
}

static jq_parts walk_term(struct walk *w, jq_parts input)
{
    jq_parts parts = walk_primary(w, input);
    while (!w->lost) {
        struct span token = walk_token(w, 0);
        if (is_dot_name(token)) {
            w->at++;
            parts = walk_member(w, parts, behind_first(token));
        } else if (accept(w, "[")) {
            parts = walk_index(w, input, parts);
        } else if (accept(w, ".")) {
            if (walk_token(w, 0).ptr[0] == '"')
                parts = walk_quoted_name(w, input, parts);
            else if (!is_at(w, "["))
                return lose(w);
        } else if (!accept(w, "?")) {
            break;
        }
    }
    return parts;
}

/* ---- Operators and pipes ---- */

/* Up to 1.7 `as` binds what stands right before it, from 1.8 on all of the operands before it, and
 * what comes then is no part of them. So it may bind what `others` says, too: parts, and whether an
 * operator makes something else of them, which reads them. Behind a catch `.` is not the same in
 * the two, and that is not followed. */
enum others { CALCULATED = 1 << 30, CAUGHT = 1 << 29, OTHER_PARTS = CAUGHT - 1 };

static jq_parts walk_binding(struct walk *w, jq_parts input, jq_parts of, uint32_t others)
{
    const struct scope *outer = w->scope;
    if ((others & CAUGHT) != 0)
        return lose(w);
    of |= others & OTHER_PARTS;
    if ((others & CALCULATED) != 0)
        walk_read(w, of);
    walk_patterns(w, input, of);
    expect(w, "|");
    jq_parts parts = walk_pipe(w, input);
    w->scope = outer;
    return parts;
}

/* What is caught is a text, or what was thrown, and that was read. */
static jq_parts walk_operand(struct walk *w, jq_parts input, uint32_t others)
{
    jq_parts parts;
    if (w->lost || w->depth == DEPTH_MAX || w->steps++ == STEPS_MAX)
        return lose(w);
    w->depth++;
    if (is_at(w, "def") || is_at(w, "label")) {
        parts = walk_pipe(w, input);
    } else if (accept(w, "-")) {
        walk_read(w, walk_operand(w, input, others | CALCULATED));
        parts = 0;
    } else if (accept(w, "try")) {
        parts = walk_operand(w, input, others);
        parts |= accept(w, "catch") ? walk_operand(w, 0, CAUGHT) : 0;
    } else {
        parts = walk_term(w, input);
        if (accept(w, "as"))
            parts = walk_binding(w, input, parts, others);
    }
    w->depth--;
    return parts;
}

/* These give one of their operands as it is. */
static bool is_choice(struct span token)
{
    return span_equal_text(token, ",") || span_equal_text(token, "//") ||
           span_equal_text(token, "?//");
}

static bool is_assignment(struct span token)
{
    static const char *const OPERATORS[] = {"=", "|=", "+=", "-=", "*=", "/=", "%=", "//="};
    for (size_t i = 0; i < sizeof OPERATORS / sizeof OPERATORS[0]; i++)
        if (span_equal_text(token, OPERATORS[i]))
            return true;
    return false;
}

static bool is_operator(struct span token)
{
    static const char *const OPERATORS[] = {
        "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"};
    for (size_t i = 0; i < sizeof OPERATORS / sizeof OPERATORS[0]; i++)
        if (span_equal_text(token, OPERATORS[i]))
            return true;
    return is_assignment(token);
}

/* An assignment gives all of the input back. */
static jq_parts walk_operands(struct walk *w, jq_parts input, bool commas)
{
    jq_parts parts = walk_operand(w, input, 0);
    uint32_t others = parts; /* since the last comma */
    bool choice = true;
    while (!w->lost) {
        struct span token = walk_token(w, 0);
        bool comma = span_equal_text(token, ",");
        bool more = is_choice(token) ? commas || !comma : is_operator(token);
        if (!more)
            break;
        choice = choice && is_choice(token);
        if (is_assignment(token))
            walk_read(w, input);
        w->at++;
        others = comma ? 0 : is_choice(token) ? others : others | CALCULATED;
        jq_parts operand = walk_operand(w, input, others);
        others |= operand;
        parts |= operand;
    }
    if (choice)
        return parts;
    walk_read(w, parts);
    return 0;
}

jq_parts walk_pipe(struct walk *w, jq_parts input)
{
    assert(w->text != NULL && w->reads != NULL);
    const struct scope *outer = w->scope;
    jq_parts parts = input;
    for (bool more = true; more && !w->lost;) {
        if (is_at(w, "def")) {
            if (!scope_define(w))
                lose(w);
            continue;
        }
        if (accept(w, "label")) {
            w->at++;
            expect(w, "|");
            continue;
        }
        parts = walk_operands(w, parts, true);
        more = accept(w, "|");
    }
    w->scope = outer;
    return parts;
}
