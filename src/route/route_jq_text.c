/* route/route_jq_text: see route_jq_text.h. It knows jq's tokens (src/lexer.l of jq 1.6 and 1.7)
 * and none of its grammar, but for what tells the name of a function from the name of a member. */
#include "route/route_jq_text.h"

#include "route/route_jq_number.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define NESTING_MAX 256
#define STRING_OPEN '"' /* on the stack: inside a string's \( ) */
#define IF_OPEN 'i'     /* and between if and end, where a comma is none of the object's */

struct reader {
    struct span source;
    size_t at;
    char stack[NESTING_MAX]; /* what is open: ( [ { STRING_OPEN or IF_OPEN */
    uint32_t depth;
    char before;   /* the first character of the token before this one; 0: none */
    uint32_t line; /* of the text for libjq */
    uint32_t size;
    struct arena *arena;
    struct jq_text *text;
    struct buf *out;
    struct error *err;
};

static const struct {
    const char *name;
    const char *why;
} REFUSED[] = {
    {"env", "reads the environment"},
    {"$ENV", "reads the environment"},
    {"import", "reads a file"},
    {"include", "reads a file"},
    {"modulemeta", "reads a file"},
    {"get_search_list", "tells of files"},
    {"get_jq_origin", "tells of files"},
    {"get_prog_origin", "tells of files"},
    {"input", "reads another row"},
    {"inputs", "reads other rows"},
    {"input_filename", "tells of files"},
    {"input_line_number", "tells of files"},
    {"debug", "writes to standard error"},
    {"stderr", "writes to standard error"},
    {"halt", "ends the process"},
    {"halt_error", "ends the process"},
    {"now", "reads the clock"},
    {"localtime", "depends on the time zone"},
    {"strflocaltime", "depends on the time zone"},
    {"builtins", "depends on the version of jq"},
    {"have_decnum", "depends on the version of jq"},
    {"have_literal_numbers", "depends on the version of jq"},
    {"$__loc__", "depends on how the program is written"},
    {"$__prog_args", "depends on how jq was started"},
};

static char peek(const struct reader *r, size_t offset)
{
    return r->at + offset < r->source.len ? r->source.ptr[r->at + offset] : '\0';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ---- Places ---- */

/* Columns count characters, from 1. */
static void put_place(struct span source, size_t at, char *text, size_t size)
{
    uint32_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < source.len; i++) {
        if (source.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)source.ptr[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    snprintf(text, size, "line %u, column %u", line, column);
}

static int wrong(const struct reader *r, size_t at, const char *what, struct span name)
{
    char place[64];
    put_place(r->source, at, place, sizeof place);
    return error_stop(r->err, REASON_BAD_JQ, "%s: %.*s%s%s", place,
                      (int)(name.len < 64 ? name.len : 64), name.ptr != NULL ? name.ptr : "",
                      name.len > 0 ? " " : "", what);
}

/* ---- Tokens ---- */

/* Spaces and comments. */
static void skip_blanks(struct reader *r)
{
    for (;;) {
        while (r->at < r->source.len && is_blank(peek(r, 0)))
            r->at++;
        if (peek(r, 0) != '#')
            return;
        while (r->at < r->source.len && peek(r, 0) != '\n')
            r->at++;
    }
}

static void note_token(struct reader *r, size_t start)
{
    struct jq_text *text = r->text;
    text->tokens = arena_grow(r->arena, text->tokens, text->count, &r->size, sizeof *text->tokens);
    text->tokens[text->count++] =
        (struct jq_token){.start = start, .len = r->at - start, .line = r->line};
}

/* A piece of the program as it stands; its own newlines count. */
static void put(struct reader *r, struct span bytes)
{
    buf_add(r->out, bytes);
    for (size_t i = 0; i < bytes.len; i++)
        r->line += bytes.ptr[i] == '\n';
}

static void put_line(struct reader *r)
{
    buf_add_char(r->out, '\n');
    r->line++;
}

/* From the opening quote, or from behind an interpolation, up to what ends the piece. */
static int take_string(struct reader *r, size_t start)
{
    while (r->at < r->source.len && peek(r, 0) != '"') {
        if (peek(r, 0) == '\\' && peek(r, 1) == '(') {
            if (r->depth == NESTING_MAX)
                return wrong(r, start, "is nested too deeply", SPAN_LITERAL("this"));
            r->at += 2;
            r->stack[r->depth++] = STRING_OPEN;
            return 0;
        }
        r->at += peek(r, 0) == '\\' && r->at + 1 < r->source.len ? 2 : 1;
    }
    if (r->at == r->source.len)
        return wrong(r, start, "a string is not closed", span_null());
    r->at++;
    return 0;
}

static void take_name(struct reader *r)
{
    while (is_letter(peek(r, 0)) || is_digit(peek(r, 0)) ||
           (peek(r, 0) == ':' && peek(r, 1) == ':' && is_letter(peek(r, 2))))
        r->at += peek(r, 0) == ':' ? 2 : 1;
}

static void take_number(struct reader *r)
{
    while (is_digit(peek(r, 0)))
        r->at++;
    if (peek(r, 0) == '.')
        r->at++;
    while (is_digit(peek(r, 0)))
        r->at++;
    size_t sign = peek(r, 1) == '+' || peek(r, 1) == '-' ? 2 : 1;
    if ((peek(r, 0) != 'e' && peek(r, 0) != 'E') || !is_digit(peek(r, sign)))
        return;
    r->at += sign;
    while (is_digit(peek(r, 0)))
        r->at++;
}

static void take_operator(struct reader *r)
{
    static const char *const OPERATORS[] = {"?//=", "?//", "//=", "//", "..", "|=", "+=", "-=",
                                            "*=",   "/=",  "%=",  "==", "!=", "<=", ">="};
    struct span rest = {r->source.ptr + r->at, r->source.len - r->at};
    for (size_t i = 0; i < sizeof OPERATORS / sizeof OPERATORS[0]; i++) {
        if (span_starts_with(rest, span_of(OPERATORS[i]))) {
            r->at += strlen(OPERATORS[i]);
            return;
        }
    }
    r->at++;
}

/* ---- What is refused ---- */

static int check_name(const struct reader *r, struct span name, size_t start)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        if (!span_equal_text(name, REFUSED[i].name))
            continue;
        char why[96];
        snprintf(why, sizeof why, "%s, and so is refused", REFUSED[i].why);
        return wrong(r, start, why, name);
    }
    return 0;
}

/* The name of a member of an object stands behind its brace or a comma in it. */
static bool is_member_name(const struct reader *r)
{
    return r->depth > 0 && r->stack[r->depth - 1] == '{' && (r->before == '{' || r->before == ',');
}

static int put_number(struct reader *r, struct span token)
{
    char text[JQ_NUMBER_TEXT_MAX];
    double value;
    if (!jq_number_read(token, &value))
        return wrong(r, (size_t)(token.ptr - r->source.ptr),
                     "is a number that jq would round: compare it as a string", token);
    size_t len = jq_number_write(value, text);
    /* How the versions print such a one differs, unless it was calculated. */
    bool calculated = strchr(text, 'e') != NULL || value < 1e-4 || value >= 1e15;
    buf_add_text(r->out, calculated && value != 0 ? "(" : "");
    buf_add(r->out, (struct span){text, len});
    buf_add_text(r->out, calculated && value != 0 ? "+0)" : "");
    return 0;
}

/* ---- The program ---- */

static int open_or_close(struct reader *r, char c)
{
    static const char PAIRS[] = "()[]{}";
    const char *place = strchr(PAIRS, c);
    if (place == NULL)
        return 0;
    if ((place - PAIRS) % 2 == 0) {
        if (r->depth == NESTING_MAX)
            return wrong(r, r->at - 1, "is nested too deeply", SPAN_LITERAL("this"));
        r->stack[r->depth++] = c;
    } else if (r->depth > 0 && r->stack[r->depth - 1] == place[-1]) {
        r->depth--;
    } /* else it is libjq's to say what is wrong */
    return 0;
}

static int open_or_close_if(struct reader *r, struct span name)
{
    if (span_equal_text(name, "if")) {
        if (r->depth == NESTING_MAX)
            return wrong(r, r->at - name.len, "is nested too deeply", SPAN_LITERAL("this"));
        r->stack[r->depth++] = IF_OPEN;
    } else if (span_equal_text(name, "end") && r->depth > 0 && r->stack[r->depth - 1] == IF_OPEN) {
        r->depth--;
    }
    return 0;
}

static int take_word(struct reader *r, struct span name, size_t start)
{
    if (name.ptr[0] != '$' && is_member_name(r))
        return 0;
    return check_name(r, name, start) < 0 ? -1 : open_or_close_if(r, name);
}

/* The text of one token is put on a line of its own. */
static int take_token(struct reader *r)
{
    size_t start = r->at;
    char first = peek(r, 0), second = peek(r, 1);
    bool name = is_letter(first) || (first == '$' && is_letter(second));
    bool number = is_digit(first) || (first == '.' && is_digit(second));
    bool in_string = first == ')' && r->depth > 0 && r->stack[r->depth - 1] == STRING_OPEN;
    int result = 0;
    if (in_string)
        r->depth--;
    if (number) {
        take_number(r);
    } else if (name || ((first == '.' || first == '@') && is_letter(second))) {
        r->at++;
        take_name(r);
    } else if (first == '"' || in_string) {
        r->at++;
        result = take_string(r, start);
    } else {
        take_operator(r);
        result = open_or_close(r, first);
    }
    struct span token = {r->source.ptr + start, r->at - start};
    if (result == 0 && name)
        result = take_word(r, token, start);
    if (result < 0)
        return -1;
    note_token(r, start);
    if (number)
        return put_number(r, token);
    put(r, token);
    return 0;
}

/* `$ ENV` is what $ENV is. */
static int refuse_lone_dollar(const struct reader *r, size_t start)
{
    if (r->text->count == 0 || r->text->tokens[r->text->count - 1].len != 1 || r->before != '$')
        return 0;
    return wrong(r, start, "a $ wants its name right behind it", span_null());
}

int jq_text_read(struct span source, struct arena *arena, struct jq_text *text, struct error *err)
{
    assert(source.ptr != NULL && text != NULL && err != NULL);
    struct buf out = BUF_EMPTY;
    struct reader r = {
        .source = source, .line = 1, .arena = arena, .text = text, .out = &out, .err = err};
    int result = 0;
    *text = (struct jq_text){.source = source};
    if (memchr(source.ptr, '\0', source.len) != NULL)
        result = error_stop(err, REASON_BAD_JQ, "a zero byte");
    for (skip_blanks(&r); result == 0 && r.at < source.len; skip_blanks(&r)) {
        char first = peek(&r, 0);
        result = refuse_lone_dollar(&r, r.at);
        if (result == 0)
            result = take_token(&r);
        r.before = first;
        put_line(&r);
    }
    text->for_libjq = arena_copy(arena, buf_span(&out));
    buf_fini(&out);
    return result;
}

/* ---- Errors of libjq ---- */

static size_t source_of_line(const struct jq_text *text, uint32_t line)
{
    size_t found = 0;
    for (uint32_t i = 0; i < text->count && text->tokens[i].line <= line; i++)
        found = text->tokens[i].start;
    return found;
}

static size_t end_of_tokens(const struct jq_text *text)
{
    const struct jq_token *last = text->count > 0 ? &text->tokens[text->count - 1] : NULL;
    return last != NULL ? last->start + last->len : 0;
}

/* Where `what` begins in the text; its end where it is not in it. */
static size_t find(struct span text, const char *what)
{
    const char *at = memmem(text.ptr, text.len, what, strlen(what));
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

/* "jq: error: <what> (Unix shell quoting issues?) at <top-level>, line 7:" and the line itself. */
int jq_text_error(const struct jq_text *text, struct span said, struct error *err)
{
    static const char START[] = "jq: error: ", PLACE[] = " at <top-level>, line ";
    static const char SHELL[] = " (Unix shell quoting issues?)";
    char number[12] = "", place[64];
    size_t at = find(said, START);
    if (at < said.len)
        said = (struct span){said.ptr + at + sizeof START - 1, said.len - at - sizeof START + 1};
    size_t end = find(said, PLACE);
    struct span what = {said.ptr, end < find(said, SHELL) ? end : find(said, SHELL)};
    if (what.len > find(what, "\n"))
        what.len = find(what, "\n");
    if (end == said.len)
        return error_stop(err, REASON_BAD_JQ, "%.*s", SPAN_ARG(what));
    end += sizeof PLACE - 1;
    size_t digits = said.len - end < sizeof number - 1 ? said.len - end : sizeof number - 1;
    memcpy(number, said.ptr + end, digits);
    uint32_t line = (uint32_t)strtoul(number, NULL, 10);
    bool at_end = find(what, "$end") < what.len || find(what, "end of file") < what.len;
    put_place(text->source, at_end ? end_of_tokens(text) : source_of_line(text, line), place,
              sizeof place);
    error_stop(err, REASON_BAD_JQ, "%s: %.*s", place, SPAN_ARG(what));
    if (find(what, "syntax error") < what.len)
        /* jq calls a bracket that closes another one an invalid character. */
        error_hint(err, "look there and before it for a bracket, a quote or an end that is missing "
                        "or one too many");
    return -1;
}
