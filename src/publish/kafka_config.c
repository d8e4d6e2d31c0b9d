/* publish/kafka_config: the properties of each kind of handle.
 *
 * Three layers: our defaults, then what the user wrote under `kafka:`, then what the guarantee
 * needs. The keys of the third layer are refused in the file by config/, with the reason. Nothing
 * here touches the network: a property that librdkafka does not take is found by `check`. */
#include "publish/kafka_config.h"

#include "publish/kafka_mechanism.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

/* Batches in circulation are far fewer; this only keeps librdkafka's queue from being the limit. */
#define QUEUE_BATCHES 16

static const struct config_text *property_at(const struct config_kafka *kafka, const char *name)
{
    for (uint32_t i = 0; i < kafka->properties.count; i++)
        if (strcmp(kafka->properties.items[i].name.text, name) == 0)
            return &kafka->properties.items[i].value;
    return NULL;
}

const char *kafka_property(const struct config_kafka *kafka, const char *name)
{
    const struct config_text *value = property_at(kafka, name);
    return value != NULL ? value->text : NULL;
}

const char *kafka_servers(const struct config_kafka *kafka, char text[KAFKA_SERVERS_MAX])
{
    static const char login[] = " --command-config admin.properties";
    const char *at = kafka_property(kafka, "bootstrap.servers");
    const char *protocol = kafka_property(kafka, "security.protocol");
    bool plain = protocol == NULL || strcasecmp(protocol, "plaintext") == 0;
    const size_t room = KAFKA_SERVERS_MAX - (plain ? 0 : sizeof login - 1);
    size_t used = 0, whole = 0; /* up to the end of an address */
    for (; at != NULL && *at != '\0' && used < room - 1; at++) {
        if (*at == ',')
            whole = used;
        if (strchr(" \t", *at) == NULL)
            text[used++] = *at;
    }
    if (at != NULL && *at != '\0')
        used = whole;
    text[used] = '\0';
    struct buf word = BUF_EMPTY;
    error_shell_word(&word, used > 0 ? text : "HOST:9092");
    snprintf(text, KAFKA_SERVERS_MAX, "%s%s", word.len < room ? buf_text(&word) : "HOST:9092",
             plain ? "" : login);
    buf_fini(&word);
    return text;
}

/* A property of ours that is refused is a bug: the table is fixed and tested. */
static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof text);
    assert(result == RD_KAFKA_CONF_OK);
    (void)result;
}

static void set_number(rd_kafka_conf_t *conf, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    set(conf, name, text);
}

static bool is_consumer(enum kafka_role role)
{
    return role == KAFKA_CONSUMER_COMMITTED || role == KAFKA_CONSUMER_UNCOMMITTED ||
           role == KAFKA_FOLLOWER;
}

rd_kafka_type_t kafka_type_of(enum kafka_role role)
{
    return is_consumer(role) ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
}

static void set_defaults(rd_kafka_conf_t *conf, const struct kafka_conf_options *how)
{
    set(conf, "client.id", how->client_id);
    set(conf, "socket.keepalive.enable", "true");
    set(conf, "reconnect.backoff.max.ms", "1000");
    /* An address that drops what is sent to it looks like a slow one for so long. */
    set(conf, "socket.connection.setup.timeout.ms", "10000");
    if (is_consumer(how->role))
        return;
    /* librdkafka 2.0 does not wake its sender when a partition has joined the transaction, so that
     * each commit waits this long; batches grow anyway while requests are in flight. */
    set(conf, "linger.ms", "0.1");
    set(conf, "batch.num.messages", "10000");
    /* The topic's own limit is the only one. */
    set(conf, "message.max.bytes", "1000000000");
}

static bool is_bootstrap(const char *name)
{
    return strcmp(name, "bootstrap.servers") == 0 || strcmp(name, "metadata.broker.list") == 0;
}

static int set_from_file(rd_kafka_conf_t *conf, const struct kafka_conf_options *how,
                         struct error *err)
{
    for (uint32_t i = 0; i < how->kafka->properties.count; i++) {
        const struct config_pair *pair = &how->kafka->properties.items[i];
        if (how->offline && is_bootstrap(pair->name.text))
            continue;
        char text[512];
        rd_kafka_conf_res_t result =
            rd_kafka_conf_set(conf, pair->name.text, pair->value.text, text, sizeof text);
        if (result == RD_KAFKA_CONF_OK)
            continue;
        if (result == RD_KAFKA_CONF_UNKNOWN) {
            config_error(err, &pair->name, REASON_KAFKA_PROPERTY,
                         "kafka.%s: librdkafka %s knows no such property", pair->name.text,
                         rd_kafka_version_str());
            return error_hint(err, "correct the name or remove the line; all names: "
                                   "librdkafka's CONFIGURATION.md");
        }
        config_error(err, &pair->value, REASON_KAFKA_PROPERTY, "kafka.%s: %s", pair->name.text,
                     pair->value.secret ? "librdkafka does not take the value" : text);
        return error_hint(err, "correct the value of kafka.%s", pair->name.text);
    }
    return 0;
}

static void set_consumer(rd_kafka_conf_t *conf, enum kafka_role role)
{
    set(conf, "isolation.level",
        role == KAFKA_CONSUMER_UNCOMMITTED ? "read_uncommitted" : "read_committed");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "auto.offset.reset", "earliest");
    /* A fetch at the end of the log waits this long, and so does every start. A follower wants its
     * answer at that pace, not at each record that we commit ourselves. */
    set(conf, "fetch.wait.max.ms", role == KAFKA_FOLLOWER ? "500" : "10");
    set(conf, "fetch.min.bytes", role == KAFKA_FOLLOWER ? "1000000" : "1");
    set(conf, "fetch.error.backoff.ms", "50");
}

static void set_producer(rd_kafka_conf_t *conf, const struct kafka_conf_options *how)
{
    const struct config_delivery *delivery = how->delivery;
    if (how->role == KAFKA_TRANSACTIONAL) {
        set(conf, "transactional.id", how->transactional_id);
        set_number(conf, "transaction.timeout.ms", delivery->transaction_timeout_ms);
    }
    if (how->role != KAFKA_ADMIN)
        set(conf, "enable.idempotence", "true");
    /* Beside a transaction nothing takes back what stands behind a record that was refused. */
    if (how->role == KAFKA_IDEMPOTENT)
        set(conf, "enable.gapless.guarantee", "true");
    /* A message is given up before the broker gives the transaction up. */
    set_number(conf, "message.timeout.ms", delivery->transaction_timeout_ms * 3 / 4);
    set_number(conf, "batch.size", how->batch_bytes > 0 ? how->batch_bytes : KAFKA_BATCH_BYTES);
    int64_t messages = delivery->batch_events * QUEUE_BATCHES + 1000;
    set_number(conf, "queue.buffering.max.messages", messages);
    uint64_t kbytes = delivery->memory_limit / 1024 * 2 + 65536;
    set_number(conf, "queue.buffering.max.kbytes",
               kbytes > INT32_MAX ? INT32_MAX : (int64_t)kbytes);
}

static void set_needed(rd_kafka_conf_t *conf, const struct kafka_conf_options *how)
{
    set(conf, "log.connection.close", "false");
    set(conf, "socket.nagle.disable", "true");
    set(conf, "allow.auto.create.topics", "false");
    int64_t half = how->delivery->transaction_timeout_ms / 2;
    set_number(conf, "socket.timeout.ms", half < 30000 ? half : 30000);
    if (is_consumer(how->role))
        set_consumer(conf, how->role);
    else
        set_producer(conf, how);
}

/* ---- Files ---- */

static const struct {
    const char *property;
    const char *holds;
} files[] = {
    {"ssl.ca.location", "the certificate of the authority that signed the broker's"},
    {"ssl.certificate.location", "the certificate that the broker is to know us by"},
    {"ssl.key.location", "the key of ssl.certificate.location"},
    {"ssl.keystore.location", "our certificate and its key (PKCS #12)"},
    {"ssl.crl.location", "the certificates that were revoked"},
};

/* librdkafka says of a file that it cannot read "system lib". */
static int check_files(const struct config_kafka *kafka, struct error *err)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = kafka_property(kafka, files[i].property);
        if (path == NULL || path[0] == '\0' || strcmp(path, "probe") == 0)
            continue;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            close(fd);
            continue;
        }
        config_error(err, property_at(kafka, files[i].property), REASON_TLS,
                     "kafka.%s: cannot read %s: %s", files[i].property, path, strerror(errno));
        return error_hint(err, "write %s there in a file that walferry's user may read",
                          files[i].holds);
    }
    return 0;
}

int kafka_conf_refused(const struct config_kafka *kafka, const char *text, struct error *err)
{
    assert(kafka->properties.count > 0 && text != NULL);
    const struct config_pair *items = kafka->properties.items, *at = &items[0];
    bool named = false;
    for (uint32_t i = 0; i < kafka->properties.count && !named; i++) {
        size_t length = strlen(items[i].name.text);
        named = strncmp(text, items[i].name.text, length) == 0 && text[length] == ' ';
        at = named ? &items[i] : at;
    }
    /* A certificate and its key are two files, which are not replaced at once. */
    bool tls = named && strncmp(text, "ssl.", 4) == 0;
    config_error(err, &at->name, tls ? REASON_TLS : REASON_KAFKA_PROPERTY, "kafka: %s", text);
    if (!tls)
        return error_hint(err, "correct the properties under kafka:");
    return error_hint(err,
                      "let %s name a file in PEM; a key must be that of its certificate, and "
                      "ssl.key.password open it where it is encrypted",
                      at->name.text);
}

int kafka_conf_build(const struct kafka_conf_options *how, rd_kafka_conf_t **conf,
                     struct error *err)
{
    assert(how->kafka != NULL && how->delivery != NULL);
    assert((how->role == KAFKA_TRANSACTIONAL) == (how->transactional_id != NULL));
    if (kafka_property(how->kafka, "bootstrap.servers") == NULL &&
        kafka_property(how->kafka, "metadata.broker.list") == NULL) {
        error_stop(err, REASON_KAFKA_PROPERTY, "kafka.bootstrap.servers is missing");
        return error_hint(err, "add bootstrap.servers: \"host:9092\" under kafka:");
    }
    if (check_files(how->kafka, err) < 0)
        return -1;
    rd_kafka_conf_t *made = rd_kafka_conf_new();
    set_defaults(made, how);
    if (set_from_file(made, how, err) < 0) {
        rd_kafka_conf_destroy(made);
        return -1;
    }
    set_needed(made, how);
    *conf = made;
    return 0;
}

static void discard_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

/* librdkafka checks properties against each other only when a handle is made. */
static int try_handle(const struct kafka_conf_options *how, struct error *err)
{
    rd_kafka_conf_t *conf;
    if (kafka_conf_build(how, &conf, err) < 0)
        return -1;
    rd_kafka_conf_set_log_cb(conf, discard_log);
    char text[512];
    rd_kafka_t *rk = rd_kafka_new(kafka_type_of(how->role), conf, text, sizeof text);
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return kafka_conf_refused(how->kafka, text, err);
    }
    rd_kafka_destroy(rk);
    return 0;
}

int kafka_check_config(const struct config_kafka *kafka, const struct config_delivery *delivery,
                       struct error *err)
{
    assert(kafka != NULL);
    assert(delivery != NULL);
    struct kafka_conf_options how = {.role = KAFKA_TRANSACTIONAL,
                                     .kafka = kafka,
                                     .delivery = delivery,
                                     .client_id = "walferry-check",
                                     .transactional_id = "walferry.check",
                                     .offline = true};
    if (try_handle(&how, err) < 0 || kafka_mechanism_check(kafka, err) < 0)
        return -1;
    how.role = KAFKA_CONSUMER_COMMITTED;
    how.transactional_id = NULL;
    return try_handle(&how, err);
}
