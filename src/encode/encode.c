/* encode/: see encode.h. What all formats have in common; the value alone is the encoder's. */
#include "encode/encode.h"

#include "encode/encode_raw.h"

#include <assert.h>

int encoder_open(enum route_format format, const struct encoder_options *options,
                 struct encoder **encoder, struct error *err)
{
    assert(options != NULL && options->id_header != NULL);
    assert(encoder != NULL && err != NULL);
    switch (format) {
    case FORMAT_RAW:
        *encoder = encoder_raw();
        return 0;
    }
    return error_stop(err, REASON_UNKNOWN_FORMAT, "there is no encoder for format %d", (int)format);
}

/* Topics are C strings to the publisher, so a NUL goes behind; 249 bytes at most. */
static struct span copy_topic(struct arena *arena, struct span topic)
{
    assert(topic.len > 0 && topic.ptr != NULL);
    return (struct span){arena_text(arena, topic), topic.len};
}

static struct span format_id(const struct encoder_options *options, const struct event *event,
                             struct arena *arena)
{
    char text[CHANGE_ID_TEXT_MAX];
    size_t length =
        change_id_format_event(options->system_identifier, event->change->id, event->index, text);
    return arena_copy(arena, (struct span){text, length});
}

/* The route's headers in their order, then ours. */
static void encode_headers(const struct encoder_options *options, const struct event *event,
                           struct arena *arena, struct message *message)
{
    bool with_id = options->id_header[0] != '\0';
    uint32_t count = event->header_count + (with_id ? 1 : 0);
    message->header_count = count;
    message->headers = NULL;
    if (count == 0)
        return;
    struct header *headers = arena_alloc(arena, count * sizeof *headers);
    for (uint32_t i = 0; i < event->header_count; i++) {
        headers[i].name = arena_copy(arena, event->headers[i].name);
        headers[i].value = arena_copy(arena, event->headers[i].value);
    }
    if (with_id) {
        headers[count - 1].name = arena_copy(arena, span_of(options->id_header));
        headers[count - 1].value = format_id(options, event, arena);
    }
    message->headers = headers;
}

/* Towards the past also before 1970, so that time never runs backwards by rounding. */
static int64_t ms_from_us(int64_t us)
{
    return us >= 0 ? us / 1000 : -((-(us + 1)) / 1000) - 1;
}

int encode_message(struct encoder *encoder, const struct encoder_options *options,
                   const struct event *event, struct arena *arena, struct message *message,
                   struct error *err)
{
    assert(encoder != NULL && options != NULL);
    assert(event->change != NULL && event->index >= 1);
    const struct change *change = event->change;
    if (encoder->ops->encode(encoder, &event->key, arena, &message->key, err) < 0)
        return error_wrap(err, "key");
    if (encoder->ops->encode(encoder, &event->value, arena, &message->value, err) < 0)
        return error_wrap(err, "payload");
    message->topic = copy_topic(arena, event->topic);
    message->partition = event->partition;
    message->route = event->route;
    message->timestamp_ms = ms_from_us(event->timestamp_us);
    message->position = change->position;
    message->id = change->id;
    message->xid = change->xid;
    message->commit_time_us = change->commit_time_us;
    encode_headers(options, event, arena, message);
    return 0;
}
