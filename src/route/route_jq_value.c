/* route/route_jq_value: see route_jq_value.h. The reader goes down by calls, as deep as
 * JQ_DEPTH_MAX; what it is given has been checked by the server, so that it looks for no more
 * mistakes than it needs to stay inside the text. */
#include "route/route_jq_value.h"

#include "json/json_write.h"
#include "route/route_jq_number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

struct text {
    const struct jq_reading *reading;
    const char *at;
    const char *end;
    uint32_t depth;
    struct buf unescaped;
    char *why;
};

void jq_names_init(struct jq_names *names)
{
    for (size_t i = 0; i < JQ_NAMES; i++)
        names->names[i] = jv_invalid();
}

static jv wrong(struct text *t, const char *what)
{
    snprintf(t->why, JQ_WHY_MAX, "%s", what);
    return jv_invalid();
}

static char skip_blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
        t->at++;
    return t->at < t->end ? *t->at : '\0';
}

/* ---- Strings ---- */

static bool read_hex4(struct text *t, uint32_t *unit)
{
    *unit = 0;
    if (t->end - t->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *t->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return false;
        *unit = *unit * 16 + digit;
    }
    return true;
}

static void add_code_point(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_u8(out, (uint8_t)(0xC0 | c >> 6));
        buf_add_u8(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else {
        if (c < 0x10000) {
            buf_add_u8(out, (uint8_t)(0xE0 | c >> 12));
        } else {
            buf_add_u8(out, (uint8_t)(0xF0 | c >> 18));
            buf_add_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
        }
        buf_add_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        buf_add_u8(out, (uint8_t)(0x80 | (c & 0x3F)));
    }
}

/* Behind the u. A surrogate without its other half is no text: jq would make U+FFFD of it. */
static bool add_unicode(struct text *t)
{
    uint32_t unit, low;
    if (!read_hex4(t, &unit))
        return false;
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return false;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        if (t->end - t->at < 6 || t->at[0] != '\\' || t->at[1] != 'u')
            return false;
        t->at += 2;
        if (!read_hex4(t, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    add_code_point(&t->unescaped, unit);
    return true;
}

static bool add_escape(struct text *t)
{
    static const char LETTERS[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    t->at++;
    char c = t->at < t->end ? *t->at++ : '\0';
    if (c == 'u')
        return add_unicode(t);
    const char *place = c == '\0' ? NULL : strchr(LETTERS, c);
    if (place == NULL)
        return false;
    buf_add_char(&t->unescaped, MEANT[place - LETTERS]);
    return true;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Is there a quote or a backslash among eight bytes? Borrowing from byte to byte may find one where
 * there is none, behind another, and misses none. */
static bool has_end(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    uint64_t quotes = eight ^ EACH_BYTE * '"', slashes = eight ^ EACH_BYTE * '\\';
    return (((quotes - EACH_BYTE) & ~quotes) | ((slashes - EACH_BYTE) & ~slashes)) &
           EACH_BYTE * 0x80;
}

static void skip_plain(struct text *t)
{
    while (t->end - t->at >= 8 && !has_end(t->at))
        t->at += 8;
    while (t->at < t->end && *t->at != '"' && *t->at != '\\')
        t->at++;
}

/* From the opening quote to behind the closing one; *bytes live until the next string. */
static bool read_string(struct text *t, struct span *bytes)
{
    const char *start = ++t->at;
    skip_plain(t);
    *bytes = (struct span){start, (size_t)(t->at - start)};
    if (t->at < t->end && *t->at == '\\') {
        buf_reset(&t->unescaped);
        buf_add(&t->unescaped, *bytes);
        while (t->at < t->end && *t->at != '"') {
            if (*t->at != '\\')
                buf_add_char(&t->unescaped, *t->at++);
            else if (!add_escape(t))
                return false;
        }
        *bytes = buf_span(&t->unescaped);
    }
    return t->at < t->end && *t->at++ == '"';
}

static jv make_string(struct text *t, struct span bytes)
{
    if (bytes.len > INT32_MAX / 2)
        return wrong(t, "a string of more than 1 GB");
    return jv_string_sized(bytes.ptr, (int)bytes.len);
}

static jv make_name(struct text *t, struct span bytes)
{
    uint32_t hash = (uint32_t)bytes.len;
    for (size_t i = 0; i < bytes.len && i < 32; i++)
        hash = hash * 31 + (unsigned char)bytes.ptr[i];
    jv *known = &t->reading->names->names[hash % JQ_NAMES];
    if (bytes.len > 64)
        return make_string(t, bytes);
    if (jv_is_valid(*known) && (size_t)jv_string_length_bytes(jv_copy(*known)) == bytes.len &&
        memcmp(jv_string_value(*known), bytes.ptr, bytes.len) == 0)
        return jv_copy(*known);
    jv_free(*known);
    *known = make_string(t, bytes);
    return jv_copy(*known);
}

/* ---- Reading ---- */

static jv read_number(struct text *t)
{
    const char *start = t->at;
    double value;
    while (t->at < t->end && (strchr("+-.eE", *t->at) != NULL || (*t->at >= '0' && *t->at <= '9')))
        t->at++;
    struct span text = {start, (size_t)(t->at - start)};
    if (text.len == 0)
        return wrong(t, "not JSON");
    if (jq_number_read(text, &value))
        return jv_number(value);
    if (!t->reading->numbers_are_errors)
        return make_string(t, text);
    snprintf(t->why, JQ_WHY_MAX, "the number %.*s is one that jq would round",
             (int)(text.len < 64 ? text.len : 64), text.ptr);
    return jv_invalid();
}

static jv read_word(struct text *t, const char *word, jv value)
{
    size_t len = strlen(word);
    if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0) {
        jv_free(value);
        return wrong(t, "not JSON");
    }
    t->at += len;
    return value;
}

static jv read_value(struct text *t);

/* What stands behind an element: a comma (1), the end (0), or something else (-1). */
static int read_separator(struct text *t, char end)
{
    char c = skip_blanks(t);
    if (c != ',' && c != end)
        return -1;
    t->at++;
    return c == ',' ? 1 : 0;
}

static jv read_array(struct text *t)
{
    jv array = jv_array();
    t->at++;
    if (skip_blanks(t) == ']') {
        t->at++;
        return array;
    }
    for (int more = 1; more != 0;) {
        jv element = read_value(t);
        if (jv_is_valid(element)) {
            array = jv_array_append(array, element);
            more = read_separator(t, ']');
        }
        if (!jv_is_valid(element) || more < 0) {
            jv_free(array);
            return more < 0 ? wrong(t, "not JSON") : element;
        }
    }
    return array;
}

/* One member, put into the object. */
static bool read_member(struct text *t, jv *object)
{
    struct span bytes;
    if (skip_blanks(t) != '"' || !read_string(t, &bytes)) {
        (void)wrong(t, "a string that is not Unicode");
        return false;
    }
    jv name = make_name(t, bytes);
    if (skip_blanks(t) != ':') {
        jv_free(name);
        (void)wrong(t, "not JSON");
        return false;
    }
    t->at++;
    jv value = read_value(t);
    if (!jv_is_valid(value)) {
        jv_free(name);
        return false;
    }
    *object = jv_object_set(*object, name, value);
    return true;
}

static jv read_object(struct text *t)
{
    jv object = jv_object();
    t->at++;
    if (skip_blanks(t) == '}') {
        t->at++;
        return object;
    }
    for (int more = 1; more != 0;) {
        bool read = read_member(t, &object);
        if (read)
            more = read_separator(t, '}');
        if (!read || more < 0) {
            jv_free(object);
            return more < 0 ? wrong(t, "not JSON") : jv_invalid();
        }
    }
    return object;
}

static jv read_nested(struct text *t, char first)
{
    if (++t->depth > JQ_DEPTH_MAX)
        return wrong(t, "JSON of more than 512 levels");
    jv value = first == '{' ? read_object(t) : read_array(t);
    t->depth--;
    return value;
}

static jv read_value(struct text *t)
{
    struct span bytes;
    char first = skip_blanks(t);
    switch (first) {
    case '{':
    case '[':
        return read_nested(t, first);
    case '"':
        if (!read_string(t, &bytes))
            return wrong(t, "a string that is not Unicode");
        return make_string(t, bytes);
    case 't':
        return read_word(t, "true", jv_true());
    case 'f':
        return read_word(t, "false", jv_false());
    case 'n':
        return read_word(t, "null", jv_null());
    default:
        return read_number(t);
    }
}

bool jq_value_read(const struct jq_reading *reading, struct span json, jv *value,
                   char why[JQ_WHY_MAX])
{
    assert(reading->names != NULL && value != NULL);
    struct text t = {.reading = reading,
                     .at = json.ptr,
                     .end = json.ptr + json.len,
                     .unescaped = BUF_EMPTY,
                     .why = why};
    *value = read_value(&t);
    if (jv_is_valid(*value) && (skip_blanks(&t), t.at != t.end)) {
        jv_free(*value);
        *value = wrong(&t, "not JSON");
    }
    buf_fini(&t.unescaped);
    return jv_is_valid(*value);
}

/* ---- Writing ---- */

struct writing {
    struct buf *out;
    uint32_t depth;
    char *why;
};

static bool refuse(struct writing *w, const char *what)
{
    snprintf(w->why, JQ_WHY_MAX, "%s", what);
    return false;
}

static bool write_value(struct writing *w, jv value);

static bool write_number(struct writing *w, double value)
{
    char text[JQ_NUMBER_TEXT_MAX];
    if (isnan(value)) { /* as jq has it */
        buf_add_text(w->out, "null");
        return true;
    }
    if (!isfinite(value))
        return refuse(w, "an infinite number, which JSON has not");
    size_t len = jq_number_write(value, text);
    buf_add(w->out, (struct span){text, len});
    return true;
}

static void write_string(struct writing *w, jv string)
{
    struct json_writer json = json_writer(w->out);
    size_t len = (size_t)jv_string_length_bytes(jv_copy(string));
    json_write_string(&json, (struct span){jv_string_value(string), len});
}

static bool write_array(struct writing *w, jv array)
{
    int count = jv_array_length(jv_copy(array));
    buf_add_char(w->out, '[');
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(w->out, ',');
        jv element = jv_array_get(jv_copy(array), i);
        bool written = write_value(w, element);
        jv_free(element);
        if (!written)
            return false;
    }
    buf_add_char(w->out, ']');
    return true;
}

static bool write_object(struct writing *w, jv object)
{
    bool first = true;
    buf_add_char(w->out, '{');
    for (int i = jv_object_iter(object); jv_object_iter_valid(object, i);
         i = jv_object_iter_next(object, i)) {
        jv name = jv_object_iter_key(object, i);
        jv value = jv_object_iter_value(object, i);
        if (!first)
            buf_add_char(w->out, ',');
        first = false;
        write_string(w, name);
        buf_add_char(w->out, ':');
        bool written = write_value(w, value);
        jv_free(name);
        jv_free(value);
        if (!written)
            return false;
    }
    buf_add_char(w->out, '}');
    return true;
}

static bool write_value(struct writing *w, jv value)
{
    bool written = true;
    switch (jv_get_kind(value)) {
    case JV_KIND_NUMBER:
        return write_number(w, jv_number_value(value));
    case JV_KIND_STRING:
        write_string(w, value);
        return true;
    case JV_KIND_ARRAY:
    case JV_KIND_OBJECT:
        if (++w->depth > JQ_DEPTH_MAX)
            return refuse(w, "a value of more than 512 levels");
        written =
            jv_get_kind(value) == JV_KIND_ARRAY ? write_array(w, value) : write_object(w, value);
        w->depth--;
        return written;
    case JV_KIND_TRUE:
    case JV_KIND_FALSE:
        buf_add_text(w->out, jv_get_kind(value) == JV_KIND_TRUE ? "true" : "false");
        return true;
    case JV_KIND_NULL:
    case JV_KIND_INVALID:
        break;
    }
    buf_add_text(w->out, "null");
    return true;
}

bool jq_value_write(jv value, struct buf *out, char why[JQ_WHY_MAX])
{
    assert(jv_is_valid(value));
    struct writing w = {.out = out, .why = why};
    return write_value(&w, value);
}
