/* publish/kafka_mechanism: see kafka_mechanism.h. librdkafka itself takes all of it, and then has
 * no token to log in with, or never uses the one that it gets. Nothing is looked up on a network.
 */
#include "publish/kafka_mechanism.h"

#include <assert.h>
#include <strings.h>

static const struct config_pair *find(const struct config_kafka *kafka, const char *name)
{
    for (uint32_t i = 0; i < kafka->properties.count; i++)
        if (strcmp(kafka->properties.items[i].name.text, name) == 0)
            return &kafka->properties.items[i];
    return NULL;
}

static bool is_one_of(const struct config_pair *pair, const char *a, const char *b)
{
    return pair != NULL &&
           (strcasecmp(pair->value.text, a) == 0 || strcasecmp(pair->value.text, b) == 0);
}

/* What gives tokens instead, or NULL. */
static const struct config_pair *other_giver(const struct config_kafka *kafka)
{
    static const char metadata[] = "sasl.oauthbearer.metadata.authentication.type";
    const struct config_pair *method = find(kafka, "sasl.oauthbearer.method");
    const struct config_pair *unsecured = find(kafka, "enable.sasl.oauthbearer.unsecure.jwt");
    const struct config_pair *cloud = find(kafka, metadata);
    if (is_one_of(method, "oidc", "oidc"))
        return method;
    if (is_one_of(unsecured, "true", "1"))
        return unsecured;
    return cloud != NULL && !is_one_of(cloud, "none", "none") ? cloud : NULL;
}

static int check_command(const struct config_kafka *kafka, const struct config_pair *mechanism,
                         struct error *err)
{
    const struct config_text *command = &kafka->token_command.texts.items[0];
    const struct config_pair *protocol = find(kafka, "security.protocol");
    const struct config_pair *other = other_giver(kafka);
    bool used = mechanism != NULL && is_one_of(mechanism, "OAUTHBEARER", "OAUTHBEARER") &&
                is_one_of(protocol, "SASL_SSL", "SASL_PLAINTEXT");
    if (!used) {
        config_error(err, command, REASON_KAFKA_PROPERTY,
                     "kafka_token_command: nothing asks for a token but sasl.mechanism OAUTHBEARER "
                     "with security.protocol SASL_SSL");
        return error_hint(err, "write security.protocol: SASL_SSL and sasl.mechanism: OAUTHBEARER "
                               "under kafka:, or delete kafka_token_command");
    }
    if (other == NULL)
        return 0;
    config_error(err, &other->name, REASON_KAFKA_PROPERTY,
                 "kafka.%s: kafka_token_command gives the tokens", other->name.text);
    return error_hint(err, "delete this line, or kafka_token_command");
}

int kafka_mechanism_check(const struct config_kafka *kafka, struct error *err)
{
    assert(kafka != NULL && err != NULL);
    const struct config_pair *mechanism = find(kafka, "sasl.mechanism");
    if (mechanism == NULL)
        mechanism = find(kafka, "sasl.mechanisms");
    if (kafka->token_command.arguments != NULL)
        return check_command(kafka, mechanism, err);
    if (!is_one_of(mechanism, "OAUTHBEARER", "OAUTHBEARER") || other_giver(kafka) != NULL)
        return 0;
    config_error(err, &mechanism->value, REASON_KAFKA_PROPERTY,
                 "kafka.%s: nothing gives a token for OAUTHBEARER", mechanism->name.text);
    return error_hint(err, "name a program in kafka_token_command, or set sasl.oauthbearer.method: "
                           "oidc with what it needs");
}
