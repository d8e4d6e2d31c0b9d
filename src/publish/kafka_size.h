/* publish/kafka_size: bytes of a message as Kafka counts them. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_SIZE_H
#define WALFERRY_PUBLISH_KAFKA_SIZE_H

#include "model/message.h"

/* What a record batch has before its records (Kafka documentation, "Record Batch"). */
#define KAFKA_BATCH_HEADER_BYTES 61

/* The message as a record batch of its own. true_time: digits of the header walferry-time, 0 where
 * it goes without. */
int64_t kafka_message_bytes(const struct message *message, size_t true_time);
/* The same at most, for what is counted while it is under way. */
int64_t kafka_message_bytes_max(const struct message *message);

#endif
