/* publish/kafka_find: see kafka_find.h.
 *
 * What a look-up found against a topic is said again for a second, so that many rows for it cost
 * one question. A topic that a row chose is looked at as one that a route names is before a start:
 * is it a relay's progress, would it survive the loss of a broker, may it be written to at all? And
 * what is wrong with it is the fault of that row, whose route's on_error decides. */
#include "publish/kafka_find.h"

#include "base/clock.h"
#include "publish/kafka_destination.h"
#include "publish/kafka_memory.h"

#include <assert.h>

/* A topic's configuration is not read again for this long. */
#define REREAD_US (1 * US_PER_S)

static const struct config_delivery *delivery_of(const struct kafka_in_use *topics)
{
    return topics->session->options->delivery;
}

/* ---- What is against a topic ---- */

/* What is denied where a row chose the topic is that row's fault, not the file's. */
static int denied(const struct kafka_in_use *topics, const char *name, const char *operations,
                  bool of_row, struct error *err)
{
    kafka_denied(err, &kafka_session_events(topics->session)->health, "topic", name, operations);
    if (of_row) {
        err->kind = ERROR_DATA;
        err->exit_code = EXIT_DATA;
    }
    return -1;
}

static int missing(const struct kafka_in_use *topics, const struct kafka_topic *topic,
                   struct error *err)
{
    error_data(err, REASON_TOPIC_MISSING,
               "topic %s does not exist and delivery.topics.create is false", topic->name);
    return kafka_topic_missing_hint(err, kafka_session_events(topics->session), topic->name);
}

/* What the newest look found. */
static int refuse(const struct kafka_in_use *topics, const struct kafka_topic *topic, bool of_row,
                  struct error *err)
{
    if (topic->denied != NULL)
        return denied(topics, topic->name, topic->denied, of_row, err);
    if (topic->reserved != NULL)
        return kafka_destination_refuse(topic->name, topic->reserved, err);
    if (topic->illegal != NULL)
        return error_data(err, REASON_ILLEGAL_TOPIC, "%s", topic->illegal);
    return missing(topics, topic, err);
}

/* A topic that a route names was looked at before the start. */
static int judge_weak(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err)
{
    const struct kafka_options *options = topics->session->options;
    if (delivery_of(topics)->require_replication)
        return kafka_destination_refuse_weak(topic->weak, err);
    if (options->log != NULL && kafka_memory_warn(options->memory, span_of(topic->name)))
        log_event(options->log, LOG_WARN, "topic.replication_weak", "detail", topic->weak, "hint",
                  "exactly-once does not survive the loss of a broker", NULL);
    topic->weak = NULL;
    return 0;
}

/* ---- Looking up ---- */

static void note_weak(struct kafka_in_use *topics, struct kafka_topic *topic, int32_t replicas,
                      const struct kafka_topic_settings *settings)
{
    struct buf weak = BUF_EMPTY;
    kafka_destination_weak(topic->name, replicas, settings, &weak);
    kafka_in_use_set_weak(topics, topic, buf_span(&weak));
    buf_fini(&weak);
}

static void keep_settings(struct kafka_in_use *topics, struct kafka_topic *topic,
                          const struct kafka_topic_settings *settings)
{
    int64_t now_us = clock_monotonic_us();
    kafka_in_use_set(topics, topic, settings, now_us);
    /* Nobody asks ahead for the answers' topic, which is made as no other is. */
    if (!kafka_is_control(topics->session->options, span_of(topic->name)) &&
        !kafka_is_quarantine(topics->session->options, span_of(topic->name)))
        kafka_memory_keep(topics->session->options->memory, span_of(topic->name), settings, now_us);
}

/* Refused or plain; of a topic whose settings were kept. */
static int check_destination(struct kafka_in_use *topics, struct kafka_topic *topic,
                             int32_t partitions, const struct kafka_topic_settings *settings,
                             struct error *err)
{
    const struct kafka_options *options = topics->session->options;
    if (kafka_destination_check(options, topic->name, partitions, settings, &topic->reserved, err) <
        0)
        return -1;
    if (topic->reserved == NULL)
        kafka_memory_keep_plain(options->memory, span_of(topic->name));
    return 0;
}

/* What is said again. */
static int keep_refusal(struct kafka_in_use *topics, struct kafka_topic *topic,
                        const struct error *err, const char *operations)
{
    if (err->reason == REASON_ACL_DENIED)
        topic->denied = operations;
    if (err->reason == REASON_ILLEGAL_TOPIC && topic->illegal == NULL)
        topic->illegal = arena_text(&topics->arena, span_of(err->text));
    return -1;
}

/* Whether it is there, or made now. */
static int get_facts(struct kafka_in_use *topics, struct kafka_topic *topic, int64_t deadline_us,
                     struct kafka_topic_facts *facts, bool *created, struct error *err)
{
    struct kafka_client *client = kafka_session_events(topics->session);
    const struct config_topics *how = &delivery_of(topics)->topics;
    enum kafka_doubt doubt = how->create ? KAFKA_DOUBT_NONE : KAFKA_DOUBT_START;
    *created = false;
    if (kafka_topic_facts(client, *kafka_in_use_rkt(topics, topic), deadline_us,
                          KAFKA_USE_OPERATIONS, doubt, facts, err) < 0)
        return keep_refusal(topics, topic, err, KAFKA_USE_OPERATIONS);
    if (facts->partitions > 0)
        return 0;
    if (!how->create)
        return missing(topics, topic, err);
    struct kafka_topic_plan plan = {.name = topic->name,
                                    .partitions = how->partitions,
                                    .replication_factor = how->replication_factor};
    if (kafka_is_quarantine(topics->session->options, span_of(topic->name)))
        plan = kafka_quarantine_plan(topic->name, facts->brokers);
    if (kafka_is_control(topics->session->options, span_of(topic->name)))
        plan = kafka_control_plan(topic->name, facts->brokers);
    if (kafka_topic_create(client, &plan, *kafka_in_use_rkt(topics, topic), deadline_us, facts,
                           err) < 0)
        return keep_refusal(topics, topic, err, KAFKA_CREATE_OPERATIONS);
    *created = true;
    return 0;
}

static int look_up(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err)
{
    struct kafka_client *client = kafka_session_events(topics->session);
    int64_t deadline_us = kafka_deadline_us(topics->session->options);
    struct kafka_topic_facts facts;
    struct kafka_topic_settings settings;
    bool created;
    assert(topic->partitions == 0);
    if (kafka_in_use_open_handle(topics, topic, err) < 0)
        return -1;
    topic->checked_us = clock_monotonic_us();
    topic->denied = topic->reserved = NULL;
    if (get_facts(topics, topic, deadline_us, &facts, &created, err) < 0 ||
        kafka_topic_settings(client, topic->name, deadline_us, &settings, err) < 0)
        return -1;
    keep_settings(topics, topic, &settings);
    if (!created && check_destination(topics, topic, facts.partitions, &settings, err) < 0)
        return -1;
    if (topic->reserved != NULL)
        return refuse(topics, topic, false, err);
    note_weak(topics, topic, facts.replicas, &settings);
    topic->partitions = facts.partitions;
    return 0;
}

int kafka_find_limit(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err)
{
    struct kafka_topic_settings settings;
    assert(topic->partitions > 0);
    if (clock_monotonic_us() - topic->settings_us < REREAD_US)
        return 0;
    if (kafka_topic_settings(kafka_session_events(topics->session), topic->name,
                             kafka_deadline_us(topics->session->options), &settings, err) < 0)
        return -1;
    keep_settings(topics, topic, &settings);
    return 0;
}

/* ---- What was asked together ---- */

static bool is_known_plain(const struct kafka_in_use *topics, const char *name)
{
    const struct kafka_known_topic *known =
        kafka_memory_find(topics->session->options->memory, span_of(name), clock_monotonic_us());
    return known != NULL && known->plain;
}

static bool take_there(struct kafka_in_use *topics, struct kafka_topic *topic,
                       const struct kafka_asked_topic *asked)
{
    struct error unclear = ERROR_INIT;
    if (asked->remembered_us != 0)
        kafka_in_use_set(topics, topic, &asked->settings, asked->remembered_us);
    else
        keep_settings(topics, topic, &asked->settings);
    if (!is_known_plain(topics, topic->name) &&
        check_destination(topics, topic, asked->partitions, &asked->settings, &unclear) < 0)
        return false;
    note_weak(topics, topic, asked->replicas, &asked->settings);
    topic->partitions = topic->reserved == NULL ? asked->partitions : 0;
    return true;
}

void kafka_find_take(struct kafka_in_use *topics, struct kafka_topic *topic,
                     const struct kafka_asked_topic *asked)
{
    assert(topic->partitions == 0);
    topic->refused_ahead = 0;
    if (asked->found == KAFKA_ASKED_OPEN)
        return;
    topic->reserved = NULL;
    topic->denied = asked->found == KAFKA_ASKED_DENIED ? asked->denied : NULL;
    if (asked->found == KAFKA_ASKED_THERE && !take_there(topics, topic, asked))
        return;
    topic->checked_us = clock_monotonic_us();
    if (topic->partitions == 0)
        topic->refused_ahead = topics->aheads;
}

/* ---- The topic of a message ---- */

static enum step use(struct kafka_in_use *topics, struct kafka_topic *topic, bool of_row,
                     struct error *err)
{
    if (topic->partitions > 0)
        return kafka_in_use_open_handle(topics, topic, err) < 0 ? STEP_FAILED : STEP_DONE;
    if (clock_monotonic_us() - topic->checked_us < KAFKA_REFUSED_US ||
        (topic->refused_ahead != 0 && topic->refused_ahead == topics->aheads))
        return refuse(topics, topic, of_row, err);
    if (look_up(topics, topic, err) == 0)
        return STEP_WAIT;
    return topic->denied != NULL ? refuse(topics, topic, of_row, err) : -1;
}

enum step kafka_find(struct kafka_in_use *topics, const struct message *message,
                     struct kafka_topic **topic, struct error *err)
{
    struct kafka_topic *last = topics->last;
    if (last != NULL && *kafka_in_use_rkt(topics, last) != NULL && last->partitions > 0 &&
        !(message->topic_of_row && last->weak != NULL) &&
        span_equal_text(message->topic, last->name)) {
        *topic = last;
        return STEP_DONE;
    }
    bool of_row = message->topic_of_row;
    assert(message->topic.len > 0);
    if (kafka_in_use_get(topics, message->topic, topic, err) < 0)
        return -1;
    (*topic)->of_row |= of_row;
    if (of_row && kafka_memory_is_denied(topics->session->options->memory, message->topic,
                                         clock_monotonic_us()))
        return denied(topics, (*topic)->name, KAFKA_USE_OPERATIONS, true, err);
    enum step used = use(topics, *topic, of_row, err);
    if (used != STEP_DONE)
        return used;
    if (of_row && (*topic)->weak != NULL && judge_weak(topics, *topic, err) < 0)
        return -1;
    topics->last = *topic;
    return STEP_DONE;
}
