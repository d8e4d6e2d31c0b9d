/* model/topic_name: see topic_name.h. Names of relays are not looked up: a topic that has the shape
 * of one of ours is another relay's, now or later. */
#include "model/topic_name.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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
static const char *end_of_ours(struct span text)
{
    static const char *const ends[] = {".progress", ".dead-letter", ".quarantine", ".control"};
    if (!span_starts_with(text, SPAN_LITERAL("walferry.")))
        return NULL;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends_with(text, span_of(ends[i])))
            return ends[i];
    return NULL;
}

static int check_foreign(struct span topic, struct error *err)
{
    char shown[SHOWN_MAX + 4];
    if (topic_name_check(topic, err) < 0)
        return -1;
    if (!span_starts_with(topic, SPAN_LITERAL("__")))
        return 0;
    return error_data(err, REASON_RESERVED_TOPIC,
                      "topic %s begins with __, which is for Kafka's own topics",
                      show(topic, shown));
}

int topic_name_check_event(struct span topic, const char *progress_topic, struct error *err)
{
    char shown[SHOWN_MAX + 4];
    assert(progress_topic != NULL);
    if (check_foreign(topic, err) < 0)
        return -1;
    if (span_equal_text(topic, progress_topic))
        return error_data(err, REASON_RESERVED_TOPIC, "topic %s is the progress topic",
                          show(topic, shown));
    if (end_of_ours(topic) != NULL)
        return error_data(
            err, REASON_RESERVED_TOPIC,
            "topic %s has the name of a relay's own topic: walferry.<relay>.progress, "
            ".dead-letter, .quarantine and .control are walferry's",
            show(topic, shown));
    return 0;
}

int topic_name_check_own(struct span topic, const char *end, struct error *err)
{
    char shown[SHOWN_MAX + 4];
    assert(end != NULL);
    if (check_foreign(topic, err) < 0)
        return -1;
    const char *other = end_of_ours(topic);
    if (other == NULL || strcmp(other, end) == 0)
        return 0;
    return error_data(err, REASON_RESERVED_TOPIC,
                      "topic %s has the name of a relay's topic for another use: "
                      "walferry.<relay>%s is walferry's",
                      show(topic, shown), other);
}

static const char *topic_name_own(const char *relay, const char *use, size_t max, char *text)
{
    assert(relay != NULL);
    int len = snprintf(text, max, "walferry.%s.%s", relay, use);
    assert(len > 0 && (size_t)len < max);
    (void)len;
    return text;
}

const char *topic_name_control(const char *relay, char text[TOPIC_NAME_CONTROL_MAX])
{
    assert(text != NULL);
    return topic_name_own(relay, "control", TOPIC_NAME_CONTROL_MAX, text);
}

const char *topic_name_quarantine(const char *relay, char text[TOPIC_NAME_QUARANTINE_MAX])
{
    assert(text != NULL);
    return topic_name_own(relay, "quarantine", TOPIC_NAME_QUARANTINE_MAX, text);
}
