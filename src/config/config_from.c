/* config_from: `from:` of a route, read. Whether such a table exists, and whether two routes take
 * the same one, is not asked here. */
#include "config/config.h"

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

static bool take_schema(struct span *rest, struct arena *arena, struct config_from *out)
{
    if (rest->len > 0 && rest->ptr[0] == '"')
        return take_quoted(rest, arena, &out->schema);
    const char *dot = rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;
    return dot != NULL &&
           take_plain(rest, (size_t)(dot - rest->ptr), &out->schema, &out->schema_glob);
}

static bool take_names(struct span rest, struct arena *arena, struct config_from *out)
{
    if (!take_schema(&rest, arena, out) || rest.len < 2 || rest.ptr[0] != '.')
        return false;
    rest = (struct span){rest.ptr + 1, rest.len - 1};
    bool good = rest.ptr[0] == '"' ? take_quoted(&rest, arena, &out->table)
                                   : take_plain(&rest, rest.len, &out->table, &out->table_glob);
    return good && rest.len == 0;
}

/* Guards and commands travel under these (relay/guard). */
static bool is_reserved(struct span prefix)
{
    return span_equal_text(prefix, "walferry") ||
           span_starts_with(prefix, SPAN_LITERAL("walferry:"));
}

int config_from_parse(const struct config_text *from, const char *path, struct arena *arena,
                      struct config_from *out, struct error *err)
{
    assert(from->text != NULL);
    assert(path != NULL && arena != NULL);
    const struct span message = SPAN_LITERAL(CONFIG_FROM_MESSAGE);
    struct span text = span_of(from->text);
    *out = (struct config_from){.of_message = span_starts_with(text, message)};
    if (out->of_message) {
        out->prefix = (struct span){text.ptr + message.len, text.len - message.len};
        if (is_reserved(out->prefix))
            return config_error(err, from, REASON_BAD_FROM,
                                "%s: messages with the prefix walferry are walferry's own", path);
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
