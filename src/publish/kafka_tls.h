/* publish/kafka_tls: why TLS with a broker failed, and whose certificate is to blame. Internal to
 * the module.
 *
 * librdkafka's own text is "certificate verify failed" whatever is wrong, and that of a broker
 * which refuses our certificate an alert of TLS (RFC 8446, 6.2). */
#ifndef WALFERRY_PUBLISH_KAFKA_TLS_H
#define WALFERRY_PUBLISH_KAFKA_TLS_H

#include "publish/publish.h"
#include "tls/tls_certificate.h"

#include <stdatomic.h>

struct kafka_tls {
    enum { TLS_NOT_TO_BLAME, TLS_THEIRS_REFUSED, TLS_OURS_REFUSED } blame; /* of the newest error */
    char address[128];                                                     /* "host:port" */
    /* Written by librdkafka's threads: the newest refusal, as X509_verify_cert_error(3) counts
     * them, and what the first was about, once the flag is set. */
    atomic_int code;
    atomic_flag taken;
    atomic_bool known;
    int known_code;
    int depth; /* 0: the broker's own certificate; above: an authority's */
    struct tls_certificate certificate;
};

/* A certificate of a broker was looked at by OpenSSL; code 0: well. Of any thread. */
void kafka_tls_looked_at(struct kafka_tls *tls, int code, int depth, struct span der);
/* librdkafka's text of its newest error. */
void kafka_tls_note(struct kafka_tls *tls, const char *text);
/* 0: TLS is not to blame for it. Else -1 with ERROR_STOP "tls". */
int kafka_tls_check(const struct kafka_tls *tls, const struct config_kafka *kafka,
                    const char *doing, struct error *err);

#endif
