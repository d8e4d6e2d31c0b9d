/* publish/clamp: see clamp.h. The bounds keep a distance from the topic's own limits, because a
 * record waits in queues and retries before the broker looks at it. */
#include "publish/clamp.h"

#include <assert.h>

#define MARGIN_MAX_MS 60000

static void lower(int64_t *bound, int64_t value)
{
    if (*bound == 0 || value < *bound)
        *bound = value;
}

/* A configured age, less the time that a record may spend on its way. */
static int64_t with_margin(int64_t age_ms)
{
    int64_t margin = age_ms / 2 < MARGIN_MAX_MS ? age_ms / 2 : MARGIN_MAX_MS;
    return age_ms - margin;
}

struct clamp_limits clamp_limits_of(const struct clamp_config *config)
{
    struct clamp_limits limits = {.oldest_ms = 0, .ahead_ms = CLAMP_AHEAD_MS};
    if (config->deletes && config->retention_ms > 1)
        lower(&limits.oldest_ms, config->retention_ms / 2);
    if (config->log_append_time)
        return (struct clamp_limits){.oldest_ms = 0, .ahead_ms = INT64_MAX / 4};
    if (config->before_max_ms > 0)
        lower(&limits.oldest_ms, with_margin(config->before_max_ms));
    if (config->difference_max_ms > 0)
        lower(&limits.oldest_ms, with_margin(config->difference_max_ms));
    if (config->after_max_ms >= 0 && config->after_max_ms < limits.ahead_ms)
        limits.ahead_ms = config->after_max_ms / 2;
    if (config->difference_max_ms >= 0 && config->difference_max_ms < limits.ahead_ms)
        limits.ahead_ms = config->difference_max_ms / 2;
    return limits;
}

int64_t clamp_timestamp(int64_t wanted_ms, int64_t now_ms, const struct clamp_limits *limits)
{
    assert(limits->oldest_ms >= 0);
    assert(limits->ahead_ms >= 0);
    int64_t timestamp_ms = wanted_ms;
    if (timestamp_ms > now_ms && timestamp_ms - now_ms > limits->ahead_ms)
        timestamp_ms = now_ms;
    if (limits->oldest_ms > 0 && timestamp_ms < now_ms && now_ms - timestamp_ms > limits->oldest_ms)
        timestamp_ms = now_ms - limits->oldest_ms;
    return timestamp_ms < 1 ? 1 : timestamp_ms;
}
