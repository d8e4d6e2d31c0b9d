/* tls/: what certificates say, read from a file, from bytes, and from what is none. */
#include "tls/tls_certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_text.h"
#include "base/time.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

/* Valid from 2020-01-01 to 2099-12-31. */
static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIIBvTCCAWOgAwIBAgIUR9ioYsURXoxokITKuDzY+Zfd1BcwCgYIKoZIzj0EAwIw\n"
                          "GDEWMBQGA1UEAwwNQXV0aG9yaXR5IE9uZTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5\n"
                          "MTIzMTAwMDAwMFowFTETMBEGA1UEAwwKZGIuZXhhbXBsZTBZMBMGByqGSM49AgEG\n"
                          "CCqGSM49AwEHA0IABPqGrFllfG6ZGyc6mZsUUS/TROcc2B4F1r4ALaOHjEOHDnMR\n"
                          "gEfrfxusYHAwwiVqIT0tUET5uaoyq3g0Y+93gnmjgYswgYgwCQYDVR0TBAIwADA7\n"
                          "BgNVHREENDAyggpkYi5leGFtcGxlggwqLmRiLmV4YW1wbGWHBMAAAgeHECABDbgA\n"
                          "AAAAAAAAAAAAAAEwHQYDVR0OBBYEFE2SlVifYisx7D09ClZa9mr6MSt7MB8GA1Ud\n"
                          "IwQYMBaAFGDAQRJp5t09Bps5n1ZpJc5reSwxMAoGCCqGSM49BAMCA0gAMEUCIQC+\n"
                          "Spck3y2W3JpdKAlPofzbUzgaLWkNJY7L8ghY7aAqcgIgEsDGE9si8T1eeXxiexKJ\n"
                          "fZuyX9keJeqW52gjiAoRpYo=\n"
                          "-----END CERTIFICATE-----\n";

static void check(const struct tls_certificate *certificate)
{
    assert_string_equal(certificate->subject, "CN = db.example");
    assert_string_equal(certificate->issuer, "CN = Authority One");
    assert_string_equal(certificate->names, "db.example, *.db.example, 192.0.2.7, 2001:db8::1");
    char text[TIME_TEXT_MAX];
    assert_string_equal(time_format(certificate->from_us, 3, text), "2020-01-01T00:00:00.000Z");
    assert_string_equal(time_format(certificate->until_us, 3, text), "2099-12-31T00:00:00.000Z");
}

static void write_file(const char *text, char path[64])
{
    snprintf(path, 64, "/tmp/walferry-tls-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void a_file_is_read(void **state)
{
    (void)state;
    struct tls_certificate certificate;
    char path[64];
    write_file(pem, path);
    assert_true(tls_certificate_of_file(path, &certificate));
    unlink(path);
    check(&certificate);
    assert_false(tls_certificate_of_file(path, &certificate)); /* it is gone */
    write_file("no certificate\n", path);
    assert_false(tls_certificate_of_file(path, &certificate));
    unlink(path);
    assert_false(tls_certificate_of_file("/", &certificate));
}

static void bytes_are_read_and_cut_ones_refused(void **state)
{
    (void)state;
    BIO *memory = BIO_new_mem_buf(pem, -1);
    X509 *x509 = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    unsigned char der[2048], *end = der;
    size_t length = (size_t)i2d_X509(x509, &end);
    struct tls_certificate certificate;
    X509_free(x509);
    BIO_free(memory);
    assert_true(tls_certificate_of_der((struct span){(char *)der, length}, &certificate));
    check(&certificate);
    for (size_t cut = 0; cut < length; cut++)
        assert_false(tls_certificate_of_der((struct span){(char *)der, cut}, &certificate));
}

static void no_session_has_none(void **state)
{
    (void)state;
    struct tls_certificate certificate;
    assert_false(tls_certificate_of_session(NULL, &certificate));
}

static void dates_are_told(void **state)
{
    (void)state;
    struct tls_certificate certificate = {.from_us = POSTGRES_EPOCH_US,
                                          .until_us = INT64_C(1580515200000000)};
    char text[TLS_DATE_TEXT_MAX];
    assert_null(tls_certificate_dated(&certificate, certificate.from_us, text));
    assert_null(tls_certificate_dated(&certificate, certificate.until_us, text));
    assert_string_equal(tls_certificate_dated(&certificate, certificate.until_us + 1, text),
                        "expired on 2020-02-01");
    assert_string_equal(tls_certificate_dated(&certificate, certificate.from_us - 1, text),
                        "is not valid before 2000-01-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(bytes_are_read_and_cut_ones_refused),
        cmocka_unit_test(no_session_has_none),
        cmocka_unit_test(dates_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
