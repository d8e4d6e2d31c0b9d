/* publish/kafka_port: what a port of a broker speaks. Internal to the module.
 *
 * Where security.protocol is wrong, all that librdkafka sees is a connection that is closed, and
 * its texts differ by version. So the port is asked: in plain Kafka, then in TLS. Nothing secret is
 * sent. Kafka protocol guide, ApiVersions (18) and SaslHandshake (17); RFC 5246, 7.4.1.2. */
#ifndef WALFERRY_PUBLISH_KAFKA_PORT_H
#define WALFERRY_PUBLISH_KAFKA_PORT_H

#include "base/buf.h"

enum kafka_port {
    KAFKA_PORT_UNKNOWN,   /* nobody listens, or what answers is not known */
    KAFKA_PORT_PLAINTEXT, /* Kafka without TLS and without a login */
    KAFKA_PORT_SASL,      /* without TLS, and a login is wanted */
    KAFKA_PORT_TLS        /* what is inside cannot be seen */
};

/* address: "host:port", "[::1]:9092", with or without a scheme before it. Waits for each answer
 * for wait_ms at most, and for the resolver. */
enum kafka_port kafka_port_ask(struct span address, int wait_ms);

#endif
