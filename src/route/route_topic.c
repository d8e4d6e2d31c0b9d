/* route/route_topic: see route_topic.h. Which names may be is said in model/topic_name. */
#include "route/route_topic.h"

#include <assert.h>

static int check(const struct route_topic *topic, struct span text, struct error *err)
{
    return topic_name_check_event(text, topic->progress_topic, err);
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
