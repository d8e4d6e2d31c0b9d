/* encode/encode_cloudevents: see encode_cloudevents.h. CloudEvents 1.0.2; JSON event format 1.0.2;
 * Kafka protocol binding 1.0.2 (headers are ce_ and the name, content-type is the type of the
 * data, or application/cloudevents+json); extensions partitionkey, sequence, traceparent.
 *
 * sequence is the place in the log, of one length, so that it is ordered as a text. A source is a
 * URI reference: what cannot stand in one is percent-encoded. */
#include "encode/encode_cloudevents.h"

#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define SEQUENCE_MAX 64
#define TIME_MAX 40

static struct span sequence_of(const struct event *event, char text[SEQUENCE_MAX])
{
    const struct change_id *id = &event->change->id;
    int len = snprintf(text, SEQUENCE_MAX, "%016" PRIx64 "-%010" PRIu64 "-%06" PRIu32,
                       id->final_lsn, id->ordinal, event->index);
    return (struct span){text, (size_t)len};
}

/* RFC 3339, in UTC. */
static struct span time_of(const struct event *event, char text[TIME_MAX])
{
    int64_t us = event->timestamp_us;
    time_t seconds = us / 1000000 - (us % 1000000 < 0);
    struct tm tm;
    assert(gmtime_r(&seconds, &tm) != NULL);
    size_t len = strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t rest = us - (int64_t)seconds * 1000000;
    len += (size_t)snprintf(text + len, TIME_MAX - len, ".%06" PRId64 "Z", rest);
    return (struct span){text, len};
}

static bool may_stand(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~:/?#[]@!$&'()*+,;=%", c) != NULL);
}

static struct span percent_encode(struct span text, struct arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    char *made = arena_alloc_bytes(arena, 3 * text.len), *at = made;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (may_stand((char)c)) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return (struct span){made, (size_t)(at - made)};
}

static struct span value_of(const struct header *attribute, struct arena *arena)
{
    if (!span_equal_text(attribute->name, "source"))
        return attribute->value;
    return percent_encode(attribute->value, arena);
}

void cloudevents_wrap(const struct cloudevent *e, struct arena *arena, struct message *message)
{
    char sequence[SEQUENCE_MAX], time[TIME_MAX];
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    assert(e->event != NULL && message != NULL);
    json_write_begin_object(&w);
    json_write_member_text(&w, "specversion", "1.0");
    json_write_member_string(&w, "id", e->id);
    for (uint32_t i = 0; i < e->event->attribute_count; i++) {
        const struct header *attribute = &e->event->attributes[i];
        json_write_name_span(&w, attribute->name);
        json_write_string(&w, value_of(attribute, arena));
    }
    json_write_member_string(&w, "time", time_of(e->event, time));
    json_write_member_string(&w, "sequence", sequence_of(e->event, sequence));
    if (message->value.ptr != NULL) {
        json_write_member_text(&w, "datacontenttype", "application/json");
        json_write_member_raw(&w, "data", message->value);
    }
    json_write_end_object(&w);
    message->value = arena_copy(arena, buf_span(&out));
    buf_fini(&out);
}

uint32_t cloudevents_header_count(const struct event *event)
{
    assert(event != NULL);
    return event->attribute_count + 5; /* content-type, specversion, id, time, sequence */
}

static struct header header(struct arena *arena, const char *name, struct span value)
{
    return (struct header){arena_copy(arena, span_of(name)), arena_copy(arena, value)};
}

uint32_t cloudevents_headers(const struct cloudevent *e, enum cloudevents_mode mode,
                             struct arena *arena, struct header *headers)
{
    char sequence[SEQUENCE_MAX], time[TIME_MAX];
    uint32_t count = 0;
    assert(headers != NULL);
    if (mode == CLOUDEVENTS_STRUCTURED) {
        headers[0] = header(arena, "content-type",
                            SPAN_LITERAL("application/cloudevents+json; charset=UTF-8"));
        return 1;
    }
    headers[count++] = header(arena, "ce_specversion", SPAN_LITERAL("1.0"));
    headers[count++] = header(arena, "ce_id", e->id);
    for (uint32_t i = 0; i < e->event->attribute_count; i++) {
        const struct header *attribute = &e->event->attributes[i];
        char *name = arena_format(arena, "ce_%.*s", SPAN_ARG(attribute->name));
        headers[count++] =
            (struct header){span_of(name), arena_copy(arena, value_of(attribute, arena))};
    }
    headers[count++] = header(arena, "ce_time", time_of(e->event, time));
    headers[count++] = header(arena, "ce_sequence", sequence_of(e->event, sequence));
    headers[count++] = header(arena, "content-type", SPAN_LITERAL("application/json"));
    return count;
}
