/* tls/tls_certificate: what a certificate (RFC 5280) says of itself, to explain why TLS was
 * refused.
 *
 * Nothing is verified here: libpq and librdkafka do that, and say little about it. OpenSSL's, which
 * both of them are linked with. */
#ifndef WALFERRY_TLS_TLS_CERTIFICATE_H
#define WALFERRY_TLS_TLS_CERTIFICATE_H

#include "base/span.h"

#include <stdint.h>

struct tls_certificate {
    char subject[160]; /* "CN = db.internal", cut where it is longer */
    char issuer[160];
    char names[192]; /* of subjectAltName: "db.internal, 10.0.0.7", cut likewise; may be empty */
    int64_t from_us; /* valid since, and until: instants of base/time */
    int64_t until_us;
};

/* Each is false where there is none to be read. */
bool tls_certificate_of_der(struct span der, struct tls_certificate *out);
/* The first of a PEM file. */
bool tls_certificate_of_file(const char *path, struct tls_certificate *out);
/* The other side's, of an SSL of OpenSSL whose handshake is complete. */
bool tls_certificate_of_session(void *ssl, struct tls_certificate *out);

enum { TLS_DATE_TEXT_MAX = 64 };
/* "expired on 2026-11-29", "is not valid before 2026-12-01", or NULL: it is valid then. */
const char *tls_certificate_dated(const struct tls_certificate *certificate, int64_t now_us,
                                  char text[TLS_DATE_TEXT_MAX]);

#endif
