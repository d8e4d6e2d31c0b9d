/* types_text: see types_text.h. What it outgrows stays behind in the arena, so it doubles. */
#include "types/types_text.h"

#include <assert.h>
#include <stdbool.h>

void text_add(struct types_text *text, struct span bytes)
{
    assert(text != NULL && text->arena != NULL);
    if (text->size - text->len < bytes.len) {
        size_t size = 2 * (text->size + bytes.len) + 64;
        char *grown = arena_alloc_bytes(text->arena, size);
        if (text->len > 0)
            memcpy(grown, text->ptr, text->len);
        text->ptr = grown;
        text->size = size;
    }
    if (bytes.len > 0)
        memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
    text->len += bytes.len;
}

void text_add_char(struct types_text *text, char c)
{
    text_add(text, (struct span){&c, 1});
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_null(struct span text)
{
    return text.len == 4 && (text.ptr[0] | 0x20) == 'n' && (text.ptr[1] | 0x20) == 'u' &&
           (text.ptr[2] | 0x20) == 'l' && (text.ptr[3] | 0x20) == 'l';
}

/* Does it hold white space, a quote, a backslash, or one of the specials? */
static bool wants_quotes(struct span text, const char *specials)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_space(c) || c == '"' || c == '\\' || (c != '\0' && strchr(specials, c) != NULL))
            return true;
    }
    return text.len == 0;
}

void text_add_element(struct types_text *text, struct span element, char delimiter)
{
    assert(text != NULL && element.ptr != NULL);
    const char specials[] = {'{', '}', delimiter, '\0'};
    if (!is_null(element) && !wants_quotes(element, specials)) {
        text_add(text, element);
        return;
    }
    text_add_char(text, '"');
    for (size_t i = 0; i < element.len; i++) {
        if (element.ptr[i] == '"' || element.ptr[i] == '\\')
            text_add_char(text, '\\');
        text_add_char(text, element.ptr[i]);
    }
    text_add_char(text, '"');
}

void text_add_bound(struct types_text *text, struct span bound)
{
    assert(text != NULL && bound.ptr != NULL);
    bool quotes = wants_quotes(bound, "()[],");
    if (quotes)
        text_add_char(text, '"');
    for (size_t i = 0; i < bound.len; i++) {
        if (bound.ptr[i] == '"' || bound.ptr[i] == '\\')
            text_add_char(text, bound.ptr[i]);
        text_add_char(text, bound.ptr[i]);
    }
    if (quotes)
        text_add_char(text, '"');
}
