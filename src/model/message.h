/* model/message: the bytes that go to the publisher.
 *
 * All spans live in the arena of the batch that holds the message, until the batch is returned; but
 * a header's name may be the configuration's, which outlives every batch that was made with it. */
#ifndef WALFERRY_MODEL_MESSAGE_H
#define WALFERRY_MODEL_MESSAGE_H

#include "model/event.h"

/* No event, but a record of the relay's own. Where a transaction begins or ends is told beside a
 * change that may have an answer, too: what becomes of the one is not for the other. */
#define MESSAGE_NO_ROUTE UINT32_MAX
#define MESSAGE_MARK (UINT32_MAX - 1)
static inline bool message_has_route(uint32_t route)
{
    return route < MESSAGE_MARK;
}

struct message {
    bool dead_letter; /* a change that cannot be published, and no event */
    bool own_state;   /* what the relay reads again itself: it is not left out */
    bool replayed;    /* made again of a dead letter: id and position are the command's */
    bool behind_all;  /* also outside of a transaction it is seen only with all that went before */
    int32_t placed;   /* partition that Kafka has it in; the publisher's, with next_offset */
    /* What takes its place, and that of all else its route makes of the change, where the publisher
     * refuses it; NULL: nobody has made it. */
    const struct message *letter;
    struct span topic;    /* NUL-terminated behind its length */
    struct span key;      /* absent: null key */
    struct span value;    /* absent: tombstone */
    int32_t partition;    /* -1: by key */
    uint32_t route;       /* or MESSAGE_NO_ROUTE: the answer to a command, or a state; or
                             MESSAGE_MARK: where a transaction begins or ends */
    bool measured;        /* its size is judged as it stands, whatever compression makes of it */
    bool truncated;       /* a text in its value was cut, so that it fits */
    bool referred;        /* its value stands in walferry.claim, and what it has is a reference */
    struct span claim_id; /* what the value is called there; absent: it may not be put there */
    bool topic_of_row;    /* as of its event */
    int64_t timestamp_ms; /* wanted, Unix epoch; the publisher clamps it to what the topic takes */
    uint32_t header_count;
    const struct header *headers;
    struct change_id id;      /* of its change */
    struct position position; /* once its change is done */
    size_t bytes; /* of key, value and headers; the writer's, set before it is handed over */
    /* One more than its offset, once Kafka has said that it has it; -1: the offset was not told; 0:
     * nothing is said, or it was passed over. The publisher's. */
    int64_t next_offset;
};

/* What it is on the wire, about: key, value and headers. */
static inline size_t message_size(const struct message *message)
{
    size_t bytes = message->key.len + message->value.len;
    for (uint32_t i = 0; i < message->header_count; i++)
        bytes += message->headers[i].name.len + message->headers[i].value.len;
    return bytes;
}

/* What a message counts against memory limits, in bytes, besides its own bytes. */
#define MESSAGE_OVERHEAD_BYTES 512
/* What a header counts besides twice its own bytes: struct header, and the copy that librdkafka
 * makes (73 bytes beside name and value, measured). */
#define HEADER_OVERHEAD_BYTES 112

#endif
