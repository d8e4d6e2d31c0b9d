/* route/route_topic: see route_topic.h. What a legal name is: Apache Kafka, class
 * org.apache.kafka.common.internals.Topic. */
#include "route/route_topic.h"

#include "route/route.h"

#include <assert.h>
#include <stdio.h>

static bool is_legal(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* Enough of the name to find it, and nothing that would break a line. */
#define SHOWN_MAX 64
static const char *show(struct span topic, char out[SHOWN_MAX + 4])
{
    size_t len = topic.len < SHOWN_MAX ? topic.len : SHOWN_MAX;
    for (size_t i = 0; i < len; i++)
        out[i] = topic.ptr[i] >= ' ' && topic.ptr[i] < 0x7F ? topic.ptr[i] : '?';
    snprintf(out + len, 4, "%s", topic.len > len ? "..." : "");
    return out;
}

int topic_name_check(struct span topic, struct error *err)
{
    char shown[SHOWN_MAX + 4];
    assert(err != NULL);
    if (topic.len == 0)
        return error_data(err, REASON_ILLEGAL_TOPIC, "the topic name is empty");
    if (topic.len > TOPIC_NAME_MAX)
        return error_data(err, REASON_ILLEGAL_TOPIC,
                          "the topic name \"%s\" has %zu bytes, more than %d", show(topic, shown),
                          topic.len, TOPIC_NAME_MAX);
    for (size_t i = 0; i < topic.len; i++)
        if (!is_legal((unsigned char)topic.ptr[i]))
            return error_data(err, REASON_ILLEGAL_TOPIC,
                              "the topic name \"%s\" holds a character other than "
                              "a-z A-Z 0-9 . _ -",
                              show(topic, shown));
    if (span_equal_text(topic, ".") || span_equal_text(topic, ".."))
        return error_data(err, REASON_ILLEGAL_TOPIC, "\"%s\" is not a topic name",
                          show(topic, shown));
    return 0;
}

static bool ends_with(struct span text, struct span end)
{
    return text.len >= end.len && memcmp(text.ptr + text.len - end.len, end.ptr, end.len) == 0;
}

/* walferry.<relay>.progress and the like, of any relay: a record of somebody else's there would be
 * taken for that relay's own. */
static bool is_ours(struct span text)
{
    static const char *const ends[] = {".progress", ".dead-letter", ".quarantine", ".control"};
    if (!span_starts_with(text, SPAN_LITERAL("walferry.")))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends_with(text, span_of(ends[i])))
            return true;
    return false;
}

static int check(const struct route_topic *topic, struct span text, struct error *err)
{
    char shown[SHOWN_MAX + 4];
    if (topic_name_check(text, err) < 0)
        return -1;
    if (span_starts_with(text, SPAN_LITERAL("__")))
        return error_data(err, REASON_RESERVED_TOPIC,
                          "topic %s begins with __, which is for Kafka's own topics",
                          show(text, shown));
    if (span_equal_text(text, topic->progress_topic))
        return error_data(err, REASON_RESERVED_TOPIC, "topic %s is the progress topic",
                          show(text, shown));
    if (is_ours(text))
        return error_data(
            err, REASON_RESERVED_TOPIC,
            "topic %s has the name of a relay's own topic: walferry.<relay>.progress, "
            ".dead-letter, .quarantine and .control are walferry's",
            show(text, shown));
    return 0;
}

void route_topic_init(struct route_topic *topic, const struct template *template,
                      const char *progress_topic)
{
    assert(template != NULL);
    assert(progress_topic != NULL);
    *topic = (struct route_topic){.template = *template, .progress_topic = progress_topic};
    uint32_t moving = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        if (part->kind != PART_LITERAL) {
            topic->only = part;
            moving++;
        } else if (moving == 0) {
            topic->before += part->text.len;
        } else {
            topic->behind += part->text.len;
        }
    }
    if (moving > 1)
        topic->only = NULL;
}

static int keep(struct route_topic *topic, struct span text, struct error *err)
{
    topic->len = 0;
    if (check(topic, text, err) < 0)
        return -1;
    memcpy(topic->text, text.ptr, text.len);
    topic->text[text.len] = '\0';
    topic->len = text.len;
    return 0;
}

int route_topic_set_literal(struct route_topic *topic, struct span text, struct error *err)
{
    assert(topic->only == NULL);
    topic->literal = true;
    return keep(topic, text, err);
}

static struct span example(const struct part *part)
{
    if (part->kind == PART_LITERAL)
        return part->text;
    return part->kind == PART_LSN ? SPAN_LITERAL("0/0") : SPAN_LITERAL("x");
}

int route_topic_check_literals(const struct route_topic *topic, struct arena *scratch,
                               struct error *err)
{
    const struct template *t = &topic->template;
    size_t len = 0;
    for (uint32_t i = 0; i < t->count; i++)
        len += example(&t->parts[i]).len;
    char *text = arena_alloc_bytes(scratch, len + 1);
    len = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        struct span part = example(&t->parts[i]);
        memcpy(text + len, part.ptr, part.len);
        len += part.len;
    }
    return check(topic, (struct span){text, len}, err);
}

/* Does the last topic have the value where its template has the column? */
static bool is_same(const struct route_topic *topic, struct span value)
{
    return topic->len == topic->before + value.len + topic->behind &&
           span_equal((struct span){topic->text + topic->before, value.len}, value);
}

int route_topic_of(struct route_topic *topic, const struct route_row *row, struct arena *scratch,
                   struct span *text, struct error *err)
{
    assert(row != NULL);
    assert(text != NULL && err != NULL);
    struct span rendered;
    if (!topic->literal && topic->only != NULL && topic->len > 0) {
        if (template_part(&topic->template, topic->only, row, scratch, &rendered, err) < 0)
            return -1;
        if (is_same(topic, rendered)) {
            *text = (struct span){topic->text, topic->len};
            return 0;
        }
    }
    if (!topic->literal && (template_render(&topic->template, row, scratch, &rendered, err) < 0 ||
                            keep(topic, rendered, err) < 0))
        return -1;
    *text = (struct span){topic->text, topic->len};
    return 0;
}
