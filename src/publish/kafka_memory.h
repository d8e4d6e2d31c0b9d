/* publish/kafka_memory: what outlives a publisher. Internal to the module but for its name. */
#ifndef WALFERRY_PUBLISH_KAFKA_MEMORY_H
#define WALFERRY_PUBLISH_KAFKA_MEMORY_H

#include "base/table.h"
#include "publish/kafka_topics.h"

struct kafka_known_topic {
    const char *name;
    struct kafka_topic_settings settings;
    int64_t learnt_us; /* monotonic */
};

struct kafka_memory {
    struct arena arena;
    struct table topics;  /* name to kafka_known_topic */
    size_t largest_bytes; /* of an event that a broker took */
    int64_t largest_us;   /* when it took one of that size last */
    int smallest_bytes;   /* what the smallest topic takes; 0: no less than a batch */
    int64_t smallest_us;  /* when that was learnt */
};

/* Whether an event of fewer bytes is taken is no matter of its size. */
#define KAFKA_LARGE_BYTES (64 * 1024)

/* NULL: nothing is known, or it was learnt minutes ago. */
const struct kafka_known_topic *kafka_memory_find(const struct kafka_memory *memory,
                                                  struct span name, int64_t now_us);
void kafka_memory_keep(struct kafka_memory *memory, struct span name,
                       const struct kafka_topic_settings *settings, int64_t now_us);
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
/* 0: no less than a batch. */
int kafka_memory_smallest(const struct kafka_memory *memory, int64_t now_us);

#endif
