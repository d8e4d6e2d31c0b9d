/* recover/prepare: what the opening of an epoch and the commands prepare alike: options of the
 * client library, router, topics, a first record. */
#include "recover/recover.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void relay_instance(char text[33])
{
    unsigned char bytes[16];
    ssize_t got = getrandom(bytes, sizeof bytes, 0);
    assert(got == (ssize_t)sizeof bytes);
    (void)got;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

const char *relay_letter_topic(const struct config_relay *config)
{
    assert(config->dead_letter.topic.text != NULL);
    for (uint32_t i = 0; i < config->routes.count; i++)
        if (config->routes.items[i].on_error == ON_ERROR_DEAD_LETTER ||
            config->routes.items[i].oversize.policy == OVERSIZE_DEAD_LETTER)
            return config->dead_letter.topic.text;
    return NULL;
}

bool relay_holds_keys(const struct config_relay *config)
{
    return config->dead_letter.quarantine == QUARANTINE_KEY && relay_letter_topic(config) != NULL;
}

struct kafka_options relay_kafka_options(const struct config_relay *config, const struct log *log,
                                         const atomic_bool *stop)
{
    return (struct kafka_options){.kafka = &config->kafka,
                                  .delivery = &config->delivery,
                                  .relay = config->name.text,
                                  .letter_topic = relay_letter_topic(config),
                                  .holds_keys = relay_holds_keys(config),
                                  .instance = "command",
                                  .log = log,
                                  .stop = stop};
}

int relay_open_router(const struct config_relay *config, struct router **router, struct error *err)
{
    struct router_options options = {.routes = &config->routes,
                                     .relay = config->name.text,
                                     .progress_topic = config->delivery.progress_topic.text,
                                     .letter_topic = config->dead_letter.topic.text,
                                     .topics_allowed = &config->delivery.topics.allow,
                                     .jq_cpu_ms = config->delivery.jq_cpu_ms,
                                     .jq_memory = config->delivery.jq_memory};
    return router_open(&options, router, err);
}

int relay_check_connection(const struct config_relay *config, struct error *err)
{
    struct pg_names names;
    struct error why = ERROR_INIT;
    if (pg_connection_names(config->source.connection.text, &names, &why) == 0) {
        if (!names.password || config->source.password_command.arguments == NULL)
            return 0;
        config_error(err, &config->source.connection, REASON_BAD_CONNECTION,
                     "source.connection: a password stands in it, and source.password_command "
                     "gives one, too");
        return error_hint(err, "take one of the two away");
    }
    config_error(err, &config->source.connection, why.reason, "source.connection: %s", why.text);
    return error_hint(err, "%s", why.hint);
}

void command_first_record(const struct config_relay *config, const struct origin *origin,
                          const struct found *found, bool outgrown, struct progress *record)
{
    assert(record != &found->progress);
    *record = (struct progress){.generation = outgrown ? found->progress.generation + 1 : 1,
                                .system_identifier = found->system.system_identifier,
                                .timeline = found->system.timeline,
                                .mode = origin->ops->mode,
                                .at_us = clock_wall_us()};
    snprintf(record->relay, sizeof record->relay, "%s", config->name.text);
    snprintf(record->config_hash, sizeof record->config_hash, "%s", config->hash);
    origin->ops->sign(origin, record);
    relay_instance(record->instance);
}

void command_place_record(const struct origin *origin, uint64_t lsn, struct progress *record)
{
    assert(record != NULL);
    record->position.lsn = lsn;
    record->last.lsn = lsn;
    origin->ops->sign(origin, record);
}

int relay_prepare_topics(const struct kafka_options *kafka, const struct router *router,
                         bool create_progress, struct buf *weak, struct buf *made,
                         struct error *err)
{
    const char *topics[CONFIG_ROUTES_MAX + 1];
    uint32_t count = 0;
    while (count < CONFIG_ROUTES_MAX &&
           (topics[count] = router_literal_topic(router, count)) != NULL)
        count++;
    if (kafka->delivery->transaction_metadata)
        topics[count++] = kafka->delivery->transaction_topic.text;
    if (kafka_prepare_topics(kafka, topics, count, create_progress, weak, made, err) < 0)
        return -1;
    if (weak->len == 0 || !kafka->delivery->require_replication)
        return 0;
    error_stop(err, REASON_REPLICATION_WEAK,
               "%s: exactly-once does not survive the loss of "
               "a broker",
               buf_text(weak));
    return error_hint(err, "raise replication factor and min.insync.replicas of the topic, or take "
                           "delivery.require_replication out");
}
