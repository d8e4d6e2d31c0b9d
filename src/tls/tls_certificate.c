/* tls_certificate: see tls_certificate.h. */
#include "tls/tls_certificate.h"

#include "base/time.h"

#include <assert.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void print_name(const X509_NAME *name, char *text, int size)
{
    BIO *memory = BIO_new(BIO_s_mem());
    text[0] = '\0';
    if (memory == NULL)
        return;
    if (X509_NAME_print_ex(memory, name, 0,
                           XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        int length = BIO_read(memory, text, size - 1);
        text[length > 0 ? length : 0] = '\0';
    }
    BIO_free(memory);
}

/* Nothing where it is no time at all. */
static int64_t instant_of(const ASN1_TIME *time)
{
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1)
        return 0;
    int64_t us = (int64_t)timegm(&parts) * 1000000;
    return us < 0 ? 0 : us > TIME_MAX_US ? TIME_MAX_US : us;
}

static void add_name(struct tls_certificate *out, const char *name, int length)
{
    size_t used = strlen(out->names);
    snprintf(out->names + used, sizeof out->names - used, "%s%.*s", used > 0 ? ", " : "", length,
             name);
}

static void add_address(struct tls_certificate *out, const ASN1_OCTET_STRING *bytes)
{
    char text[INET6_ADDRSTRLEN];
    int length = ASN1_STRING_length(bytes);
    int family = length == 4 ? AF_INET : AF_INET6;
    if ((length == 4 || length == 16) &&
        inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text) != NULL)
        add_name(out, text, (int)strlen(text));
}

static void take_names(const X509 *x509, struct tls_certificate *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            add_name(out, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                     ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            add_address(out, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

/* Frees it. */
static bool take(X509 *x509, struct tls_certificate *out)
{
    /* A failure is told by the result; what stands in OpenSSL's queue would be told to the next who
     * looks, in this thread. */
    ERR_clear_error();
    if (x509 == NULL)
        return false;
    *out = (struct tls_certificate){.from_us = instant_of(X509_get0_notBefore(x509)),
                                    .until_us = instant_of(X509_get0_notAfter(x509))};
    print_name(X509_get_subject_name(x509), out->subject, sizeof out->subject);
    print_name(X509_get_issuer_name(x509), out->issuer, sizeof out->issuer);
    take_names(x509, out);
    X509_free(x509);
    ERR_clear_error();
    return true;
}

bool tls_certificate_of_der(struct span der, struct tls_certificate *out)
{
    assert(der.ptr != NULL && out != NULL);
    const unsigned char *at = (const unsigned char *)der.ptr;
    return take(d2i_X509(NULL, &at, (long)der.len), out);
}

bool tls_certificate_of_file(const char *path, struct tls_certificate *out)
{
    assert(path != NULL && out != NULL);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    X509 *x509 = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    return take(x509, out);
}

bool tls_certificate_of_session(void *ssl, struct tls_certificate *out)
{
    assert(out != NULL);
    if (ssl == NULL || !SSL_is_init_finished(ssl))
        return false;
    return take(SSL_get1_peer_certificate(ssl), out);
}

const char *tls_certificate_dated(const struct tls_certificate *certificate, int64_t now_us,
                                  char text[TLS_DATE_TEXT_MAX])
{
    char time[TIME_TEXT_MAX];
    assert(certificate != NULL && text != NULL);
    bool early = now_us < certificate->from_us;
    if (!early && now_us <= certificate->until_us)
        return NULL;
    time_format(early ? certificate->from_us : certificate->until_us, 3, time);
    snprintf(text, TLS_DATE_TEXT_MAX, "%s %.10s", early ? "is not valid before" : "expired on",
             time);
    return text;
}
