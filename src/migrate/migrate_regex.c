/* migrate_regex: regular expressions of table names as globs.
 *
 * What people write there is names, `.*` and alternatives; that much has a glob. A dot alone is
 * any character to Debezium, and by everybody meant as a dot. Everything else is refused, since a
 * route that took other tables than the connector would lose events or make new ones. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <string.h>

static const char *found(struct migrate *m, struct span text, const char **offender)
{
    *offender = arena_text(&m->arena, text);
    return NULL;
}

/* Alternatives of alternatives multiply. */
#define STEPS_MAX 4096

/* One expression without alternatives. NULL: none. */
static const char *glob_of(struct migrate *m, struct span text, const char **offender)
{
    struct buf out = BUF_EMPTY;
    const char *result = NULL;
    size_t i = 0;
    for (; i < text.len; i++) {
        char c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (c == '.' && (next == '*' || next == '+')) {
            buf_add_text(&out, next == '*' ? "*" : "?*");
            i++;
        } else if (c == '\\' && (next == '.' || next == '$' || next == '-' || next == '_')) {
            buf_add_char(&out, next);
            i++;
        } else if (strchr("\\[](){}^$|?*+\"", c) != NULL) {
            break;
        } else {
            buf_add_char(&out, c);
        }
    }
    if (i == text.len && out.len > 0)
        result = arena_text(&m->arena, buf_span(&out));
    buf_fini(&out);
    return result != NULL ? result : found(m, text, offender);
}

/* The first group that is no part of another one, or what is outside of any. */
static bool find_group(struct span text, size_t *open, size_t *close)
{
    for (*open = 0; *open < text.len && text.ptr[*open] != '('; (*open)++)
        *open += text.ptr[*open] == '\\';
    int depth = 0;
    for (*close = *open; *close < text.len; (*close)++) {
        if (text.ptr[*close] == '\\')
            (*close)++;
        else if (text.ptr[*close] == '(')
            depth++;
        else if (text.ptr[*close] == ')' && --depth == 0)
            return true;
    }
    return false;
}

static size_t alternative_length(struct span text)
{
    int depth = 0;
    size_t i = 0;
    for (; i < text.len; i++) {
        if (text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] == '(')
            depth++;
        else if (text.ptr[i] == ')')
            depth--;
        else if (text.ptr[i] == '|' && depth == 0)
            break;
    }
    return i < text.len ? i : text.len;
}

static bool add_globs(struct migrate *m, struct span text, int depth, struct globs *globs,
                      const char **offender);

/* Each alternative of the group in its place. */
static bool add_group(struct migrate *m, struct span text, size_t open, size_t close, int depth,
                      struct globs *globs, const char **offender)
{
    struct span inner = {text.ptr + open + 1, close - open - 1};
    if (inner.len > 1 && inner.ptr[0] == '?' && inner.ptr[1] == ':')
        inner = (struct span){inner.ptr + 2, inner.len - 2};
    for (;;) {
        size_t length = alternative_length(inner);
        const char *one =
            arena_format(&m->arena, "%.*s%.*s%.*s", (int)open, text.ptr, (int)length, inner.ptr,
                         (int)(text.len - close - 1), text.ptr + close + 1);
        if (!add_globs(m, span_of(one), depth + 1, globs, offender))
            return false;
        if (length == inner.len)
            return true;
        inner = (struct span){inner.ptr + length + 1, inner.len - length - 1};
    }
}

static bool add_globs(struct migrate *m, struct span text, int depth, struct globs *globs,
                      const char **offender)
{
    size_t length = alternative_length(text), open, close;
    *offender = arena_text(&m->arena, text);
    if (depth > 8 || globs->steps++ > STEPS_MAX)
        return false;
    if (length < text.len)
        return add_globs(m, (struct span){text.ptr, length}, depth + 1, globs, offender) &&
               add_globs(m, (struct span){text.ptr + length + 1, text.len - length - 1}, depth + 1,
                         globs, offender);
    if (find_group(text, &open, &close))
        return (close + 1 == text.len || strchr("*+?{", text.ptr[close + 1]) == NULL) &&
               add_group(m, text, open, close, depth, globs, offender);
    const char *glob = glob_of(m, text, offender);
    if (glob == NULL || globs->count == GLOBS_MAX)
        return false;
    for (uint32_t i = 0; i < globs->count; i++)
        if (strcmp(globs->items[i], glob) == 0)
            return true;
    globs->items[globs->count++] = glob;
    return true;
}

static struct span without_blanks(struct span text)
{
    while (text.len > 0 && strchr(" \t\n", text.ptr[0]) != NULL)
        text = (struct span){text.ptr + 1, text.len - 1};
    while (text.len > 0 && strchr(" \t\n", text.ptr[text.len - 1]) != NULL)
        text.len--;
    if (text.len > 0 && text.ptr[0] == '^') /* anchored anyway */
        text = (struct span){text.ptr + 1, text.len - 1};
    if (text.len > 1 && text.ptr[text.len - 1] == '$' && text.ptr[text.len - 2] != '\\')
        text.len--;
    return text;
}

bool migrate_globs(struct migrate *m, const char *list, struct globs *globs, const char **offender)
{
    assert(list != NULL && offender != NULL);
    *globs = (struct globs){.count = 0};
    for (const char *at = list; *at != '\0';) {
        size_t length = strcspn(at, ",");
        struct span one = without_blanks((struct span){at, length});
        if (one.len > 0 && !add_globs(m, one, 0, globs, offender))
            return false;
        at += length + (at[length] == ',');
    }
    return true;
}
