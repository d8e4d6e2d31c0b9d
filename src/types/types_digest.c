/* types_digest: see types_digest.h. */
#include "types/types_digest.h"

#include <assert.h>
#include <openssl/evp.h>

static const char *const names[] = {
    [DEBEZIUM_DIGEST_MD5] = "MD5",         [DEBEZIUM_DIGEST_SHA1] = "SHA1",
    [DEBEZIUM_DIGEST_SHA224] = "SHA2-224", [DEBEZIUM_DIGEST_SHA256] = "SHA2-256",
    [DEBEZIUM_DIGEST_SHA384] = "SHA2-384", [DEBEZIUM_DIGEST_SHA512] = "SHA2-512",
};

size_t digest_of(enum debezium_digest kind, struct span bytes,
                 unsigned char digest[DIGEST_BYTES_MAX])
{
    unsigned int length = 0;
    assert((size_t)kind < sizeof names / sizeof names[0] && digest != NULL);
    /* Nothing is protected by it that a system's FIPS policy is about. */
    EVP_MD *method = EVP_MD_fetch(NULL, names[kind], "-fips");
    if (method != NULL && EVP_Digest(bytes.ptr, bytes.len, digest, &length, method, NULL) != 1)
        length = 0;
    EVP_MD_free(method);
    return length;
}
