/* encode/encode_truncate: a message that is too large loses the end of one text in its value.
 *
 * The value is JSON, as it goes out; the text is found by the names of the members that lead to it,
 * and cut between two characters as they are written, so that what is left is JSON, too. Of a
 * change the text is a column, which stands in after and in before. */
#include "encode/encode.h"

#include "json/json_slice.h"
#include "model/header_name.h"

#include <assert.h>
#include <stdio.h>

/* What the header counts besides its name and field: a blank, the digits, and four lengths. */
#define HEADER_MORE_BYTES 40

/* Between the quotes, as written. False: there is none. */
static bool find_text(struct span value, const char *path, struct span *raw)
{
    struct json_slice slice;
    struct json_member member;
    struct error ignored;
    const char *dot = strchr(path, '.');
    struct span name = {path, dot != NULL ? (size_t)(dot - path) : strlen(path)};
    if (value.ptr == NULL || json_slice_open(&slice, value, &ignored) < 0)
        return false;
    while (json_slice_next(&slice, &member, &ignored) > 0) {
        if (!span_equal(member.name, name))
            continue;
        if (dot != NULL)
            return member.kind == JSON_KIND_OBJECT && find_text(member.value, dot + 1, raw);
        *raw = member.value;
        return member.kind == JSON_KIND_STRING;
    }
    return false;
}

static bool is_high_surrogate(const char *escape)
{
    return escape[1] == 'u' && (escape[2] == 'd' || escape[2] == 'D') &&
           (escape[3] == '8' || escape[3] == '9' || (escape[3] & ~0x20) == 'A' ||
            (escape[3] & ~0x20) == 'B');
}

/* Bytes of the character there, as it is written; the text is JSON. */
static size_t character(const char *at, size_t left)
{
    unsigned char first = (unsigned char)*at;
    if (first != '\\')
        return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (left >= 12 && is_high_surrogate(at) && at[6] == '\\')
        return 12;
    return at[1] == 'u' ? 6 : 2;
}

/* Cuts up to `over` bytes or a little more; the bytes that are gone. */
static size_t cut(struct message *message, const char *path, size_t over, struct arena *arena)
{
    struct span raw;
    if (over == 0 || !find_text(message->value, path, &raw))
        return 0;
    size_t keep = 0;
    size_t most = raw.len > over ? raw.len - over : 0;
    for (size_t next; keep < most; keep += next) {
        next = character(raw.ptr + keep, raw.len - keep);
        if (keep + next > most)
            break;
    }
    size_t before = (size_t)(raw.ptr - message->value.ptr) + keep;
    size_t behind = message->value.len - before - (raw.len - keep);
    char *made = arena_alloc(arena, before + behind);
    memcpy(made, message->value.ptr, before);
    memcpy(made + before, raw.ptr + raw.len, behind);
    message->value = (struct span){made, before + behind};
    return raw.len - keep;
}

static void say(struct message *message, const char *field, size_t bytes, struct arena *arena)
{
    uint32_t count = message->header_count;
    struct header *headers = arena_alloc(arena, (count + 1) * sizeof *headers);
    for (uint32_t i = 0; i < count; i++)
        headers[i] = message->headers[i];
    headers[count] = (struct header){SPAN_LITERAL(HEADER_TRUNCATED),
                                     span_of(arena_format(arena, "%s %zu", field, bytes))};
    message->headers = headers;
    message->header_count = count + 1;
}

bool message_truncate(struct message *message, const struct config_route *route, size_t over,
                      struct arena *arena)
{
    assert(over > 0 && route->oversize.field.text != NULL);
    const char *field = route->oversize.field.text;
    struct span whole = message->value;
    if (message->truncated || message->dead_letter)
        return false;
    over += sizeof HEADER_TRUNCATED + strlen(field) + HEADER_MORE_BYTES;
    size_t gone = 0;
    if (route->as == ROUTE_CHANGE) {
        gone = cut(message, arena_format(arena, "after.%s", field), over, arena);
        if (gone < over)
            gone += cut(message, arena_format(arena, "before.%s", field), over - gone, arena);
    } else {
        gone = cut(message, field, over, arena);
    }
    if (gone < over) {
        message->value = whole;
        return false;
    }
    say(message, field, whole.len, arena);
    message->truncated = true;
    return true;
}
