/* publish/kafka_away: brokers that do not answer at the address that they advertise. Internal to
 * the module.
 *
 * bootstrap.servers only tells which brokers there are and where they say that they are. Where one
 * cannot be reached there, librdkafka goes on trying and nothing fails. */
#ifndef WALFERRY_PUBLISH_KAFKA_AWAY_H
#define WALFERRY_PUBLISH_KAFKA_AWAY_H

#include "base/span.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#define KAFKA_AWAY_MAX 16

struct kafka_away_broker {
    char address[128]; /* "host:port", as it is advertised */
    char why[160];
    bool unreachable; /* some connection to it was not made, not only one that ended */
};

/* Since a handle was opened; what comes later is counted no more than that. */
struct kafka_away {
    uint32_t count;
    struct kafka_away_broker brokers[KAFKA_AWAY_MAX];
};

/* librdkafka's text of an error: "sasl_ssl://host:9092/1: Connect to … failed: …", or
 * "TxnCoordinator: host:9092: …". Takes no note of what is about anything else, such as
 * bootstrap.servers. */
void kafka_away_note(struct kafka_away *away, const char *text);
/* Was some broker unreachable for a while? One that only ends connections never is. */
bool kafka_away_unreachable(const struct kafka_away *away);
/* Is the broker among them that advertises this host, without brackets, and port? */
bool kafka_away_has(const struct kafka_away *away, const char *host, int port);
/* Does bootstrap.servers name that address, as a whole entry of its list? */
bool kafka_away_is_listed(const char *servers, const char *address);
/* Is each broker that the cluster names now among them? Asks it, for wait_ms at most. */
bool kafka_away_all(const struct kafka_away *away, rd_kafka_t *rk, int wait_ms);

#endif
