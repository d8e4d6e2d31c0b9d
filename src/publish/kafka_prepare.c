/* publish/kafka_prepare: what is checked and created before a relay takes over: the progress topic,
 * the topics that routes name in plain text, and whether broker and coordinator can be had. Uses no
 * transactional.id of a relay, so that nobody is fenced. */
#include "model/topic_name.h"
#include "publish/kafka_destination.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct preparing {
    struct kafka_client client;
    int64_t deadline_us;
    struct buf *weak; /* may be NULL */
    struct buf *made; /* likewise */
};

/* ---- The progress topic ---- */

static int check_progress_topic(const struct preparing *p, const char *topic,
                                const struct kafka_topic_facts *facts,
                                const struct kafka_topic_settings *settings, struct error *err)
{
    char servers[KAFKA_SERVERS_MAX];
    kafka_servers(p->client.health.options->kafka, servers);
    if (facts->partitions != 1) {
        error_stop(err, REASON_PROGRESS_TOPIC_PARTITIONS,
                   "progress topic %s has %" PRId32 " partitions, it must have 1", topic,
                   facts->partitions);
        return error_hint(err, "name another topic as delivery.progress_topic; it is created with "
                               "1 partition");
    }
    if (settings->known && (!settings->compacts || settings->clamp.deletes)) {
        error_stop(err, REASON_PROGRESS_TOPIC_DELETES,
                   "progress topic %s is not compacted only, so Kafka would delete the progress "
                   "with time",
                   topic);
        return error_mend_shell(err,
                                "kafka-configs.sh --bootstrap-server %s --alter --topic %s "
                                "--add-config cleanup.policy=compact",
                                servers, topic);
    }
    return 0;
}

static int create_progress_topic(struct preparing *p, const char *topic, rd_kafka_topic_t *rkt,
                                 struct kafka_topic_facts *facts, struct error *err)
{
    if (!p->client.health.options->delivery->topics.create) {
        error_stop(err, REASON_TOPIC_MISSING,
                   "progress topic %s does not exist and delivery.topics.create is false", topic);
        char servers[KAFKA_SERVERS_MAX];
        kafka_servers(p->client.health.options->kafka, servers);
        return error_mend_shell(
            err,
            "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions "
            "1 --config cleanup.policy=compact --config "
            "message.timestamp.type=LogAppendTime",
            servers, topic);
    }
    bool three = facts->brokers >= 3;
    const char *settings[] = {"cleanup.policy",
                              "compact",
                              "segment.bytes",
                              KAFKA_PROGRESS_SEGMENT_BYTES,
                              "min.cleanable.dirty.ratio",
                              KAFKA_PROGRESS_DIRTY_RATIO,
                              "message.timestamp.type",
                              "LogAppendTime",
                              "unclean.leader.election.enable",
                              "false",
                              three ? "min.insync.replicas" : NULL,
                              three ? "2" : NULL,
                              NULL};
    struct kafka_topic_plan plan = {.name = topic,
                                    .partitions = 1,
                                    .replication_factor = kafka_replicas(facts->brokers),
                                    .settings = settings};
    return kafka_topic_create(&p->client, &plan, rkt, p->deadline_us, facts, err);
}

/* ---- The dead-letter topic ---- */

static int check_letter_topic(const struct preparing *p, const char *topic,
                              const struct kafka_topic_settings *settings, struct error *err)
{
    if (!settings->known || !settings->compacts)
        return 0;
    char servers[KAFKA_SERVERS_MAX];
    kafka_servers(p->client.health.options->kafka, servers);
    error_stop(
        err, REASON_DEAD_LETTER_TOPIC,
        "dead-letter topic %s is compacted, so Kafka would delete all but the last letter of "
        "a key",
        topic);
    return error_hint(err,
                      "kafka-configs.sh --bootstrap-server %s --alter --topic %s --add-config "
                      "cleanup.policy=delete",
                      servers, topic);
}

/* Kept until a person has done something about them, and as safe as progress. */
static int create_letter_topic(struct preparing *p, const char *topic, rd_kafka_topic_t *rkt,
                               struct kafka_topic_facts *facts, struct error *err)
{
    const struct config_topics *topics = &p->client.health.options->delivery->topics;
    if (!topics->create) {
        error_stop(err, REASON_TOPIC_MISSING,
                   "dead-letter topic %s does not exist and delivery.topics.create is false",
                   topic);
        return kafka_topic_missing_hint(err, &p->client, topic);
    }
    bool three = facts->brokers >= 3;
    const char *settings[] = {"cleanup.policy",
                              "delete",
                              "retention.ms",
                              "-1",
                              "retention.bytes",
                              "-1",
                              "unclean.leader.election.enable",
                              "false",
                              three ? "min.insync.replicas" : NULL,
                              three ? "2" : NULL,
                              NULL};
    struct kafka_topic_plan plan = {.name = topic,
                                    .partitions = topics->partitions,
                                    .replication_factor = kafka_replicas(facts->brokers),
                                    .settings = settings};
    return kafka_topic_create(&p->client, &plan, rkt, p->deadline_us, facts, err);
}

/* ---- The topic with the held keys ---- */

static int check_quarantine_topic(const struct preparing *p, const char *topic,
                                  const struct kafka_topic_facts *facts,
                                  const struct kafka_topic_settings *settings, struct error *err)
{
    bool kept = !settings->known || (settings->compacts && !settings->clamp.deletes);
    if (facts->partitions == 1 && kept)
        return 0;
    char servers[KAFKA_SERVERS_MAX];
    kafka_servers(p->client.health.options->kafka, servers);
    error_stop(err, REASON_QUARANTINE_TOPIC,
               "topic %s, which keys are held in, must be compacted only and have 1 partition",
               topic);
    if (facts->partitions != 1)
        return error_hint(err, "delete it, it is made anew; let no key be held by then");
    return error_hint(err,
                      "kafka-configs.sh --bootstrap-server %s --alter --topic %s --add-config "
                      "cleanup.policy=compact",
                      servers, topic);
}

/* ---- Any topic ---- */

enum topic_use {
    TOPIC_OF_EVENTS,
    TOPIC_OF_PROGRESS,
    TOPIC_OF_LETTERS,
    TOPIC_OF_QUARANTINE,
    TOPIC_OF_CONTROL
};

static int create_topic(struct preparing *p, const char *topic, rd_kafka_topic_t *rkt,
                        enum topic_use use, struct kafka_topic_facts *facts, struct error *err)
{
    const struct config_topics *topics = &p->client.health.options->delivery->topics;
    if (!topics->create) {
        error_stop(err, REASON_TOPIC_MISSING,
                   "topic %s does not exist and delivery.topics.create is false", topic);
        return kafka_topic_missing_hint(err, &p->client, topic);
    }
    struct kafka_topic_plan plan = {.name = topic,
                                    .partitions = topics->partitions,
                                    .replication_factor = topics->replication_factor};
    if (use == TOPIC_OF_QUARANTINE)
        plan = kafka_quarantine_plan(topic, facts->brokers);
    if (use == TOPIC_OF_CONTROL)
        plan = kafka_control_plan(topic, facts->brokers);
    return kafka_topic_create(&p->client, &plan, rkt, p->deadline_us, facts, err);
}

static int check_destination(const struct preparing *p, const char *topic, int32_t partitions,
                             const struct kafka_topic_settings *settings, struct error *err)
{
    const char *why;
    if (kafka_destination_check(p->client.health.options, topic, partitions, settings, &why, err) <
        0)
        return -1;
    return why != NULL ? kafka_destination_refuse(topic, why, err) : 0;
}

static int create_for(struct preparing *p, const char *topic, rd_kafka_topic_t *rkt,
                      enum topic_use use, struct kafka_topic_facts *facts, struct error *err)
{
    int made = use == TOPIC_OF_PROGRESS  ? create_progress_topic(p, topic, rkt, facts, err)
               : use == TOPIC_OF_LETTERS ? create_letter_topic(p, topic, rkt, facts, err)
                                         : create_topic(p, topic, rkt, use, facts, err);
    if (made == 0 && p->made != NULL)
        buf_add_format(p->made, "%s%s", p->made->len > 0 ? ", " : "", topic);
    return made;
}

static int check_for(const struct preparing *p, const char *topic, enum topic_use use,
                     const struct kafka_topic_facts *facts,
                     const struct kafka_topic_settings *settings, struct error *err)
{
    if (use == TOPIC_OF_PROGRESS)
        return check_progress_topic(p, topic, facts, settings, err);
    if (use == TOPIC_OF_CONTROL)
        return 0;
    if (use == TOPIC_OF_QUARANTINE)
        return check_quarantine_topic(p, topic, facts, settings, err);
    /* First: the mend of what is compacted would have Kafka delete a relay's progress. */
    if (check_destination(p, topic, facts->partitions, settings, err) < 0) {
        if (use == TOPIC_OF_LETTERS && err->reason == REASON_RESERVED_TOPIC)
            error_hint(err, "name another topic as dead_letter.topic");
        return -1;
    }
    return use == TOPIC_OF_LETTERS ? check_letter_topic(p, topic, settings, err) : 0;
}

static int prepare_known(struct preparing *p, const char *topic, rd_kafka_topic_t *rkt,
                         enum topic_use use, bool create, struct error *err)
{
    struct kafka_topic_facts facts;
    struct kafka_topic_settings settings;
    bool concludes = create && !p->client.health.options->delivery->topics.create;
    if (kafka_topic_facts(&p->client, rkt, p->deadline_us, KAFKA_USE_OPERATIONS,
                          concludes ? KAFKA_DOUBT_LAG : KAFKA_DOUBT_NONE, &facts, err) < 0)
        return -1;
    if (facts.partitions == 0 && !create)
        return 0;
    if (facts.partitions == 0 && create_for(p, topic, rkt, use, &facts, err) < 0)
        return -1;
    if (kafka_topic_settings(&p->client, topic, p->deadline_us, &settings, err) < 0 ||
        check_for(p, topic, use, &facts, &settings, err) < 0)
        return -1;
    if (p->weak != NULL)
        kafka_destination_weak(topic, facts.replicas, &settings, p->weak);
    return 0;
}

/* A bad name among the routes is the configuration's fault, not one event's. */
static int stop_instead_of_data(struct error *err)
{
    if (err->kind == ERROR_DATA) {
        err->kind = ERROR_STOP;
        err->exit_code = EXIT_USAGE;
    }
    return -1;
}

static int prepare_topic(struct preparing *p, const char *topic, enum topic_use use, bool create,
                         struct error *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(p->client.rk, topic, NULL);
    if (rkt == NULL)
        return error_stop(err, REASON_ILLEGAL_TOPIC, "librdkafka does not take topic %s: %s", topic,
                          rd_kafka_err2str(rd_kafka_last_error()));
    int result = prepare_known(p, topic, rkt, use, create, err);
    rd_kafka_topic_destroy(rkt);
    return result < 0 ? stop_instead_of_data(err) : 0;
}

static int prepare_all(struct preparing *p, const char *const *topics, uint32_t topic_count,
                       bool create_progress, struct error *err)
{
    const struct kafka_options *options = p->client.health.options;
    const char *progress_topic = options->delivery->progress_topic.text;
    if (prepare_topic(p, progress_topic, TOPIC_OF_PROGRESS, create_progress, err) < 0)
        return -1;
    if (options->letter_topic != NULL &&
        prepare_topic(p, options->letter_topic, TOPIC_OF_LETTERS, true, err) < 0)
        return -1;
    char held[TOPIC_NAME_QUARANTINE_MAX];
    if (options->holds_keys && prepare_topic(p, topic_name_quarantine(options->relay, held),
                                             TOPIC_OF_QUARANTINE, true, err) < 0)
        return -1;
    for (uint32_t i = 0; i < topic_count; i++)
        if (prepare_topic(p, topics[i], TOPIC_OF_EVENTS, true, err) < 0)
            return -1;
    return 0;
}

int kafka_prepare_topics(const struct kafka_options *options, const char *const *topics,
                         uint32_t topic_count, bool create_progress, struct buf *weak,
                         struct buf *made, struct error *err)
{
    assert(options != NULL && options->delivery != NULL);
    assert(topic_count == 0 || topics != NULL);
    struct preparing p = {.deadline_us = kafka_deadline_us(options), .weak = weak, .made = made};
    struct kafka_client_options how = {.options = options, .role = KAFKA_ADMIN};
    if (weak != NULL)
        buf_reset(weak);
    if (made != NULL)
        buf_reset(made);
    if (kafka_client_open(&p.client, &how, err) < 0)
        return -1;
    int result = prepare_all(&p, topics, topic_count, create_progress, err);
    kafka_client_close(&p.client);
    return result;
}

int kafka_prepare_control(const struct kafka_options *options, struct buf *made, struct error *err)
{
    assert(options != NULL && options->relay != NULL);
    char name[TOPIC_NAME_CONTROL_MAX];
    struct preparing p = {.deadline_us = kafka_deadline_us(options), .made = made};
    struct kafka_client_options how = {.options = options, .role = KAFKA_ADMIN};
    if (kafka_client_open(&p.client, &how, err) < 0)
        return -1;
    int result =
        prepare_topic(&p, topic_name_control(options->relay, name), TOPIC_OF_CONTROL, true, err);
    kafka_client_close(&p.client);
    return result;
}

int kafka_probe(const struct kafka_options *options, struct error *err)
{
    assert(options != NULL);
    assert(options->relay != NULL);
    char id[128];
    snprintf(id, sizeof id, "walferry.%s.check", options->relay);
    struct kafka_client client;
    struct kafka_client_options how = {
        .options = options, .role = KAFKA_TRANSACTIONAL, .transactional_id = id};
    if (kafka_client_open(&client, &how, err) < 0)
        return -1;
    int result = kafka_client_init(&client, id, err);
    kafka_client_close(&client);
    return result;
}
