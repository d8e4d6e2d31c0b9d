/* admin/admin_tls: reads two small files. What stands in them is the HTTP library's to judge. */
#include "admin/admin_tls.h"

#include "base/hash.h"
#include "base/slurp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define PEM_BYTES_MAX ((size_t)256 * 1024)

static int read_file(const struct config_text *path, const char *key, struct buf *out,
                     struct error *err)
{
    const char *why = NULL;
    if (slurp(path->text, PEM_BYTES_MAX, out) < 0)
        why = errno == EFBIG ? "larger than 256KB" : strerror(errno);
    if (why == NULL && strstr(buf_text(out), "-----BEGIN ") == NULL)
        why = "there is no PEM in it";
    if (why == NULL)
        return 0;
    config_error(err, path, REASON_ADMIN_TLS, "admin.%s: %s: %s", key, path->text, why);
    return error_hint(err, "name a file in PEM that the user of walferry may read, or leave "
                           "admin.tls_cert and admin.tls_key out");
}

int admin_pem_read(const struct config_admin *config, struct admin_pem *pem, struct error *err)
{
    assert(config != NULL && pem != NULL);
    *pem = (struct admin_pem){BUF_EMPTY, BUF_EMPTY};
    if (config->tls_cert.text == NULL)
        return 0;
    assert(config->tls_key.text != NULL);
    if (read_file(&config->tls_cert, "tls_cert", &pem->certificate, err) < 0)
        return -1;
    return read_file(&config->tls_key, "tls_key", &pem->key, err);
}

void admin_pem_fini(struct admin_pem *pem)
{
    assert(pem != NULL);
    if (pem->key.size > 0)
        explicit_bzero(pem->key.ptr, pem->key.size);
    buf_fini(&pem->key);
    buf_fini(&pem->certificate);
}

uint64_t admin_pem_hash(const struct admin_pem *pem)
{
    assert(pem != NULL);
    assert((pem->key.len == 0) == (pem->certificate.len == 0));
    if (pem->key.len == 0)
        return 0;
    uint64_t hash = hash_add(HASH_INIT, pem->certificate.ptr, pem->certificate.len);
    return hash_add(hash, pem->key.ptr, pem->key.len) | 1;
}

int admin_pem_refused(const struct config_admin *config, const char *why, struct error *err)
{
    assert(config->tls_cert.text != NULL);
    assert(config->tls_key.text != NULL && why != NULL);
    config_error(err, &config->tls_cert, REASON_ADMIN_TLS, "admin.tls_cert: %s with key %s: %s",
                 config->tls_cert.text, config->tls_key.text,
                 why[0] != '\0' ? why : "the two cannot be used");
    return error_hint(err, "the key must be that of the first certificate in the file, in PEM and "
                           "without a passphrase");
}
