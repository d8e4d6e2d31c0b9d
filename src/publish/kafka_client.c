/* publish/kafka_client: see kafka_client.h. A handle's callbacks know their client through
 * librdkafka's opaque pointer. The error callback only notes; whoever waits on the handle decides.
 * Log lines come from librdkafka's threads and are handed on as they are, but for the login that an
 * address of the token endpoint may hold. */
#include "publish/kafka_client.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/waits.h"
#include "publish/kafka_mechanism.h"

#include <assert.h>
#include <stdio.h>

/* How long a handle's reports are waited for before it is destroyed: 300 ms at most. */
#define SETTLE_TRIES 30
#define SETTLE_MS 10

/* librdkafka's levels are syslog's. A failed connection is its "error", but our warning: the
 * reaction to it is decided elsewhere. */
static enum log_level level_of(int level)
{
    if (level <= 4)
        return LOG_WARN;
    return level == 5 ? LOG_INFO : LOG_DEBUG;
}

/* "Failed to add partition "<topic>" [<n>] to transaction: Broker: Topic authorization failed" */
static void note_denied_topic(struct kafka_client *client, const char *text)
{
    const char *denied = rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    const char *from = strchr(text, '"');
    const char *to = from != NULL ? strchr(from + 1, '"') : NULL;
    if (to == NULL || strstr(to, denied) == NULL || atomic_load(&client->denied_topic_known))
        return;
    snprintf(client->denied_topic, sizeof client->denied_topic, "%.*s", (int)(to - from - 1),
             from + 1);
    atomic_store(&client->denied_topic_known, true);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_client *client = rk != NULL ? rd_kafka_opaque(rk) : NULL;
    if (client == NULL)
        return;
    if (strcmp(facility, "ADDPARTS") == 0)
        note_denied_topic(client, text);
    if (strcmp(facility, "OIDC") == 0)
        kafka_note_token(&client->health, text);
    if (client->health.options->log == NULL)
        return;
    /* One file serves producers and consumers, so properties of the other kind are no news. */
    if (strcmp(facility, "CONFWARN") == 0)
        return;
    const atomic_bool *retrying = client->health.options->retrying;
    bool told = retrying != NULL && atomic_load(retrying);
    struct buf shown = BUF_EMPTY;
    address_hide_logins(span_of(text), &shown);
    log_event(client->health.options->log, told ? LOG_DEBUG : level_of(level), "kafka.log",
              "facility", facility, "text", buf_text(&shown), NULL);
    buf_fini(&shown);
}

/* While the token that the handle has is good, a run that gives no other is only told: librdkafka
 * asks again. The code is that of a broker which refuses a token, too; the text is not. */
static bool is_early_refresh(struct kafka_client *client, const char *text)
{
    struct error failure = ERROR_INIT;
    if (strstr(text, "acquire SASL OAUTHBEARER token") == NULL ||
        !kafka_token_has_failed(&client->token, &failure) || !kafka_token_is_good(&client->token))
        return false;
    if (client->health.options->log != NULL)
        log_error(client->health.options->log, LOG_WARN, "kafka.token_failed", &failure);
    return true;
}

static void on_token(rd_kafka_t *rk, const char *config, void *opaque)
{
    (void)config; /* sasl.oauthbearer.config */
    kafka_token_refresh(&((struct kafka_client *)opaque)->token, rk);
}

static void note_detail(struct kafka_health *health, const char *text)
{
    struct buf shown = BUF_EMPTY;
    address_hide_logins(span_of(text), &shown);
    snprintf(health->detail, sizeof health->detail, "%s", buf_text(&shown));
    buf_fini(&shown);
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_client *client = opaque;
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION && is_early_refresh(client, text))
        return;
    struct kafka_health *health = &client->health;
    bool all_down = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (!all_down || health->detail[0] == '\0') /* else what was said before tells more */
        note_detail(health, text);
    if (all_down) {
        health->brokers_down = true;
    } else {
        health->code = (rd_kafka_resp_err_t)code;
        kafka_away_note(&health->away, text);
        kafka_tls_note(&health->tls, text);
    }
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
        client->health.auth_failed = true;
    if (code == RD_KAFKA_RESP_ERR__FATAL && client->listener != NULL) {
        char reason[256];
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, reason, sizeof reason);
        client->listener->on_fatal(client->listener->owner, &client->health, cause, reason);
    }
}

/* In a broker's thread, for each certificate of its chain. The verdict stays OpenSSL's. */
static int on_certificate(rd_kafka_t *rk, const char *broker, int32_t id, int *code, int depth,
                          const char *der, size_t size, char *text, size_t text_size, void *opaque)
{
    (void)rk;
    (void)broker;
    (void)id;
    struct kafka_client *client = opaque;
    kafka_tls_looked_at(&client->health.tls, *code, depth, (struct span){der, size});
    if (*code != 0)
        snprintf(text, text_size, "X509_V_ERR %d", *code);
    return *code == 0;
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *report, void *opaque)
{
    (void)rk;
    struct kafka_client *client = opaque;
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        client->health.proved = true;
        client->health.auth_failed = false;
    }
    if (client->listener != NULL)
        client->listener->on_report(client->listener->owner, report);
}

/* With a callback librdkafka looks at the chain, though nobody wants it verified. */
static void look_at_certificates(rd_kafka_conf_t *conf)
{
    char value[8] = "";
    size_t size = sizeof value;
    if (rd_kafka_conf_get(conf, "enable.ssl.certificate.verification", value, &size) ==
            RD_KAFKA_CONF_OK &&
        strcmp(value, "false") == 0)
        return;
    /* A librdkafka without TLS has none to look at. */
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
}

static void tell(const struct kafka_options *options, const char *doing)
{
    const char *servers = kafka_property(options->kafka, "bootstrap.servers");
    waits_on(log_waits(options->log), "waits for Kafka at %.50s: %s",
             servers != NULL ? servers : "(none)", doing);
}

int kafka_client_open(struct kafka_client *client, const struct kafka_client_options *how,
                      struct error *err)
{
    assert(how->options != NULL && how->options->relay != NULL);
    *client = (struct kafka_client){.health = {.options = how->options},
                                    .transactional = how->role == KAFKA_TRANSACTIONAL,
                                    .listener = how->listener};
    kafka_token_init(&client->token, how->options->kafka->token_command.arguments);
    if (client->token.command != NULL) {
        if (kafka_mechanism_check(how->options->kafka, err) < 0)
            return -1; /* librdkafka would make no queue for what asks for a token */
        client->health.token = &client->token;
    }
    char client_id[128];
    const char *instance = how->options->instance != NULL ? how->options->instance : "";
    snprintf(client_id, sizeof client_id, "walferry-%s%s%s", how->options->relay,
             instance[0] != '\0' ? "-" : "", instance);
    rd_kafka_conf_t *conf;
    struct kafka_conf_options settings = {.role = how->role,
                                          .kafka = how->options->kafka,
                                          .delivery = how->options->delivery,
                                          .client_id = client_id,
                                          .transactional_id = how->transactional_id,
                                          .batch_bytes = how->batch_bytes};
    if (kafka_conf_build(&settings, &conf, err) < 0)
        return -1;
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (how->listener != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    if (how->watch != NULL)
        kafka_watch_install(conf, how->watch);
    kafka_token_install(&client->token, conf, on_token);
    look_at_certificates(conf);
    char text[512];
    client->rk = rd_kafka_new(kafka_type_of(how->role), conf, text, sizeof text);
    if (client->rk != NULL) {
        tell(how->options, "connecting");
        kafka_token_serve(&client->token, client->rk);
        return 0;
    }
    rd_kafka_conf_destroy(conf);
    return kafka_conf_refused(how->options->kafka, text, err);
}

/* librdkafka frees the text of a transaction's error when a handle is destroyed, and so does a
 * broker's thread that fails the transaction at the same time. What is on its way is reported
 * before, as far as that takes no time worth telling. */
static void let_it_settle(rd_kafka_t *rk)
{
    for (int i = 0; i < SETTLE_TRIES && rd_kafka_outq_len(rk) > 0; i++)
        rd_kafka_poll(rk, SETTLE_MS);
    rd_kafka_poll(rk, 0);
}

void kafka_client_close(struct kafka_client *client)
{
    if (client->rk == NULL)
        return;
    client->listener = NULL; /* errors and reports of a closed handle never count */
    kafka_token_close(&client->token);
    rd_kafka_purge(client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                   RD_KAFKA_PURGE_F_NON_BLOCKING);
    if (client->transactional)
        let_it_settle(client->rk);
    rd_kafka_destroy_flags(client->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    client->rk = NULL;
}

int64_t kafka_deadline_us(const struct kafka_options *options)
{
    int64_t timeout_ms = options->timeout_ms;
    if (timeout_ms <= 0 || timeout_ms > KAFKA_QUESTION_MS)
        timeout_ms = KAFKA_QUESTION_MS;
    return clock_monotonic_us() + timeout_ms * US_PER_MS;
}

/* Whether librdkafka has said by now that all brokers are down is a matter of luck on a busy
 * machine, so the question is put once more. */
static bool answers(struct kafka_client *client)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(client->rk, 0, NULL, &metadata, KAFKA_SLICE_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

static int no_connection(const struct kafka_health *health, const char *text, const char *doing,
                         struct error *err)
{
    if (kafka_token_has_failed(health->token, err) && !kafka_token_is_good(health->token))
        return -1;
    if (kafka_tls_check(&health->tls, health->options->kafka, doing, err) < 0 ||
        kafka_check_protocol(err, health, doing) < 0)
        return -1;
    if (health->auth_failed)
        return kafka_credentials_refused(err, health, health->detail);
    return kafka_unreachable(err, health, text, doing);
}

/* Only an answer of bootstrap.servers tells an address that does not stand there. Newer versions of
 * librdkafka then say that all brokers are down, because they know the one that answered by no
 * other address any more. */
static bool is_told_elsewhere(const struct kafka_health *health)
{
    const char *servers = kafka_property(health->options->kafka, "bootstrap.servers");
    return servers != NULL && !kafka_away_is_listed(servers, health->away.brokers[0].address);
}

static int not_as_told(const struct kafka_health *health, const char *doing, struct error *err)
{
    if (kafka_tls_check(&health->tls, health->options->kafka, doing, err) < 0)
        return -1;
    return kafka_advertised_away(err, health, doing);
}

int kafka_keep_waiting(struct kafka_client *client, int64_t deadline_us, const char *doing,
                       struct error *err)
{
    if (client->health.options->stop != NULL && atomic_load(client->health.options->stop))
        return error_retry(err, REASON_STOPPING, "%s: stopped", doing);
    tell(client->health.options, doing);
    rd_kafka_poll(client->rk, 0); /* serves the error callback */
    struct kafka_health *health = &client->health;
    if (health->auth_failed)
        return no_connection(health, "no connection", doing, err);
    bool away = !health->proved && health->away.count > 0;
    if (away && ((health->brokers_down && is_told_elsewhere(health)) ||
                 kafka_away_all(&health->away, client->rk, KAFKA_SLICE_MS)))
        return not_as_told(health, doing, err);
    if (health->brokers_down)
        return no_connection(health, "no connection", doing, err);
    if (clock_monotonic_us() < deadline_us)
        return 0;
    if (!answers(client))
        return no_connection(health, "no answer in time", doing, err);
    if (away)
        return not_as_told(health, doing, err);
    return error_retry(err, REASON_BROKER_TIMEOUT, "%s: no answer from the broker in time%s%s",
                       doing, client->health.detail[0] != '\0' ? ": " : "", client->health.detail);
}

int kafka_client_init(struct kafka_client *client, const char *transactional_id, struct error *err)
{
    assert(client->rk != NULL);
    assert(transactional_id != NULL);
    static const char doing[] = "taking over the transactional.id";
    int64_t deadline_us = kafka_deadline_us(client->health.options);
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(client->rk, KAFKA_SLICE_MS);
        if (error == NULL) {
            client->health.brokers_down = false;
            client->health.proved = true;
            return 0;
        }
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        rd_kafka_poll(client->rk, 0);
        if (kafka_is_denied(code) && code != RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
            rd_kafka_error_destroy(error);
            return kafka_denied(err, &client->health, "transactional-id", transactional_id,
                                "Describe,Write");
        }
        if (!rd_kafka_error_is_retriable(error) && code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            return kafka_failed_object(err, &client->health, error, doing);
        if (client->health.detail[0] == '\0')
            snprintf(client->health.detail, sizeof client->health.detail, "%s",
                     rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (kafka_keep_waiting(client, deadline_us, doing, err) < 0)
            return -1;
    }
}
