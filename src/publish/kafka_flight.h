/* publish/kafka_flight: the events that are under way to the broker. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_FLIGHT_H
#define WALFERRY_PUBLISH_KAFKA_FLIGHT_H

#include "model/batch.h"

/* A batch that was ever put. Where its messages lie is read when the first of them goes out: with
 * none under way it belongs to another thread, which may clear it or move them. */
struct kafka_flight_batch {
    struct batch *batch;
    const struct message *messages, *end;
    uint64_t outstanding;
};

/* Begins as zeros. */
struct kafka_flight {
    uint64_t outstanding;   /* events produced and not reported */
    uint64_t produced;      /* events since the last commit */
    struct change_id first; /* of the events since the last commit */
    struct change_id last;
    size_t largest;                /* bytes of the largest event since the last commit */
    const struct message *awaited; /* produced alone, its report is waited for */
    struct kafka_flight_batch *batches;
    uint32_t batch_count;
    uint32_t at; /* the batch of the last report or put */
};

/* `message` of `batch` was handed to librdkafka: raises the batch's count. */
void kafka_flight_sent(struct kafka_flight *flight, struct batch *batch,
                       const struct message *message);
/* Its report came: lowers the batch's count. */
void kafka_flight_reported(struct kafka_flight *flight, const struct message *message);
void kafka_flight_fini(struct kafka_flight *flight);

#endif
