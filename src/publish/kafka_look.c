/* publish/kafka_look: see kafka_sight.h. Asks, and never concludes from what is denied. */
#include "publish/kafka_reading.h"
#include "publish/kafka_read.h"
#include "publish/kafka_topics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Our record is among the newest of its topic: markers and other relays' records lie between. */
#define TAIL 500

static int open_admin(struct kafka_client *client, const struct kafka_options *options,
                      struct error *err)
{
    struct kafka_client_options how = {.options = options, .role = KAFKA_ADMIN};
    return kafka_client_open(client, &how, err);
}

/* ---- The broker ---- */

static void take_entry(struct kafka_sight *sight, const char *name, const char *value)
{
    if (value == NULL)
        return;
    if (strcmp(name, "inter.broker.protocol.version") == 0)
        snprintf(sight->protocol, sizeof sight->protocol, "%s", value);
    else if (strcmp(name, "transaction.max.timeout.ms") == 0)
        sight->transaction_timeout_max_ms = strtoll(value, NULL, 10);
    else if (strcmp(name, "message.max.bytes") == 0)
        sight->message_bytes_max = strtoll(value, NULL, 10);
    else if (strcmp(name, "socket.request.max.bytes") == 0)
        sight->request_bytes_max = strtoll(value, NULL, 10);
}

static void take_broker(rd_kafka_event_t *event, struct kafka_sight *sight)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t count = 0, entries = 0;
    const rd_kafka_ConfigResource_t **resources =
        result != NULL ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (count != 1 || rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const rd_kafka_ConfigEntry_t **all = rd_kafka_ConfigResource_configs(resources[0], &entries);
    for (size_t i = 0; i < entries; i++)
        take_entry(sight, rd_kafka_ConfigEntry_name(all[i]), rd_kafka_ConfigEntry_value(all[i]));
    sight->known = entries > 0;
}

/* Waits until one answers. */
static int find_broker(struct kafka_client *client, int64_t deadline_us, char id[16],
                       struct kafka_sight *sight, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    while (rd_kafka_metadata(client->rk, 0, NULL, &metadata, KAFKA_SLICE_MS) !=
           RD_KAFKA_RESP_ERR_NO_ERROR)
        if (kafka_keep_waiting(client, deadline_us, "asking for the brokers", err) < 0)
            return -1;
    sight->brokers = metadata->broker_cnt;
    snprintf(id, 16, "%" PRId32, metadata->broker_cnt > 0 ? metadata->brokers[0].id : 0);
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

int kafka_look_at_broker(const struct kafka_options *options, struct kafka_sight *sight,
                         struct error *err)
{
    assert(options != NULL && sight != NULL);
    struct kafka_client client;
    char id[16];
    int64_t deadline_us = kafka_deadline_us(options);
    *sight = (struct kafka_sight){.known = false};
    if (open_admin(&client, options, err) < 0)
        return -1;
    int result = find_broker(&client, deadline_us, id, sight, err);
    if (result == 0) {
        rd_kafka_ConfigResource_t *resource =
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, id);
        rd_kafka_event_t *event = kafka_ask_configs(&client, &resource, 1, deadline_us,
                                                    "reading the configuration of a broker", err);
        if (event != NULL)
            take_broker(event, sight);
        result = event != NULL ? 0 : -1;
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    kafka_client_close(&client);
    return result;
}

/* ---- Sizes ---- */

static int set_limit(const struct kafka_options *options, const char *topic, int64_t bytes,
                     struct error *err)
{
    char servers[KAFKA_SERVERS_MAX];
    return error_mend_shell(err,
                            "kafka-configs.sh --bootstrap-server %s --alter --topic %s "
                            "--add-config max.message.bytes=%" PRId64,
                            kafka_servers(options->kafka, servers), topic, bytes);
}

static int judge_limit(const struct kafka_options *options, const struct kafka_sight *sight,
                       const char *topic, int64_t bytes, struct error *err)
{
    const char *ours = kafka_property(options->kafka, "message.max.bytes");
    if (sight->request_bytes_max > 0 && bytes > sight->request_bytes_max) {
        error_stop(err, REASON_FINDING,
                   "topic %s takes messages of %" PRId64 " bytes, and its broker closes the "
                   "connection at requests of more than %" PRId64 " (socket.request.max.bytes)",
                   topic, bytes, sight->request_bytes_max);
        return set_limit(options, topic, sight->request_bytes_max / 2, err);
    }
    if (sight->message_bytes_max > 0 && bytes < sight->message_bytes_max) {
        error_stop(err, REASON_FINDING,
                   "topic %s takes messages of %" PRId64 " bytes, less than the other topics of "
                   "its broker (message.max.bytes %" PRId64 "): larger events are errors",
                   topic, bytes, sight->message_bytes_max);
        return set_limit(options, topic, sight->message_bytes_max, err);
    }
    if (ours == NULL || strtoll(ours, NULL, 10) >= bytes)
        return 0;
    error_stop(err, REASON_FINDING,
               "kafka.message.max.bytes is %s, and topic %s takes messages of %" PRId64 " bytes: "
               "events in between are errors that need not be",
               ours, topic, bytes);
    return error_hint(err, "take kafka.message.max.bytes out of the file; the limit of each topic "
                           "holds then");
}

int kafka_look_at_limits(const struct kafka_options *options, const struct kafka_sight *sight,
                         const char *const *topics, uint32_t count, struct error *err)
{
    assert(options != NULL && sight != NULL);
    struct kafka_client client;
    int64_t deadline_us = kafka_deadline_us(options);
    if (open_admin(&client, options, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        struct kafka_topic_settings settings;
        result = kafka_topic_settings(&client, topics[i], deadline_us, &settings, err);
        if (result == 0 && settings.known)
            result = judge_limit(options, sight, topics[i], settings.max_message_bytes, err);
    }
    kafka_client_close(&client);
    return result;
}

/* ---- Rights ---- */

#if RD_KAFKA_VERSION >= 0x02030000
static bool may(const rd_kafka_TopicDescription_t *topic, rd_kafka_AclOperation_t wanted)
{
    size_t count = 0;
    const rd_kafka_AclOperation_t *granted =
        rd_kafka_TopicDescription_authorized_operations(topic, &count);
    bool found = granted == NULL; /* it was not told */
    for (size_t i = 0; i < count; i++)
        found |= granted[i] == wanted || granted[i] == RD_KAFKA_ACL_OPERATION_ALL;
    return found;
}

static int judge_rights(const struct kafka_client *client, const rd_kafka_TopicDescription_t *topic,
                        bool progress, struct error *err)
{
    const char *name = rd_kafka_TopicDescription_name(topic);
    rd_kafka_resp_err_t code = rd_kafka_error_code(rd_kafka_TopicDescription_error(topic));
    const char *operations = progress ? "Describe,Read,Write,DescribeConfigs" : "Describe,Write";
    if (kafka_is_denied(code))
        return kafka_denied(err, &client->health, "topic", name, operations);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    bool all = may(topic, RD_KAFKA_ACL_OPERATION_WRITE) &&
               (!progress || may(topic, RD_KAFKA_ACL_OPERATION_READ));
    return all ? 0 : kafka_denied(err, &client->health, "topic", name, operations);
}

static rd_kafka_event_t *ask_rights(struct kafka_client *client, const char *const *topics,
                                    uint32_t count, int64_t deadline_us, struct error *err)
{
    char text[128];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_TopicCollection_t *names =
        rd_kafka_TopicCollection_of_topic_names((const char **)(uintptr_t)topics, count);
    rd_kafka_AdminOptions_t *how =
        rd_kafka_AdminOptions_new(client->rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    rd_kafka_AdminOptions_set_include_authorized_operations(how, 1);
    rd_kafka_AdminOptions_set_request_timeout(how, KAFKA_QUESTION_MS, text, sizeof text);
    rd_kafka_DescribeTopics(client->rk, names, how, queue);
    rd_kafka_AdminOptions_destroy(how);
    rd_kafka_TopicCollection_destroy(names);
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS)) == NULL)
        if (kafka_keep_waiting(client, deadline_us, "asking for rights on topics", err) < 0)
            break;
    rd_kafka_queue_destroy(queue);
    return event;
}

int kafka_look_at_rights(const struct kafka_options *options, const char *const *topics,
                         uint32_t count, bool *asked, struct error *err)
{
    assert(options != NULL && topics != NULL && count > 0);
    struct kafka_client client;
    int result = 0;
    *asked = true;
    if (open_admin(&client, options, err) < 0)
        return -1;
    rd_kafka_event_t *event = ask_rights(&client, topics, count, kafka_deadline_us(options), err);
    if (event == NULL) {
        result = -1;
    } else {
        const rd_kafka_DescribeTopics_result_t *answer =
            rd_kafka_event_DescribeTopics_result(event);
        size_t found = 0;
        const rd_kafka_TopicDescription_t **all =
            answer != NULL ? rd_kafka_DescribeTopics_result_topics(answer, &found) : NULL;
        for (size_t i = 0; i < found && result == 0; i++)
            result =
                judge_rights(&client, all[i],
                             strcmp(rd_kafka_TopicDescription_name(all[i]), topics[0]) == 0, err);
        rd_kafka_event_destroy(event);
    }
    kafka_client_close(&client);
    return result;
}
#else
int kafka_look_at_rights(const struct kafka_options *options, const char *const *topics,
                         uint32_t count, bool *asked, struct error *err)
{
    assert(options != NULL && topics != NULL && count > 0);
    (void)err;
    *asked = false;
    return 0;
}
#endif

/* ---- The clock ---- */

static void take_append(const struct kafka_options *options, const rd_kafka_message_t *message,
                        struct buf *record, int64_t *append_ms)
{
    char key[KAFKA_KEY_MAX];
    rd_kafka_timestamp_type_t type;
    kafka_progress_key(options, key);
    if (message->key == NULL || message->payload == NULL ||
        !span_equal((struct span){message->key, message->key_len}, span_of(key)))
        return;
    int64_t at_ms = rd_kafka_message_timestamp(message, &type);
    *append_ms = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? at_ms : 0;
    buf_reset(record);
    buf_add(record, (struct span){message->payload, message->len});
}

int kafka_look_at_append(const struct kafka_options *options, struct buf *record,
                         int64_t *append_ms, struct error *err)
{
    assert(record != NULL && append_ms != NULL);
    struct kafka_reading reading;
    struct kafka_topic_facts facts;
    rd_kafka_message_t *message;
    const char *topic = options->delivery->progress_topic.text;
    *append_ms = 0;
    int result = kafka_reading_open(&reading, options, KAFKA_CONSUMER_COMMITTED, topic,
                                    "reading topic", err);
    if (result == 0)
        result = kafka_topic_facts(&reading.client, reading.rkt, reading.deadline_us,
                                   "Read,Describe", KAFKA_DOUBT_NONE, &facts, err);
    if (result == 0 && facts.partitions > 0 && kafka_reading_find_end(&reading, err) == 0) {
        int64_t from = reading.end - TAIL > reading.low ? reading.end - TAIL : reading.low;
        result = kafka_reading_start(&reading, from, reading.end, err);
        if (result == 0) {
            while ((result = kafka_reading_next(&reading, &message, err)) == 1) {
                take_append(options, message, record, append_ms);
                rd_kafka_message_destroy(message);
            }
            kafka_reading_stop(&reading);
        }
    }
    kafka_reading_close(&reading);
    return err->kind == ERROR_NONE ? 0 : -1;
}
