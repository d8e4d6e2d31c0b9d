/* route/route_match: see route_match.h. How `from:` is read stands in config/config_from.c. */
#include "route/route_match.h"

#include <assert.h>

/* Longer globs are not compared with each other; a topic is shorter. */
#define GLOB_MAX 512

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

/* reached[j]: what the first part of `a` and the first j characters of `b` match may be the same.
 * A * may stand for nothing, or for one more character of the other side. */
bool route_match_globs_meet(struct span a, struct span b)
{
    bool rows[2][GLOB_MAX + 1] = {{false}};
    if (a.len > GLOB_MAX || b.len > GLOB_MAX)
        return true; /* not known: whoever meets a text will see */
    rows[0][0] = true;
    for (size_t i = 0; i <= a.len; i++) {
        bool *reached = rows[i % 2], *next = rows[(i + 1) % 2];
        memset(next, false, GLOB_MAX + 1);
        for (size_t j = 0; j <= b.len; j++) {
            if (!reached[j])
                continue;
            char x = i < a.len ? a.ptr[i] : '\0', y = j < b.len ? b.ptr[j] : '\0';
            bool any = x == '*' || y == '*';
            if (any && i < a.len)
                next[j] = true;
            if (any && j < b.len)
                reached[j + 1] = true;
            if (!any && i < a.len && j < b.len && (x == y || x == '?' || y == '?'))
                next[j + 1] = true;
        }
        if (i == a.len)
            return reached[b.len];
    }
    return false;
}

static bool fits(bool glob, struct span pattern, struct span name)
{
    return glob ? route_match_glob(pattern, name) : span_equal(pattern, name);
}

bool route_match_table(const struct config_from *match, struct span schema, struct span table)
{
    if (match->of_message)
        return false;
    return fits(match->schema_glob, match->schema, schema) &&
           fits(match->table_glob, match->table, table);
}

bool route_match_message(const struct config_from *match, struct span prefix)
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

bool route_match_covers(const struct config_from *a, const struct config_from *b)
{
    if (a->of_message || b->of_message)
        return a->of_message && b->of_message && span_equal(a->prefix, b->prefix);
    return covers(a->schema_glob, a->schema, b->schema_glob, b->schema) &&
           covers(a->table_glob, a->table, b->table_glob, b->table);
}
