/* publish/kafka_topics: see kafka_topics.h. Every question is asked in slices, so that the stop
 * flag is heeded. Nothing is cached here. A topic that was created or has just lost a leader is
 * waited for.
 *
 * A broker answers from its own copy of the cluster's metadata. One that has just come up under
 * ZooKeeper has none yet and knows no topic at all, one that lags under KRaft does not know the
 * newest. So "there is no such topic" is believed only where the same broker in the same answer
 * lists others, and where a start or a refusal rests on it, only when that has been so for a while.
 * Who creates the topic then needs none of that: the controller says whether it is there. */
#include "publish/kafka_topics.h"

#include "base/clock.h"
#include "model/topic_name.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_AGAIN_US (50 * US_PER_MS)
/* Longer than a broker is behind another one. */
#define SETTLED_US (2 * US_PER_S)
/* For so long a cluster that lists no topic is taken for one that comes up: a controller that was
 * killed is replaced once its ZooKeeper session has run out, by default after 18 s. */
#define EMPTY_US (20 * US_PER_S)
/* Answers in a row that do not know a topic which is created then. */
#define ANSWERS_MIN 2
#define KAFKA_CONTROL_RETENTION_MS "604800000"

/* ---- Metadata ---- */

enum answer { ANSWER_READY, ANSWER_MISSING, ANSWER_WAIT };

static enum answer count_partitions(const rd_kafka_metadata_topic_t *topic,
                                    struct kafka_topic_facts *facts)
{
    facts->partitions = topic->partition_cnt;
    facts->replicas = INT32_MAX;
    for (int i = 0; i < topic->partition_cnt; i++) {
        if (topic->partitions[i].leader < 0)
            return ANSWER_WAIT;
        if (topic->partitions[i].replica_cnt < facts->replicas)
            facts->replicas = topic->partitions[i].replica_cnt;
    }
    return topic->partition_cnt > 0 ? ANSWER_READY : ANSWER_WAIT;
}

/* -1: an error that asking again does not mend. */
static int judge(const struct kafka_client *client, const rd_kafka_metadata_topic_t *topic,
                 const char *operations, struct kafka_topic_facts *facts, enum answer *answer,
                 struct error *err)
{
    *answer = ANSWER_WAIT;
    switch (topic->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        *answer = count_partitions(topic, facts);
        return 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        *facts = (struct kafka_topic_facts){.brokers = facts->brokers};
        *answer = ANSWER_MISSING;
        return 0;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return kafka_denied(err, &client->health, "topic", topic->topic, operations);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return error_data(err, REASON_ILLEGAL_TOPIC, "Kafka does not take the topic name %s",
                          topic->topic);
    default:
        return 0;
    }
}

static int ask(struct kafka_client *client, rd_kafka_topic_t *rkt, const char *operations,
               struct kafka_topic_facts *facts, enum answer *answer, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    *answer = ANSWER_WAIT;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, rkt, &metadata, KAFKA_SLICE_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    client->health.brokers_down = false;
    *facts = (struct kafka_topic_facts){.brokers = metadata->broker_cnt};
    int result = metadata->topic_cnt == 1
                     ? judge(client, &metadata->topics[0], operations, facts, answer, err)
                     : 0;
    rd_kafka_metadata_destroy(metadata);
    return result;
}

/* ---- Missing topics ---- */

/* What the answers in a row that did not know a topic amount to. */
struct absence {
    int answers;
    int64_t since_us;
    bool nothing_listed; /* the newest answer: no topic at all */
};

/* Whether one answer lists other topics, and not this one. */
static enum answer ask_for_all(struct kafka_client *client, const char *topic,
                               struct absence *absence)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 1, NULL, &metadata, KAFKA_SLICE_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return ANSWER_WAIT;
    enum answer answer = ANSWER_MISSING;
    absence->nothing_listed = metadata->topic_cnt == 0;
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            answer = ANSWER_WAIT;
    rd_kafka_metadata_destroy(metadata);
    return answer;
}

/* Whether the topic may be called missing. */
static bool is_absent(struct kafka_client *client, const char *topic, enum kafka_doubt doubt,
                      enum answer answer, struct absence *absence)
{
    int64_t now_us = clock_monotonic_us();
    if (answer == ANSWER_MISSING && doubt != KAFKA_DOUBT_NONE)
        answer = ask_for_all(client, topic, absence);
    if (answer != ANSWER_MISSING) {
        *absence = (struct absence){.answers = 0};
        return false;
    }
    if (absence->answers++ == 0)
        absence->since_us = now_us;
    if (absence->answers < ANSWERS_MIN)
        return false;
    int64_t patience_us = doubt == KAFKA_DOUBT_LAG ? SETTLED_US : 0;
    if (absence->nothing_listed)
        patience_us = EMPTY_US;
    return now_us - absence->since_us >= patience_us;
}

int kafka_topic_facts(struct kafka_client *client, rd_kafka_topic_t *rkt, int64_t deadline_us,
                      const char *operations, enum kafka_doubt doubt,
                      struct kafka_topic_facts *facts, struct error *err)
{
    assert(client->rk != NULL);
    assert(rkt != NULL);
    char doing[320];
    snprintf(doing, sizeof doing, "asking for topic %s", rd_kafka_topic_name(rkt));
    struct absence absence = {.answers = 0};
    for (;;) {
        enum answer answer;
        if (ask(client, rkt, operations, facts, &answer, err) < 0)
            return -1;
        if (answer == ANSWER_READY ||
            is_absent(client, rd_kafka_topic_name(rkt), doubt, answer, &absence))
            return 0;
        if (kafka_keep_waiting(client, deadline_us, doing, err) < 0)
            return -1;
        clock_sleep_us(ASK_AGAIN_US);
    }
}

/* ---- Admin requests ---- */

/* The queue is destroyed. */
static rd_kafka_event_t *await_event(struct kafka_client *client, rd_kafka_queue_t *queue,
                                     int64_t deadline_us, const char *doing, struct error *err)
{
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS)) == NULL)
        if (kafka_keep_waiting(client, deadline_us, doing, err) < 0)
            break;
    rd_kafka_queue_destroy(queue);
    return event;
}

rd_kafka_event_t *kafka_ask_configs(struct kafka_client *client,
                                    rd_kafka_ConfigResource_t **resources, size_t count,
                                    int64_t deadline_us, const char *doing, struct error *err)
{
    assert(count > 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_DescribeConfigs(client->rk, resources, count, NULL, queue);
    rd_kafka_ConfigResource_destroy_array(resources, count);
    return await_event(client, queue, deadline_us, doing, err);
}

#if RD_KAFKA_VERSION >= 0x02030000
rd_kafka_event_t *kafka_ask_topics(struct kafka_client *client, const char **names, size_t count,
                                   int64_t deadline_us, const char *doing, struct error *err)
{
    assert(count > 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(names, count);
    rd_kafka_DescribeTopics(client->rk, topics, NULL, queue);
    rd_kafka_TopicCollection_destroy(topics);
    return await_event(client, queue, deadline_us, doing, err);
}
#endif

rd_kafka_event_t *kafka_ask_create(struct kafka_client *client, rd_kafka_NewTopic_t **plans,
                                   size_t count, int64_t deadline_us, const char *doing,
                                   struct error *err)
{
    assert(count > 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_CreateTopics(client->rk, plans, count, NULL, queue);
    rd_kafka_NewTopic_destroy_array(plans, count);
    return await_event(client, queue, deadline_us, doing, err);
}

static int64_t number_of(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    return *end == '\0' && end != text ? value : -1;
}

static void apply_setting(struct kafka_topic_settings *s, const char *name, const char *value)
{
    if (value == NULL)
        return;
    if (strcmp(name, "max.message.bytes") == 0)
        s->max_message_bytes = number_of(value);
    else if (strcmp(name, "min.insync.replicas") == 0)
        s->min_insync_replicas = number_of(value);
    else if (strcmp(name, "unclean.leader.election.enable") == 0)
        s->unclean_election = strcmp(value, "true") == 0;
    else if (strcmp(name, "segment.bytes") == 0)
        s->progress_segments = strcmp(value, KAFKA_PROGRESS_SEGMENT_BYTES) == 0;
    else if (strcmp(name, "min.cleanable.dirty.ratio") == 0)
        s->progress_ratio = strcmp(value, KAFKA_PROGRESS_DIRTY_RATIO) == 0;
    else if (strcmp(name, "retention.ms") == 0)
        s->clamp.retention_ms = number_of(value);
    else if (strcmp(name, "message.timestamp.before.max.ms") == 0)
        s->clamp.before_max_ms = number_of(value);
    else if (strcmp(name, "message.timestamp.after.max.ms") == 0)
        s->clamp.after_max_ms = number_of(value);
    else if (strcmp(name, "message.timestamp.difference.max.ms") == 0)
        s->clamp.difference_max_ms = number_of(value);
    else if (strcmp(name, "message.timestamp.type") == 0)
        s->clamp.log_append_time = strcmp(value, "LogAppendTime") == 0;
    else if (strcmp(name, "cleanup.policy") == 0) {
        s->compacts = strstr(value, "compact") != NULL;
        s->clamp.deletes = strstr(value, "delete") != NULL;
    }
}

static const struct kafka_topic_settings defaults = {
    .max_message_bytes = KAFKA_MESSAGE_BYTES_DEFAULT,
    .min_insync_replicas = -1,
    .clamp = {
        .retention_ms = -1, .before_max_ms = -1, .after_max_ms = -1, .difference_max_ms = -1}};

int kafka_settings_take(const rd_kafka_ConfigResource_t *resource,
                        struct kafka_topic_settings *settings)
{
    assert(resource != NULL && settings != NULL);
    *settings = defaults;
    rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resource);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_is_denied(code) ? 0 : -1;
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++)
        apply_setting(settings, rd_kafka_ConfigEntry_name(entries[i]),
                      rd_kafka_ConfigEntry_value(entries[i]));
    if (settings->max_message_bytes <= 0)
        settings->max_message_bytes = KAFKA_MESSAGE_BYTES_DEFAULT;
    settings->known = true;
    return 0;
}

static int take_settings(rd_kafka_event_t *event, struct kafka_topic_settings *settings)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources =
        result != NULL ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR || count != 1)
        return -1;
    return kafka_settings_take(resources[0], settings);
}

/* Whether a failed answer may be taken for "not allowed to know". */
static bool is_final(rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    return code != RD_KAFKA_RESP_ERR__TIMED_OUT && code != RD_KAFKA_RESP_ERR__TRANSPORT;
}

int kafka_topic_settings(struct kafka_client *client, const char *topic, int64_t deadline_us,
                         struct kafka_topic_settings *settings, struct error *err)
{
    assert(client->rk != NULL);
    assert(topic != NULL);
    *settings = defaults;
    char doing[320];
    snprintf(doing, sizeof doing, "reading the configuration of topic %s", topic);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_event_t *event = kafka_ask_configs(client, &resource, 1, deadline_us, doing, err);
    if (event == NULL)
        return -1;
    int result = 0;
    if (take_settings(event, settings) < 0 && !is_final(event))
        result = kafka_failed(err, &client->health, rd_kafka_event_error(event),
                              rd_kafka_event_error_string(event), doing);
    rd_kafka_event_destroy(event);
    return result;
}

/* ---- The control topic ---- */

struct kafka_topic_plan kafka_control_plan(const char *name, int32_t brokers)
{
    static const char *const one[] = {"cleanup.policy", "delete", "retention.ms",
                                      KAFKA_CONTROL_RETENTION_MS, NULL};
    static const char *const three[] = {"cleanup.policy",
                                        "delete",
                                        "retention.ms",
                                        KAFKA_CONTROL_RETENTION_MS,
                                        "min.insync.replicas",
                                        "2",
                                        "unclean.leader.election.enable",
                                        "false",
                                        NULL};
    return (struct kafka_topic_plan){.name = name,
                                     .partitions = 1,
                                     .replication_factor = kafka_replicas(brokers),
                                     .settings = brokers >= 3 ? three : one};
}

bool kafka_is_control(const struct kafka_options *options, struct span topic)
{
    char name[TOPIC_NAME_CONTROL_MAX];
    return options->relay != NULL &&
           span_equal_text(topic, topic_name_control(options->relay, name));
}

/* ---- The topic with the held keys ---- */

struct kafka_topic_plan kafka_quarantine_plan(const char *name, int32_t brokers)
{
    static const char *const one[] = {"cleanup.policy", "compact", "min.cleanable.dirty.ratio",
                                      KAFKA_PROGRESS_DIRTY_RATIO, NULL};
    static const char *const three[] = {"cleanup.policy",
                                        "compact",
                                        "min.cleanable.dirty.ratio",
                                        KAFKA_PROGRESS_DIRTY_RATIO,
                                        "min.insync.replicas",
                                        "2",
                                        "unclean.leader.election.enable",
                                        "false",
                                        NULL};
    return (struct kafka_topic_plan){.name = name,
                                     .partitions = 1,
                                     .replication_factor = kafka_replicas(brokers),
                                     .settings = brokers >= 3 ? three : one};
}

bool kafka_is_quarantine(const struct kafka_options *options, struct span topic)
{
    char name[TOPIC_NAME_QUARANTINE_MAX];
    return options->relay != NULL &&
           span_equal_text(topic, topic_name_quarantine(options->relay, name));
}

/* ---- Creating ---- */

static int create_refused(const struct kafka_client *client, const char *topic,
                          rd_kafka_resp_err_t code, const char *text, struct error *err)
{
    char doing[320];
    switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return kafka_denied(err, &client->health, "topic", topic, KAFKA_CREATE_OPERATIONS);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return error_data(err, REASON_ILLEGAL_TOPIC, "Kafka does not take the topic name %s: %s",
                          topic, text);
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        error_stop(err, REASON_TOPIC_CREATE_REFUSED, "Kafka refuses to create topic %s: %s", topic,
                   text);
        return error_hint(err, "correct delivery.topics, or create the topic by hand");
    default:
        snprintf(doing, sizeof doing, "creating topic %s", topic);
        return kafka_failed(err, &client->health, code, text, doing);
    }
}

static int take_created(const struct kafka_client *client, rd_kafka_event_t *event,
                        const char *topic, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && result != NULL) {
        size_t count;
        const rd_kafka_topic_result_t **topics =
            rd_kafka_CreateTopics_result_topics(result, &count);
        if (count == 1) {
            code = rd_kafka_topic_result_error(topics[0]);
            text = rd_kafka_topic_result_error_string(topics[0]);
        }
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return 0;
    return create_refused(client, topic, code, text != NULL ? text : rd_kafka_err2str(code), err);
}

/* A topic is usable a little after it is created. */
static int await_topic(struct kafka_client *client, rd_kafka_topic_t *rkt, int64_t deadline_us,
                       struct kafka_topic_facts *facts, struct error *err)
{
    char doing[320];
    snprintf(doing, sizeof doing, "waiting for the new topic %s", rd_kafka_topic_name(rkt));
    for (;;) {
        if (kafka_topic_facts(client, rkt, deadline_us, KAFKA_USE_OPERATIONS, KAFKA_DOUBT_NONE,
                              facts, err) < 0)
            return -1;
        if (facts->partitions > 0)
            return 0;
        if (kafka_keep_waiting(client, deadline_us, doing, err) < 0)
            return -1;
    }
}

int kafka_topic_create(struct kafka_client *client, const struct kafka_topic_plan *plan,
                       rd_kafka_topic_t *rkt, int64_t deadline_us, struct kafka_topic_facts *facts,
                       struct error *err)
{
    assert(plan->name != NULL);
    assert(rkt != NULL);
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(plan->name, plan->partitions,
                                                       plan->replication_factor, text, sizeof text);
    if (topic == NULL)
        return create_refused(client, plan->name, RD_KAFKA_RESP_ERR_INVALID_CONFIG, text, err);
    for (const char *const *at = plan->settings; at != NULL && at[0] != NULL; at += 2)
        rd_kafka_NewTopic_set_config(topic, at[0], at[1]);
    rd_kafka_event_t *event =
        kafka_ask_create(client, &topic, 1, deadline_us, "creating a topic", err);
    if (event == NULL)
        return -1;
    int result = take_created(client, event, plan->name, err);
    rd_kafka_event_destroy(event);
    if (result < 0)
        return -1;
    return await_topic(client, rkt, deadline_us, facts, err);
}

int kafka_topic_missing_hint(struct error *err, const struct kafka_client *client,
                             const char *topic)
{
    char servers[KAFKA_SERVERS_MAX];
    kafka_servers(client->health.options->kafka, servers);
    error_hint(err, "set delivery.topics.create: true, or create it");
    return error_mend_shell(err, "kafka-topics.sh --bootstrap-server %s --create --topic %s",
                            servers, topic);
}
