/* route/route_jq_reads: see route_jq_reads.h. It knows no grammar; where tokens do not tell it says
 * maybe. Behind a pipe a member of the same name of something else is taken for the input's: that
 * errs to the safe side. */
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
