/* publish/kafka_tls: see kafka_tls.h. Which error is the newest is known by librdkafka's texts
 * alone; what is wrong with a certificate of the broker comes from OpenSSL's codes. */
#include "publish/kafka_tls.h"

#include "base/clock.h"
#include "publish/kafka_config.h"

#include <assert.h>
#include <stdio.h>

/* X509_verify_cert_error(3). */
enum {
    CERTIFICATE_NOT_YET_VALID = 9,
    CERTIFICATE_EXPIRED = 10,
    HOST_NAME_MISMATCH = 62,
    ADDRESS_MISMATCH = 64
};
/* Those that say that an authority is not known: no issuer (2, 20), self-signed (18, 19), no chain
 * (21). */
static const int unknown_authority[] = {2, 18, 19, 20, 21};

void kafka_tls_looked_at(struct kafka_tls *tls, int code, int depth, struct span der)
{
    assert(tls != NULL && depth >= 0);
    if (code == 0)
        return;
    atomic_store(&tls->code, code);
    if (atomic_flag_test_and_set(&tls->taken))
        return;
    tls->known_code = code;
    tls->depth = depth;
    if (der.ptr != NULL && tls_certificate_of_der(der, &tls->certificate))
        atomic_store(&tls->known, true);
}

/* "ssl://host:9093/1: SSL handshake failed: …" */
static void note_address(struct kafka_tls *tls, const char *text)
{
    const char *at = strstr(text, "://");
    at = at != NULL ? at + 3 : text;
    snprintf(tls->address, sizeof tls->address, "%.*s", (int)strcspn(at, "/ "), at);
}

void kafka_tls_note(struct kafka_tls *tls, const char *text)
{
    assert(tls != NULL && text != NULL);
    /* Alerts that are about a certificate; OpenSSL's names of them, of 1.1 and of 3. */
    static const char *const alerts[] = {"alert certificate", "alert bad certificate",
                                         "alert unsupported certificate", "alert unknown ca"};
    tls->blame = TLS_NOT_TO_BLAME;
    if (strstr(text, "certificate verify failed") != NULL && atomic_load(&tls->code) != 0)
        tls->blame = TLS_THEIRS_REFUSED;
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
        if (strstr(text, alerts[i]) != NULL)
            tls->blame = TLS_OURS_REFUSED;
    if (tls->blame != TLS_NOT_TO_BLAME)
        note_address(tls, text);
}

/* ---- The broker's certificate ---- */

static bool is_unknown_authority(int code)
{
    for (size_t i = 0; i < sizeof unknown_authority / sizeof unknown_authority[0]; i++)
        if (unknown_authority[i] == code)
            return true;
    return false;
}

/* "the broker's certificate (CN = kafka)". */
static void name_theirs(const struct kafka_tls *tls, bool known, char text[400])
{
    const char *which = known && tls->depth > 0 ? "an authority of the broker's certificate"
                                                : "the broker's certificate";
    if (known)
        snprintf(text, 400, "%s (%s, issued by %s)", which, tls->certificate.subject,
                 tls->certificate.issuer);
    else
        snprintf(text, 400, "%s", which);
}

static int wrong_date(struct error *err, const struct kafka_tls *tls, bool known, const char *doing)
{
    char name[400], date[TLS_DATE_TEXT_MAX];
    const char *dated =
        known ? tls_certificate_dated(&tls->certificate, clock_wall_us(), date) : NULL;
    if (dated == NULL)
        dated = atomic_load(&tls->code) == CERTIFICATE_EXPIRED ? "has expired" : "is not valid yet";
    name_theirs(tls, known, name);
    error_stop(err, REASON_TLS, "%s: %s: %s %s", doing, tls->address, name, dated);
    return error_hint(err,
                      "give the broker a new one (ssl.keystore.location of its listener); where "
                      "the date is not past, set the clock of this machine");
}

static int wrong_authority(struct error *err, const struct kafka_tls *tls, bool known,
                           const char *authorities, const char *doing)
{
    char name[400];
    name_theirs(tls, known, name);
    error_stop(err, REASON_TLS, "%s: %s: %s is signed by no authority in %s%s", doing, tls->address,
               name, authorities != NULL ? "ssl.ca.location=" : "those of this system",
               authorities != NULL ? authorities : "");
    return error_hint(err, "set ssl.ca.location under kafka: to the certificate of the authority "
                           "that signed the broker's");
}

static int wrong_name(struct error *err, const struct kafka_tls *tls, bool known, const char *doing)
{
    const char *names = known ? tls->certificate.names : "";
    if (names[0] == '\0')
        names = known ? tls->certificate.subject : "others";
    error_stop(err, REASON_TLS, "%s: %s: the broker's certificate does not name that host, but %s",
               doing, tls->address, names);
    return error_hint(err, "name the broker in bootstrap.servers under kafka: and in its "
                           "advertised.listeners as its certificate does, or give it one whose "
                           "subjectAltName has that host");
}

static int theirs(struct error *err, const struct kafka_tls *tls, const struct config_kafka *kafka,
                  const char *doing)
{
    int code = atomic_load(&tls->code);
    bool known = atomic_load(&tls->known) && tls->known_code == code;
    if (code == CERTIFICATE_EXPIRED || code == CERTIFICATE_NOT_YET_VALID)
        return wrong_date(err, tls, known, doing);
    if (code == HOST_NAME_MISMATCH || code == ADDRESS_MISMATCH)
        return wrong_name(err, tls, known, doing);
    if (is_unknown_authority(code))
        return wrong_authority(err, tls, known, kafka_property(kafka, "ssl.ca.location"), doing);
    char name[400];
    name_theirs(tls, known, name);
    error_stop(err, REASON_TLS, "%s: %s: %s is refused by OpenSSL (X509_V_ERR %d)", doing,
               tls->address, name, code);
    return error_hint(err,
                      "openssl s_client -connect %s -showcerts shows it, openssl verify what "
                      "is wrong",
                      tls->address);
}

/* ---- Ours ---- */

static int ours(struct error *err, const struct kafka_tls *tls, const struct config_kafka *kafka,
                const char *doing)
{
    struct tls_certificate own;
    char date[TLS_DATE_TEXT_MAX];
    const char *file = kafka_property(kafka, "ssl.certificate.location");
    if (file == NULL && kafka_property(kafka, "ssl.certificate.pem") == NULL &&
        kafka_property(kafka, "ssl.keystore.location") == NULL) {
        error_stop(err, REASON_TLS,
                   "%s: %s wants a certificate of its clients, and kafka: has none", doing,
                   tls->address);
        return error_hint(err, "set ssl.certificate.location and ssl.key.location under kafka:");
    }
    if (file == NULL || !tls_certificate_of_file(file, &own)) {
        error_stop(err, REASON_TLS, "%s: %s does not accept the certificate under kafka:", doing,
                   tls->address);
        return error_hint(err, "see whether it has expired, and whether ssl.truststore.location of "
                               "the broker's listener holds its authority");
    }
    const char *dated = tls_certificate_dated(&own, clock_wall_us(), date);
    if (dated != NULL) {
        error_stop(err, REASON_TLS,
                   "%s: %s does not accept ssl.certificate.location=%s (%s): it %s", doing,
                   tls->address, file, own.subject, dated);
        return error_hint(err, "write a new certificate and its key there");
    }
    error_stop(err, REASON_TLS,
               "%s: %s does not accept ssl.certificate.location=%s (%s, issued by %s)", doing,
               tls->address, file, own.subject, own.issuer);
    return error_hint(err, "let the authority that issued it be in ssl.truststore.location of the "
                           "broker's listener, or name a certificate of another one");
}

int kafka_tls_check(const struct kafka_tls *tls, const struct config_kafka *kafka,
                    const char *doing, struct error *err)
{
    assert(tls != NULL && kafka != NULL);
    switch (tls->blame) {
    case TLS_THEIRS_REFUSED:
        return theirs(err, tls, kafka, doing);
    case TLS_OURS_REFUSED:
        return ours(err, tls, kafka, doing);
    case TLS_NOT_TO_BLAME:
        break;
    }
    return 0;
}
