/* publish/clamp: timestamps that a topic takes.
 *
 * A broker refuses a record whose timestamp is too far from its own clock, and retention deletes at
 * once what is older than it allows. So a timestamp is moved into what the topic takes. All times
 * are milliseconds since 1970-01-01 UTC, `now_ms` on the broker's clock. Pure; asks no clock. */
#ifndef WALFERRY_PUBLISH_CLAMP_H
#define WALFERRY_PUBLISH_CLAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Clocks of two machines differ by milliseconds; that much ahead is not "the future". */
#define CLAMP_AHEAD_MS 1000

struct clamp_limits {
    int64_t oldest_ms; /* greatest age; 0: any */
    int64_t ahead_ms;  /* tolerated distance into the future */
};

/* What a topic's configuration says about timestamps (Kafka documentation, "Topic Configs"); a
 * value that the broker does not have is -1. */
struct clamp_config {
    bool log_append_time; /* message.timestamp.type: the broker overwrites it */
    bool deletes;         /* cleanup.policy holds "delete" */
    int64_t retention_ms;
    int64_t before_max_ms;     /* message.timestamp.before.max.ms */
    int64_t after_max_ms;      /* message.timestamp.after.max.ms */
    int64_t difference_max_ms; /* message.timestamp.difference.max.ms, older brokers */
};

struct clamp_limits clamp_limits_of(const struct clamp_config *config);
/* The timestamp to use; differs from wanted_ms where that is out of bounds. At least 1. */
int64_t clamp_timestamp(int64_t wanted_ms, int64_t now_ms, const struct clamp_limits *limits);

#endif
