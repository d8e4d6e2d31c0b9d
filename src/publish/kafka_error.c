/* publish/kafka_error: librdkafka's error codes become reactions.
 *
 * What may heal by itself is ERROR_RETRY; what a person must give (credentials, an ACL, a setting)
 * is ERROR_STOP with the exact command. Verdicts about single records are not made here: see
 * kafka_report.c. Texts never hold a property's value but addresses and names. */
#include "publish/kafka_error.h"

#include "base/address.h"
#include "publish/kafka_config.h"
#include "publish/kafka_port.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* A broker that answers at all does so at once. */
#define PORT_WAIT_MS 2000
#define PORTS_MAX 3

static const char *bootstrap(const struct kafka_health *health)
{
    const char *servers = kafka_property(health->options->kafka, "bootstrap.servers");
    if (servers == NULL)
        servers = kafka_property(health->options->kafka, "metadata.broker.list");
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

/* A relay has several transactional ids, so they are allowed by their prefix. */
static void name_in_acl(const char *resource, const char *name, char *text, size_t size)
{
    const char *dot = strrchr(name, '.');
    text[0] = '\0';
    if (strcmp(resource, "transactional-id") == 0 && dot != NULL)
        snprintf(text, size, " %.*s --resource-pattern-type prefixed", (int)(dot - name + 1), name);
    else if (strcmp(resource, "cluster") != 0)
        snprintf(text, size, " %s", name);
}

int kafka_denied(struct error *err, const struct kafka_health *health, const char *resource,
                 const char *name, const char *operations)
{
    const char *user = kafka_property(health->options->kafka, "sasl.username");
    char flags[192] = "", servers[KAFKA_SERVERS_MAX];
    size_t used = 0;
    for (const char *at = operations; *at != '\0' && used < sizeof flags;) {
        size_t length = strcspn(at, ",");
        used += (size_t)snprintf(flags + used, sizeof flags - used, " --operation %.*s",
                                 (int)length, at);
        at += length + (at[length] == ',' ? 1 : 0);
    }
    error_stop(err, REASON_ACL_DENIED, "Kafka denies %s on %s %s", operations, resource, name);
    char which[320];
    name_in_acl(resource, name, which, sizeof which);
    kafka_servers(health->options->kafka, servers);
    /* Of a certificate or a token only the broker knows what it makes of it. */
    if (user == NULL)
        return error_hint(err,
                          "with the name that the broker has for the relay (its authorizer log "
                          "says it) as NAME: kafka-acls.sh --bootstrap-server %s --add "
                          "--allow-principal User:NAME%s --%s%s",
                          servers, flags, resource, which);
    struct buf principal = BUF_EMPTY, word = BUF_EMPTY;
    buf_add_format(&principal, "User:%s", user);
    error_shell_word(&word, buf_text(&principal));
    error_mend_shell(err, "kafka-acls.sh --bootstrap-server %s --add --allow-principal %s%s --%s%s",
                     servers, buf_text(&word), flags, resource, which);
    buf_fini(&principal);
    buf_fini(&word);
    return -1;
}

/* "Failed to retrieve OIDC token from "…": … (401)" */
void kafka_note_token(struct kafka_health *health, const char *text)
{
    const char *bracket = strrchr(text, '(');
    if (bracket != NULL)
        atomic_store(&health->token_status, (int)strtol(bracket + 1, NULL, 10));
}

/* Nobody said no: the endpoint was not reached, or has trouble of its own. */
static bool is_token_away(int status)
{
    return status < 0 || status == 429 || status >= 500;
}

static int token_refused(struct error *err, const struct kafka_health *health, const char *text)
{
    const char *given =
        kafka_property(health->options->kafka, "sasl.oauthbearer.token.endpoint.url");
    struct buf url = BUF_EMPTY, said = BUF_EMPTY;
    address_hide_logins(span_of(given != NULL ? given : "(none)"), &url);
    address_hide_logins(span_of(text), &said);
    if (is_token_away(atomic_load(&health->token_status))) {
        error_retry(err, REASON_TOKEN_ENDPOINT, "no token from %s: %s", buf_text(&url),
                    buf_text(&said));
        error_hint(err, "check sasl.oauthbearer.token.endpoint.url under kafka: and what "
                        "answers there");
    } else {
        error_stop(err, REASON_AUTH_FAILED, "Kafka refuses the credentials: %s", buf_text(&said));
        error_hint(err,
                   "correct sasl.oauthbearer.client.id and sasl.oauthbearer.client.secret under "
                   "kafka:, for the tokens of %s, or let the broker's listener accept these",
                   buf_text(&url));
    }
    buf_fini(&url);
    buf_fini(&said);
    return -1;
}

static bool asks_for_tokens(const struct kafka_health *health)
{
    const char *mechanism = kafka_property(health->options->kafka, "sasl.mechanism");
    if (mechanism == NULL)
        mechanism = kafka_property(health->options->kafka, "sasl.mechanisms");
    return mechanism != NULL && strcasecmp(mechanism, "OAUTHBEARER") == 0;
}

int kafka_credentials_refused(struct error *err, const struct kafka_health *health,
                              const char *text)
{
    if (kafka_token_has_failed(health->token, err))
        return -1;
    if (health->token == NULL && asks_for_tokens(health))
        return token_refused(err, health, text);
    error_stop(err, REASON_AUTH_FAILED, "Kafka refuses the credentials: %s", text);
    if (health->token != NULL)
        return error_hint(err,
                          "let kafka_token_command print a token that the broker takes now: one "
                          "that it keeps may have run out (bootstrap.servers %s)",
                          bootstrap(health));
    return error_hint(err,
                      "correct sasl.username, sasl.password or sasl.mechanism under kafka: "
                      "(bootstrap.servers %s)",
                      bootstrap(health));
}

int kafka_unreachable(struct error *err, const struct kafka_health *health, const char *text,
                      const char *doing)
{
    error_retry(err, REASON_BROKER_UNREACHABLE, "%s: no broker of bootstrap.servers=%s answers: %s",
                doing, bootstrap(health), health->detail[0] != '\0' ? health->detail : text);
    return error_hint(err, "check that the broker is up and reachable at %s", bootstrap(health));
}

int kafka_advertised_away(struct error *err, const struct kafka_health *health, const char *doing)
{
    assert(health->away.count > 0);
    const struct kafka_away_broker *broker = &health->away.brokers[0];
    error_retry(err, REASON_BROKER_UNREACHABLE,
                "%s: %s answers, but the broker that it says is at %s does not: %s", doing,
                bootstrap(health), broker->address, broker->why);
    return error_hint(err,
                      "let advertised.listeners of that broker name an address that can be reached "
                      "from here, or open the way to %s",
                      broker->address);
}

/* ---- security.protocol ---- */

struct protocol {
    const char *name;
    bool tls;
    bool sasl;
};

static const struct protocol protocols[] = {{"PLAINTEXT", false, false},
                                            {"SSL", true, false},
                                            {"SASL_PLAINTEXT", false, true},
                                            {"SASL_SSL", true, true}};

/* librdkafka's default, like its names in any case, is plaintext. */
static const struct protocol *configured(const struct kafka_health *health)
{
    const char *name = kafka_property(health->options->kafka, "security.protocol");
    for (size_t i = 0; name != NULL && i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcasecmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return &protocols[0];
}

static int wrong_protocol(struct error *err, const char *doing, struct span address,
                          const struct protocol *ours, enum kafka_port port)
{
    const char *speaks = port == KAFKA_PORT_TLS    ? "speaks TLS"
                         : port == KAFKA_PORT_SASL ? "speaks without TLS and wants a login (SASL)"
                                                   : "speaks without TLS and takes no login (SASL)";
    error_stop(err, REASON_SECURITY_PROTOCOL, "%s: %.*s %s, but security.protocol is %s", doing,
               SPAN_ARG(address), speaks, ours->name);
    if (port == KAFKA_PORT_TLS)
        return error_hint(err,
                          "set security.protocol under kafka: to %s, and ssl.ca.location to the "
                          "authority that signed the broker's certificate",
                          ours->sasl ? "SASL_SSL" : "SSL (SASL_SSL where it wants a login)");
    if (port == KAFKA_PORT_SASL)
        return error_hint(err,
                          "set security.protocol under kafka: to SASL_PLAINTEXT, with "
                          "sasl.mechanism, sasl.username and sasl.password%s",
                          ours->tls ? ", or name the broker's port for TLS in bootstrap.servers"
                                    : "");
    return error_hint(err, "set security.protocol under kafka: to PLAINTEXT%s",
                      ours->tls ? ", or name the broker's port for TLS in bootstrap.servers" : "");
}

static bool is_wrong(const struct protocol *ours, enum kafka_port port)
{
    switch (port) {
    case KAFKA_PORT_UNKNOWN:
        return false;
    case KAFKA_PORT_TLS:
        return !ours->tls;
    case KAFKA_PORT_SASL:
        return ours->tls || !ours->sasl;
    case KAFKA_PORT_PLAINTEXT:
        break;
    }
    return ours->tls || ours->sasl;
}

int kafka_check_protocol(struct error *err, const struct kafka_health *health, const char *doing)
{
    assert(health != NULL && doing != NULL);
    const struct protocol *ours = configured(health);
    const char *at = bootstrap(health);
    /* Nobody was reached: nothing is to be asked. */
    if (health->proved || health->code == RD_KAFKA_RESP_ERR__RESOLVE)
        return 0;
    const atomic_bool *stop = health->options->stop;
    for (int i = 0; i < PORTS_MAX && *at != '\0' && (stop == NULL || !atomic_load(stop)); i++) {
        at += strspn(at, ", ");
        struct span address = {at, strcspn(at, ", ")};
        enum kafka_port port =
            address.len > 0 ? kafka_port_ask(address, PORT_WAIT_MS) : KAFKA_PORT_UNKNOWN;
        if (is_wrong(ours, port))
            return wrong_protocol(err, doing, address, ours, port);
        if (port != KAFKA_PORT_UNKNOWN)
            return 0;
        at += address.len;
    }
    return 0;
}

static int timeout_refused(struct error *err, const struct kafka_health *health)
{
    int64_t timeout_ms = health->options->delivery->transaction_timeout_ms;
    error_stop(err, REASON_TRANSACTION_TIMEOUT_REFUSED,
               "the broker refuses delivery.transaction_timeout_ms %lld: it is above its own "
               "transaction.max.timeout.ms",
               (long long)timeout_ms);
    return error_hint(err, "lower delivery.transaction_timeout_ms, or raise "
                           "transaction.max.timeout.ms of the brokers");
}

int kafka_failed(struct error *err, const struct kafka_health *health, rd_kafka_resp_err_t code,
                 const char *text, const char *doing)
{
    assert(code != RD_KAFKA_RESP_ERR_NO_ERROR);
    if (text == NULL || text[0] == '\0')
        text = rd_kafka_err2str(code);
    if (health->auth_failed || is_credentials(code))
        return kafka_credentials_refused(err, health, health->auth_failed ? health->detail : text);
    if (kafka_is_fenced(code))
        return error_retry(err, REASON_FENCED, "%s: %s", doing, text);
    if (is_connection(code) &&
        kafka_tls_check(&health->tls, health->options->kafka, doing, err) < 0)
        return -1;
    if (is_connection(code))
        return kafka_unreachable(err, health, text, doing);
    if (is_coordinator(code))
        return error_retry(err, REASON_COORDINATOR_UNAVAILABLE,
                           "%s: no transaction coordinator: %s", doing, text);
    if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        return timeout_refused(err, health);
    if (code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE ||
        code == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION) {
        error_stop(err, REASON_BROKER_TOO_OLD, "%s: %s", doing, text);
        return error_hint(err, "use a Kafka broker from 2.4 on");
    }
    if (kafka_is_denied(code))
        return kafka_denied(err, health, "cluster", "kafka-cluster", "IdempotentWrite");
    return error_retry(err, REASON_KAFKA_ERROR, "%s: %s (%s)", doing, text,
                       rd_kafka_err2name(code));
}

int kafka_failed_object(struct error *err, const struct kafka_health *health,
                        rd_kafka_error_t *error, const char *doing)
{
    assert(error != NULL);
    kafka_failed(err, health, rd_kafka_error_code(error), rd_kafka_error_string(error), doing);
    rd_kafka_error_destroy(error);
    return -1;
}
