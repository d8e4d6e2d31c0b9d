/* publish/kafka_ahead: see kafka_ahead.h. It refuses nothing: what it finds against a topic is said
 * where a message for it is put. */
#include "publish/kafka_ahead.h"

#include "base/clock.h"
#include "publish/kafka_find.h"
#include "publish/kafka_memory.h"

#include <assert.h>
#include <stdlib.h>

struct asking {
    struct kafka_asked_topic *items;
    uint32_t count;
    uint32_t size;
};

static void ask_for(struct kafka_in_use *topics, struct asking *asking, struct kafka_topic *topic,
                    bool wanted)
{
    if (asking->count == asking->size) {
        asking->size = asking->size > 0 ? asking->size * 2 : 16;
        asking->items = realloc(asking->items, asking->size * sizeof(*asking->items));
        if (asking->items == NULL)
            abort();
    }
    struct kafka_asked_topic *item = &asking->items[asking->count++];
    *item = (struct kafka_asked_topic){.name = topic->name, .wanted = wanted};
    const struct kafka_known_topic *known = kafka_memory_find(
        topics->session->options->memory, span_of(topic->name), clock_monotonic_us());
    if (known != NULL) {
        item->has_settings = true;
        item->settings = known->settings;
        item->remembered_us = known->learnt_us;
    }
    topic->refused_ahead = topics->aheads; /* it is in the list */
}

static void ask_for_remembered(struct kafka_in_use *topics, struct asking *asking)
{
    const struct kafka_memory *memory = topics->session->options->memory;
    const struct kafka_known_topic *known;
    struct kafka_topic *topic;
    struct error ignored;
    size_t cursor = 0;
    int64_t now_us = clock_monotonic_us();
    while ((known = kafka_memory_next(memory, &cursor, now_us)) != NULL) {
        struct span name = span_of(known->name);
        if (table_get(&topics->table, name) == NULL &&
            kafka_in_use_get(topics, name, &topic, &ignored) == 0)
            ask_for(topics, asking, topic, false);
    }
}

static void ask_for_unknown(struct kafka_in_use *topics, struct asking *asking,
                            const struct message *messages, uint32_t count)
{
    struct error ignored;
    struct span last = span_null();
    for (uint32_t i = 0; i < count; i++) {
        struct span name = messages[i].topic;
        if (last.ptr != NULL && span_equal(name, last))
            continue;
        last = name;
        if (kafka_is_control(topics->session->options, name) ||
            kafka_is_quarantine(topics->session->options, name))
            continue; /* they are made as no other is */
        struct kafka_topic *topic;
        if (kafka_in_use_get(topics, name, &topic, &ignored) < 0 || topic->partitions > 0 ||
            topic->refused_ahead == topics->aheads)
            continue;
        if (clock_monotonic_us() - topic->checked_us >= KAFKA_REFUSED_US)
            ask_for(topics, asking, topic, true);
        else
            topic->refused_ahead = topics->aheads; /* it was refused a moment ago */
    }
}

static void take_answers(struct kafka_in_use *topics, const struct asking *asking)
{
    for (uint32_t i = 0; i < asking->count; i++) {
        struct kafka_topic *topic = table_get(&topics->table, span_of(asking->items[i].name));
        kafka_find_take(topics, topic, &asking->items[i]);
    }
}

enum step kafka_look_ahead(struct kafka_in_use *topics, const struct message *messages,
                           uint32_t count, struct error *err)
{
    assert(kafka_session_events(topics->session)->rk != NULL && count > 0);
    struct asking asking = {.count = 0};
    kafka_in_use_drop_missing(topics);
    bool first = topics->aheads++ == 0;
    ask_for_unknown(topics, &asking, messages, count);
    if (first && asking.count > 0)
        ask_for_remembered(topics, &asking);
    enum step result = STEP_DONE;
    if (asking.count > 0) {
        struct kafka_lookup lookup = {.options = topics->session->options,
                                      .topics = asking.items,
                                      .count = asking.count,
                                      .how = &topics->session->options->delivery->topics,
                                      .deadline_us = kafka_deadline_us(topics->session->options)};
        result = kafka_look_up(&lookup, err) < 0 ? STEP_FAILED : STEP_WAIT;
    }
    if (result == STEP_WAIT)
        take_answers(topics, &asking);
    free(asking.items);
    return result;
}
