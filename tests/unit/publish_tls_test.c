/* publish/kafka_tls: librdkafka's texts and OpenSSL's codes tell whose certificate is to blame. */
#include "publish/kafka_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_contains.h"

#define PREFIX "ssl://kafka.example:9093/1: "
#define VERIFY                                                                                     \
    PREFIX "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker " \
           "certificate could not be verified (after 9ms in state SSL_HANDSHAKE)"
#define ALERT(text)                                                                                \
    PREFIX "Receive failed: error:0A00045C:SSL routines::" text ": SSL alert number 116 (after "   \
           "4ms in state APIVERSION_QUERY)"

static struct config_pair items[] = {
    {{.text = "bootstrap.servers"}, {.text = "kafka.example:9093"}},
    {{.text = "ssl.certificate.location"}, {.text = "/nowhere/client.crt"}},
};

static int ask(const struct kafka_tls *tls, uint32_t properties, struct error *err)
{
    struct config_kafka kafka = {.properties = {.items = items, .count = properties}};
    *err = ERROR_INIT;
    return kafka_tls_check(tls, &kafka, "looking", err);
}

static void says(const struct kafka_tls *tls, uint32_t properties, const char *text,
                 const char *hint)
{
    struct error err;
    assert_int_equal(ask(tls, properties, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.reason, REASON_TLS);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_contains(err.text, "kafka.example:9093");
    assert_contains(err.text, text);
    assert_contains(err.hint, hint);
}

static void a_code_says_what_is_wrong_with_theirs(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *text, *hint;
    } codes[] = {
        {9, "is not valid yet", "the clock"},
        {10, "has expired", "a new one"},
        {18, "signed by no authority in those of this system", "ssl.ca.location"},
        {20, "signed by no authority", "ssl.ca.location"},
        {62, "does not name that host", "subjectAltName"},
        {64, "does not name that host", "subjectAltName"},
        {23, "X509_V_ERR 23", "openssl s_client -connect kafka.example:9093"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct kafka_tls tls = {.blame = TLS_NOT_TO_BLAME};
        kafka_tls_looked_at(&tls, 0, 1, SPAN_LITERAL("none"));
        kafka_tls_looked_at(&tls, codes[i].code, 0, SPAN_LITERAL("no DER"));
        kafka_tls_note(&tls, VERIFY);
        says(&tls, 1, codes[i].text, codes[i].hint);
    }
}

static void an_alert_is_about_ours(void **state)
{
    (void)state;
    static const char *const alerts[] = {
        ALERT("tlsv13 alert certificate required"),   ALERT("sslv3 alert certificate unknown"),
        ALERT("ssl/tls alert certificate expired"),   ALERT("ssl/tls alert bad certificate"),
        ALERT("sslv3 alert unsupported certificate"), ALERT("tlsv1 alert unknown ca"),
    };
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        struct kafka_tls tls = {.blame = TLS_NOT_TO_BLAME};
        kafka_tls_note(&tls, alerts[i]);
        says(&tls, 2, "does not accept the certificate", "ssl.truststore.location");
        says(&tls, 1, "wants a certificate of its clients", "ssl.certificate.location");
    }
}

static void the_newest_error_counts(void **state)
{
    (void)state;
    struct kafka_tls tls = {.blame = TLS_NOT_TO_BLAME};
    struct error err;
    kafka_tls_note(&tls, VERIFY); /* nobody has looked at a certificate */
    assert_int_equal(ask(&tls, 1, &err), 0);
    kafka_tls_looked_at(&tls, 10, 0, SPAN_LITERAL("no DER"));
    kafka_tls_note(&tls, VERIFY);
    assert_int_equal(ask(&tls, 1, &err), -1);
    kafka_tls_note(&tls, PREFIX "Connect to ipv4#192.0.2.7:9093 failed: Connection refused (after "
                                "0ms in state CONNECT)");
    assert_int_equal(ask(&tls, 1, &err), 0);
    kafka_tls_note(&tls, PREFIX "SSL handshake failed: Disconnected: connecting to a PLAINTEXT "
                                "broker listener? (after 2ms in state SSL_HANDSHAKE)");
    assert_int_equal(ask(&tls, 1, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_says_what_is_wrong_with_theirs),
        cmocka_unit_test(an_alert_is_about_ours),
        cmocka_unit_test(the_newest_error_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
