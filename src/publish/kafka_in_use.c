/* publish/kafka_in_use: the topics in use and the partition of a message.
 *
 * A topic is asked about once, at its first message; what the answer was holds until the handle is
 * made anew, but the partition count, which is looked at again now and then and switched to only
 * between transactions, so that within one transaction a key has one partition. */
#include "publish/kafka_in_use.h"

#include "base/clock.h"
#include "model/topic_name.h"
#include "publish/kafka_lookup.h"
#include "publish/kafka_memory.h"
#include "publish/kafka_size.h"
#include "publish/kafka_topics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* A topic's partition count is looked at again after this long, one topic at a time. */
#define REFRESH_US (10 * US_PER_S)
#define REFRESH_STEP_US (250 * US_PER_MS)
/* A topic's configuration is not read again for this long. */
#define REREAD_US (1 * US_PER_S)
/* A missing topic is not asked for again for this long. */
#define MISSING_US (1 * US_PER_S)
/* The Java client's batch.size: after so many bytes null keys go on to another partition. */
#define STICKY_BYTES 16384

static const struct config_delivery *delivery_of(const struct kafka_in_use *topics)
{
    return topics->session->options->delivery;
}

static struct kafka_memory *memory_of(const struct kafka_in_use *topics)
{
    return topics->session->options->memory;
}

void kafka_in_use_init(struct kafka_in_use *topics, struct kafka_session *session)
{
    *topics = (struct kafka_in_use){.session = session,
                                    .smallest_bytes = session->batch_bytes,
                                    .refreshed_us = clock_monotonic_us()};
    arena_init(&topics->arena, 16 * 1024, 16 * 1024);
    table_init(&topics->table, &topics->arena);
    ssize_t got = getrandom(&topics->random, sizeof topics->random, 0);
    if (got != (ssize_t)sizeof topics->random || topics->random == 0)
        topics->random = (uint64_t)clock_wall_us() | 1;
}

void kafka_in_use_fini(struct kafka_in_use *topics)
{
    assert(topics->newest == NULL || topics->newest->rkt == NULL);
    arena_fini(&topics->arena);
}

/* ---- Handles ---- */

static void forget_handle(struct kafka_topic *topic)
{
    if (topic->rkt != NULL)
        rd_kafka_topic_destroy(topic->rkt);
    topic->rkt = NULL;
    topic->unreported_bytes = 0;
}

void kafka_in_use_forget_handles(struct kafka_in_use *topics)
{
    for (struct kafka_topic *topic = topics->newest; topic != NULL; topic = topic->next)
        forget_handle(topic);
    topics->small = false; /* until the next handles are known to have batches too large */
}

static int open_rkt(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err)
{
    if (topic->rkt != NULL)
        return 0;
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(topics->session->events->rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->rkt = rd_kafka_topic_new(topics->session->events->rk, topic->name, conf);
    if (topic->rkt != NULL)
        return 0;
    rd_kafka_topic_conf_destroy(conf);
    return error_data(err, REASON_ILLEGAL_TOPIC, "librdkafka does not take topic %s: %s",
                      topic->name, rd_kafka_err2str(rd_kafka_last_error()));
}

/* ---- First use ---- */

static void note_limit(struct kafka_in_use *topics, struct kafka_topic *topic, int64_t limit)
{
    topic->max_message_bytes = limit;
    if (limit >= topics->session->batch_bytes)
        return;
    /* Until the producer is made anew with smaller batches, what is under way is counted. */
    topics->small = true;
    if (limit < topics->smallest_bytes)
        topics->smallest_bytes =
            limit > KAFKA_BATCH_HEADER_BYTES ? (int)limit : KAFKA_BATCH_HEADER_BYTES;
    kafka_memory_keep_smallest(memory_of(topics), topics->smallest_bytes, clock_monotonic_us());
}

static int missing(const struct kafka_in_use *topics, const struct kafka_topic *topic,
                   struct error *err)
{
    error_data(err, REASON_TOPIC_MISSING,
               "topic %s does not exist and delivery.topics.create is false", topic->name);
    return kafka_topic_missing_hint(err, topics->session->events, topic->name);
}

static int create(struct kafka_in_use *topics, struct kafka_topic *topic, int64_t deadline_us,
                  struct kafka_topic_facts *facts, struct error *err)
{
    const struct config_topics *how = &delivery_of(topics)->topics;
    if (!how->create)
        return missing(topics, topic, err);
    struct kafka_topic_plan plan = {.name = topic->name,
                                    .partitions = how->partitions,
                                    .replication_factor = how->replication_factor};
    return kafka_topic_create(topics->session->events, &plan, topic->rkt, deadline_us, facts, err);
}

static void apply_settings(struct kafka_in_use *topics, struct kafka_topic *topic,
                           const struct kafka_topic_settings *settings, int64_t learnt_us)
{
    topic->settings_us = learnt_us;
    topic->clamp = clamp_limits_of(&settings->clamp);
    note_limit(topics, topic, settings->max_message_bytes);
}

static int read_settings(struct kafka_in_use *topics, struct kafka_topic *topic,
                         int64_t deadline_us, struct error *err)
{
    struct kafka_topic_settings settings;
    if (kafka_topic_settings(topics->session->events, topic->name, deadline_us, &settings, err) < 0)
        return -1;
    int64_t now_us = clock_monotonic_us();
    apply_settings(topics, topic, &settings, now_us);
    kafka_memory_keep(memory_of(topics), span_of(topic->name), &settings, now_us);
    return 0;
}

int kafka_in_use_reread(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err)
{
    if (clock_monotonic_us() - topic->settings_us < REREAD_US)
        return 0;
    return read_settings(topics, topic, kafka_deadline_us(topics->session->options), err);
}

static int look_up(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err)
{
    int64_t deadline_us = kafka_deadline_us(topics->session->options);
    struct kafka_topic_facts facts;
    if (open_rkt(topics, topic, err) < 0)
        return -1;
    topic->checked_us = clock_monotonic_us();
    enum kafka_doubt doubt =
        delivery_of(topics)->topics.create ? KAFKA_DOUBT_NONE : KAFKA_DOUBT_START;
    if (kafka_topic_facts(topics->session->events, topic->rkt, deadline_us, "Write,Describe", doubt,
                          &facts, err) < 0)
        return -1;
    if (facts.partitions == 0 && create(topics, topic, deadline_us, &facts, err) < 0)
        return -1;
    if (read_settings(topics, topic, deadline_us, err) < 0)
        return -1;
    topic->partitions = facts.partitions;
    return 0;
}

static struct kafka_topic *add_topic(struct kafka_in_use *topics, struct span name)
{
    struct kafka_topic *topic = arena_alloc_zero(&topics->arena, sizeof *topic);
    topic->name = arena_text(&topics->arena, name);
    topic->sticky_partition = -1;
    topic->checked_us = clock_monotonic_us() - MISSING_US;
    topic->next = topics->newest;
    topics->newest = topic;
    table_put(&topics->table, name, topic);
    return topic;
}

static int check_name(const struct kafka_in_use *topics, struct span name, struct error *err)
{
    if (name.len > TOPIC_NAME_MAX)
        return error_data(err, REASON_ILLEGAL_TOPIC, "topic name %.60s… is longer than %d",
                          name.ptr, TOPIC_NAME_MAX);
    if (span_equal_text(name, delivery_of(topics)->progress_topic.text) ||
        span_starts_with(name, SPAN_LITERAL("__")))
        return error_data(err, REASON_ILLEGAL_TOPIC, "topic %.*s is not for events",
                          SPAN_ARG(name));
    return 0;
}

static int find_topic(struct kafka_in_use *topics, struct span name, struct kafka_topic **found,
                      struct error *err)
{
    struct kafka_topic *topic = table_get(&topics->table, name);
    if (topic == NULL) {
        if (check_name(topics, name, err) < 0)
            return -1;
        topic = add_topic(topics, name);
    }
    *found = topic;
    if (topic->partitions == 0) {
        if (clock_monotonic_us() - topic->checked_us < MISSING_US ||
            (topic->missing_ahead != 0 && topic->missing_ahead == topics->aheads))
            return missing(topics, topic, err);
        return look_up(topics, topic, err);
    }
    return open_rkt(topics, topic, err);
}

int kafka_in_use_find(struct kafka_in_use *topics, const struct message *message,
                      struct kafka_topic **topic, struct error *err)
{
    struct kafka_topic *last = topics->last;
    if (last != NULL && last->rkt != NULL && last->partitions > 0 &&
        span_equal(message->topic, (struct span){last->name, strlen(last->name)})) {
        *topic = last;
        return 0;
    }
    if (find_topic(topics, message->topic, topic, err) < 0)
        return -1;
    topics->last = *topic;
    return 0;
}

/* ---- Looking ahead ---- */

struct asking {
    struct kafka_asked_topic *items;
    uint32_t count;
    uint32_t size;
};

static void ask_for(struct kafka_in_use *topics, struct asking *asking, struct kafka_topic *topic,
                    bool wanted)
{
    struct error ignored;
    if (open_rkt(topics, topic, &ignored) < 0)
        return;
    if (asking->count == asking->size) {
        asking->size = asking->size > 0 ? asking->size * 2 : 16;
        asking->items = realloc(asking->items, asking->size * sizeof(*asking->items));
        if (asking->items == NULL)
            abort();
    }
    struct kafka_asked_topic *item = &asking->items[asking->count++];
    *item = (struct kafka_asked_topic){.name = topic->name, .wanted = wanted};
    const struct kafka_known_topic *known =
        kafka_memory_find(memory_of(topics), span_of(topic->name), clock_monotonic_us());
    topic->settings_us = known != NULL ? known->learnt_us : 0;
    if (known != NULL) {
        item->has_settings = true;
        item->settings = known->settings;
    }
    topic->missing_ahead = topics->aheads; /* it is in the list */
}

static void ask_for_remembered(struct kafka_in_use *topics, struct asking *asking)
{
    const struct kafka_known_topic *known;
    size_t cursor = 0;
    int64_t now_us = clock_monotonic_us();
    while ((known = kafka_memory_next(memory_of(topics), &cursor, now_us)) != NULL) {
        struct span name = span_of(known->name);
        if (table_get(&topics->table, name) == NULL)
            ask_for(topics, asking, add_topic(topics, name), false);
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
        struct kafka_topic *topic = table_get(&topics->table, name);
        if (topic == NULL && check_name(topics, name, &ignored) == 0)
            topic = add_topic(topics, name);
        if (topic == NULL || topic->partitions > 0 || topic->missing_ahead == topics->aheads)
            continue;
        if (clock_monotonic_us() - topic->checked_us >= MISSING_US)
            ask_for(topics, asking, topic, true);
        else
            topic->missing_ahead = topics->aheads; /* it was missing a moment ago */
    }
}

static void take_answers(struct kafka_in_use *topics, const struct asking *asking)
{
    int64_t now_us = clock_monotonic_us();
    for (uint32_t i = 0; i < asking->count; i++) {
        const struct kafka_asked_topic *item = &asking->items[i];
        struct span name = span_of(item->name);
        struct kafka_topic *topic = table_get(&topics->table, name);
        topic->missing_ahead = item->found == KAFKA_ASKED_MISSING ? topics->aheads : 0;
        if (item->found == KAFKA_ASKED_MISSING)
            topic->checked_us = now_us;
        if (item->found != KAFKA_ASKED_THERE) {
            forget_handle(topic);
            continue;
        }
        bool remembered = topic->settings_us != 0;
        topic->checked_us = now_us;
        topic->partitions = item->partitions;
        apply_settings(topics, topic, &item->settings, remembered ? topic->settings_us : now_us);
        if (!remembered)
            kafka_memory_keep(memory_of(topics), name, &item->settings, now_us);
    }
}

int kafka_in_use_look_ahead(struct kafka_in_use *topics, const struct message *messages,
                            uint32_t count, struct error *err)
{
    assert(topics->session->events->rk != NULL && count > 0);
    struct asking asking = {.count = 0};
    bool first = topics->aheads++ == 0;
    ask_for_unknown(topics, &asking, messages, count);
    if (first && asking.count > 0)
        ask_for_remembered(topics, &asking);
    int result = 0;
    if (asking.count > 0) {
        struct kafka_lookup lookup = {.client = topics->session->events,
                                      .topics = asking.items,
                                      .count = asking.count,
                                      .how = &delivery_of(topics)->topics,
                                      .deadline_us = kafka_deadline_us(topics->session->options)};
        result = kafka_look_up(&lookup, err);
    }
    if (result == 0)
        take_answers(topics, &asking);
    free(asking.items);
    return result;
}

/* ---- Partitions ---- */

static uint32_t next_random(struct kafka_in_use *topics)
{
    topics->random ^= topics->random << 13;
    topics->random ^= topics->random >> 7;
    topics->random ^= topics->random << 17;
    return (uint32_t)(topics->random >> 32);
}

/* Null keys stay with one partition for a while, so that batches are large, then go on to another
 * one. */
static int32_t sticky_partition(struct kafka_in_use *topics, struct kafka_topic *topic,
                                const struct message *message)
{
    if (topic->sticky_partition < 0 || topic->sticky_partition >= topic->partitions ||
        topic->sticky_bytes >= STICKY_BYTES) {
        topic->sticky_partition = (int32_t)(next_random(topics) % (uint32_t)topic->partitions);
        topic->sticky_bytes = 0;
    }
    topic->sticky_bytes += kafka_message_bytes_max(message);
    return topic->sticky_partition;
}

int kafka_in_use_partition(struct kafka_in_use *topics, struct kafka_topic *topic,
                           const struct message *message, int32_t *partition, struct error *err)
{
    assert(topic->partitions > 0);
    if (message->partition != -1) {
        if (message->partition < 0 || message->partition >= topic->partitions)
            return error_data(err, REASON_BAD_PARTITION,
                              "partition %" PRId32 " of topic %s: it has %" PRId32 " partitions",
                              message->partition, topic->name, topic->partitions);
        *partition = message->partition;
    } else if (message->key.ptr != NULL) {
        *partition = partition_for_key(message->key, topic->partitions);
    } else {
        *partition = sticky_partition(topics, topic, message);
    }
    return 0;
}

/* ---- Topics that take little ---- */

/* Batches grow to batch.size whatever the topic takes; so a topic that takes less never has more
 * than it takes under way. */
bool kafka_in_use_is_full(const struct kafka_in_use *topics, const struct kafka_topic *topic,
                          const struct message *message)
{
    assert(topics->small);
    if (topic->unreported_bytes == 0 || topic->max_message_bytes >= topics->session->batch_bytes)
        return false;
    return topic->unreported_bytes + kafka_message_bytes_max(message) > topic->max_message_bytes;
}

void kafka_in_use_sent(struct kafka_topic *topic, const struct message *message)
{
    topic->unreported_bytes += kafka_message_bytes_max(message);
}

void kafka_in_use_reported(const rd_kafka_message_t *report)
{
    struct kafka_topic *topic = rd_kafka_topic_opaque(report->rkt);
    topic->unreported_bytes -= kafka_message_bytes_max(report->_private);
}

bool kafka_in_use_wants_smaller_batches(const struct kafka_in_use *topics)
{
    return topics->smallest_bytes < topics->session->batch_bytes;
}

/* ---- Changed counts ---- */

static void change_count(struct kafka_in_use *topics, struct kafka_topic *topic, int32_t count)
{
    char from[16], to[16];
    snprintf(from, sizeof from, "%" PRId32, topic->partitions);
    snprintf(to, sizeof to, "%" PRId32, count);
    topic->partitions = count;
    if (topics->session->options->log != NULL)
        log_event(topics->session->options->log, LOG_WARN, "topic.partitions_changed", "topic",
                  topic->name, "#from", from, "#to", to, NULL);
    metrics_add(topics->session->options->metrics, METRIC_PARTITION_CHANGES, 1);
}

/* One short question; no answer is no news. A topic that is gone is looked up at its next message.
 */
static void refresh(struct kafka_in_use *topics, struct kafka_topic *topic)
{
    const struct rd_kafka_metadata *metadata;
    topic->checked_us = clock_monotonic_us();
    if (rd_kafka_metadata(topics->session->events->rk, 0, topic->rkt, &metadata,
                          KAFKA_SLICE_MS / 4) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const rd_kafka_metadata_topic_t *answer =
        metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;
    if (answer != NULL && answer->err == RD_KAFKA_RESP_ERR_NO_ERROR && answer->partition_cnt > 0 &&
        answer->partition_cnt != topic->partitions)
        change_count(topics, topic, answer->partition_cnt);
    if (answer != NULL && answer->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        topic->partitions = 0;
        topic->checked_us -= MISSING_US;
    }
    rd_kafka_metadata_destroy(metadata);
}

void kafka_in_use_refresh(struct kafka_in_use *topics)
{
    int64_t now_us = clock_monotonic_us();
    if (topics->newest == NULL || now_us - topics->refreshed_us < REFRESH_STEP_US)
        return;
    if (topics->refresh == NULL)
        topics->refresh = topics->newest;
    struct kafka_topic *topic = topics->refresh;
    topics->refresh = topic->next;
    topics->refreshed_us = now_us;
    if (topic->rkt != NULL && topic->partitions > 0 && now_us - topic->checked_us >= REFRESH_US)
        refresh(topics, topic);
}
