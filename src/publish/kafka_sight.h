/* publish/kafka_sight: what brokers say of themselves and of the relay's topics, for `doctor`. Part
 * of the public header, publish.h. Nothing is created, written or taken over. */
#ifndef WALFERRY_PUBLISH_KAFKA_SIGHT_H
#define WALFERRY_PUBLISH_KAFKA_SIGHT_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct kafka_options;

/* Of the broker that answered. A number that is not known is 0. */
struct kafka_sight {
    int32_t brokers;
    bool known;        /* its configuration; false: denied */
    char protocol[24]; /* inter.broker.protocol.version, which 4.0 and later have no more */
    int64_t transaction_timeout_max_ms;
    int64_t message_bytes_max; /* message.max.bytes */
    int64_t request_bytes_max; /* socket.request.max.bytes */
};
int kafka_look_at_broker(const struct kafka_options *options, struct kafka_sight *sight,
                         struct error *err);

/* Kafka's own topic of transactions. ERROR_STOP, "finding": the loss of a broker may lose what it
 * says of them. *asked: false where that may not be seen, or there is one broker only. */
int kafka_look_at_transactions(const struct kafka_options *options, bool *asked, struct error *err);

/* The first of the topics whose max.message.bytes does not agree with the rest is ERROR_STOP,
 * "finding", with the mend; one that does not exist agrees. */
int kafka_look_at_limits(const struct kafka_options *options, const struct kafka_sight *sight,
                         const char *const *topics, uint32_t count, struct error *err);

/* What the ACLs let us do: the first of the topics into which the relay may not write is
 * ERROR_STOP, "acl_denied", with the mend; the progress topic, which comes first, is to be read,
 * too. *asked: false where this librdkafka cannot ask. */
int kafka_look_at_rights(const struct kafka_options *options, const char *const *topics,
                         uint32_t count, bool *asked, struct error *err);

/* The newest committed record of ours: its value appended, and when the broker appended it by its
 * own clock. *append_ms 0: there is none, or the topic keeps another time. */
int kafka_look_at_append(const struct kafka_options *options, struct buf *record,
                         int64_t *append_ms, struct error *err);

#endif
