/* recover/doctor_kafka: what `doctor` makes of brokers and topics. */
#include "recover/checks_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOPICS_MAX (CONFIG_ROUTES_MAX + 3)
#define SKEW_MAX_US (2 * US_PER_S)

static const struct kafka_options *options_of(struct checking *c)
{
    return &c->ends.ledger.options;
}

/* "3.9-IV0": what speaks to other brokers is what the broker is, unless somebody holds it back. */
int doctor_broker(struct checking *c, struct error *err)
{
    struct kafka_sight *sight = &c->kafka;
    if (kafka_look_at_broker(options_of(c), sight, err) < 0)
        return -1;
    const char *end = strchr(sight->protocol, '-');
    int length = end != NULL ? (int)(end - sight->protocol) : (int)strlen(sight->protocol);
    if (!sight->known)
        checking_say(c, CHECK_BROKER, "%" PRId32 " brokers; their configuration may not be read",
                     sight->brokers);
    else if (length == 0)
        checking_say(c, CHECK_BROKER, "%" PRId32 " of Kafka 4.0 or newer", sight->brokers);
    else
        checking_say(c, CHECK_BROKER, "%" PRId32 " of Kafka %.*s", sight->brokers, length,
                     sight->protocol);
    return 0;
}

int doctor_transaction_timeout(struct checking *c, struct error *err)
{
    assert(c->kafka.brokers > 0 || !c->kafka.known);
    int64_t ours_ms = c->o->config->delivery.transaction_timeout_ms;
    int64_t max_ms = c->kafka.transaction_timeout_max_ms;
    if (max_ms == 0) {
        checking_passes_over(c, CHECK_TRANSACTION_TIMEOUT);
        return 0;
    }
    checking_say(c, CHECK_TRANSACTION_TIMEOUT,
                 "delivery.transaction_timeout_ms is %" PRId64 ", the broker takes up to %" PRId64,
                 ours_ms, max_ms);
    if (ours_ms <= max_ms)
        return 0;
    error_stop(err, REASON_FINDING,
               "delivery.transaction_timeout_ms is %" PRId64
               ", above the transaction.max.timeout.ms of the broker, %" PRId64
               ": no transaction can be begun",
               ours_ms, max_ms);
    return error_hint(err, "in the file: delivery: {transaction_timeout_ms: %" PRId64 "}", max_ms);
}

int doctor_transaction_log(struct checking *c, struct error *err)
{
    bool asked;
    assert(options_of(c)->delivery != NULL);
    if (kafka_look_at_transactions(options_of(c), &asked, err) < 0)
        return -1;
    if (!asked)
        checking_passes_over(c, CHECK_TRANSACTION_LOG);
    return 0;
}

/* ---- Topics ---- */

/* That of progress first. */
static uint32_t list_topics(struct checking *c, const char *topics[TOPICS_MAX])
{
    const struct kafka_options *kafka = options_of(c);
    uint32_t count = 0, index = 0;
    const char *topic;
    topics[count++] = kafka->delivery->progress_topic.text;
    if (kafka->letter_topic != NULL)
        topics[count++] = kafka->letter_topic;
    if (kafka->delivery->transaction_metadata)
        topics[count++] = kafka->delivery->transaction_topic.text;
    while (count < TOPICS_MAX && (topic = router_literal_topic(c->router, index++)) != NULL)
        topics[count++] = topic;
    return count;
}

int doctor_message_bytes(struct checking *c, struct error *err)
{
    const char *topics[TOPICS_MAX];
    uint32_t count = list_topics(c, topics);
    assert(count > 0);
    return kafka_look_at_limits(options_of(c), &c->kafka, topics, count, err);
}

int doctor_acls(struct checking *c, struct error *err)
{
    const char *topics[TOPICS_MAX];
    bool asked;
    uint32_t count = list_topics(c, topics);
    assert(count > 0);
    if (kafka_look_at_rights(options_of(c), topics, count, &asked, err) < 0)
        return -1;
    if (!asked)
        checking_passes_over(c, CHECK_ACLS);
    return 0;
}

/* ---- The clock ---- */

/* A record says when the relay wrote it, and when the broker appended it: before, which cannot be;
 * or in what is the future here. That it was appended late proves nothing. */
int doctor_clock_broker(struct checking *c, struct error *err)
{
    struct buf json = BUF_EMPTY;
    struct arena arena;
    struct progress record = {.at_us = 0};
    struct error unreadable = ERROR_INIT;
    int64_t append_ms;
    arena_init(&arena, 4096, 4096);
    int result = kafka_look_at_append(options_of(c), &json, &append_ms, err);
    bool known = result == 0 && append_ms > 0 &&
                 progress_decode(buf_span(&json), &arena, &record, &unreadable) == 0;
    arena_fini(&arena);
    buf_fini(&json);
    if (result < 0)
        return -1;
    if (!known) {
        checking_passes_over(c, CHECK_CLOCK_BROKER);
        return 0;
    }
    int64_t append_us = append_ms * US_PER_MS;
    int64_t behind_us = record.at_us - append_us, ahead_us = append_us - clock_wall_us();
    if (behind_us <= SKEW_MAX_US && ahead_us <= SKEW_MAX_US)
        return 0;
    bool behind = behind_us > SKEW_MAX_US;
    error_stop(
        err, REASON_FINDING,
        "the clock of the broker is %.1f s %s that of the relay: Kafka deletes events by its "
        "own, and refuses those that seem to come from the future",
        (double)(behind ? behind_us : ahead_us) / (double)US_PER_S, behind ? "behind" : "ahead of");
    return doctor_mend_clock(err);
}
