/* publish/kafka_route: the topics in use and the partition of a message.
 *
 * A topic is asked about once, at its first message; what the answer was holds until the handle is
 * made anew, but the partition count, which is looked at again now and then and switched to only
 * between transactions, so that within one transaction a key has one partition. */
#include "publish/kafka_publisher.h"

#include "base/clock.h"
#include "publish/kafka_size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* A topic's partition count is looked at again after this long, one topic at a time. */
#define REFRESH_US (10 * US_PER_S)
#define REFRESH_STEP_US (250 * US_PER_MS)
/* A missing topic is not asked for again for this long. */
#define MISSING_US (1 * US_PER_S)
/* The Java client's batch.size: after so many bytes null keys go on to another partition. */
#define STICKY_BYTES 16384
#define TOPIC_NAME_MAX 249

static void forget_handle(struct kafka_topic *topic)
{
    if (topic->rkt != NULL)
        rd_kafka_topic_destroy(topic->rkt);
    topic->rkt = NULL;
    topic->unreported_bytes = 0;
}

void kafka_forget_handles(struct kafka_publisher *p)
{
    for (struct kafka_topic *topic = p->newest_topic; topic != NULL; topic = topic->next)
        forget_handle(topic);
}

static int open_rkt(struct kafka_publisher *p, struct kafka_topic *topic, struct error *err)
{
    if (topic->rkt != NULL)
        return 0;
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(p->events->rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->rkt = rd_kafka_topic_new(p->events->rk, topic->name, conf);
    if (topic->rkt != NULL)
        return 0;
    rd_kafka_topic_conf_destroy(conf);
    return error_data(err, REASON_ILLEGAL_TOPIC, "librdkafka does not take topic %s: %s",
                      topic->name, rd_kafka_err2str(rd_kafka_last_error()));
}

/* ---- First use ---- */

static void note_limit(struct kafka_publisher *p, struct kafka_topic *topic, int64_t limit)
{
    topic->max_message_bytes = limit;
    if (limit >= p->batch_bytes)
        return;
    /* Until the producer is made anew with smaller batches, what is under way is counted. */
    p->small_topics = true;
    if (limit < p->smallest_topic)
        p->smallest_topic =
            limit > KAFKA_BATCH_HEADER_BYTES ? (int)limit : KAFKA_BATCH_HEADER_BYTES;
}

static int missing(const struct kafka_publisher *p, const struct kafka_topic *topic,
                   struct error *err)
{
    error_data(err, REASON_TOPIC_MISSING,
               "topic %s does not exist and delivery.topics.create is false", topic->name);
    return kafka_topic_missing_hint(err, p->events, topic->name);
}

static int create(struct kafka_publisher *p, struct kafka_topic *topic, int64_t deadline_us,
                  struct kafka_topic_facts *facts, struct error *err)
{
    const struct config_topics *topics = &p->options.delivery->topics;
    if (!topics->create)
        return missing(p, topic, err);
    struct kafka_topic_plan plan = {.name = topic->name,
                                    .partitions = topics->partitions,
                                    .replication_factor = topics->replication_factor};
    return kafka_topic_create(p->events, &plan, topic->rkt, deadline_us, facts, err);
}

static int look_up(struct kafka_publisher *p, struct kafka_topic *topic, struct error *err)
{
    int64_t deadline_us = kafka_deadline_us(&p->options);
    struct kafka_topic_facts facts;
    struct kafka_topic_settings settings;
    if (open_rkt(p, topic, err) < 0)
        return -1;
    topic->checked_us = clock_monotonic_us();
    enum kafka_doubt doubt =
        p->options.delivery->topics.create ? KAFKA_DOUBT_NONE : KAFKA_DOUBT_START;
    if (kafka_topic_facts(p->events, topic->rkt, deadline_us, "Write,Describe", doubt, &facts,
                          err) < 0)
        return -1;
    if (facts.partitions == 0 && create(p, topic, deadline_us, &facts, err) < 0)
        return -1;
    if (kafka_topic_settings(p->events, topic->name, deadline_us, &settings, err) < 0)
        return -1;
    topic->partitions = facts.partitions;
    topic->clamp = clamp_limits_of(&settings.clamp);
    note_limit(p, topic, settings.max_message_bytes);
    return 0;
}

static struct kafka_topic *add_topic(struct kafka_publisher *p, struct span name)
{
    struct kafka_topic *topic = arena_alloc_zero(&p->arena, sizeof *topic);
    topic->name = arena_text(&p->arena, name);
    topic->sticky_partition = -1;
    topic->checked_us = clock_monotonic_us() - MISSING_US;
    topic->next = p->newest_topic;
    p->newest_topic = topic;
    table_put(&p->topics, name, topic);
    return topic;
}

static int check_name(const struct kafka_publisher *p, struct span name, struct error *err)
{
    if (name.len > TOPIC_NAME_MAX)
        return error_data(err, REASON_ILLEGAL_TOPIC, "topic name %.60s… is longer than %d",
                          name.ptr, TOPIC_NAME_MAX);
    if (span_equal_text(name, p->options.delivery->progress_topic.text) ||
        span_starts_with(name, SPAN_LITERAL("__")))
        return error_data(err, REASON_ILLEGAL_TOPIC, "topic %.*s is not for events",
                          SPAN_ARG(name));
    return 0;
}

static int find_topic(struct kafka_publisher *p, struct span name, struct kafka_topic **found,
                      struct error *err)
{
    struct kafka_topic *topic = table_get(&p->topics, name);
    if (topic == NULL) {
        if (check_name(p, name, err) < 0)
            return -1;
        topic = add_topic(p, name);
    }
    *found = topic;
    if (topic->partitions == 0) {
        if (clock_monotonic_us() - topic->checked_us < MISSING_US)
            return missing(p, topic, err);
        return look_up(p, topic, err);
    }
    return open_rkt(p, topic, err);
}

int kafka_topic_of(struct kafka_publisher *p, const struct message *message,
                   struct kafka_topic **topic, struct error *err)
{
    struct kafka_topic *last = p->last_topic;
    if (last != NULL && last->rkt != NULL && last->partitions > 0 &&
        span_equal(message->topic, (struct span){last->name, strlen(last->name)})) {
        *topic = last;
        return 0;
    }
    if (find_topic(p, message->topic, topic, err) < 0)
        return -1;
    p->last_topic = *topic;
    return 0;
}

/* ---- Partitions ---- */

static uint32_t next_random(struct kafka_publisher *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random >> 32);
}

/* Null keys stay with one partition for a while, so that batches are large, then go on to another
 * one. */
static int32_t sticky_partition(struct kafka_publisher *p, struct kafka_topic *topic,
                                const struct message *message)
{
    if (topic->sticky_partition < 0 || topic->sticky_partition >= topic->partitions ||
        topic->sticky_bytes >= STICKY_BYTES) {
        topic->sticky_partition = (int32_t)(next_random(p) % (uint32_t)topic->partitions);
        topic->sticky_bytes = 0;
    }
    topic->sticky_bytes += kafka_message_bytes_max(message);
    return topic->sticky_partition;
}

int kafka_choose_partition(struct kafka_publisher *p, struct kafka_topic *topic,
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
        *partition = sticky_partition(p, topic, message);
    }
    return 0;
}

/* ---- Changed counts ---- */

static void change_count(struct kafka_publisher *p, struct kafka_topic *topic, int32_t count)
{
    char from[16], to[16];
    snprintf(from, sizeof from, "%" PRId32, topic->partitions);
    snprintf(to, sizeof to, "%" PRId32, count);
    topic->partitions = count;
    if (p->options.log != NULL)
        log_event(p->options.log, LOG_WARN, "topic.partitions_changed", "topic", topic->name,
                  "#from", from, "#to", to, NULL);
    if (p->options.metrics != NULL)
        metrics_add(p->options.metrics, METRIC_PARTITION_CHANGES, 1);
}

/* One short question; no answer is no news. A topic that is gone is looked up at its next message.
 */
static void refresh(struct kafka_publisher *p, struct kafka_topic *topic)
{
    const struct rd_kafka_metadata *metadata;
    topic->checked_us = clock_monotonic_us();
    if (rd_kafka_metadata(p->events->rk, 0, topic->rkt, &metadata, KAFKA_SLICE_MS / 4) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const rd_kafka_metadata_topic_t *answer =
        metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;
    if (answer != NULL && answer->err == RD_KAFKA_RESP_ERR_NO_ERROR && answer->partition_cnt > 0 &&
        answer->partition_cnt != topic->partitions)
        change_count(p, topic, answer->partition_cnt);
    if (answer != NULL && answer->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        topic->partitions = 0;
        topic->checked_us -= MISSING_US;
    }
    rd_kafka_metadata_destroy(metadata);
}

void kafka_refresh_topics(struct kafka_publisher *p)
{
    int64_t now_us = clock_monotonic_us();
    if (p->newest_topic == NULL || now_us - p->refreshed_us < REFRESH_STEP_US)
        return;
    if (p->refresh_topic == NULL)
        p->refresh_topic = p->newest_topic;
    struct kafka_topic *topic = p->refresh_topic;
    p->refresh_topic = topic->next;
    p->refreshed_us = now_us;
    if (topic->rkt != NULL && topic->partitions > 0 && now_us - topic->checked_us >= REFRESH_US)
        refresh(p, topic);
}
