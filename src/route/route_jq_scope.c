/* route/route_jq_scope: see route_jq_scope.h. A list, the innermost name first, in an arena that
 * goes with the walk. */
#include "route/route_jq_scope.h"

#include <assert.h>

struct span walk_token(const struct walk *w, uint32_t behind)
{
    assert(w->text != NULL);
    uint64_t at = (uint64_t)w->at + behind;
    if (at >= w->text->count)
        return SPAN_LITERAL(" ");
    return (struct span){w->text->source.ptr + w->text->tokens[at].start, w->text->tokens[at].len};
}

/* ---- Names ---- */

const struct scope *scope_find(const struct scope *scope, struct span name, uint32_t count)
{
    assert(name.ptr != NULL);
    while (scope != NULL && (scope->count != count || !span_equal(scope->name, name)))
        scope = scope->next;
    return scope;
}

static struct scope *add(struct walk *w, struct span name)
{
    struct scope *scope = arena_alloc_zero(w->scopes, sizeof *scope);
    scope->name = name;
    scope->next = w->scope;
    w->scope = scope;
    return scope;
}

void scope_bind(struct walk *w, struct span name, jq_parts parts)
{
    assert(name.ptr[0] == '$');
    add(w, name)->parts = parts;
}

void scope_close(struct walk *w, struct span name, uint32_t body, const struct scope *caller)
{
    assert(body > 0);
    struct scope *scope = add(w, name);
    scope->body = body;
    scope->caller = caller;
}

/* ---- Functions ---- */

/* A string is one token, or pieces between what it interpolates. */
static bool opens(struct span token)
{
    char first = token.ptr[0];
    if (first == '"' || (first == ')' && token.len > 1))
        return token.ptr[token.len - 1] == '(';
    return first == '(' || first == '[' || first == '{';
}

static bool closes(struct span token)
{
    return token.ptr[0] == ')' || token.ptr[0] == ']' || token.ptr[0] == '}';
}

/* Up to the semicolon or bracket that ends what begins here. A function that is defined in it has a
 * semicolon of its own. */
static bool skip(struct walk *w)
{
    uint32_t depth = 0, functions = 0;
    for (; w->at < w->text->count; w->at++) {
        struct span token = walk_token(w, 0);
        if (depth == 0 && closes(token))
            return true;
        if (depth == 0 && span_equal_text(token, ";") && functions-- == 0)
            return true;
        functions += depth == 0 && span_equal_text(token, "def");
        depth -= closes(token);
        depth += opens(token);
    }
    return false;
}

/* def name(a; $b): body; */
bool scope_define(struct walk *w)
{
    assert(w->scopes != NULL);
    struct scope *function = add(w, walk_token(w, 1));
    w->at += 2;
    function->parameters = w->at + 1;
    if (span_equal_text(walk_token(w, 0), "(")) {
        do {
            function->count++;
            w->at += 2;
        } while (span_equal_text(walk_token(w, 0), ";"));
        if (!span_equal_text(walk_token(w, 0), ")"))
            return false;
        w->at++;
    }
    if (!span_equal_text(walk_token(w, 0), ":"))
        return false;
    function->body = ++w->at;
    bool ends = skip(w) && span_equal_text(walk_token(w, 0), ";");
    w->at++;
    return ends && function->count <= ARGUMENTS_MAX;
}

bool scope_read_call(struct walk *w, struct call *call)
{
    assert(call != NULL);
    *call = (struct call){.name = walk_token(w, 0)};
    w->at++;
    if (!span_equal_text(walk_token(w, 0), "("))
        return true;
    do {
        w->at++;
        if (call->count == ARGUMENTS_MAX)
            return false;
        call->arguments[call->count++] = w->at;
        if (!skip(w))
            return false;
    } while (span_equal_text(walk_token(w, 0), ";"));
    bool closed = span_equal_text(walk_token(w, 0), ")");
    w->at++;
    return closed;
}

bool call_is(const struct call *call, const char *name, uint32_t count)
{
    return call->count == count && span_equal_text(call->name, name);
}
