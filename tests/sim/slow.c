/* sim/slow: see the header. */
#include "slow.h"

#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_US INT64_C(60000000)
#define MEMORY_LIMIT UINT64_C(262144)
#define ROW_BYTES_MAX 16384
#define PATIENCE_TIMEOUTS 3
#define PATIENCE_EPOCHS 5

/* Bytes a second at which `bytes` take `percent` of the time-out. */
static int64_t rate(int64_t bytes, int64_t percent)
{
    return bytes * 100 * 1000000 / (TIMEOUT_US * percent) + 1;
}

static int64_t pick(struct random *random, const int64_t *values, uint32_t count)
{
    return values[random_below(random, count)];
}

/* How much of the time-out all memory takes, and one row at most. */
static void choose_broker(struct slow *slow, struct random *random)
{
    static const int64_t percents[] = {5, 25, 50, 100, 200, 400};
    static const int64_t latencies_us[] = {1000, 50000, 500000, 3000000};
    slow->transactions = 25;
    slow->broker.bytes_per_s = rate((int64_t)slow->memory_limit, pick(random, percents, 6));
    slow->broker.latency_us = pick(random, latencies_us, 4);
    static const int64_t bursts_us[] = {0, TIMEOUT_US / 6, TIMEOUT_US};
    static const int64_t links[] = {0, 2, 4, 8, 32};
    slow->broker.burst_us = pick(random, bursts_us, 3);
    slow->broker.link_times = pick(random, links, 5);
}

static void choose_link(struct slow *slow, struct random *random)
{
    static const int64_t percents[] = {2, 10, 20, 30, 60};
    slow->transactions = 12;
    slow->server.bytes_per_s = rate(ROW_BYTES_MAX, pick(random, percents, 5));
}

static void choose_server(struct slow *slow, struct random *random)
{
    static const int64_t percents[] = {10, 20, 30, 60, 150};
    /* While it decodes what it does not send, the real one answers every half of its time-out, and
     * some of its work (a large change of the catalogue before 16) lets it answer nobody. */
    static const int64_t keepalives_us[] = {1000000, 5000000, 10000000, 30000000, 90000000};
    slow->transactions = 25;
    slow->server.quiet_us = slow->timeout_us / 100 * pick(random, percents, 5);
    slow->server.keepalive_us = pick(random, keepalives_us, 5);
}

bool slow_choose(struct slow *slow, const char *kind, uint64_t seed)
{
    static const char *const names[] = {"broker", "link", "server"};
    struct random random = random_seeded(seed ^ UINT64_C(0x510) << 40);
    uint32_t chosen = random_below(&random, 3);
    bool known = strcmp(kind, "any") == 0;
    for (uint32_t i = 0; i < 3 && !known; i++) {
        known = strcmp(kind, names[i]) == 0;
        chosen = i;
    }
    *slow = (struct slow){.timeout_us = TIMEOUT_US,
                          .memory_limit = MEMORY_LIMIT,
                          .batch_events = 16 << random_below(&random, 5),
                          .broker.timeout_us = TIMEOUT_US,
                          .server.row_bytes_max = ROW_BYTES_MAX,
                          .server.keepalive_us = 10000000};
    slow->kind = SLOW_BROKER + chosen;
    if (slow->kind == SLOW_BROKER)
        choose_broker(slow, &random);
    else if (slow->kind == SLOW_LINK)
        choose_link(slow, &random);
    else
        choose_server(slow, &random);
    return known;
}

const char *slow_text(const struct slow *slow, char text[SLOW_TEXT_MAX])
{
    switch (slow->kind) {
    case SLOW_BROKER:
        snprintf(text, SLOW_TEXT_MAX,
                 "broker: %" PRId64 " bytes/s (all memory in %" PRId64 " s), latency %" PRId64
                 " ms, burst of %" PRId64 " s, link %" PRId64 " times as fast",
                 slow->broker.bytes_per_s, (int64_t)slow->memory_limit / slow->broker.bytes_per_s,
                 slow->broker.latency_us / 1000, slow->broker.burst_us / 1000000,
                 slow->broker.link_times);
        break;
    case SLOW_LINK:
        snprintf(text, SLOW_TEXT_MAX, "link: %" PRId64 " bytes/s (a row in up to %" PRId64 " s)",
                 slow->server.bytes_per_s, ROW_BYTES_MAX / slow->server.bytes_per_s);
        break;
    case SLOW_SERVER:
        snprintf(text, SLOW_TEXT_MAX,
                 "server: silent for %" PRId64 " s, keepalive each %" PRId64 " s",
                 slow->server.quiet_us / 1000000, slow->server.keepalive_us / 1000000);
        break;
    case SLOW_NONE:
        text[0] = '\0';
    }
    size_t len = strlen(text);
    if (len > 0)
        snprintf(text + len, SLOW_TEXT_MAX - len, ", batches of %u", slow->batch_events);
    return text;
}

void patience_check(struct world *w)
{
    struct patience *p = &w->patience;
    struct position now = p->position;
    if (p->records != w->kafka.record_count)
        now = model_kafka_progress(&w->kafka);
    p->records = w->kafka.record_count;
    if (position_compare(now, p->position) > 0 || oracle_drained(w)) {
        *p = (struct patience){.position = now,
                               .since_us = w->now_us,
                               .since_opens = w->opens,
                               .records = w->kafka.record_count};
        return;
    }
    int64_t stood_us = w->now_us - p->since_us;
    uint32_t epochs = w->opens - p->since_opens;
    /* While the server keeps silent nothing can move: one silence is not ours. */
    int64_t bound_us = PATIENCE_TIMEOUTS * w->slow.timeout_us + w->slow.server.quiet_us;
    if (stood_us <= bound_us && epochs <= PATIENCE_EPOCHS)
        return;
    char text[SLOW_TEXT_MAX + 300], slow[SLOW_TEXT_MAX];
    snprintf(text, sizeof text,
             "no progress for %" PRId64 " s and %u epochs; %s; the last ended: %s",
             stood_us / 1000000, epochs, slow_text(&w->slow, slow), w->last_end);
    world_fail(w, text);
}
