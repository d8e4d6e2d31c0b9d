/* types_debezium_hstore: an hstore as an object, or as the text of one. Its text is
 * "\"key\"=>\"value\", \"other\"=>NULL" (hstore_out). The pairs come in the order in which Java's
 * HashMap gives them, because that is what consumers of Debezium have seen. */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <stdlib.h>

struct pair {
    struct span key;
    struct span value; /* absent: NULL */
    uint32_t hash;
    uint32_t place; /* bucket, then order of insertion */
    size_t index;
};

/* String.hashCode() over UTF-16, spread as HashMap does. */
static uint32_t java_hash(struct span text)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        uint32_t point = length == 1 ? c : c & (0x7FU >> length);
        for (size_t k = 1; k < length && i + k < text.len; k++)
            point = point << 6 | ((unsigned char)text.ptr[i + k] & 0x3FU);
        if (point > 0xFFFF) {
            point -= 0x10000;
            hash = hash * 31 + (0xD800 + (point >> 10));
            point = 0xDC00 + (point & 0x3FF);
        }
        hash = hash * 31 + point;
        i += length;
    }
    return hash ^ hash >> 16;
}

/* ---- Reading ---- */

/* The text in quotes at *at, without its backslashes; *at is behind the closing quote then. */
static bool take_quoted(const char **at, const char *end, struct arena *arena, struct span *text)
{
    if (*at == end || *(*at)++ != '"')
        return false;
    const char *first = *at;
    while (*at < end && **at != '"')
        *at += **at == '\\' && *at + 1 < end ? 2 : 1;
    if (*at == end)
        return false;
    char *out = arena_alloc_bytes(arena, (size_t)(*at - first));
    size_t len = 0;
    for (const char *c = first; c < *at; c++) {
        c += *c == '\\';
        out[len++] = *c;
    }
    (*at)++;
    *text = (struct span){out, len};
    return true;
}

static bool take_text(const char **at, const char *end, struct span text)
{
    if ((size_t)(end - *at) < text.len || memcmp(*at, text.ptr, text.len) != 0)
        return false;
    *at += text.len;
    return true;
}

static bool take_pair(const char **at, const char *end, struct arena *arena, struct pair *pair)
{
    if (!take_quoted(at, end, arena, &pair->key) || !take_text(at, end, SPAN_LITERAL("=>")))
        return false;
    pair->value = span_null();
    if (!take_text(at, end, SPAN_LITERAL("NULL")) && !take_quoted(at, end, arena, &pair->value))
        return false;
    pair->hash = java_hash(pair->key);
    return *at == end || take_text(at, end, SPAN_LITERAL(", "));
}

/* No more than there are arrows. */
static size_t pairs_max(struct span text)
{
    size_t count = 0;
    for (size_t i = 1; i < text.len; i++)
        count += text.ptr[i - 1] == '=' && text.ptr[i] == '>';
    return count;
}

static bool read_pairs(struct span text, struct arena *arena, struct pair **pairs, size_t *count)
{
    size_t max = pairs_max(text);
    *pairs = arena_alloc(arena, (max + 1) * sizeof **pairs);
    *count = 0;
    const char *at = text.ptr, *end = text.ptr + text.len;
    while (at < end) {
        if (*count == max || !take_pair(&at, end, arena, &(*pairs)[*count]))
            return false;
        (*pairs)[*count].index = *count;
        (*count)++;
    }
    return true;
}

/* ---- Order ---- */

static int by_place(const void *a, const void *b)
{
    const struct pair *one = a, *other = b;
    if (one->place != other->place)
        return one->place < other->place ? -1 : 1;
    return one->index < other->index ? -1 : 1;
}

/* A HashMap begins with 16 buckets and doubles them when more than three quarters are needed; what
 * shares a bucket keeps its order. */
static void order(struct pair *pairs, size_t count)
{
    uint32_t buckets = 16;
    while (count > buckets / 4 * 3)
        buckets *= 2;
    for (size_t i = 0; i < count; i++)
        pairs[i].place = pairs[i].hash & (buckets - 1);
    if (count > 1)
        qsort(pairs, count, sizeof *pairs, by_place);
}

/* ---- Writing ---- */

static void write_object(struct json_writer *w, const struct pair *pairs, size_t count)
{
    json_write_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_write_name_span(w, pairs[i].key);
        json_write_string(w, pairs[i].value);
    }
    json_write_end_object(w);
}

/* The object's text in a string: written where it belongs, taken back, and written anew, escaped
 * once. */
static void write_json_text(struct json_writer *w, const struct pair *pairs, size_t count,
                            struct arena *arena)
{
    size_t from = w->out->len;
    struct json_writer inner = json_writer(w->out);
    inner.escapes = JSON_ESCAPES_JACKSON_TEXT;
    write_object(&inner, pairs, count);
    struct span text = arena_copy(arena, (struct span){w->out->ptr + from, w->out->len - from});
    w->out->len = from;
    json_write_string(w, text);
}

static void write_pairs(struct json_writer *w, const struct pair *pairs, size_t count,
                        enum debezium_hstore mode, struct arena *arena)
{
    if (mode == DEBEZIUM_HSTORE_MAP)
        write_object(w, pairs, count);
    else
        write_json_text(w, pairs, count, arena);
}

void types_debezium_hstore_pair(struct json_writer *w, struct span key, struct span value,
                                enum debezium_hstore mode, struct arena *arena)
{
    assert(w != NULL && key.ptr != NULL);
    struct pair pair = {.key = key, .value = value};
    write_pairs(w, &pair, 1, mode, arena);
}

int types_debezium_hstore(struct json_writer *w, struct span text, enum debezium_hstore mode,
                          struct arena *arena, struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    struct pair *pairs;
    size_t count;
    if (!read_pairs(text, arena, &pairs, &count))
        return types_bad_text(text, "an hstore", err);
    order(pairs, count);
    write_pairs(w, pairs, count, mode, arena);
    return 0;
}
