/* migrate_kafka: the sections kafka and delivery: what the connector says of the broker and of
 * topics. A connector of Kafka Connect does not say where the broker is: its worker does. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Reserved for what must never be found (RFC 2606). */
#define NOWHERE "fill-in.invalid:9092"

/* Of the producer: properties that librdkafka has under the same name and with the same values. */
static const char *const SAME_NAMES[] = {"bootstrap.servers",
                                         "security.protocol",
                                         "sasl.mechanism",
                                         "compression.type",
                                         "client.id",
                                         "sasl.kerberos.service.name",
                                         "ssl.endpoint.identification.algorithm",
                                         "client.rack"};
/* What walferry sets itself. */
static const char *const OURS[] = {"acks",
                                   "retries",
                                   "linger.ms",
                                   "batch.size",
                                   "buffer.memory",
                                   "enable.idempotence",
                                   "max.in.flight.requests.per.connection",
                                   "transactional.id",
                                   "transaction.timeout.ms",
                                   "delivery.timeout.ms",
                                   "request.timeout.ms",
                                   "max.block.ms",
                                   "max.request.size",
                                   "key.serializer",
                                   "value.serializer",
                                   "partitioner.class"};

static const char *const PREFIXES[] = {"producer.override.", "sink.kafka.producer."};

static bool among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A word behind `what=` and between quotes, of a JAAS line. */
static const char *jaas_word(struct migrate *m, const char *line, const char *what)
{
    const char *at = strstr(line, what);
    if (at == NULL)
        return NULL;
    at += strlen(what);
    char quote = *at;
    if (quote != '"' && quote != '\'')
        return NULL;
    const char *end = strchr(++at, quote);
    return end != NULL ? arena_text(&m->arena, (struct span){at, (size_t)(end - at)}) : NULL;
}

static bool take_jaas(struct migrate *m, const char *line)
{
    const char *user = jaas_word(m, line, "username="), *password = jaas_word(m, line, "password=");
    if (strstr(line, "PlainLoginModule") == NULL && strstr(line, "ScramLoginModule") == NULL)
        return false;
    if (user == NULL || password == NULL)
        return false;
    migrate_add(&m->kafka, 2, "sasl.username", user);
    migrate_add(&m->kafka, 2, "sasl.password", password);
    return true;
}

static void take_producer(struct migrate *m, struct property *p, const char *name)
{
    if (among(SAME_NAMES, sizeof SAME_NAMES / sizeof SAME_NAMES[0], name)) {
        migrate_add(&m->kafka, 2, name, p->value);
        migrate_say(m, p->key, WEIGHT_TAKEN, "kafka: %s", name);
    } else if (among(OURS, sizeof OURS / sizeof OURS[0], name)) {
        migrate_say(m, p->key, WEIGHT_MOOT, "walferry sets it, as the guarantee wants it");
    } else if (strcmp(name, "sasl.jaas.config") == 0 && take_jaas(m, p->value)) {
        bool refers = strstr(p->value, "${") != NULL;
        migrate_say(m, p->key, refers ? WEIGHT_TAKEN : WEIGHT_LOOK,
                    "kafka: sasl.username and sasl.password%s",
                    refers ? "" : ", as they stand: ${file:PATH} or ${env:NAME} is better");
    } else if (strncmp(name, "ssl.", 4) == 0) {
        migrate_say(m, p->key, WEIGHT_LOOK,
                    "librdkafka takes PEM files: ssl.ca.location, ssl.certificate.location, "
                    "ssl.key.location");
    }
}

static void take_producers(struct migrate *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < sizeof PREFIXES / sizeof PREFIXES[0]; k++)
            if (strncmp(m->items[i].key, PREFIXES[k], strlen(PREFIXES[k])) == 0)
                take_producer(m, &m->items[i], m->items[i].key + strlen(PREFIXES[k]));
}

static void check_sink(struct migrate *m)
{
    if (!m->server)
        return;
    if (migrate_is(m, "sink.type", "kafka", "none"))
        migrate_say(m, "sink.type", WEIGHT_SAME, "the same by default");
    else if (migrate_find(m, "sink.type") == NULL)
        migrate_note(m, WEIGHT_LOST, "no debezium.sink.type: walferry writes to Kafka");
    migrate_say(m, "sink.type", WEIGHT_LOST, "walferry writes to Kafka, and nowhere else");
}

static void take_number(struct migrate *m, struct buf *out, const char *key, const char *name)
{
    const char *value = migrate_value(m, key);
    if (value == NULL || value[0] == '0' || value[0] == '$' ||
        value[strspn(value, "-0123456789")] != '\0')
        return;
    buf_add_format(out, "    %s: %s\n", name, value);
    migrate_say(m, key, WEIGHT_TAKEN, "delivery.topics.%s", name);
}

static void take_transactions(struct migrate *m)
{
    const char *topic = migrate_value(m, "topic.transaction");
    if (!migrate_is(m, "provide.transaction.metadata", "true", "false")) {
        migrate_say(m, "provide.transaction.metadata", WEIGHT_SAME, "the same by default");
        migrate_say(m, "topic.transaction", WEIGHT_MOOT, "there is no such topic");
        return;
    }
    if (m->only_outbox) {
        migrate_say(m, "provide.transaction.metadata", WEIGHT_LOST,
                    "events of an outbox are not counted; routes as: change are");
        return;
    }
    char name[300];
    snprintf(name, sizeof name, "%.200s.%.80s", m->prefix, topic != NULL ? topic : "transaction");
    buf_add_text(&m->delivery, "  transaction_metadata: true\n");
    migrate_add(&m->delivery, 2, "transaction_topic", name);
    migrate_say(m, "provide.transaction.metadata", WEIGHT_TAKEN, "delivery.transaction_metadata");
    migrate_say(m, "topic.transaction", WEIGHT_TAKEN, "delivery.transaction_topic");
}

void migrate_kafka(struct migrate *m)
{
    assert(m->prefix != NULL);
    struct buf topics = BUF_EMPTY;
    check_sink(m);
    take_producers(m);
    if (strstr(buf_text(&m->kafka), "  bootstrap.servers: ") == NULL) {
        migrate_add(&m->kafka, 2, "bootstrap.servers", NOWHERE);
        migrate_note(
            m, WEIGHT_LOOK,
            "kafka: bootstrap.servers stands in the worker's file, with its security.* and "
            "sasl.*: fill them in");
    }
    take_number(m, &topics, "topic.creation.default.partitions", "partitions");
    take_number(m, &topics, "topic.creation.default.replication.factor", "replication_factor");
    if (topics.len > 0) {
        buf_add_text(&m->delivery, "  topics:\n");
        buf_add(&m->delivery, buf_span(&topics));
    }
    buf_fini(&topics);
    take_transactions(m);
}
