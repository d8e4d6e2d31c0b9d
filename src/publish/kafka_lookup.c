/* publish/kafka_lookup: see kafka_lookup.h.
 *
 * All topics are listed, and hundreds created by one CreateTopics and described by one
 * DescribeConfigs. librdkafka asks for a topic by name only through a handle for it, which asks by
 * itself, too, and of which some kilobytes stay for as long as the client lasts, also where there
 * is no such topic. So there are no such handles here, and the list goes with a client of its own.
 * It concludes nothing from doubtful answers: what is refused or strange stays open, and kafka_find
 * asks for it by itself, where the message that needs it is at hand to be blamed. What ACLs deny is
 * no doubt. Nor is it listed, so what is not listed is asked for by its name, without handles. A
 * librdkafka before 2.3 cannot: there DescribeConfigs tells what is missing, and what is denied
 * stays open. */
#include "publish/kafka_lookup.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

/* For the list of all topics at most; meanwhile nobody looks whether to stop. */
#define LIST_WAIT_MAX_MS (4 * KAFKA_SLICE_MS)
#define ASK_AGAIN_US (50 * US_PER_MS)
/* New topics have their leaders soon. A busy cluster takes longer for hundreds of them: while
 * others come they are waited for together, because by itself each would cost a question of a Kafka
 * transaction's time. */
#define SETTLE_US (5 * US_PER_S)
/* Topics of one request at most. A controller refuses a request that makes too many partitions. */
#define CREATE_MAX 100
#define DESCRIBE_MAX 500

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct kafka_asked_topic *)a)->name,
                  ((const struct kafka_asked_topic *)b)->name);
}

static struct kafka_asked_topic *find(const struct kafka_lookup *l, const char *name)
{
    struct kafka_asked_topic key = {.name = name};
    return bsearch(&key, l->topics, l->count, sizeof *l->topics, by_name);
}

/* ---- Metadata ---- */

static void take_topic(struct kafka_asked_topic *asked, const rd_kafka_metadata_topic_t *topic)
{
    asked->found = KAFKA_ASKED_OPEN;
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR || topic->partition_cnt == 0)
        return;
    asked->replicas = INT32_MAX;
    for (int i = 0; i < topic->partition_cnt; i++) {
        if (topic->partitions[i].leader < 0)
            return;
        if (topic->partitions[i].replica_cnt < asked->replicas)
            asked->replicas = topic->partitions[i].replica_cnt;
    }
    asked->found = KAFKA_ASKED_THERE;
    asked->partitions = topic->partition_cnt;
}

/* What one answer does not list another may have listed. False: no answer. */
static bool ask(const struct kafka_lookup *l, int wait_ms, int *listed)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(l->client->rk, 1, NULL, &metadata, wait_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    l->client->health.brokers_down = false;
    *listed = metadata->topic_cnt;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        struct kafka_asked_topic *asked = find(l, metadata->topics[i].topic);
        if (asked != NULL)
            take_topic(asked, &metadata->topics[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

static bool some_missing(const struct kafka_lookup *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->topics[i].found == KAFKA_ASKED_MISSING)
            return true;
    return false;
}

static void leave_missing_open(struct kafka_lookup *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->topics[i].found == KAFKA_ASKED_MISSING)
            l->topics[i].found =
                l->topics[i].denied != NULL ? KAFKA_ASKED_DENIED : KAFKA_ASKED_OPEN;
}

static int ask_until_answered(const struct kafka_lookup *l, int *listed, struct error *err)
{
    int wait_ms = KAFKA_SLICE_MS;
    while (!ask(l, wait_ms, listed)) {
        if (kafka_keep_waiting(l->client, l->deadline_us, "asking for topics", err) < 0)
            return -1;
        /* What comes later is thrown away, and a long list over a slow link comes later. */
        if (wait_ms < LIST_WAIT_MAX_MS)
            wait_ms *= 2;
        clock_sleep_us(ASK_AGAIN_US);
    }
    return 0;
}

/* Whether those that are missing may be called so: two answers in a row do not list them, and a
 * broker that has just come up lists no topic, so it must list others (kafka_topics.c). */
static int confirm_missing(struct kafka_lookup *l, struct error *err)
{
    int listed = 0;
    clock_sleep_us(ASK_AGAIN_US);
    if (ask_until_answered(l, &listed, err) < 0)
        return -1;
    if (listed == 0)
        leave_missing_open(l);
    return 0;
}

/* ---- Creating ---- */

/* The next ones that are missing and wanted. */
static uint32_t plan_creation(const struct kafka_lookup *l, uint32_t *from,
                              rd_kafka_NewTopic_t **plans)
{
    uint32_t count = 0;
    char text[256];
    for (; *from < l->count && count < CREATE_MAX; (*from)++) {
        const struct kafka_asked_topic *asked = &l->topics[*from];
        if (asked->found != KAFKA_ASKED_MISSING || !asked->wanted)
            continue;
        rd_kafka_NewTopic_t *plan = rd_kafka_NewTopic_new(
            asked->name, l->how->partitions, l->how->replication_factor, text, sizeof text);
        if (plan != NULL)
            plans[count++] = plan;
    }
    return count;
}

/* Who is refused is not waited for; it is asked for by itself, but where an ACL says why. */
static void take_created(const struct kafka_lookup *l, rd_kafka_event_t *event)
{
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    size_t count = 0;
    const rd_kafka_topic_result_t **topics =
        result != NULL ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct kafka_asked_topic *asked = find(l, rd_kafka_topic_result_name(topics[i]));
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        if (asked == NULL)
            continue;
        asked->coming =
            code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
        if (kafka_is_denied(code))
            asked->denied = KAFKA_CREATE_OPERATIONS;
    }
}

static int create(struct kafka_lookup *l, struct error *err)
{
    rd_kafka_NewTopic_t *plans[CREATE_MAX];
    uint32_t count;
    for (uint32_t from = 0; (count = plan_creation(l, &from, plans)) > 0;) {
        rd_kafka_event_t *event =
            kafka_ask_create(l->client, plans, count, l->deadline_us, "creating topics", err);
        if (event == NULL)
            return -1;
        take_created(l, event);
        rd_kafka_event_destroy(event);
    }
    return 0;
}

static uint32_t count_to_come(const struct kafka_lookup *l)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->count; i++)
        count += l->topics[i].coming && l->topics[i].found != KAFKA_ASKED_THERE ? 1 : 0;
    return count;
}

static int await_created(struct kafka_lookup *l, struct error *err)
{
    uint32_t to_come = count_to_come(l);
    int64_t came_us = clock_monotonic_us();
    while (to_come > 0 && clock_monotonic_us() - came_us < SETTLE_US) {
        int listed = 0;
        if (kafka_keep_waiting(l->client, l->deadline_us, "waiting for new topics", err) < 0)
            return -1;
        clock_sleep_us(ASK_AGAIN_US);
        if (ask_until_answered(l, &listed, err) < 0)
            return -1;
        uint32_t left = count_to_come(l);
        if (left < to_come)
            came_us = clock_monotonic_us();
        to_come = left;
    }
    leave_missing_open(l);
    return 0;
}

/* ---- Configurations ---- */

/* The next ones of which that was found and whose configuration is not known. */
static uint32_t list_resources(const struct kafka_lookup *l, int found, uint32_t *from,
                               rd_kafka_ConfigResource_t **resources)
{
    uint32_t count = 0;
    for (; *from < l->count && count < DESCRIBE_MAX; (*from)++) {
        const struct kafka_asked_topic *asked = &l->topics[*from];
        if ((int)asked->found == found && !asked->has_settings)
            resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, asked->name);
    }
    return count;
}

static void take_unlisted(struct kafka_asked_topic *asked, rd_kafka_resp_err_t code)
{
    if (code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        asked->found = KAFKA_ASKED_OPEN;
}

static void take_settings(const struct kafka_lookup *l, rd_kafka_event_t *event)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources =
        result != NULL ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct kafka_asked_topic *asked = find(l, rd_kafka_ConfigResource_name(resources[i]));
        if (asked == NULL)
            continue;
        if (asked->found == KAFKA_ASKED_THERE)
            asked->has_settings = kafka_settings_take(resources[i], &asked->settings) == 0;
        else
            take_unlisted(asked, rd_kafka_ConfigResource_error(resources[i]));
    }
}

static int describe(const struct kafka_lookup *l, int found, struct error *err)
{
    rd_kafka_ConfigResource_t *resources[DESCRIBE_MAX];
    uint32_t count;
    for (uint32_t from = 0; (count = list_resources(l, found, &from, resources)) > 0;) {
        rd_kafka_event_t *event = kafka_ask_configs(l->client, resources, count, l->deadline_us,
                                                    "reading the configuration of topics", err);
        if (event == NULL)
            return -1;
        take_settings(l, event);
        rd_kafka_event_destroy(event);
    }
    return 0;
}

/* ---- By name ---- */

#if RD_KAFKA_VERSION >= 0x02030000
static void take_described(const struct kafka_lookup *l, rd_kafka_event_t *event)
{
    const rd_kafka_DescribeTopics_result_t *result = rd_kafka_event_DescribeTopics_result(event);
    size_t count = 0;
    const rd_kafka_TopicDescription_t **topics =
        result != NULL ? rd_kafka_DescribeTopics_result_topics(result, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct kafka_asked_topic *asked = find(l, rd_kafka_TopicDescription_name(topics[i]));
        if (asked == NULL)
            continue;
        rd_kafka_resp_err_t code = rd_kafka_error_code(rd_kafka_TopicDescription_error(topics[i]));
        take_unlisted(asked, code);
        if (kafka_is_denied(code)) {
            asked->found = KAFKA_ASKED_DENIED;
            asked->denied = KAFKA_USE_OPERATIONS;
        }
    }
}

static int ask_by_name(struct kafka_lookup *l, struct error *err)
{
    const char *names[DESCRIBE_MAX];
    for (uint32_t from = 0; from < l->count;) {
        size_t count = 0;
        for (; from < l->count && count < DESCRIBE_MAX; from++)
            if (l->topics[from].found == KAFKA_ASKED_MISSING)
                names[count++] = l->topics[from].name;
        if (count == 0)
            continue;
        rd_kafka_event_t *event = kafka_ask_topics(l->client, names, count, l->deadline_us,
                                                   "asking for topics by name", err);
        if (event == NULL)
            return -1;
        take_described(l, event);
        rd_kafka_event_destroy(event);
    }
    return 0;
}
#else
static int ask_by_name(struct kafka_lookup *l, struct error *err)
{
    return describe(l, KAFKA_ASKED_MISSING, err);
}
#endif

/* ---- All of it ---- */

static int ask_all(struct kafka_lookup *l, struct error *err)
{
    int listed = 0;
    if (ask_until_answered(l, &listed, err) < 0)
        return -1;
    if (some_missing(l) && ask_by_name(l, err) < 0)
        return -1;
    if (some_missing(l)) {
        if (l->how->create) {
            if (create(l, err) < 0 || await_created(l, err) < 0)
                return -1;
        } else if (confirm_missing(l, err) < 0) {
            return -1;
        }
    }
    if (describe(l, KAFKA_ASKED_THERE, err) < 0)
        return -1;
    /* Where the configuration is not to be had, the topic is asked for by itself. */
    for (uint32_t i = 0; i < l->count; i++)
        if (l->topics[i].found == KAFKA_ASKED_THERE && !l->topics[i].has_settings)
            l->topics[i].found = KAFKA_ASKED_OPEN;
    return 0;
}

int kafka_look_up(struct kafka_lookup *l, struct error *err)
{
    assert(l->options != NULL && l->count > 0);
    struct kafka_client client;
    struct kafka_client_options how = {.options = l->options, .role = KAFKA_ADMIN};
    if (kafka_client_open(&client, &how, err) < 0)
        return -1;
    l->client = &client;
    qsort(l->topics, l->count, sizeof *l->topics, by_name);
    for (uint32_t i = 0; i < l->count; i++)
        l->topics[i].found = KAFKA_ASKED_MISSING;
    int result = ask_all(l, err);
    kafka_client_close(&client);
    l->client = NULL;
    return result;
}
