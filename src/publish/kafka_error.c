/* publish/kafka_error: librdkafka's error codes become reactions.
 *
 * What may heal by itself is ERROR_RETRY; what a person must give (credentials, an ACL, a setting)
 * is ERROR_STOP with the exact command. Verdicts about single records are not made here: see
 * kafka_report.c. Texts never hold a property's value but addresses and names. */
#include "publish/kafka_client.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

static const char *bootstrap(const struct kafka_client *client)
{
    const char *servers = kafka_property(client->options->kafka, "bootstrap.servers");
    if (servers == NULL)
        servers = kafka_property(client->options->kafka, "metadata.broker.list");
    return servers != NULL ? servers : "";
}

bool kafka_is_fenced(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

bool kafka_is_denied(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
}

static bool is_credentials(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
           code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM ||
           code == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE;
}

static bool is_connection(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
           code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__SSL;
}

static bool is_coordinator(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           code == RD_KAFKA_RESP_ERR__WAIT_COORD ||
           code == RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS;
}

int kafka_denied(struct error *err, const struct kafka_client *client, const char *resource,
                 const char *name, const char *operations)
{
    const char *user = kafka_property(client->options->kafka, "sasl.username");
    if (user == NULL)
        user = "<principal>";
    char flags[192] = "";
    size_t used = 0;
    for (const char *at = operations; *at != '\0' && used < sizeof flags;) {
        size_t length = strcspn(at, ",");
        used += (size_t)snprintf(flags + used, sizeof flags - used, " --operation %.*s",
                                 (int)length, at);
        at += length + (at[length] == ',' ? 1 : 0);
    }
    error_stop(err, REASON_ACL_DENIED, "Kafka denies %s on %s %s", operations, resource, name);
    return error_mend_shell(err,
                            "kafka-acls.sh --bootstrap-server %s --add --allow-principal User:%s%s "
                            "--%s%s%s",
                            bootstrap(client), user, flags, resource,
                            strcmp(resource, "cluster") == 0 ? "" : " ",
                            strcmp(resource, "cluster") == 0 ? "" : name);
}

static int credentials_refused(struct error *err, const struct kafka_client *client,
                               const char *text)
{
    error_stop(err, REASON_AUTH_FAILED, "Kafka refuses the credentials: %s", text);
    return error_hint(err,
                      "correct sasl.username, sasl.password or sasl.mechanism under kafka: "
                      "(bootstrap.servers %s)",
                      bootstrap(client));
}

static int unreachable(struct error *err, const struct kafka_client *client, const char *text,
                       const char *doing)
{
    error_retry(err, REASON_BROKER_UNREACHABLE, "%s: no broker of bootstrap.servers=%s answers: %s",
                doing, bootstrap(client), client->detail[0] != '\0' ? client->detail : text);
    return error_hint(err, "check that the broker is up and reachable at %s", bootstrap(client));
}

static int timeout_refused(struct error *err, const struct kafka_client *client)
{
    int64_t timeout_ms = client->options->delivery->transaction_timeout_ms;
    error_stop(err, REASON_TRANSACTION_TIMEOUT_REFUSED,
               "the broker refuses delivery.transaction_timeout_ms %lld: it is above its own "
               "transaction.max.timeout.ms",
               (long long)timeout_ms);
    return error_hint(err, "lower delivery.transaction_timeout_ms, or raise "
                           "transaction.max.timeout.ms of the brokers");
}

int kafka_failed(struct error *err, const struct kafka_client *client, rd_kafka_resp_err_t code,
                 const char *text, const char *doing)
{
    assert(code != RD_KAFKA_RESP_ERR_NO_ERROR);
    if (text == NULL || text[0] == '\0')
        text = rd_kafka_err2str(code);
    if (client->auth_failed || is_credentials(code))
        return credentials_refused(err, client, client->auth_failed ? client->detail : text);
    if (kafka_is_fenced(code))
        return error_retry(err, REASON_FENCED, "%s: %s", doing, text);
    if (is_connection(code))
        return unreachable(err, client, text, doing);
    if (is_coordinator(code))
        return error_retry(err, REASON_COORDINATOR_UNAVAILABLE,
                           "%s: no transaction coordinator: %s", doing, text);
    if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        return timeout_refused(err, client);
    if (code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE ||
        code == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION) {
        error_stop(err, REASON_BROKER_TOO_OLD, "%s: %s", doing, text);
        return error_hint(err, "use a Kafka broker from 2.4 on");
    }
    if (kafka_is_denied(code))
        return kafka_denied(err, client, "cluster", "kafka-cluster", "IdempotentWrite");
    return error_retry(err, REASON_KAFKA_ERROR, "%s: %s (%s)", doing, text,
                       rd_kafka_err2name(code));
}

int kafka_failed_object(struct error *err, const struct kafka_client *client,
                        rd_kafka_error_t *error, const char *doing)
{
    assert(error != NULL);
    kafka_failed(err, client, rd_kafka_error_code(error), rd_kafka_error_string(error), doing);
    rd_kafka_error_destroy(error);
    return -1;
}

int64_t kafka_deadline_us(const struct kafka_options *options)
{
    int64_t timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : KAFKA_TIMEOUT_MS_DEFAULT;
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

int kafka_keep_waiting(struct kafka_client *client, int64_t deadline_us, const char *doing,
                       struct error *err)
{
    if (client->options->stop != NULL && atomic_load(client->options->stop))
        return error_retry(err, REASON_STOPPING, "%s: stopped", doing);
    rd_kafka_poll(client->rk, 0); /* serves the error callback */
    if (client->auth_failed)
        return credentials_refused(err, client, client->detail);
    if (client->brokers_down)
        return unreachable(err, client, "no connection", doing);
    if (clock_monotonic_us() < deadline_us)
        return 0;
    if (!answers(client))
        return unreachable(err, client, "no answer in time", doing);
    return error_retry(err, REASON_BROKER_TIMEOUT, "%s: no answer from the broker in time%s%s",
                       doing, client->detail[0] != '\0' ? ": " : "", client->detail);
}
