/* encode/: see encode.h. What all formats have in common; the bytes of key and value alone are the
 * encoders'. */
#include "encode/encode.h"

#include "encode/encode_cloudevents.h"
#include "encode/encode_context.h"
#include "encode/encode_debezium.h"
#include "encode/encode_json.h"
#include "encode/encode_raw.h"

#include <assert.h>
#include <stdlib.h>

int encoder_open(enum route_format format, const struct encoder_options *options,
                 struct encoder **encoder, struct error *err)
{
    assert(encoder != NULL && err != NULL);
    assert(options->route != NULL);
    switch (format) {
    case FORMAT_RAW:
        *encoder = encoder_raw();
        return 0;
    case FORMAT_JSON:
    case FORMAT_JSON_STRING:
    case FORMAT_CLOUDEVENTS:
        *encoder = encoder_json(format);
        return 0;
    case FORMAT_DEBEZIUM:
        *encoder = encoder_debezium(options);
        return 0;
    }
    return error_stop(err, REASON_UNKNOWN_FORMAT, "there is no encoder for format %d", (int)format);
}

/* Beside other members it is the payload alone that json_string makes a string of. */
static bool in_envelope(const struct config_event_router *router)
{
    const char *at = router->additional_placement.text;
    while (at != NULL && (at = strchr(at, ':')) != NULL) {
        at += 1 + strspn(at + 1, " ");
        if (strncmp(at, "envelope", sizeof "envelope" - 1) == 0)
            return true;
        at = strchr(at, ',');
    }
    return false;
}

static enum route_format value_format(const struct config_route *route)
{
    bool whole = route->as == ROUTE_OUTBOX && route->format == FORMAT_JSON_STRING &&
                 in_envelope(&route->router);
    return whole ? FORMAT_JSON : route->format;
}

int encoders_open(const struct encoders_options *options, struct encoders **encoders,
                  struct error *err)
{
    assert(options->routes != NULL && options->id_header != NULL);
    assert(encoders != NULL && err != NULL);
    uint32_t count = options->routes->count;
    struct encoders *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    made->o = *options;
    made->id_header = span_of(options->id_header);
    made->of_route = calloc(count, sizeof *made->of_route);
    if (made->of_route == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        struct route_encoders *of = &made->of_route[i];
        const struct encoder_options one = {&options->routes->items[i], options->database, i,
                                            options->metrics};
        enum route_format format = one.route->format;
        bool of_columns = format == FORMAT_DEBEZIUM && one.route->as == ROUTE_CHANGE;
        if (encoder_open(of_columns ? format : FORMAT_RAW, &one, &of->key, err) < 0 ||
            encoder_open(value_format(one.route), &one, &of->value, err) < 0) {
            encoders_close(made);
            return -1;
        }
    }
    *encoders = made;
    return 0;
}

void encoders_close(struct encoders *encoders)
{
    if (encoders == NULL)
        return;
    for (uint32_t i = 0; i < encoders->o.routes->count; i++) {
        encoder_close(encoders->of_route[i].key);
        encoder_close(encoders->of_route[i].value);
    }
    buf_fini(&encoders->letter);
    free(encoders->of_route);
    free(encoders);
}

/* Topics are C strings to the publisher, so a NUL goes behind; 249 bytes at most. */
static struct span copy_topic(struct arena *arena, struct span topic)
{
    assert(topic.len > 0 && topic.ptr != NULL);
    return (struct span){arena_text(arena, topic), topic.len};
}

static struct span format_id(struct encoders *encoders, const struct event *event,
                             struct arena *arena)
{
    char text[CHANGE_ID_TEXT_MAX];
    size_t length = change_id_format_behind(&encoders->id_prefix, encoders->o.system_identifier,
                                            &event->change->id, event->index, text);
    return arena_copy(arena, (struct span){text, length});
}

static void copy_headers(const struct event *event, struct arena *arena, struct header *headers)
{
    for (uint32_t i = 0; i < event->header_count; i++) {
        const struct header *header = &event->headers[i];
        bool lasts = i < event->named_headers;
        headers[i].name = lasts ? header->name : arena_copy(arena, header->name);
        headers[i].value = arena_copy(arena, header->value);
    }
}

static void put_cloudevent(struct encoders *encoders, const struct event *event,
                           const struct config_route *route, struct arena *arena,
                           struct message *message, struct header *headers)
{
    const struct cloudevent e = {event, format_id(encoders, event, arena)};
    enum cloudevents_mode mode = route->event.cloudevents.mode;
    message->header_count += cloudevents_headers(&e, mode, arena, headers);
    if (mode == CLOUDEVENTS_STRUCTURED)
        cloudevents_wrap(&e, arena, message);
}

/* The route's headers in their order, the one that is a key, then ours. */
static int encode_headers(struct encoders *encoders, const struct route_encoders *of,
                          const struct event *event, struct arena *arena, struct message *message,
                          struct error *err)
{
    bool with_id = encoders->id_header.len > 0;
    bool with_key = event->other_key.name.ptr != NULL;
    const struct config_route *route = &encoders->o.routes->items[event->route];
    uint32_t context = context_is_wanted(route, event) ? CONTEXT_HEADERS : 0;
    uint32_t count = event->header_count + (with_key ? 1 : 0) + context + (with_id ? 1 : 0);
    bool cloudevent = route->format == FORMAT_CLOUDEVENTS;
    uint32_t size = count + (cloudevent ? cloudevents_header_count(event) : 0);
    message->header_count = count;
    message->headers = NULL;
    if (size == 0)
        return 0;
    struct header *headers = arena_alloc(arena, size * sizeof *headers);
    copy_headers(event, arena, headers);
    if (with_key) {
        struct header *header = &headers[event->header_count];
        header->name = arena_copy(arena, event->other_key.name);
        int got = of->key->ops->encode(of->key, &event->other_key.key, arena, &header->value, err);
        if (got != 0)
            return got < 0 ? error_wrap(err, "header %.*s", SPAN_ARG(event->other_key.name)) : got;
    }
    if (context > 0)
        context_headers(&encoders->o, route, arena,
                        &headers[event->header_count + (with_key ? 1 : 0)]);
    if (with_id)
        headers[count - 1] =
            (struct header){encoders->id_header, format_id(encoders, event, arena)};
    message->headers = headers;
    if (cloudevent)
        put_cloudevent(encoders, event, route, arena, message, headers + count);
    return 0;
}

/* Towards the past also before 1970, so that time never runs backwards by rounding. */
static int64_t ms_from_us(int64_t us)
{
    return us >= 0 ? us / 1000 : -((-(us + 1)) / 1000) - 1;
}

/* An absent key is asked for twice where the value comes later: that costs nothing. */
static int encode_contents(const struct route_encoders *of, const struct event *event,
                           struct arena *arena, struct message *message, struct error *err)
{
    int got = 0;
    if (message->key.ptr == NULL)
        got = of->key->ops->encode(of->key, &event->key, arena, &message->key, err);
    if (got < 0)
        return error_wrap(err, "key");
    if (got == 0) {
        got = of->value->ops->encode(of->value, &event->value, arena, &message->value, err);
        if (got < 0)
            return error_wrap(err, "payload");
    }
    return got;
}

int encode_message(struct encoders *encoders, const struct event *event, struct arena *arena,
                   struct message *message, struct error *err)
{
    assert(encoders != NULL && event->route < encoders->o.routes->count);
    assert(event->change != NULL && event->index >= 1);
    const struct change *change = event->change;
    const struct route_encoders *of = &encoders->of_route[event->route];
    int got = encode_contents(of, event, arena, message, err);
    if (got != 0)
        return got;
    message->topic = copy_topic(arena, event->topic);
    message->topic_of_row = event->topic_of_row;
    message->partition = event->partition;
    message->route = event->route;
    message->timestamp_ms = ms_from_us(event->timestamp_us);
    message->id = change->id;
    message->position = change->position;
    if (encoders->o.routes->items[event->route].oversize.policy == OVERSIZE_CLAIM_CHECK)
        message->claim_id = format_id(encoders, event, arena);
    return encode_headers(encoders, of, event, arena, message, err);
}
