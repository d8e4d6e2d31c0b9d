/* publish/kafka_topics: what the brokers say of a topic, and creating one. Internal to the module.
 */
#ifndef WALFERRY_PUBLISH_KAFKA_TOPICS_H
#define WALFERRY_PUBLISH_KAFKA_TOPICS_H

#include "publish/clamp.h"
#include "publish/kafka_client.h"

/* The broker's default of max.message.bytes, taken where reading the configuration is denied. */
#define KAFKA_MESSAGE_BYTES_DEFAULT 1048588

struct kafka_topic_facts {
    int32_t partitions; /* 0: there is no such topic */
    int32_t replicas;   /* of the partition that has fewest */
    int32_t brokers;
};

/* What speaks against an answer that does not know a topic. */
enum kafka_doubt {
    KAFKA_DOUBT_NONE,  /* nothing is concluded: the topic is created, or the caller asks again */
    KAFKA_DOUBT_START, /* a broker that has just come up knows no topic at all */
    KAFKA_DOUBT_LAG    /* besides, one that lags does not know the newest: takes 2 s longer */
};

/* Asks until the topic is known to be there with a leader for each partition, or not to be there.
 * `operations`: the ACL to name where it is denied. A name that the broker does not take is
 * ERROR_DATA. */
int kafka_topic_facts(struct kafka_client *client, rd_kafka_topic_t *rkt, int64_t deadline_us,
                      const char *operations, enum kafka_doubt doubt,
                      struct kafka_topic_facts *facts, struct error *err);

/* What events need of a topic, and of one that is to be created: ACLs to name. */
#define KAFKA_USE_OPERATIONS "Write,Describe"
#define KAFKA_CREATE_OPERATIONS "Create,Describe,DescribeConfigs,Write"

/* The progress topic is made with these. */
#define KAFKA_PROGRESS_SEGMENT_BYTES "16777216"
#define KAFKA_PROGRESS_DIRTY_RATIO "0.1"

struct kafka_topic_settings {
    bool known; /* false: denied, the rest are defaults */
    int64_t max_message_bytes;
    int64_t min_insync_replicas;
    bool compacts;
    bool unclean_election;
    bool progress_segments; /* segment.bytes as the progress topic is made with */
    bool progress_ratio;    /* and min.cleanable.dirty.ratio */
    struct clamp_config clamp;
};

int kafka_topic_settings(struct kafka_client *client, const char *topic, int64_t deadline_us,
                         struct kafka_topic_settings *settings, struct error *err);

struct kafka_topic_plan {
    const char *name;
    int32_t partitions;          /* -1: the broker's default */
    int32_t replication_factor;  /* -1: the broker's default */
    const char *const *settings; /* names and values in turn, ended by NULL; may be NULL */
};

/* Of a topic of ours: as many as outlive the loss of a broker, where there are as many brokers. */
static inline int32_t kafka_replicas(int32_t brokers)
{
    return brokers >= 3 ? 3 : brokers < 1 ? 1 : brokers;
}
/* How the topic with the answers to commands is made: one partition, kept for seven days. brokers:
 * of the cluster. name and plan live as long as the caller's. */
struct kafka_topic_plan kafka_control_plan(const char *name, int32_t brokers);
/* And how the one with the held keys is: compacted, one partition. */
struct kafka_topic_plan kafka_quarantine_plan(const char *name, int32_t brokers);
/* Is it the relay's own? */
bool kafka_is_control(const struct kafka_options *options, struct span topic);
bool kafka_is_quarantine(const struct kafka_options *options, struct span topic);

/* The same of one resource of an answer; what may not be known has its default. -1: it says
 * nothing. */
int kafka_settings_take(const rd_kafka_ConfigResource_t *resource,
                        struct kafka_topic_settings *settings);
/* One admin request for all of them, which are destroyed, and its event, the caller's; NULL with
 * *err. */
rd_kafka_event_t *kafka_ask_configs(struct kafka_client *client,
                                    rd_kafka_ConfigResource_t **resources, size_t count,
                                    int64_t deadline_us, const char *doing, struct error *err);
#if RD_KAFKA_VERSION >= 0x02030000
rd_kafka_event_t *kafka_ask_topics(struct kafka_client *client, const char **names, size_t count,
                                   int64_t deadline_us, const char *doing, struct error *err);
#endif
rd_kafka_event_t *kafka_ask_create(struct kafka_client *client, rd_kafka_NewTopic_t **plans,
                                   size_t count, int64_t deadline_us, const char *doing,
                                   struct error *err);

/* Creates the topic and waits until it can be used. One that is there already is no error. */
int kafka_topic_create(struct kafka_client *client, const struct kafka_topic_plan *plan,
                       rd_kafka_topic_t *rkt, int64_t deadline_us, struct kafka_topic_facts *facts,
                       struct error *err);

/* The command that creates a topic by hand, for hints. Returns -1. */
int kafka_topic_missing_hint(struct error *err, const struct kafka_client *client,
                             const char *topic);

#endif
