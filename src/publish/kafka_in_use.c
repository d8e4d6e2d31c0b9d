/* publish/kafka_in_use: the topics in use and the partition of a message.
 *
 * What a look-up (kafka_find, kafka_ahead) said of a topic holds until the handle is made anew, but
 * the partition count, which is looked at again now and then and switched to only between
 * transactions, so that within one transaction a key has one partition. */
#include "publish/partitioner.h"
#include "publish/kafka_in_use.h"

#include "base/clock.h"
#include "model/topic_name.h"
#include "publish/kafka_memory.h"
#include "publish/kafka_size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

/* A topic's partition count is looked at again after this long, one topic at a time. */
#define REFRESH_US (10 * US_PER_S)
#define REFRESH_STEP_US (250 * US_PER_MS)
/* So many names that are no topics are known besides those of a batch. */
#define MISSING_MAX 4096
/* The Java client's batch.size: after so many bytes null keys go on to another partition. */
#define STICKY_BYTES 16384

static struct kafka_memory *memory_of(const struct kafka_in_use *topics)
{
    return topics->session->options->memory;
}

static void begin_table(struct kafka_in_use *topics)
{
    arena_init(&topics->arena, 16 * 1024, 16 * 1024);
    table_init(&topics->table, &topics->arena);
    topics->newest = topics->last = topics->refresh = NULL;
}

void kafka_in_use_init(struct kafka_in_use *topics, struct kafka_session *session)
{
    *topics = (struct kafka_in_use){.session = session,
                                    .smallest_bytes = session->batch_bytes,
                                    .refreshed_us = clock_monotonic_us()};
    begin_table(topics);
    ssize_t got = getrandom(&topics->random, sizeof topics->random, 0);
    if (got != (ssize_t)sizeof topics->random || topics->random == 0)
        topics->random = (uint64_t)clock_wall_us() | 1;
}

void kafka_in_use_fini(struct kafka_in_use *topics)
{
    assert(topics->newest == NULL || topics->newest->rkts[0] == NULL);
    arena_fini(&topics->arena);
}

/* ---- Handles ---- */

void kafka_in_use_forget_handle(struct kafka_topic *topic)
{
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++) {
        if (topic->rkts[i] != NULL)
            rd_kafka_topic_destroy(topic->rkts[i]);
        topic->rkts[i] = NULL;
    }
    topic->unreported_bytes = 0;
}

void kafka_in_use_forget_handles(struct kafka_in_use *topics)
{
    for (struct kafka_topic *topic = topics->newest; topic != NULL; topic = topic->next)
        kafka_in_use_forget_handle(topic);
    topics->small = false; /* until the next handles are known to have batches too large */
    topics->counting = false;
}

int kafka_in_use_open_handle(struct kafka_in_use *topics, struct kafka_topic *topic,
                             struct error *err)
{
    rd_kafka_topic_t **rkt = kafka_in_use_rkt(topics, topic);
    if (*rkt == NULL)
        *rkt = rd_kafka_topic_new(kafka_session_events(topics->session)->rk, topic->name, NULL);
    if (*rkt != NULL)
        return 0;
    return error_data(err, REASON_ILLEGAL_TOPIC, "librdkafka does not take topic %s: %s",
                      topic->name, rd_kafka_err2str(rd_kafka_last_error()));
}

/* ---- Topics ---- */

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

void kafka_in_use_set(struct kafka_in_use *topics, struct kafka_topic *topic,
                      const struct kafka_topic_settings *settings, int64_t learnt_us)
{
    assert(settings->max_message_bytes > 0);
    assert(learnt_us > 0);
    topic->settings_us = learnt_us;
    topic->clamp = clamp_limits_of(&settings->clamp);
    topic->compacts = settings->known && settings->compacts;
    note_limit(topics, topic, settings->max_message_bytes);
}

void kafka_in_use_set_weak(struct kafka_in_use *topics, struct kafka_topic *topic, struct span weak)
{
    topic->weak = NULL;
    if (weak.len == 0)
        return;
    if (topic->weak_text == NULL || !span_equal_text(weak, topic->weak_text))
        topic->weak_text = arena_text(&topics->arena, weak);
    topic->weak = topic->weak_text;
}

static struct kafka_topic *add_topic(struct kafka_in_use *topics, struct span name)
{
    struct kafka_topic *topic = arena_alloc_zero(&topics->arena, sizeof *topic);
    topic->name = arena_text(&topics->arena, name);
    topic->sticky_partition = -1;
    topic->checked_us = clock_monotonic_us() - KAFKA_REFUSED_US;
    topic->next = topics->newest;
    topics->newest = topic;
    table_put(&topics->table, name, topic);
    return topic;
}

static int check_name(const struct kafka_in_use *topics, struct span name, struct error *err)
{
    const struct config_delivery *delivery = topics->session->options->delivery;
    if (name.len > TOPIC_NAME_MAX)
        return error_data(err, REASON_ILLEGAL_TOPIC, "topic name %.60s… is longer than %d",
                          name.ptr, TOPIC_NAME_MAX);
    if (span_equal_text(name, delivery->progress_topic.text) ||
        span_starts_with(name, SPAN_LITERAL("__")))
        return error_data(err, REASON_ILLEGAL_TOPIC, "topic %.*s is not for events",
                          SPAN_ARG(name));
    return 0;
}

int kafka_in_use_get(struct kafka_in_use *topics, struct span name, struct kafka_topic **topic,
                     struct error *err)
{
    assert(name.len > 0);
    *topic = table_get(&topics->table, name);
    if (*topic != NULL)
        return 0;
    if (check_name(topics, name, err) < 0)
        return -1;
    *topic = add_topic(topics, name);
    return 0;
}

static void keep_topic(struct kafka_in_use *topics, const struct kafka_topic *topic)
{
    struct kafka_topic *kept = add_topic(topics, span_of(topic->name));
    struct kafka_topic *next = kept->next;
    const char *name = kept->name;
    *kept = *topic;
    kept->next = next;
    kept->name = name;
    kept->illegal = NULL;
    kept->weak = kept->weak_text = NULL;
    if (topic->weak != NULL)
        kafka_in_use_set_weak(topics, kept, span_of(topic->weak));
}

void kafka_in_use_drop_missing(struct kafka_in_use *topics)
{
    assert(topics->table.count >= topics->kept);
    if (topics->table.count - topics->kept <= MISSING_MAX)
        return;
    struct arena dropped = topics->arena;
    struct kafka_topic *all = topics->newest;
    begin_table(topics);
    for (struct kafka_topic *topic = all; topic != NULL; topic = topic->next) {
        if (topic->partitions > 0)
            keep_topic(topics, topic);
        else
            kafka_in_use_forget_handle(topic);
    }
    arena_fini(&dropped);
    topics->kept = topics->table.count;
}

bool kafka_in_use_is_of_row(const struct kafka_in_use *topics, const char *name)
{
    const struct kafka_topic *topic = table_get(&topics->table, span_of(name));
    return topic != NULL && topic->of_row;
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
    if (!topics->small)
        return false;
    if (!topics->counting)
        return true;
    if (topic->unreported_bytes == 0 || topic->max_message_bytes >= topics->session->batch_bytes)
        return false;
    return topic->unreported_bytes + kafka_message_bytes_max(message) > topic->max_message_bytes;
}

void kafka_in_use_count(struct kafka_in_use *topics)
{
    topics->counting = topics->small;
}

void kafka_in_use_sent(const struct kafka_in_use *topics, struct kafka_topic *topic,
                       const struct message *message)
{
    if (topics->counting)
        topic->unreported_bytes += kafka_message_bytes_max(message);
}

void kafka_in_use_reported(struct kafka_in_use *topics, const struct message *message)
{
    if (!topics->counting)
        return;
    struct kafka_topic *topic = table_get(&topics->table, message->topic);
    assert(topic != NULL); /* it has a message under way, so nobody dropped it */
    topic->unreported_bytes -= kafka_message_bytes_max(message);
    assert(topic->unreported_bytes >= 0);
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

/* The handle whose turn it is not learns it, too, before a message for a new partition is put. */
static void tell_others(const struct kafka_in_use *topics, const struct kafka_topic *topic)
{
    const struct rd_kafka_metadata *metadata;
    struct kafka_session *session = topics->session;
    for (uint32_t i = 0; i < KAFKA_HANDLES && !session->apart; i++)
        if (i != session->turn && topic->rkts[i] != NULL &&
            rd_kafka_metadata(session->handles[i].client.rk, 0, topic->rkts[i], &metadata,
                              KAFKA_SLICE_MS / 4) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
}

/* Messages went there, through one handle or the other. */
static bool is_used(const struct kafka_topic *topic)
{
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        if (topic->rkts[i] != NULL)
            return true;
    return false;
}

/* One short question; no answer is no news. A topic that is gone is looked up at its next message.
 */
static void refresh(struct kafka_in_use *topics, struct kafka_topic *topic)
{
    const struct rd_kafka_metadata *metadata;
    struct error unused;
    topic->checked_us = clock_monotonic_us();
    if (kafka_in_use_open_handle(topics, topic, &unused) < 0)
        return;
    if (rd_kafka_metadata(kafka_session_events(topics->session)->rk, 0,
                          *kafka_in_use_rkt(topics, topic), &metadata,
                          KAFKA_SLICE_MS / 4) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const rd_kafka_metadata_topic_t *answer =
        metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;
    if (answer != NULL && answer->err == RD_KAFKA_RESP_ERR_NO_ERROR && answer->partition_cnt > 0 &&
        answer->partition_cnt != topic->partitions) {
        change_count(topics, topic, answer->partition_cnt);
        tell_others(topics, topic);
    }
    if (answer != NULL && answer->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        topic->partitions = 0;
        topic->checked_us -= KAFKA_REFUSED_US;
    }
    rd_kafka_metadata_destroy(metadata);
}

/* What was refused for being replicated weakly is looked at again, all of it. */
static void doubt(struct kafka_in_use *topics, struct kafka_topic *topic)
{
    kafka_memory_doubt(memory_of(topics), span_of(topic->name));
    topic->partitions = 0;
    topic->checked_us -= KAFKA_REFUSED_US;
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
    if (!is_used(topic) || topic->partitions == 0 || now_us - topic->checked_us < REFRESH_US)
        return;
    if (topic->weak != NULL && topics->session->options->delivery->require_replication)
        doubt(topics, topic);
    else
        refresh(topics, topic);
}
