/* operate/say_event: see say_event.h. One line for each part of an event, an empty value told from
 * none. */
#include "operate/say_event.h"

#include "base/utf8.h"
#include "recover/recover.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>

static bool is_text(struct span bytes)
{
    return memchr(bytes.ptr, '\0', bytes.len) == NULL &&
           utf8_is_valid(bytes.ptr, bytes.ptr + bytes.len);
}

struct span event_printable(struct span bytes, struct arena *arena)
{
    if (bytes.ptr == NULL || is_text(bytes))
        return bytes;
    const struct cell cell = {.kind = CELL_BINARY, .bytes = bytes};
    struct rendering made;
    struct error none = ERROR_INIT;
    int result = types_render_text(&cell, types_builtin(TYPE_BYTEA), arena, &made, &none);
    assert(result == 0);
    (void)result;
    return made.bytes;
}

static void line(struct event_teller *t, const char *what, const char *before, struct span bytes)
{
    struct span text =
        bytes.ptr != NULL ? event_printable(bytes, t->arena) : SPAN_LITERAL("(none)");
    command_say(t->out, "    %-9s %s%.*s", what, before, SPAN_ARG(text));
}

static const char *route_name(const struct event_teller *t, uint32_t route)
{
    return t->routes->items[route].name.text;
}

void event_say(struct event_teller *t, const struct message *m)
{
    assert(t != NULL && m != NULL);
    command_say(t->out, "  by route %s", route_name(t, m->route));
    line(t, "topic", "", m->topic);
    line(t, "key", "", m->key);
    for (uint32_t i = 0; i < m->header_count; i++) {
        const char *name = arena_format(t->arena, "%.*s: ", SPAN_ARG(m->headers[i].name));
        line(t, "header", name, m->headers[i].value);
    }
    if (m->partition >= 0)
        command_say(t->out, "    %-9s %" PRId32, "partition", m->partition);
    line(t, "value", "", m->value);
}

void event_say_failure(struct event_teller *t, uint32_t route, const struct error *err)
{
    struct buf advice = BUF_EMPTY;
    assert(t != NULL && err->kind == ERROR_DATA);
    error_advice(err, NULL, &advice);
    command_say(t->out, "  route %s cannot publish it: %s", route_name(t, route), err->text);
    if (advice.len > 0)
        command_say(t->out, "    %s", buf_text(&advice));
    buf_fini(&advice);
}
