/* types_array: see types_array.h. One step for each bracket and each element. */
#include "types/types_array.h"

#include <assert.h>

char array_delimiter(const struct type *element)
{
    if (element->oid == TYPE_BOX)
        return ';';
    return element->debezium_form == DEBEZIUM_FORM_GEOMETRY ? ':' : ',';
}

struct array_reader array_reader(struct span text, char delimiter)
{
    assert(text.ptr != NULL);
    struct array_reader reader = {text.ptr, text.ptr + text.len, delimiter, 0, true, false};
    if (text.len > 0 && text.ptr[0] == '[') {
        while (reader.at < reader.end && *reader.at != '=')
            reader.at++;
        if (reader.at < reader.end)
            reader.at++;
    }
    return reader;
}

/* The text in quotes, at the first of them; a backslash takes the next character as it is. */
static bool take_quoted(struct array_reader *r, struct arena *arena, struct span *element)
{
    const char *first = ++r->at;
    bool escaped = false;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at == '\\') {
            escaped = true;
            r->at++;
        }
        if (r->at < r->end)
            r->at++;
    }
    if (r->at == r->end)
        return false;
    *element = (struct span){first, (size_t)(r->at - first)};
    r->at++;
    if (!escaped)
        return true;
    char *out = arena_alloc_bytes(arena, element->len);
    size_t len = 0;
    for (size_t i = 0; i < element->len; i++) {
        i += element->ptr[i] == '\\';
        out[len++] = element->ptr[i];
    }
    *element = (struct span){out, len};
    return true;
}

/* array_out quotes an element that is the word NULL. */
static enum array_step take_bare(struct array_reader *r, struct span *element)
{
    const char *first = r->at;
    while (r->at < r->end && *r->at != r->delimiter && *r->at != '}')
        r->at++;
    *element = (struct span){first, (size_t)(r->at - first)};
    if (element->len == 0)
        return ARRAY_BROKEN;
    return span_equal(*element, SPAN_LITERAL("NULL")) ? ARRAY_NULL : ARRAY_ELEMENT;
}

static enum array_step take_value(struct array_reader *r, struct arena *arena, struct span *element)
{
    if (*r->at == '{') {
        if (r->depth == ARRAY_DEPTH_MAX)
            return ARRAY_BROKEN;
        r->at++;
        r->depth++;
        r->fresh = true;
        return ARRAY_OPEN;
    }
    if (r->depth == 0)
        return ARRAY_BROKEN;
    r->wants_value = r->fresh = false;
    if (*r->at == '"')
        return take_quoted(r, arena, element) ? ARRAY_ELEMENT : ARRAY_BROKEN;
    return take_bare(r, element);
}

enum array_step array_reader_next(struct array_reader *r, struct arena *arena, struct span *element)
{
    assert(r != NULL && arena != NULL && element != NULL);
    assert(r->depth <= ARRAY_DEPTH_MAX);
    if (r->at == r->end)
        return r->depth == 0 && !r->wants_value ? ARRAY_END : ARRAY_BROKEN;
    if (!r->wants_value && r->depth > 0 && *r->at == r->delimiter) {
        r->at++;
        r->wants_value = true;
        if (r->at == r->end)
            return ARRAY_BROKEN;
    }
    if (*r->at == '}' && r->depth > 0 && (!r->wants_value || r->fresh)) {
        r->at++;
        r->depth--;
        r->wants_value = r->fresh = false;
        return ARRAY_CLOSE;
    }
    return r->wants_value ? take_value(r, arena, element) : ARRAY_BROKEN;
}
