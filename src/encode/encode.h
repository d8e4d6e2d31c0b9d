/* encode/: an event becomes message bytes.
 *
 * One encoder for each format. The bytes are put into the batch's arena: topic, key, headers and
 * value are copied once, here, because the event's memory is the source's. */
#ifndef WALFERRY_ENCODE_ENCODE_H
#define WALFERRY_ENCODE_ENCODE_H

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "model/message.h"

struct encoder;

struct encoder_ops {
    const char *name;
    /* The bytes of a content, in the arena; absent: a null key, or a tombstone. ERROR_DATA where it
     * cannot be represented. */
    int (*encode)(struct encoder *e, const struct content *content, struct arena *arena,
                  struct span *bytes, struct error *err);
    void (*close)(struct encoder *e);
};

struct encoder {
    const struct encoder_ops *ops;
};

struct encoder_options {
    uint64_t system_identifier;
    const char *id_header; /* "" leaves it out */
};

/* raw: the payload byte for byte (bytea as its bytes), NULL is a tombstone. */
int encoder_open(enum route_format format, const struct encoder_options *options,
                 struct encoder **encoder, struct error *err);
static inline void encoder_close(struct encoder *encoder)
{
    if (encoder != NULL)
        encoder->ops->close(encoder);
}

/* The whole message: topic, key, partition, timestamp, headers (the route's, then the id header
 * with change_id_format_event()), position, change id, xid, commit time; and the encoder's value.
 * After an error *message holds nothing that may be used. */
int encode_message(struct encoder *encoder, const struct encoder_options *options,
                   const struct event *event, struct arena *arena, struct message *message,
                   struct error *err);

#endif
