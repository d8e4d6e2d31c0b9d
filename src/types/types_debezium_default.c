/* types_debezium_default: what Debezium makes of the default of a column, which it reads as the
 * text of an expression and never evaluates (PostgresDefaultValueConverter of 3.6): the first
 * literal in quotes, else all of it; of a function a value of the type that stands for any. Types
 * that are not in the table have no default there. */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <strings.h>

/* What stands for what a function gives. */
static const struct {
    uint32_t oid;
    const char *of_function;
} known[] = {
    {TYPE_BOOL, "f"},
    {TYPE_INT2, "0"},
    {TYPE_INT4, "0"},
    {TYPE_INT8, "0"},
    {TYPE_FLOAT4, "0"},
    {TYPE_FLOAT8, "0"},
    {TYPE_NUMERIC, "0"},
    {TYPE_TEXT, ""},
    {TYPE_VARCHAR, ""},
    {TYPE_BPCHAR, ""},
    {TYPE_XML, ""},
    {TYPE_JSON, "{}"},
    {TYPE_JSONB, "{}"},
    {TYPE_UUID, "00000000-0000-0000-0000-000000000000"},
    {TYPE_DATE, "1970-01-01"},
    {TYPE_TIME, "00:00:00"},
    {TYPE_TIMESTAMP, "1970-01-01 00:00:00"},
    {TYPE_TIMESTAMPTZ, "1970-01-01 00:00:00+00"},
    {TYPE_INTERVAL, "00:00:00"},
    {TYPE_BIT, "00"},
    {TYPE_VARBIT, "0"},
};

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

/* name(…) at the beginning, or behind a bracket; or one of the words that are no call. */
static bool is_function(struct span def)
{
    static const char *const words[] = {"current_timestamp", "current_time", "current_date",
                                        "localtime", "localtimestamp"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (def.len == strlen(words[i]) && strncasecmp(def.ptr, words[i], def.len) == 0)
            return true;
    size_t at = def.len > 0 && def.ptr[0] == '(' ? 1 : 0, from = at;
    while (at < def.len && is_name(def.ptr[at]))
        at++;
    return at > from && at < def.len && def.ptr[at] == '(' &&
           memchr(def.ptr + at, ')', def.len - at) != NULL;
}

/* The first literal in quotes, without them; without any the whole. */
static struct span literal_of(struct span def, struct arena *arena)
{
    const char *at = memchr(def.ptr, '\'', def.len), *end = def.ptr + def.len;
    if (at == NULL)
        return def;
    char *text = arena_alloc_bytes(arena, def.len);
    size_t len = 0;
    for (at++; at < end; at++) {
        if (*at == '\'' && (at + 1 == end || *++at != '\''))
            break;
        text[len++] = *at;
    }
    return (struct span){text, len};
}

static struct span text_of(uint32_t oid, const char *of_function, struct span def,
                           struct arena *arena)
{
    if (is_function(def))
        return span_of(of_function);
    struct span text = literal_of(def, arena);
    if (span_starts_with(text, SPAN_LITERAL("NULL::")))
        return span_null();
    if (oid == TYPE_BOOL)
        return text.len == 4 && strncasecmp(text.ptr, "true", 4) == 0 ? SPAN_LITERAL("t")
                                                                      : SPAN_LITERAL("f");
    return text;
}

/* "(1 + 1)" is no number to it. */
static bool is_readable(uint32_t oid, struct span text)
{
    static const char digits[] = "0123456789+-.eE";
    bool number = oid == TYPE_INT2 || oid == TYPE_INT4 || oid == TYPE_INT8 || oid == TYPE_FLOAT4 ||
                  oid == TYPE_FLOAT8 || oid == TYPE_NUMERIC;
    if (!number)
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (memchr(digits, text.ptr[i], sizeof digits - 1) == NULL)
            return false;
    return text.len > 0;
}

bool types_debezium_default(const struct column *column, struct span def, struct cell *cell,
                            struct arena *arena)
{
    assert(column->type != NULL && cell != NULL);
    const struct type *type = column->type;
    if (def.ptr == NULL)
        return false;
    *cell = (struct cell){.kind = CELL_TEXT};
    if (type->kind == TYPE_KIND_ENUM) {
        cell->bytes = literal_of(def, arena);
        return def.len > 0 && def.ptr[0] == '\'';
    }
    if (type->kind != TYPE_KIND_BASE)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].oid != type->oid)
            continue;
        cell->bytes = text_of(type->oid, known[i].of_function, def, arena);
        return cell->bytes.ptr != NULL && is_readable(type->oid, cell->bytes);
    }
    return false;
}
