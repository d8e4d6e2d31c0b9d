/* A type as people write it in SQL: "numeric(10,2)", "timestamp(3) with time zone", "character
 * varying(20)[]". */
#include "types/types.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define WRITTEN_MAX 64

/* Words of SQL that are neither in pg_type nor what format_type() prints. */
static const struct {
    const char *word, *name;
} WORDS[] = {
    {"int", "int4"},
    {"decimal", "numeric"},
    {"dec", "numeric"},
    {"float", "float8"},
    {"char", "bpchar"},
    {"timestamp without time zone", "timestamp"},
    {"timestamp with time zone", "timestamptz"},
    {"time without time zone", "time"},
    {"time with time zone", "timetz"},
};

/* One number of a modifier; *at moves behind it. */
static bool read_number(const char **at, int32_t *number)
{
    const char *begin = *at + strspn(*at, " "), *end = begin;
    *number = 0;
    for (; *end >= '0' && *end <= '9' && *number < 100000000; end++)
        *number = *number * 10 + (*end - '0');
    *at = end + strspn(end, " ");
    return end > begin;
}

/* What pg_attribute.atttypmod has for it: each type's own typmodin function says how. */
static bool modifier_of(const struct type *type, int32_t first, int32_t second, int32_t *modifier)
{
    struct span name = type->name;
    *modifier = first;
    if (span_equal_text(name, "numeric")) {
        if (first < 1 || first > 1000 || second > 1000)
            return false;
        *modifier = ((first << 16) | (second < 0 ? 0 : second)) + 4;
        return true;
    }
    if (second >= 0)
        return false;
    if (span_equal_text(name, "varchar") || span_equal_text(name, "bpchar")) {
        *modifier = first + 4;
        return first >= 1 && first <= 10485760;
    }
    if (span_equal_text(name, "bit") || span_equal_text(name, "varbit"))
        return first >= 1;
    if (span_equal_text(name, "interval")) /* its upper half names the fields; here it is all */
        *modifier |= 0x7fff << 16;
    return first <= 6 && (*modifier != first || span_equal_text(name, "time") ||
                          span_equal_text(name, "timetz") || span_equal_text(name, "timestamp") ||
                          span_equal_text(name, "timestamptz"));
}

/* What SQL takes where no length is written. */
static int32_t modifier_of_none(const char *written)
{
    if (strcmp(written, "char") == 0 || strcmp(written, "character") == 0)
        return 1 + 4;
    return strcmp(written, "bit") == 0 ? 1 : -1;
}

static const struct type *named(const char *name)
{
    const struct type *type = types_builtin_named(span_of(name));
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (strcmp(WORDS[i].word, name) == 0)
            return types_builtin_named(span_of(WORDS[i].name));
    for (size_t i = 0; type == NULL && types_builtin_at(i) != NULL; i++)
        if (types_builtin_at(i)->oid != 0 && span_equal_text(types_builtin_at(i)->sql, name))
            type = types_builtin_at(i);
    return type;
}

/* Small letters, single spaces, none at the ends; what stands in parentheses apart. False: too
 * long, or a parenthesis without its other half. */
static bool split(struct span text, char name[WRITTEN_MAX], char inside[WRITTEN_MAX])
{
    size_t n = 0, m = 0;
    int depth = 0, seen = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (n + 2 >= WRITTEN_MAX || m + 2 >= WRITTEN_MAX)
            return false;
        if (c == '(' || c == ')') {
            depth += c == '(' ? 1 : -1;
            seen++;
        } else if (depth > 0) {
            inside[m++] = c;
        } else if (c != ' ' || (n > 0 && name[n - 1] != ' ')) {
            name[n++] = (char)tolower((unsigned char)c);
        }
        if (depth < 0 || depth > 1)
            return false;
    }
    n -= n > 0 && name[n - 1] == ' ' ? 1 : 0;
    name[n] = inside[m] = '\0';
    return depth == 0 && (seen == 0 || (seen == 2 && m > 0));
}

static const struct type *array_of(const struct type *element)
{
    const struct type *type = NULL;
    for (size_t i = 0; types_builtin_at(i) != NULL; i++) {
        type = types_builtin_at(i);
        if (type->oid != 0 && type->kind == TYPE_KIND_ARRAY && type->element == element &&
            type->name.ptr[0] == '_')
            return type;
    }
    return NULL;
}

const struct type *types_written(struct span text, int32_t *modifier)
{
    assert(text.ptr != NULL && modifier != NULL);
    char name[WRITTEN_MAX], inside[WRITTEN_MAX];
    *modifier = -1;
    if (!split(text, name, inside))
        return NULL;
    size_t len = strlen(name);
    bool array = len > 2 && strcmp(name + len - 2, "[]") == 0;
    if (array)
        name[len - 2 - (len > 3 && name[len - 3] == ' ' ? 1 : 0)] = '\0';
    const struct type *type = named(name);
    *modifier = modifier_of_none(name);
    if (type != NULL && inside[0] != '\0') {
        const char *at = inside;
        int32_t first, second = -1;
        if (!read_number(&at, &first) || (*at == ',' && (at++, !read_number(&at, &second))) ||
            *at != '\0' || !modifier_of(type, first, second, modifier))
            return NULL;
    }
    return type != NULL && array ? array_of(type) : type;
}
