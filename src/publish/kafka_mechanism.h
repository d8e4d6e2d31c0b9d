/* publish/kafka_mechanism: does what is said of SASL/OAUTHBEARER go together? Internal to the
 * module. */
#ifndef WALFERRY_PUBLISH_KAFKA_MECHANISM_H
#define WALFERRY_PUBLISH_KAFKA_MECHANISM_H

#include "config/config.h"

/* kafka_token_command, and the properties of librdkafka: exactly one thing must give the tokens,
 * where they are used. ERROR_STOP with file and line. */
int kafka_mechanism_check(const struct config_kafka *kafka, struct error *err);

#endif
