/* operate/sample: what the routes make of the changes of a file: the real router and the real
 * encoders, and nobody is asked. Everything of one change is freed with the arena at the end. */
#include "operate/operate.h"

#include "encode/encode.h"
#include "json/json_write.h"
#include "operate/sample_read.h"
#include "operate/say_event.h"
#include "route/route.h"

#include <assert.h>
#include <inttypes.h>

#define CHUNK_BYTES (64 * (size_t)1024)

struct trial {
    const struct command_options *o;
    struct router *router;
    struct encoders *encoders;
    struct arena arena;
    struct event_teller teller;
    struct json_writer json;
    uint32_t failed;
};

/* ---- What is said ---- */

static void json_member(struct trial *t, const char *name, struct span bytes)
{
    json_write_name(&t->json, name);
    if (bytes.ptr == NULL)
        json_write_null(&t->json);
    else
        json_write_string(&t->json, event_printable(bytes, &t->arena));
}

static const char *route_name(const struct trial *t, uint32_t route)
{
    return t->o->config->routes.items[route].name.text;
}

static void json_message(struct trial *t, const struct message *m)
{
    json_write_begin_object(&t->json);
    json_member(t, "route", span_of(route_name(t, m->route)));
    json_member(t, "topic", m->topic);
    json_member(t, "key", m->key);
    json_write_name(&t->json, "partition");
    if (m->partition >= 0)
        json_write_u64(&t->json, (uint64_t)m->partition);
    else
        json_write_null(&t->json);
    json_write_name(&t->json, "headers");
    json_write_begin_array(&t->json);
    for (uint32_t i = 0; i < m->header_count; i++) {
        json_write_begin_object(&t->json);
        json_member(t, "name", m->headers[i].name);
        json_member(t, "value", m->headers[i].value);
        json_write_end_object(&t->json);
    }
    json_write_end_array(&t->json);
    json_member(t, "value", m->value);
    json_write_end_object(&t->json);
}

static void say_failure(struct trial *t, uint32_t route, const struct error *err)
{
    t->failed++;
    if (t->o->json) {
        json_write_begin_object(&t->json);
        json_member(t, "route", span_of(route_name(t, route)));
        json_member(t, "reason", span_of(reason_slug(err->reason)));
        json_member(t, "error", span_of(err->text));
        json_write_end_object(&t->json);
    } else {
        event_say_failure(&t->teller, route, err);
    }
}

/* ---- One change ---- */

static int take_event(struct trial *t, const struct event *event, struct error *err)
{
    struct message message = {.partition = -1};
    int got = encode_message(t->encoders, event, &t->arena, &message, err);
    assert(got != ENCODE_AGAIN); /* no encoder waits for anything outside */
    if (got < 0)
        return -1;
    if (t->o->json)
        json_message(t, &message);
    else
        event_say(&t->teller, &message);
    return 0;
}

static int take_events(struct trial *t, uint32_t *made, struct error *err)
{
    for (;;) {
        struct event event = {.change = NULL};
        int got = router_next(t->router, &event, err);
        if (got == 0)
            return 0;
        if (got < 0 && err->kind != ERROR_DATA)
            return -1;
        ++*made;
        if (got > 0 && take_event(t, &event, err) == 0)
            continue;
        say_failure(t, event.route, err);
        *err = ERROR_INIT;
    }
}

static int take_change(struct trial *t, const struct change *change, struct error *err)
{
    static const char *const answers[] = {
        [ROUTER_TAKEN] = "its routes make no event of it",
        [ROUTER_NO_ROUTE] = "no route takes it",
        [ROUTER_NOT_THIS_OPERATION] = "no route takes this operation",
    };
    uint32_t made = 0;
    enum router_answer answer = router_begin(t->router, change, &t->arena);
    if (answer == ROUTER_TAKEN && take_events(t, &made, err) < 0)
        return -1;
    if (made == 0 && !t->o->json)
        command_say(t->o->out, "  %s", answers[answer]);
    return 0;
}

static struct span place_of(struct trial *t, const struct change *change)
{
    if (change->op == CHANGE_MESSAGE)
        return change->message.prefix;
    return span_of(arena_format(&t->arena, "%.*s.%.*s", SPAN_ARG(change->relation->schema),
                                SPAN_ARG(change->relation->name)));
}

static int take_node(struct trial *t, const struct json_tree *node, uint64_t n, struct error *err)
{
    static const char *const names[] = {[CHANGE_INSERT] = "insert",
                                        [CHANGE_UPDATE] = "update",
                                        [CHANGE_DELETE] = "delete",
                                        [CHANGE_READ] = "read",
                                        [CHANGE_MESSAGE] = "message"};
    struct change change;
    if (sample_read(node, n, &t->arena, &change, err) < 0)
        return -1;
    struct span place = place_of(t, &change);
    if (!t->o->json) {
        command_say(t->o->out, "change %" PRIu64 ": %s %.*s", n, names[change.op], SPAN_ARG(place));
        return take_change(t, &change, err);
    }
    json_write_begin_object(&t->json);
    json_member(t, "op", span_of(names[change.op]));
    json_member(t, "of", place);
    json_write_name(&t->json, "events");
    json_write_begin_array(&t->json);
    if (take_change(t, &change, err) < 0)
        return -1;
    json_write_end_array(&t->json);
    json_write_end_object(&t->json);
    return 0;
}

/* ---- The file ---- */

static int take_all(struct trial *t, const struct json_tree *changes, struct error *err)
{
    if (json_tree_kind(changes) != JSON_TREE_ARRAY)
        return error_stop(err, REASON_SAMPLE,
                          "an array of {op, schema, table, types, before, after} must stand there");
    json_write_begin_object(&t->json);
    json_write_name(&t->json, "changes");
    json_write_begin_array(&t->json);
    for (size_t i = 0; i < json_tree_count(changes); i++)
        if (take_node(t, json_tree_at(changes, i), i + 1, err) < 0)
            return -1;
    json_write_end_array(&t->json);
    json_write_name(&t->json, "failed");
    json_write_u64(&t->json, t->failed);
    json_write_end_object(&t->json);
    return 0;
}

int relay_sample(const struct command_options *o, struct span json, uint32_t *failed,
                 struct error *err)
{
    assert(o->config != NULL && o->out != NULL && failed != NULL);
    struct buf out = BUF_EMPTY;
    struct trial t = {.o = o, .json = json_writer(&out)};
    struct json_tree *changes = NULL;
    struct encoders_options encoding = {.routes = &o->config->routes,
                                        .id_header = o->config->delivery.id_header.text};
    arena_init(&t.arena, CHUNK_BYTES, CHUNK_BYTES);
    t.teller = (struct event_teller){o->out, &o->config->routes, &t.arena};
    int result = relay_open_router(o->config, &t.router, err);
    if (result == 0)
        result = encoders_open(&encoding, &t.encoders, err);
    if (result == 0 && json_tree_parse(json, &changes, err) < 0) {
        struct error why = *err;
        result = error_stop(err, REASON_SAMPLE, "%s", why.text);
    }
    if (result == 0)
        result = take_all(&t, changes, err);
    if (result == 0 && o->json)
        buf_add(o->out, buf_span(&out));
    *failed = t.failed;
    json_tree_free(changes);
    encoders_close(t.encoders);
    router_close(t.router);
    arena_fini(&t.arena);
    buf_fini(&out);
    return result;
}
