/* publish/kafka_size: what a broker compares with max.message.bytes, counted before it is sent.
 *
 * Exact for a message alone in its batch, without compression; what a codec makes of it only the
 * broker knows. Pure. */
#include "publish/kafka_size.h"

#include "publish/kafka_stamp.h"

static int64_t varint_bytes(size_t length)
{
    /* Lengths are zigzag-encoded (Kafka documentation, "Record"). */
    uint64_t value = (uint64_t)length << 1;
    int64_t bytes = 1;
    for (; value >= 0x80; value >>= 7)
        bytes++;
    return bytes;
}

static int64_t header_bytes(size_t name, size_t value)
{
    return varint_bytes(name) + (int64_t)name + varint_bytes(value) + (int64_t)value;
}

int64_t kafka_message_bytes(const struct message *message, size_t true_time)
{
    int64_t record = 3; /* attributes, timestamp delta, offset delta: a byte each when alone */
    record += varint_bytes(message->key.len) + (int64_t)message->key.len;
    record += varint_bytes(message->value.len) + (int64_t)message->value.len;
    record += varint_bytes(message->header_count + (true_time > 0 ? 1 : 0));
    for (uint32_t i = 0; i < message->header_count; i++)
        record += header_bytes(message->headers[i].name.len, message->headers[i].value.len);
    if (true_time > 0)
        record += header_bytes(sizeof HEADER_TIME - 1, true_time);
    return KAFKA_BATCH_HEADER_BYTES + varint_bytes((size_t)record) + record;
}

int64_t kafka_message_bytes_max(const struct message *message)
{
    return kafka_message_bytes(message, KAFKA_TIME_DIGITS_MAX);
}
