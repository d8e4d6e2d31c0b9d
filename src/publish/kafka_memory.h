/* publish/kafka_memory: what outlives a publisher. Internal to the module but for its name. */
#ifndef WALFERRY_PUBLISH_KAFKA_MEMORY_H
#define WALFERRY_PUBLISH_KAFKA_MEMORY_H

#include "base/table.h"
#include "model/message.h"
#include "publish/kafka_topics.h"

struct kafka_known_topic {
    const char *name;
    struct kafka_topic_settings settings;
    int64_t learnt_us; /* monotonic */
    bool plain;        /* it is no relay's progress */
    bool warned;       /* of its replication */
};

struct kafka_memory {
    struct arena arena;
    struct table topics; /* name to kafka_known_topic */
    struct arena denied_arena;
    struct table denied; /* names alone: topics that rows chose and that brokers take nothing for */
    int64_t denied_us;   /* when the newest was denied */
    size_t largest_bytes; /* of an event that a broker took */
    int64_t largest_us;   /* when it took one of that size last */
    unsigned lost;        /* connections in a row, of the epochs before, that ended unanswered */
    struct change_id lost_of; /* with this one sent alone; none: with several */
    uint32_t lost_route;
    int smallest_bytes;  /* what the smallest topic takes; 0: no less than a batch */
    int64_t smallest_us; /* when that was learnt */
};

/* Whether an event of fewer bytes is taken is no matter of its size. */
#define KAFKA_LARGE_BYTES (64 * 1024)

/* NULL: nothing is known, or it was learnt minutes ago. */
const struct kafka_known_topic *kafka_memory_find(const struct kafka_memory *memory,
                                                  struct span name, int64_t now_us);
void kafka_memory_keep(struct kafka_memory *memory, struct span name,
                       const struct kafka_topic_settings *settings, int64_t now_us);
/* It was looked into and is no relay's progress. */
void kafka_memory_keep_plain(struct kafka_memory *memory, struct span name);
/* True the first time, of one that is known. */
bool kafka_memory_warn(struct kafka_memory *memory, struct span name);
/* Its configuration is not what was learnt. */
void kafka_memory_doubt(struct kafka_memory *memory, struct span name);
/* The next one that is known, as table_next(). */
const struct kafka_known_topic *kafka_memory_next(const struct kafka_memory *memory, size_t *cursor,
                                                  int64_t now_us);
void kafka_memory_keep_smallest(struct kafka_memory *memory, int bytes, int64_t now_us);
/* A broker took an event of so many bytes. */
void kafka_memory_took(struct kafka_memory *memory, size_t bytes, int64_t now_us);
/* The largest that one took in the last minutes. */
size_t kafka_memory_largest(const struct kafka_memory *memory, int64_t now_us);
/* The epoch ends: so many connections in a row ended unanswered, with this message sent alone, or
 * (NULL) with several. Where an epoch's time is too short for as many as it takes, the next ones
 * count on. */
void kafka_memory_keep_lost(struct kafka_memory *memory, unsigned lost,
                            const struct message *alone);
/* How many there were before this epoch, of the same kind. */
unsigned kafka_memory_lost(const struct kafka_memory *memory, const struct message *alone);
/* An event came through: connections that ended on several, or on this one, were not in a row.
 * Those that ended on another one by itself are counted on: each record's progress is its own. */
void kafka_memory_came_through(struct kafka_memory *memory, const struct message *message);
/* 0: no less than a batch. */
int kafka_memory_smallest(const struct kafka_memory *memory, int64_t now_us);

/* A broker took no record for a topic that rows chose. False where that was known already, or
 * cannot be remembered: then the next epoch would not do better. */
bool kafka_memory_deny(struct kafka_memory *memory, struct span name, int64_t now_us);
bool kafka_memory_is_denied(const struct kafka_memory *memory, struct span name, int64_t now_us);

#endif
