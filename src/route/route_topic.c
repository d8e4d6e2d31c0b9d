/* route/route_topic: see route_topic.h. Which names may be is said in model/topic_name. */
#include "route/route_topic.h"

#include "route/route.h"
#include "route/route_match.h"

#include <assert.h>

#define ALLOW "delivery.topics.allow"

static bool is_allowed(const struct route_topic *topic, struct span text)
{
    const struct config_texts *globs = topic->allowed;
    if (globs == NULL || globs->count == 0)
        return true;
    for (uint32_t i = 0; i < globs->count; i++)
        if (route_match_glob(span_of(globs->items[i].text), text))
            return true;
    return false;
}

static int check_name(const struct route_topic *topic, struct span text, struct error *err)
{
    if (topic_name_check_event(text, topic->progress_topic, err) < 0)
        return -1;
    if (topic->letter_topic == NULL || !span_equal_text(text, topic->letter_topic))
        return 0;
    return error_data(err, REASON_RESERVED_TOPIC, "topic %s is the dead-letter topic",
                      topic->letter_topic);
}

static int check(const struct route_topic *topic, struct span text, struct error *err)
{
    if (check_name(topic, text, err) < 0)
        return -1;
    if (is_allowed(topic, text))
        return 0;
    error_data(err, REASON_TOPIC_NOT_ALLOWED, "topic %.*s matches none of " ALLOW, SPAN_ARG(text));
    return error_hint(err, "add a glob that matches it to " ALLOW);
}

void route_topic_init(struct route_topic *topic, const struct template *template,
                      const struct router_options *options)
{
    assert(template != NULL);
    assert(options->progress_topic != NULL);
    *topic = (struct route_topic){.template = *template,
                                  .progress_topic = options->progress_topic,
                                  .letter_topic = options->letter_topic,
                                  .allowed = options->topics_allowed,
                                  .of_any_name = topic->of_any_name,
                                  .of_relation = true};
    uint32_t moving = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        topic->of_relation &=
            part->kind == PART_LITERAL || part->kind == PART_SCHEMA || part->kind == PART_TABLE;
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

/* Debezium puts one for each of Java's characters, of which what is beyond the first plane is two;
 * and cuts at the end. In the arena where anything is put. */
static struct span make_legal(struct span name, struct arena *scratch)
{
    char *legal = arena_alloc_bytes(scratch, name.len);
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '_' || c == '-';
        if ((c & 0xC0) == 0x80)
            continue;
        legal[len++] = plain ? (char)c : '_';
        if (c >= 0xF0)
            legal[len++] = '_';
    }
    return (struct span){legal, len < TOPIC_NAME_MAX ? len : TOPIC_NAME_MAX};
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

static struct span any_value(const struct part *part)
{
    return part->kind == PART_LITERAL ? part->text : SPAN_LITERAL("*");
}

/* The template with what `of` gives for each part. */
static struct span put_together(const struct template *t, struct span (*of)(const struct part *),
                                struct arena *scratch)
{
    size_t len = 0;
    for (uint32_t i = 0; i < t->count; i++)
        len += of(&t->parts[i]).len;
    char *text = arena_alloc_bytes(scratch, len + 1);
    len = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        struct span part = of(&t->parts[i]);
        memcpy(text + len, part.ptr, part.len);
        len += part.len;
    }
    return (struct span){text, len};
}

int route_topic_check_literals(const struct route_topic *topic, struct arena *scratch,
                               struct error *err)
{
    const struct config_texts *globs = topic->allowed;
    struct span name = put_together(&topic->template, example, scratch);
    if (check_name(topic, name, err) < 0)
        return -1;
    if (globs == NULL || globs->count == 0)
        return 0;
    struct span names = put_together(&topic->template, any_value, scratch);
    for (uint32_t i = 0; i < globs->count; i++)
        if (route_match_globs_meet(span_of(globs->items[i].text), names))
            return 0;
    error_data(err, REASON_TOPIC_NOT_ALLOWED, "no topic like %.*s can match any of " ALLOW,
               SPAN_ARG(names));
    return error_hint(err, "add a glob that matches them to " ALLOW);
}

/* Does the last topic have the value where its template has the column? */
static bool is_same(const struct route_topic *topic, struct span value)
{
    return topic->len == topic->before + value.len + topic->behind &&
           span_equal((struct span){topic->text + topic->before, value.len}, value);
}

static int render(struct route_topic *topic, const struct route_row *row, struct arena *scratch,
                  struct error *err)
{
    struct span rendered;
    if (template_render(&topic->template, row, scratch, &rendered, err) < 0)
        return -1;
    if (topic->of_any_name)
        rendered = make_legal(rendered, scratch);
    if (keep(topic, rendered, err) < 0)
        return -1;
    topic->relation = row->relation;
    topic->version = row->relation != NULL ? row->relation->version : 0;
    return 0;
}

/* A long value is made a name of each time. */
static int by_regex(struct route_topic *topic, const struct route_row *row, struct arena *scratch,
                    struct error *err)
{
    struct span value, name;
    if (template_part(&topic->template, topic->only, row, scratch, &value, err) < 0)
        return -1;
    if (topic->len > 0 && span_equal(value, (struct span){topic->from, topic->from_len}))
        return 0;
    topic->from_len = 0;
    if (topic_regex_apply(topic->regex, value, TOPIC_NAME_MAX, scratch, &name, err) < 0)
        return -1;
    if (name.ptr == NULL)
        return error_data(err, REASON_ILLEGAL_TOPIC,
                          "route_topic_replacement makes a name of more than %d bytes",
                          TOPIC_NAME_MAX);
    if (keep(topic, name, err) < 0)
        return -1;
    if (value.len <= sizeof topic->from) {
        memcpy(topic->from, value.ptr, value.len);
        topic->from_len = value.len;
    }
    return 0;
}

int route_topic_of(struct route_topic *topic, const struct route_row *row, struct arena *scratch,
                   struct span *text, struct error *err)
{
    assert(row != NULL);
    assert(text != NULL && err != NULL);
    struct span rendered;
    if (topic->regex != NULL) {
        if (by_regex(topic, row, scratch, err) < 0)
            return -1;
        *text = (struct span){topic->text, topic->len};
        return 0;
    }
    if (topic->of_relation && topic->len > 0 && topic->relation == row->relation &&
        row->relation != NULL && topic->version == row->relation->version) {
        *text = (struct span){topic->text, topic->len};
        return 0;
    }
    if (!topic->literal && topic->only != NULL && topic->len > 0) {
        if (template_part(&topic->template, topic->only, row, scratch, &rendered, err) < 0)
            return -1;
        if (is_same(topic, rendered)) {
            *text = (struct span){topic->text, topic->len};
            return 0;
        }
    }
    if (!topic->literal && render(topic, row, scratch, err) < 0)
        return -1;
    *text = (struct span){topic->text, topic->len};
    return 0;
}
