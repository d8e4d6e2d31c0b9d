/* publish/kafka_stamp: the timestamp is moved into what the topic takes (clamp.h), and what the
 * broker's clock says is learned from the progress topic's reports, for it is made with
 * LogAppendTime. Our own clock is asked only where the time that was looked at last does not do. */
#include "publish/kafka_stamp.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

void kafka_clock_learn(struct kafka_clock *clock, const rd_kafka_message_t *report)
{
    rd_kafka_timestamp_type_t type;
    int64_t broker_ms = rd_kafka_message_timestamp(report, &type);
    if (type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME || broker_ms <= 0)
        return;
    clock->wall_ms = clock_wall_us() / US_PER_MS;
    clock->broker_ahead_ms = broker_ms - clock->wall_ms;
}

void kafka_stamp(struct kafka_clock *clock, const struct clamp_limits *limits, int64_t wanted_ms,
                 struct kafka_stamp *stamp)
{
    int64_t now_ms = clock->wall_ms + clock->broker_ahead_ms;
    stamp->true_time[0] = '\0';
    stamp->timestamp_ms = clamp_timestamp(wanted_ms, now_ms, limits);
    if (stamp->timestamp_ms == wanted_ms)
        return;
    /* The clock that was looked at last may be behind. */
    clock->wall_ms = clock_wall_us() / US_PER_MS;
    now_ms = clock->wall_ms + clock->broker_ahead_ms;
    stamp->timestamp_ms = clamp_timestamp(wanted_ms, now_ms, limits);
    if (stamp->timestamp_ms != wanted_ms)
        snprintf(stamp->true_time, sizeof stamp->true_time, "%" PRId64, wanted_ms);
}
