/* encode/: contents become bytes, key and value alike, and an event becomes a message.
 *
 * Each route has an encoder for its keys and one for its values, opened once for an epoch from its
 * part of the configuration. The bytes are put into the batch's arena: topic, key, headers and
 * value are copied once, here, because the event's memory is the source's. Names of headers that
 * the configuration gives are not copied. */
#ifndef WALFERRY_ENCODE_ENCODE_H
#define WALFERRY_ENCODE_ENCODE_H

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/message.h"

/* Not now: what the encoder needs, such as the id of a schema, is on its way. */
#define ENCODE_AGAIN 1

struct encoder;

struct encoder_ops {
    const char *name;
    /* 0: the bytes of a content, in the arena; absent: a null key, or a tombstone. ENCODE_AGAIN:
     * the arena is as it was, and the same content is asked for again a little later; it never
     * waits itself. -1: ERROR_DATA, it cannot be represented; the encoder goes on. */
    int (*encode)(struct encoder *e, const struct content *content, struct arena *arena,
                  struct span *bytes, struct error *err);
    void (*close)(struct encoder *e);
};

struct encoder {
    const struct encoder_ops *ops;
};

/* raw: a value byte for byte (bytea as its bytes), NULL is no bytes. json: a value by the JSON form
 * of its type; json_string: the same in a string; cloudevents: its data, as json. debezium: a
 * change in its envelope, a key as the object of its columns. The route is kept. */
struct encoder_options {
    const struct config_route *route;
    const char *database; /* the name of it; NULL: "" */
    uint32_t index;       /* of the route, for the metrics */
    struct metrics *metrics;
};
int encoder_open(enum route_format format, const struct encoder_options *options,
                 struct encoder **encoder, struct error *err);
static inline void encoder_close(struct encoder *encoder)
{
    if (encoder != NULL)
        encoder->ops->close(encoder);
}

struct encoders_options {
    const struct config_routes *routes;
    uint64_t system_identifier;
    const char *id_header; /* "" leaves it out */
    const char *database;  /* the name of it; NULL: "" */
    const char *run;       /* 32 hexadecimal digits, another after each start; NULL: zeros */
    /* Where values are counted that are written as text because they are not understood; by the
     * thread that encodes. NULL: nowhere. */
    struct metrics *metrics;
    const char *letter_topic; /* where dead letters go; NULL: no route makes any */
    size_t letter_bytes_max;  /* a larger value is left out of one; 0: none is */
};

struct route_encoders {
    struct encoder *key;
    struct encoder *value;
};

/* Those of all routes, by the number of the route. */
struct encoders {
    struct encoders_options o;
    struct span id_header; /* o.id_header */
    struct change_id_prefix id_prefix;
    struct route_encoders *of_route;
    struct buf letter; /* the value of the last dead letter */
};

/* Keys are raw, what the route's template gives, but for as: change: there a key is columns. */
int encoders_open(const struct encoders_options *options, struct encoders **encoders,
                  struct error *err);
void encoders_close(struct encoders *encoders); /* NULL is legal */

/* The whole message: topic, key, partition, timestamp, headers (the route's, then the id header
 * with change_id_format_event()), the change's id; and the value. *message is
 * cleared before. 0, or ENCODE_AGAIN: to be called again with the same event, arena and message,
 * which keeps what is encoded already. After an error *message holds nothing that may be used. */
int encode_message(struct encoders *encoders, const struct event *event, struct arena *arena,
                   struct message *message, struct error *err);

/* ---- What is too large ---- */

/* Cuts the text at the route's oversize.field by `over` bytes of the encoded value or a little
 * more, between two characters, and says so in a header, which counts, too. False, and nothing
 * changed: there is no such text, or it is too short. Once. */
bool message_truncate(struct message *message, const struct config_route *route, size_t over,
                      struct arena *arena);

/* May a reference take the value's place? Not of a dead letter, not twice, and not where the value
 * is no larger. */
bool message_may_refer(const struct message *message);
/* It does: the value stands in walferry.claim under `id`. sha256: in hexadecimal digits. */
void message_refer(struct message *message, const char *id, const char *sha256,
                   struct arena *arena);

/* ---- Dead letters ---- */

/* The key of an event that may be half made; absent where it cannot be told. */
struct span encode_letter_key(const struct encoders *encoders, const struct event *event,
                              struct arena *arena);
/* What takes the place of all that the route makes of a change: for letter_topic, with the key; the
 * change as JSON, so that any route can be run on it again; headers that say where it comes from.
 * It cannot fail: what has no form is left as bytes, in base64. *letter is cleared before. */
void encode_letter(struct encoders *encoders, const struct change *change, uint32_t route,
                   struct span key, struct arena *arena, struct message *letter);
/* Adds what is wrong, and the topic that the event was for (absent: not known). Once. */
void letter_blame(struct message *letter, const struct error *why, struct span topic,
                  struct arena *arena);
/* Leaves the value out, and says how large it was. False: it has none. */
bool letter_truncate(struct message *letter, struct arena *arena);

/* Reads a letter's value back. Relations live as long as the reader, so routers may remember them;
 * the same table is the same relation. */
struct letter_reader;
struct letter_reader *letter_reader_open(void);
void letter_reader_close(struct letter_reader *reader); /* NULL is legal */
/* The change, with the id that it had and no position; it lives until the next one is read. -1:
 * ERROR_DATA, "bad_letter". */
int letter_reader_read(struct letter_reader *reader, struct span value, struct change *change,
                       struct error *err);

#endif
