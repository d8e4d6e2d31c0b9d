/* json/json_write: see json_write.h. Of a document it knows only the last byte and the depth;
 * numbers that are not integers are written by nobody here. */
#include "json/json_write.h"

#include "base/utf8.h"

#include <assert.h>
#include <inttypes.h>

static void separate(struct json_writer *w)
{
    assert(w->out != NULL);
    if (w->comma)
        buf_add_char(w->out, ',');
    w->comma = true;
}

static void begin(struct json_writer *w, char bracket, bool array)
{
    assert(w->depth < JSON_WRITE_DEPTH_MAX);
    separate(w);
    buf_add_char(w->out, bracket);
    uint64_t bit = UINT64_C(1) << w->depth;
    w->arrays = array ? w->arrays | bit : w->arrays & ~bit;
    w->depth++;
    w->comma = false;
}

static void end(struct json_writer *w, char bracket, bool array)
{
    assert(w->depth > 0);
    w->depth--;
    assert(((w->arrays >> w->depth & 1) == 1) == array);
    (void)array;
    buf_add_char(w->out, bracket);
    w->comma = true;
}

void json_write_begin_object(struct json_writer *w)
{
    begin(w, '{', false);
}

void json_write_end_object(struct json_writer *w)
{
    end(w, '}', false);
}

void json_write_begin_array(struct json_writer *w)
{
    begin(w, '[', true);
}

void json_write_end_array(struct json_writer *w)
{
    end(w, ']', true);
}

static void add_escape(struct buf *out, unsigned char c, enum json_escapes escapes)
{
    bool jackson = escapes != JSON_ESCAPES_OURS;
    const char *hex = jackson ? "0123456789ABCDEF" : "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t len = 2;
    if (escapes == JSON_ESCAPES_HEADER && c != '"' && c != '\\') {
        buf_add_char(out, (char)c);
        return;
    }
    switch (c) {
    case '"':
    case '\\':
        escape[1] = (char)c;
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\r':
        escape[1] = 'r';
        break;
    case '\t':
        escape[1] = 't';
        break;
    case '\b':
    case '\f':
        if (jackson) {
            escape[1] = c == '\b' ? 'b' : 'f';
            break;
        }
        len = sizeof escape;
        break;
    default:
        len = jackson && c == 0x7F ? 1 : sizeof escape;
    }
    buf_add(out, len == 1 ? SPAN_LITERAL("\x7F") : (struct span){escape, len});
}

/* A character of four bytes as its two halves in UTF-16. */
static void add_surrogates(struct buf *out, const char *at)
{
    const unsigned char *c = (const unsigned char *)at;
    uint32_t point = ((uint32_t)c[0] & 7) << 18 | ((uint32_t)c[1] & 63) << 12 |
                     ((uint32_t)c[2] & 63) << 6 | ((uint32_t)c[3] & 63);
    point -= 0x10000;
    buf_add_format(out, "\\u%04" PRIX32 "\\u%04" PRIX32, 0xD800 + (point >> 10),
                   0xDC00 + (point & 0x3FF));
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Are eight characters plain, all of them? The highest bit of a byte of `odd` tells of one that is
 * not; it may be set behind such a one, too, and never without one. */
static bool are_plain(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    uint64_t quotes = eight ^ EACH_BYTE * '"', slashes = eight ^ EACH_BYTE * '\\';
    uint64_t odd = (eight - EACH_BYTE * 0x20) | (eight + EACH_BYTE) | (quotes - EACH_BYTE) |
                   (slashes - EACH_BYTE) | eight;
    return (odd & EACH_BYTE * 0x80) == 0;
}

static const char *plain_run(const char *at, const char *end)
{
    while (end - at >= 8 && are_plain(at))
        at += 8;
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

static void add_quoted(struct buf *out, struct span text, enum json_escapes escapes)
{
    const char *at = text.ptr;
    const char *end_of_text = text.ptr + text.len;
    (void)buf_reserve(out, text.len + 2); /* most need no more, and then nothing grows below */
    buf_add_char(out, '"');
    while (at < end_of_text) {
        const char *run = at;
        at = plain_run(at, end_of_text);
        buf_add(out, (struct span){run, (size_t)(at - run)});
        if (at == end_of_text)
            break;
        size_t length = utf8_length(at, end_of_text);
        if (length == 4 && escapes == JSON_ESCAPES_JACKSON)
            add_surrogates(out, at);
        else if (length > 1)
            buf_add(out, (struct span){at, length});
        else if (length == 1)
            add_escape(out, (unsigned char)*at, escapes);
        else
            buf_add(out, SPAN_LITERAL("\xEF\xBF\xBD"));
        at += length > 0 ? length : 1;
    }
    buf_add_char(out, '"');
}

void json_write_name(struct json_writer *w, const char *name)
{
    assert(name != NULL);
    json_write_name_span(w, span_of(name));
}

void json_write_name_span(struct json_writer *w, struct span name)
{
    assert(w->depth > 0 && (w->arrays >> (w->depth - 1) & 1) == 0);
    assert(name.ptr != NULL);
    separate(w);
    add_quoted(w->out, name, w->escapes);
    buf_add_char(w->out, ':');
    w->comma = false;
}

void json_write_string(struct json_writer *w, struct span text)
{
    if (text.ptr == NULL) {
        json_write_null(w);
        return;
    }
    separate(w);
    add_quoted(w->out, text, w->escapes);
}

void json_write_text(struct json_writer *w, const char *text)
{
    json_write_string(w, span_of(text));
}

void json_write_u64(struct json_writer *w, uint64_t value)
{
    static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;
    for (; value >= 100; value /= 100)
        memcpy(digits + (at -= 2), PAIRS + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(digits + (at -= 2), PAIRS + 2 * value, 2);
    else
        digits[--at] = (char)('0' + value);
    separate(w);
    buf_add(w->out, (struct span){digits + at, sizeof digits - at});
}

void json_write_i64(struct json_writer *w, int64_t value)
{
    if (value >= 0) {
        json_write_u64(w, (uint64_t)value);
        return;
    }
    separate(w);
    buf_add_format(w->out, "%" PRId64, value);
}

void json_write_bool(struct json_writer *w, bool value)
{
    separate(w);
    buf_add_text(w->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *w)
{
    separate(w);
    buf_add_text(w->out, "null");
}

void json_write_raw(struct json_writer *w, struct span json)
{
    assert(json.len > 0);
    separate(w);
    buf_add(w->out, json);
}

void json_write_member_string(struct json_writer *w, const char *name, struct span text)
{
    json_write_name(w, name);
    json_write_string(w, text);
}

void json_write_member_text(struct json_writer *w, const char *name, const char *text)
{
    json_write_name(w, name);
    json_write_text(w, text);
}

void json_write_member_u64(struct json_writer *w, const char *name, uint64_t value)
{
    json_write_name(w, name);
    json_write_u64(w, value);
}

void json_write_member_i64(struct json_writer *w, const char *name, int64_t value)
{
    json_write_name(w, name);
    json_write_i64(w, value);
}

void json_write_member_bool(struct json_writer *w, const char *name, bool value)
{
    json_write_name(w, name);
    json_write_bool(w, value);
}

void json_write_member_known(struct json_writer *w, const char *name, int64_t value)
{
    if (value >= 0)
        json_write_member_i64(w, name, value);
    else
        json_write_member_null(w, name);
}

void json_write_member_name(struct json_writer *w, const char *name, const char *text)
{
    assert(text != NULL);
    json_write_member_text(w, name, text[0] != '\0' ? text : NULL);
}

void json_write_member_null(struct json_writer *w, const char *name)
{
    json_write_name(w, name);
    json_write_null(w);
}

void json_write_member_raw(struct json_writer *w, const char *name, struct span json)
{
    json_write_name(w, name);
    json_write_raw(w, json);
}

void json_write_member_error(struct json_writer *w, const struct error *err, const char *hint)
{
    json_write_name(w, "error");
    json_write_begin_object(w);
    json_write_member_text(w, "kind", error_kind_name(err->kind));
    json_write_member_text(w, "reason", reason_slug(err->reason));
    json_write_member_text(w, "text", err->text);
    json_write_member_text(w, "hint", hint);
    json_write_end_object(w);
}
