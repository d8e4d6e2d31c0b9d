/* json/json_slice: see json_slice.h. Values are skipped by a loop with a bit for each open level,
 * so that a hostile text costs neither stack nor memory. */
#include "json/json_slice.h"

#include "base/utf8.h"
#include "json/json_utf8.h"

#include <assert.h>
#include <stdint.h>

/* What is read is text[at..len); reading behind the end gives '\0', which no rule accepts. */
static char peek(const struct json_slice *slice)
{
    return slice->at < slice->text.len ? slice->text.ptr[slice->at] : '\0';
}

static int wrong(const struct json_slice *slice, struct error *err, const char *what)
{
    return error_data(err, REASON_BAD_JSON, "byte %zu: %s", slice->at,
                      slice->at < slice->text.len ? what : "the text ends too early");
}

static void skip_space(struct json_slice *slice)
{
    for (;;) {
        char c = peek(slice);
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        slice->at++;
    }
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int skip_escape(struct json_slice *slice, struct error *err)
{
    slice->at++;
    char c = peek(slice);
    if (c == 'u') {
        for (int i = 0; i < 4; i++) {
            slice->at++;
            if (!is_hex(peek(slice)))
                return wrong(slice, err, "four hexadecimal digits must follow \\u");
        }
    } else if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
        return wrong(slice, err, "unknown escape");
    }
    slice->at++;
    return 0;
}

/* At the opening quote; ends behind the closing one. *inside is what stands between them. */
static int skip_string(struct json_slice *slice, struct span *inside, struct error *err)
{
    if (peek(slice) != '"')
        return wrong(slice, err, "a string must stand here");
    const char *end = slice->text.ptr + slice->text.len;
    size_t first = ++slice->at;
    while (slice->at < slice->text.len) {
        unsigned char c = (unsigned char)slice->text.ptr[slice->at];
        if (c == '"') {
            *inside = (struct span){slice->text.ptr + first, slice->at - first};
            slice->at++;
            return 0;
        }
        if (c < 0x20)
            return wrong(slice, err, "a control character in a string");
        if (c == '\\') {
            if (skip_escape(slice, err) < 0)
                return -1;
            continue;
        }
        size_t length = c < 0x80 ? 1 : utf8_length(slice->text.ptr + slice->at, end);
        if (length == 0)
            return wrong(slice, err, "not valid UTF-8");
        slice->at += length;
    }
    return wrong(slice, err, "");
}

static int skip_digits(struct json_slice *slice, struct error *err)
{
    if (!is_digit(peek(slice)))
        return wrong(slice, err, "a digit must stand here");
    while (is_digit(peek(slice)))
        slice->at++;
    return 0;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?   (RFC 8259, section 6) */
static int skip_number(struct json_slice *slice, struct error *err)
{
    if (peek(slice) == '-')
        slice->at++;
    if (peek(slice) == '0')
        slice->at++;
    else if (skip_digits(slice, err) < 0)
        return -1;
    if (peek(slice) == '.') {
        slice->at++;
        if (skip_digits(slice, err) < 0)
            return -1;
    }
    if (peek(slice) == 'e' || peek(slice) == 'E') {
        slice->at++;
        if (peek(slice) == '+' || peek(slice) == '-')
            slice->at++;
        return skip_digits(slice, err);
    }
    return 0;
}

static int skip_word(struct json_slice *slice, const char *word, struct error *err)
{
    struct span rest = {slice->text.ptr + slice->at, slice->text.len - slice->at};
    if (!span_starts_with(rest, span_of(word)))
        return wrong(slice, err, "a value must stand here");
    slice->at += strlen(word);
    return 0;
}

/* A value without levels of its own. */
static int skip_scalar(struct json_slice *slice, enum json_kind *kind, struct span *inside,
                       struct error *err)
{
    switch (peek(slice)) {
    case '"':
        *kind = JSON_KIND_STRING;
        return skip_string(slice, inside, err);
    case 't':
        *kind = JSON_KIND_BOOL;
        return skip_word(slice, "true", err);
    case 'f':
        *kind = JSON_KIND_BOOL;
        return skip_word(slice, "false", err);
    case 'n':
        *kind = JSON_KIND_NULL;
        return skip_word(slice, "null", err);
    default:
        if (peek(slice) != '-' && !is_digit(peek(slice)))
            return wrong(slice, err, "a value must stand here");
        *kind = JSON_KIND_NUMBER;
        return skip_number(slice, err);
    }
}

static int skip_name(struct json_slice *slice, struct span *name, struct error *err)
{
    skip_space(slice);
    if (skip_string(slice, name, err) < 0)
        return -1;
    skip_space(slice);
    if (peek(slice) != ':')
        return wrong(slice, err, "a colon must stand here");
    slice->at++;
    skip_space(slice);
    return 0;
}

struct levels {
    uint32_t depth;
    uint8_t objects[JSON_SLICE_DEPTH_MAX / 8]; /* bit: this level is an object */
};

static bool in_object(const struct levels *levels)
{
    uint32_t level = levels->depth - 1;
    return (levels->objects[level / 8] >> level % 8 & 1) != 0;
}

/* Opens a level where a bracket stands: 1; 0 where something else does. An object's first name is
 * read as well; an empty object or array is closed at once and counts as a value (0 with *done). */
static int open_level(struct json_slice *slice, struct levels *levels, bool *done,
                      struct error *err)
{
    char open = peek(slice);
    *done = false;
    if (open != '{' && open != '[')
        return 0;
    if (levels->depth == JSON_SLICE_DEPTH_MAX)
        return wrong(slice, err, "nested too deeply");
    slice->at++;
    skip_space(slice);
    if (peek(slice) == (open == '{' ? '}' : ']')) {
        slice->at++;
        *done = true;
        return 0;
    }
    uint32_t level = levels->depth++;
    uint8_t bit = (uint8_t)(1U << level % 8);
    levels->objects[level / 8] = (uint8_t)(levels->objects[level / 8] & ~bit);
    if (open == '{')
        levels->objects[level / 8] |= bit;
    struct span name;
    return open == '{' && skip_name(slice, &name, err) < 0 ? -1 : 1;
}

/* Behind a value: closes levels until a comma says that another value comes (1) or all are closed
 * (0). */
static int close_levels(struct json_slice *slice, struct levels *levels, struct error *err)
{
    while (levels->depth > 0) {
        bool object = in_object(levels);
        skip_space(slice);
        if (peek(slice) == ',') {
            struct span name;
            slice->at++;
            skip_space(slice);
            return object && skip_name(slice, &name, err) < 0 ? -1 : 1;
        }
        if (peek(slice) != (object ? '}' : ']'))
            return wrong(slice, err,
                         object ? "a comma or } must stand here" : "a comma or ] must stand here");
        slice->at++;
        levels->depth--;
    }
    return 0;
}

/* At the first byte of a value; ends behind its last. */
static int skip_value(struct json_slice *slice, enum json_kind *kind, struct span *value,
                      struct error *err)
{
    struct levels levels;
    levels.depth = 0;
    size_t first = slice->at;
    char opening = peek(slice);
    int more;
    do {
        bool done;
        int opened = open_level(slice, &levels, &done, err);
        if (opened < 0)
            return -1;
        more = opened;
        if (opened > 0)
            continue;
        if (!done && skip_scalar(slice, kind, value, err) < 0)
            return -1;
        more = close_levels(slice, &levels, err);
        if (more < 0)
            return -1;
    } while (more > 0);
    if (opening == '{' || opening == '[')
        *kind = opening == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY;
    if (*kind != JSON_KIND_STRING)
        *value = (struct span){slice->text.ptr + first, slice->at - first};
    return 0;
}

int json_slice_open(struct json_slice *slice, struct span text, struct error *err)
{
    assert(slice != NULL);
    assert(err != NULL);
    *slice = (struct json_slice){.text = text, .first = true};
    skip_space(slice);
    if (peek(slice) != '{')
        return wrong(slice, err, "an object must stand here");
    slice->at++;
    return 0;
}

static int finish(struct json_slice *slice, struct error *err)
{
    slice->at++;
    skip_space(slice);
    if (slice->at < slice->text.len)
        return wrong(slice, err, "more text behind the object");
    return 0;
}

int json_slice_next(struct json_slice *slice, struct json_member *member, struct error *err)
{
    assert(slice->text.ptr != NULL);
    assert(member != NULL && err != NULL);
    skip_space(slice);
    if (peek(slice) == '}')
        return finish(slice, err);
    if (!slice->first) {
        if (peek(slice) != ',')
            return wrong(slice, err, "a comma or } must stand here");
        slice->at++;
    }
    slice->first = false;
    if (skip_name(slice, &member->name, err) < 0 ||
        skip_value(slice, &member->kind, &member->value, err) < 0)
        return -1;
    return 1;
}

int json_slice_check(struct span text, enum json_kind *kind, struct error *err)
{
    assert(kind != NULL && err != NULL);
    struct json_slice slice = {.text = text};
    struct span value;
    skip_space(&slice);
    if (skip_value(&slice, kind, &value, err) < 0)
        return -1;
    skip_space(&slice);
    return slice.at == text.len ? 0 : wrong(&slice, err, "more text behind the value");
}

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = (uint32_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    return value;
}

/* at: behind the "\u". Gives the code point and how many bytes of input it took; 0: lone surrogate.
 */
static size_t read_unicode(const char *at, const char *end, uint32_t *code)
{
    *code = hex4(at);
    if (*code < 0xD800 || *code > 0xDFFF)
        return 4;
    if (*code > 0xDBFF || end - at < 10 || at[4] != '\\' || at[5] != 'u')
        return 0;
    uint32_t low = hex4(at + 6);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return 10;
}

static char short_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

int json_slice_unescape(struct span raw, struct arena *arena, struct span *text, struct error *err)
{
    assert(raw.ptr != NULL);
    assert(arena != NULL && text != NULL);
    const char *end = raw.ptr + raw.len;
    const char *at = raw.len > 0 ? memchr(raw.ptr, '\\', raw.len) : NULL;
    *text = raw;
    if (at == NULL)
        return 0;
    char *out = arena_alloc_bytes(arena, raw.len); /* an escape is never shorter than its meaning */
    size_t len = (size_t)(at - raw.ptr);
    memcpy(out, raw.ptr, len);
    while (at < end) {
        if (*at != '\\') {
            out[len++] = *at++;
            continue;
        }
        if (at[1] != 'u') {
            out[len++] = short_escape(at[1]);
            at += 2;
            continue;
        }
        uint32_t code;
        size_t taken = read_unicode(at + 2, end, &code);
        if (taken == 0)
            return error_data(err, REASON_BAD_JSON, "a string holds half of a surrogate pair");
        len += json_utf8_encode(code, out + len);
        at += 2 + taken;
    }
    *text = (struct span){out, len};
    return 0;
}
