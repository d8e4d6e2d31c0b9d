/* route/route_jq_reads: see route_jq_reads.h. It knows no grammar; where tokens do not tell it says
 * maybe. A name that is computed may be any, so it counts as the one that is asked about: running
 * the program with other values would tell only of those values. Behind a pipe a member of the same
 * name of something else is taken for the input's: that errs to the safe side. */
#include "route/route_jq_reads.h"

#include <assert.h>

static struct span token_at(const struct jq_text *text, uint32_t at)
{
    if (at >= text->count)
        return SPAN_LITERAL("");
    return (struct span){text->source.ptr + text->tokens[at].start, text->tokens[at].len};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Words of the language, and constants: none looks at the input. */
static bool is_word(struct span token)
{
    static const char *const WORDS[] = {"if",    "then", "else",   "elif",    "end",  "and",
                                        "or",    "as",   "reduce", "foreach", "try",  "catch",
                                        "label", "true", "false",  "null",    "empty"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (span_equal_text(token, WORDS[i]))
            return true;
    return false;
}

/* Does a value end with the token? Then a .name behind it is a member of that. */
static bool ends_value(struct span token)
{
    static const char *const CONSTANTS[] = {"end", "true", "false", "null", "empty"};
    if (token.len == 0)
        return false;
    char first = token.ptr[0], last = token.ptr[token.len - 1];
    if (is_letter(first) && is_word(token)) {
        for (size_t i = 0; i < sizeof CONSTANTS / sizeof CONSTANTS[0]; i++)
            if (span_equal_text(token, CONSTANTS[i]))
                return true;
        return false;
    }
    return is_letter(first) || first == '$' || first == '@' || last == ')' || last == ']' ||
           last == '}' || last == '"' || last == '?' || (first == '.' && token.len > 1);
}

static bool is_quoted(struct span token, const char *member)
{
    size_t len = strlen(member);
    return token.len == len + 2 && token.ptr[0] == '"' && token.ptr[len + 1] == '"' &&
           memcmp(token.ptr + 1, member, len) == 0;
}

/* .["before"] and ."before" */
static bool is_behind_dot(const struct jq_text *text, uint32_t at)
{
    uint32_t dot = at;
    if (dot > 0 && span_equal_text(token_at(text, dot - 1), "["))
        dot--;
    return dot > 0 && span_equal_text(token_at(text, dot - 1), ".");
}

/* ---- Names that nobody can tell ---- */

/* A string is one token, or pieces between what it interpolates. */
static bool opens(struct span token)
{
    char first = token.len > 0 ? token.ptr[0] : ' ';
    if (first == '"' || (first == ')' && token.len > 1))
        return token.ptr[token.len - 1] == '(';
    return first == '(' || first == '[' || first == '{';
}

static bool closes(struct span token)
{
    char first = token.len > 0 ? token.ptr[0] : ' ';
    return first == ')' || first == ']' || first == '}';
}

/* What is open before the token; the number of tokens: nothing. */
static uint32_t opener_of(const struct jq_text *text, uint32_t at)
{
    uint32_t depth = 0;
    while (at-- > 0) {
        if (opens(token_at(text, at)) && depth-- == 0)
            return at;
        depth += closes(token_at(text, at));
    }
    return text->count;
}

static bool is_plain_string(struct span token)
{
    return token.len >= 2 && token.ptr[0] == '"' && token.ptr[token.len - 1] == '"' &&
           memchr(token.ptr, '\\', token.len) == NULL;
}

static bool is_number(struct span token)
{
    char c = token.len > 0 ? token.ptr[token.len > 1 && token.ptr[0] == '.'] : ' ';
    return c >= '0' && c <= '9';
}

/* Is what ends with the token surely a member of the input, and another one? Whoever puts the whole
 * input into one is not found out. */
static bool is_other(const struct jq_text *text, uint32_t at, const char *member)
{
    for (;;) {
        struct span token = token_at(text, at);
        if (token.len > 1 && token.ptr[0] == '.' && is_letter(token.ptr[1]))
            return !span_equal_text((struct span){token.ptr + 1, token.len - 1}, member);
        if (is_plain_string(token))
            return is_behind_dot(text, at) && !is_quoted(token, member);
        bool index = span_equal_text(token, "]");
        if (!index && !span_equal_text(token, "?"))
            return false;
        uint32_t opener = index ? opener_of(text, at) : at;
        if (opener == 0 || opener == text->count)
            return false;
        if (index && span_equal_text(token_at(text, opener - 1), "."))
            return is_plain_string(token_at(text, opener + 1)) && at == opener + 2 &&
                   !is_quoted(token_at(text, opener + 1), member);
        if (index && !ends_value(token_at(text, opener - 1)))
            return false; /* an array is made */
        at = opener - 1;
    }
}

/* Of what is the token at hand a name? It stands behind a dot, or in brackets. */
static bool is_of_other(const struct jq_text *text, uint32_t at, const char *member)
{
    if (at > 1 && span_equal_text(token_at(text, at - 1), "."))
        return ends_value(token_at(text, at - 2)) && is_other(text, at - 2, member);
    return at > 0 && is_other(text, at - 1, member);
}

/* Neither all, nor a slice, nor a name or number that stands there. */
static bool is_computed_index(const struct jq_text *text, uint32_t bracket)
{
    struct span before = bracket > 0 ? token_at(text, bracket - 1) : SPAN_LITERAL("");
    uint32_t count = 0, depth = 0;
    if (!ends_value(before) && !span_equal_text(before, ".") && !span_equal_text(before, ".."))
        return false;
    for (uint32_t at = bracket + 1; at < text->count; at++, count++) {
        struct span token = token_at(text, at);
        if (closes(token) && depth-- == 0)
            break;
        if (depth == 0 && span_equal_text(token, ":"))
            return false;
        depth += opens(token);
    }
    struct span first = token_at(text, bracket + 1);
    if (count == 1)
        return !is_plain_string(first) && !is_number(first);
    return count > 2 || (count == 2 && !span_equal_text(first, "-"));
}

/* getpath(["after", 0]) */
static bool is_path_of_other(const struct jq_text *text, uint32_t at, const char *member)
{
    if (!span_equal_text(token_at(text, at + 1), "(") ||
        !span_equal_text(token_at(text, at + 2), "[") || !is_plain_string(token_at(text, at + 3)) ||
        is_quoted(token_at(text, at + 3), member))
        return false;
    struct span behind = token_at(text, at + 4);
    return span_equal_text(behind, ",") || span_equal_text(behind, "]");
}

/* . as {before: $b}, {$before}, {"before": $b}, {("be" + "fore"): $b} */
static bool is_in_pattern(const struct jq_text *text, uint32_t at, const char *member)
{
    struct span token = token_at(text, at);
    struct span before = at > 0 ? token_at(text, at - 1) : SPAN_LITERAL("");
    if (!span_equal_text(before, "{") && !span_equal_text(before, ","))
        return false;
    uint32_t opener = opener_of(text, at);
    if (opener == 0 || opener == text->count || token_at(text, opener).ptr[0] != '{')
        return false;
    bool as = span_equal_text(token_at(text, opener - 1), "as");
    if (!as && !span_equal_text(token_at(text, opener - 1), "?//"))
        return false;
    if (as && opener > 1 && is_other(text, opener - 2, member))
        return false;
    if (token.ptr[0] == '$')
        return span_equal_text((struct span){token.ptr + 1, token.len - 1}, member);
    return span_equal_text(token, member) || is_quoted(token, member) ||
           !(is_letter(token.ptr[0]) || is_plain_string(token));
}

static bool is_untold(const struct jq_text *text, uint32_t at, const char *member)
{
    struct span token = token_at(text, at);
    if (span_equal_text(token, "["))
        return is_computed_index(text, at) && !is_of_other(text, at, member);
    if (span_equal_text(token, "getpath"))
        return !is_path_of_other(text, at, member);
    if (token.ptr[0] == '"' && !is_plain_string(token) && is_behind_dot(text, at))
        return !is_of_other(text, at, member);
    return is_in_pattern(text, at, member);
}

/* ---- Tokens ---- */

/* {id, total: .x}: is it a key of an object that is made? Then it is a member, and no function.
 * Words of the language and strings may hold commas that are none of the object's: behind those
 * nothing is said. */
static bool is_key(const struct jq_text *text, uint32_t at)
{
    struct span before = token_at(text, at - 1), behind = token_at(text, at + 1);
    uint32_t depth = 0;
    if (at == 0 || (!span_equal_text(before, "{") && !span_equal_text(before, ",")) ||
        (!span_equal_text(behind, ",") && !span_equal_text(behind, "}")))
        return false;
    while (at-- > 0) {
        struct span token = token_at(text, at);
        char first = token.ptr[0];
        if (is_word(token) || span_equal_text(token, "def") || memchr(token.ptr, '"', token.len))
            return false;
        if (first == ')' || first == ']' || first == '}') {
            depth++;
        } else if (first == '(' || first == '[' || first == '{') {
            if (depth == 0)
                return first == '{';
            depth--;
        }
    }
    return false;
}

static enum jq_reads reads_name(const struct jq_text *text, uint32_t at, const char *member)
{
    struct span token = token_at(text, at);
    bool is_member = span_equal_text(token_at(text, at + 1), ":");
    if (span_equal_text(token, member))
        return is_member ? JQ_READS_MAYBE : JQ_READS_NAMED;
    return is_member || is_word(token) || is_key(text, at) ? JQ_READS_NOT : JQ_READS_MAYBE;
}

static enum jq_reads reads_at(const struct jq_text *text, uint32_t at, const char *member)
{
    struct span token = token_at(text, at);
    char first = token.ptr[0];
    if (is_untold(text, at, member))
        return JQ_READS_NAMED;
    if (is_letter(first))
        return reads_name(text, at, member);
    if (first == '@' || span_equal_text(token, ".") || span_equal_text(token, ".."))
        return JQ_READS_MAYBE;
    if (is_quoted(token, member))
        return is_behind_dot(text, at) ? JQ_READS_NAMED : JQ_READS_MAYBE;
    if (first != '.' || token.len < 2 ||
        !span_equal_text((struct span){token.ptr + 1, token.len - 1}, member))
        return JQ_READS_NOT;
    bool of_other = at > 0 && ends_value(token_at(text, at - 1));
    return of_other ? JQ_READS_NOT : JQ_READS_NAMED;
}

enum jq_reads jq_reads(const struct jq_text *text, const char *member)
{
    assert(text != NULL && member != NULL);
    enum jq_reads reads = JQ_READS_NOT;
    for (uint32_t i = 0; i < text->count; i++) {
        enum jq_reads one = reads_at(text, i, member);
        reads = one > reads ? one : reads;
    }
    return reads;
}
