/* admin/: who may read, who has to go, and what a reload takes over. */
#include "admin/admin.h"
#include "admin/admin_access.h"
#include "admin/admin_places.h"
#include "cli/cli_live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN "abcdefghij0123456789"

/* ---- Who may read ---- */

static void test_access(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool may;
    } cases[] = {
        {"Bearer " TOKEN, true},
        {"bearer   " TOKEN "  ", true},
        {"BEARER " TOKEN, true},
        {"Basic OmFiY2RlZmdoaWowMTIzNDU2Nzg5", true},                 /* :TOKEN */
        {"Basic cHJvbWV0aGV1czphYmNkZWZnaGlqMDEyMzQ1Njc4OQ==", true}, /* prometheus:TOKEN */
        {NULL, false},
        {"", false},
        {TOKEN, false},
        {"Bearer", false},
        {"Bearer ", false},
        {"Bearer" TOKEN, false},
        {"Bearer " TOKEN "x", false},
        {"Bearer abcdefghij012345678", false},
        {"Bearer " TOKEN TOKEN, false},
        {"Bearer Abcdefghij0123456789", false},
        {"Bearer " TOKEN ", Bearer x", false},
        {"Digest " TOKEN, false},
        {"Basic " TOKEN, false},
        {"Basic", false},
        {"Basic =", false},
        {"Basic ====", false},
        {"Basic YWJjZGVmZ2hpajAxMjM0NTY3ODk=", false}, /* the token, without a colon */
        {"Basic Og==", false},                         /* no password */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (admin_may_read(TOKEN, cases[i].header) != cases[i].may)
            fail_msg("%s", cases[i].header);
    assert_true(admin_may_read(NULL, NULL));
    assert_true(admin_is_open("/healthz") && admin_is_open("/readyz"));
    assert_false(admin_is_open("/") || admin_is_open("/status") || admin_is_open("/readyz/x") ||
                 admin_is_open("/metrics") || admin_is_open("/Healthz"));
}

/* ---- Who has to go ---- */

static struct sockaddr *at(const char *text)
{
    static struct sockaddr_in6 six;
    static struct sockaddr_in four;
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        return (struct sockaddr *)&four;
    }
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    six.sin6_family = AF_INET6;
    return (struct sockaddr *)&six;
}

static void test_places(void **state)
{
    (void)state;
    struct place items[16];
    struct places places;
    places_init(&places, items, 16, 6, 4);
    for (int i = 0; i < 4; i++)
        assert_non_null(places_take(&places, 10 + i, at("192.0.2.1"), 100 + i));
    assert_null(places_evict(&places, 0));
    /* Too old. */
    assert_int_equal(places_evict(&places, 101)->fd, 10);
    assert_null(places_evict(&places, 101));
    /* Too many of an address, however it is written; who is on the way out counts no more. */
    places_take(&places, 20, at("::ffff:192.0.2.1"), 110);
    assert_null(places_evict(&places, 0));
    places_take(&places, 21, at("192.0.2.1"), 111);
    assert_int_equal(places_evict(&places, 0)->fd, 11);
    assert_null(places_evict(&places, 0));
    /* Too many altogether: of whoever has the most, although another is older. */
    places_take(&places, 30, at("2001:db8::1"), 1);
    places_take(&places, 31, at("2001:db8::2"), 120);
    assert_null(places_evict(&places, 0));
    places_take(&places, 32, at("2001:db9::2"), 121);
    assert_int_equal(places_evict(&places, 0)->fd, 12);
    assert_null(places_evict(&places, 0));
    /* A place that is left is free. */
    for (int i = 0; i < 16; i++)
        places_leave(items[i].fd >= 0 ? &items[i] : NULL);
    for (int i = 0; i < 16; i++)
        assert_non_null(places_take(&places, 40 + i, NULL, 200 + i));
    assert_null(places_take(&places, 60, NULL, 300));
    for (int i = 0; i < 12; i++) /* one address for all: 4 stay */
        assert_int_equal(places_evict(&places, 0)->fd, 40 + i);
    assert_null(places_evict(&places, 0));
}

/* ---- A reload ---- */

static FILE *open_file(char path[32])
{
    snprintf(path, 32, "/tmp/wf-pem-XXXXXX");
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    return file;
}

/* A key, and a certificate that it has signed itself, as files. */
static void make_pair(char key_path[32], char certificate_path[32])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = open_file(key_path);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    file = open_file(certificate_path);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

struct server {
    struct status_cell cell;
    struct config_admin config;
    struct config_admin client; /* as a command reads it */
    char address[32];
    struct admin *admin;
};

static void server_start(struct server *s)
{
    struct error err = ERROR_INIT;
    *s = (struct server){.config = {.listen = {.text = "127.0.0.1:0"}}};
    status_cell_init(&s->cell);
    const struct admin_options options = {.config = &s->config, .status = &s->cell};
    assert_int_equal(admin_open(&options, &s->admin, &err), 0);
    assert_false(admin_is_exposed(s->admin)); /* on loopback */
    snprintf(s->address, sizeof s->address, "127.0.0.1:%u", admin_port(s->admin));
    s->client.listen.text = s->address;
}

static void server_stop(struct server *s)
{
    admin_close(s->admin);
    status_cell_fini(&s->cell);
}

static void assert_reload(struct server *s)
{
    struct error err = ERROR_INIT;
    if (admin_reload(s->admin, &s->config, &err) < 0)
        fail_msg("%s", err.text);
}

/* status 0: no answer, for a reason that has `part` in it. */
static void assert_answer(struct server *s, const char *path, int wanted, const char *part)
{
    struct buf body = BUF_EMPTY;
    struct error err = ERROR_INIT;
    int status = 0;
    int result = live_get(&s->client, path, &status, &body, &err);
    const char *said = result == 0 ? buf_text(&body) : err.text;
    if (status != wanted || strstr(said, part) == NULL)
        fail_msg("%s: wanted %d … %s, got %d %s", path, wanted, part, status, said);
    buf_fini(&body);
}

static void test_token(void **state)
{
    (void)state;
    struct server s;
    server_start(&s);
    struct status status = {.state = STATE_BACKOFF, .last_error_reason = "broker_down"};
    snprintf(status.last_error, sizeof status.last_error, "kafka.example.com does not answer");
    status_cell_set(&s.cell, &status);
    assert_answer(&s, "/status", 200, "\"relay\"");
    assert_answer(&s, "/readyz", 503, "kafka.example.com");
    s.config.token.text = TOKEN;
    assert_reload(&s);
    assert_answer(&s, "/status", 401, "the token, please");
    assert_answer(&s, "/nothing", 401, "the token, please");
    assert_answer(&s, "/healthz", 200, "ok");
    assert_answer(&s, "/readyz", 503, "not ready; why is told to who presents the token\n");
    s.client.token.text = TOKEN "x";
    assert_answer(&s, "/metrics", 401, "the token, please");
    s.client.token.text = TOKEN;
    assert_answer(&s, "/status", 200, "\"relay\"");
    assert_answer(&s, "/readyz", 503, "kafka.example.com");
    s.config.token.text = NULL;
    assert_reload(&s);
    s.client.token.text = NULL;
    assert_answer(&s, "/status", 200, "\"relay\"");
    server_stop(&s);
}

static void assert_refused(struct server *s, const char *part)
{
    struct error err = ERROR_INIT;
    assert_int_equal(admin_reload(s->admin, &s->config, &err), -1);
    assert_string_equal(reason_slug(err.reason), "admin_tls");
    if (strstr(err.text, part) == NULL)
        fail_msg("wanted %s, got %s", part, err.text);
}

static void test_tls(void **state)
{
    (void)state;
    struct server s;
    char key[32], certificate[32], garbage[32];
    make_pair(key, certificate);
    FILE *file = open_file(garbage);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    server_start(&s);
    s.config.tls_cert = (struct config_text){.text = "/nonexistent", .file = "f", .line = 7};
    s.config.tls_key.text = key;
    assert_refused(&s, "f:7: admin.tls_cert: /nonexistent: No such file or directory");
    s.config.tls_cert.text = "/dev/null";
    assert_refused(&s, "/dev/null: there is no PEM in it");
    s.config.tls_cert.text = s.config.tls_key.text = certificate;
    assert_refused(&s, "admin.tls_cert: ");
    assert_answer(&s, "/healthz", 200, "ok"); /* as before */

    s.config.tls_cert.text = certificate;
    s.config.tls_key.text = key;
    assert_reload(&s);
    assert_answer(&s, "/healthz", 0, "perhaps it speaks TLS");
    s.client.tls_cert.text = certificate;
    assert_answer(&s, "/healthz", 200, "ok");
    assert_answer(&s, "/status", 200, "\"relay\"");
    s.client.tls_cert.text = garbage;
    assert_answer(&s, "/healthz", 0, "its certificate is not that of ");
    s.config.tls_cert.text = s.config.tls_key.text = NULL;
    assert_reload(&s);
    s.client.tls_cert.text = certificate;
    assert_answer(&s, "/healthz", 0, "it does not speak TLS");
    s.client.tls_cert.text = NULL;
    assert_answer(&s, "/healthz", 200, "ok");
    server_stop(&s);
    remove(key);
    remove(certificate);
    remove(garbage);
}

static void test_exposed(void **state)
{
    (void)state;
    static const struct {
        const char *listen;
        bool exposed;
    } cases[] = {{"127.0.0.1:0", false}, {"[::1]:0", false}, {"0.0.0.0:0", true},
                 {"[::]:0", true},       {":0", true},       {"127.9.9.9:0", false}};
    struct status_cell cell;
    status_cell_init(&cell);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_admin config = {.listen = {.text = cases[i].listen}};
        const struct admin_options options = {.config = &config, .status = &cell};
        struct admin *admin = NULL;
        struct error err = ERROR_INIT;
        if (admin_open(&options, &admin, &err) < 0) {
            assert_int_equal(config.listen.text[0], '['); /* a machine without IPv6 */
            continue;
        }
        assert_int_equal(admin_is_exposed(admin), cases[i].exposed);
        config.token.text = TOKEN;
        assert_int_equal(admin_reload(admin, &config, &err), 0);
        assert_false(admin_is_exposed(admin));
        admin_close(admin);
    }
    assert_false(admin_is_exposed(NULL));
    status_cell_fini(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access), cmocka_unit_test(test_places),  cmocka_unit_test(test_token),
        cmocka_unit_test(test_tls),    cmocka_unit_test(test_exposed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
