/* route/route_match: see route_match.h. */
#include "route/route_match.h"

#include <assert.h>

static bool has_wildcard(struct span text)
{
    return memchr(text.ptr, '*', text.len) != NULL || memchr(text.ptr, '?', text.len) != NULL;
}

/* A part in double quotes at the beginning of *rest, which then begins behind it. */
static bool take_quoted(struct span *rest, struct arena *arena, struct span *name)
{
    char *made = arena_alloc(arena, rest->len);
    size_t len = 0;
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->ptr[i] == '"' && (i + 1 == rest->len || rest->ptr[i + 1] != '"')) {
            *name = (struct span){made, len};
            *rest = (struct span){rest->ptr + i + 1, rest->len - i - 1};
            return len > 0;
        }
        if (rest->ptr[i] == '"')
            i++;
        made[len++] = rest->ptr[i];
    }
    return false;
}

static bool take_plain(struct span *rest, size_t len, struct span *name, bool *glob)
{
    *name = (struct span){rest->ptr, len};
    *rest = (struct span){rest->ptr + len, rest->len - len};
    *glob = has_wildcard(*name);
    return len > 0 && memchr(name->ptr, '"', len) == NULL;
}

static bool take_schema(struct span *rest, struct arena *arena, struct route_match *out)
{
    if (rest->len > 0 && rest->ptr[0] == '"')
        return take_quoted(rest, arena, &out->schema);
    const char *dot = rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;
    return dot != NULL &&
           take_plain(rest, (size_t)(dot - rest->ptr), &out->schema, &out->schema_glob);
}

static bool take_names(struct span rest, struct arena *arena, struct route_match *out)
{
    if (!take_schema(&rest, arena, out) || rest.len < 2 || rest.ptr[0] != '.')
        return false;
    rest = (struct span){rest.ptr + 1, rest.len - 1};
    bool good = rest.ptr[0] == '"' ? take_quoted(&rest, arena, &out->table)
                                   : take_plain(&rest, rest.len, &out->table, &out->table_glob);
    return good && rest.len == 0;
}

int route_match_compile(const struct config_text *from, const char *path, struct arena *arena,
                        struct route_match *out, struct error *err)
{
    assert(from->text != NULL);
    assert(path != NULL && arena != NULL);
    const struct span message = SPAN_LITERAL("message:");
    struct span text = span_of(from->text);
    *out = (struct route_match){.of_message = span_starts_with(text, message)};
    if (out->of_message) {
        out->prefix = (struct span){text.ptr + message.len, text.len - message.len};
        if (out->prefix.len > 0)
            return 0;
        return config_error(err, from, REASON_BAD_FROM,
                            "%s: message: needs the prefix of the messages", path);
    }
    if (take_names(text, arena, out))
        return 0;
    config_error(err, from, REASON_BAD_FROM,
                 "%s: expected schema.table, a glob of that form, or message:<prefix>", path);
    return error_hint(err, "write the schema too, such as public.outbox; a name with a quote, a *, "
                           "or a ? of its own stands in double quotes, as in SQL");
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

static bool fits(bool glob, struct span pattern, struct span name)
{
    return glob ? route_match_glob(pattern, name) : span_equal(pattern, name);
}

bool route_match_table(const struct route_match *match, struct span schema, struct span table)
{
    if (match->of_message)
        return false;
    return fits(match->schema_glob, match->schema, schema) &&
           fits(match->table_glob, match->table, table);
}

bool route_match_message(const struct route_match *match, struct span prefix)
{
    return match->of_message && span_equal(match->prefix, prefix);
}

/* A glob as a text: a * of the pattern may swallow one of the other glob, but a ? stands for one
 * character, and a * for any number. */
static bool covers(bool glob, struct span pattern, bool other_glob, struct span other)
{
    if (!other_glob || span_equal(pattern, other))
        return fits(glob, pattern, other);
    return glob && memchr(pattern.ptr, '?', pattern.len) == NULL &&
           route_match_glob(pattern, other);
}

bool route_match_covers(const struct route_match *a, const struct route_match *b)
{
    if (a->of_message || b->of_message)
        return a->of_message && b->of_message && span_equal(a->prefix, b->prefix);
    return covers(a->schema_glob, a->schema, b->schema_glob, b->schema) &&
           covers(a->table_glob, a->table, b->table_glob, b->table);
}
