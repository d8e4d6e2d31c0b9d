/* route/route_match: see route_match.h. */
#include "route/route_match.h"

#include <assert.h>

static bool has_wildcard(struct span text)
{
    return memchr(text.ptr, '*', text.len) != NULL || memchr(text.ptr, '?', text.len) != NULL;
}

int route_match_compile(const struct config_text *from, const char *path, struct route_match *out,
                        struct error *err)
{
    assert(from->text != NULL);
    assert(path != NULL);
    const struct span message = SPAN_LITERAL("message:");
    struct span text = span_of(from->text);
    *out = (struct route_match){.of_message = span_starts_with(text, message)};
    if (out->of_message) {
        out->prefix = (struct span){text.ptr + message.len, text.len - message.len};
        if (out->prefix.len > 0)
            return 0;
        return config_error(err, from, "bad_from", "%s: message: needs the prefix of the messages",
                            path);
    }
    const char *dot = memchr(text.ptr, '.', text.len);
    if (dot == NULL || dot == text.ptr || dot + 1 == text.ptr + text.len) {
        config_error(err, from, "bad_from",
                     "%s: expected schema.table, a glob of that form, or message:<prefix>", path);
        return error_hint(err, "write the schema too, such as public.outbox");
    }
    out->schema = (struct span){text.ptr, (size_t)(dot - text.ptr)};
    out->table = (struct span){dot + 1, text.len - out->schema.len - 1};
    out->glob = has_wildcard(out->schema) || has_wildcard(out->table);
    return 0;
}

/* Behind the character at `at`. */
static size_t next_character(struct span text, size_t at)
{
    do
        at++;
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80);
    return at;
}

/* Greedy, with one place to go back to: only the last * seen can matter. */
bool route_match_glob(struct span glob, struct span text)
{
    size_t g = 0, t = 0;
    size_t star = SIZE_MAX, star_text = 0;
    while (t < text.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = g++;
            star_text = t;
        } else if (g < glob.len && glob.ptr[g] == '?') {
            g++;
            t = next_character(text, t);
        } else if (g < glob.len && glob.ptr[g] == text.ptr[t]) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = star_text = next_character(text, star_text);
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*')
        g++;
    return g == glob.len;
}

bool route_match_table(const struct route_match *match, struct span schema, struct span table)
{
    if (match->of_message)
        return false;
    if (!match->glob)
        return span_equal(match->schema, schema) && span_equal(match->table, table);
    return route_match_glob(match->schema, schema) && route_match_glob(match->table, table);
}

bool route_match_message(const struct route_match *match, struct span prefix)
{
    return match->of_message && span_equal(match->prefix, prefix);
}
