/* http/http_sign: see http_sign.h. The scheme is that of Standard Webhooks 1.0 ("Signature
 * scheme"), for which receivers have libraries. */
#include "http/http_sign.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static const char prefix[] = "whsec_";

void http_sign_id(char id[HTTP_ID_MAX])
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort(); /* up to 256 bytes are never cut (getrandom(2)) */
    int used = snprintf(id, HTTP_ID_MAX, "msg_");
    for (size_t i = 0; i < sizeof random; i++)
        used += snprintf(id + used, (size_t)(HTTP_ID_MAX - used), "%02x", random[i]);
    assert(used < HTTP_ID_MAX);
}

/* What is no base64 behind the prefix is taken as it stands, prefix and all. */
static void add_key(const char *secret, struct buf *key)
{
    struct span text = span_of(secret);
    if (!span_starts_with(text, SPAN_LITERAL(prefix))) {
        buf_add(key, text);
        return;
    }
    struct span coded = {text.ptr + sizeof prefix - 1, text.len - (sizeof prefix - 1)};
    int got = EVP_DecodeBlock((unsigned char *)buf_reserve(key, coded.len + 4),
                              (const unsigned char *)coded.ptr, (int)coded.len);
    if (got <= 0) {
        buf_add(key, text);
        return;
    }
    key->len += (size_t)got;
    /* The library counts the padding, too. */
    for (size_t i = coded.len; i > 0 && coded.ptr[i - 1] == '=' && key->len > 0; i--)
        key->len--;
}

void http_sign(const char *secret, const char *id, int64_t timestamp_s, struct span body,
               struct buf *out)
{
    assert(secret != NULL && id != NULL && out != NULL);
    unsigned char digest[EVP_MAX_MD_SIZE], coded[2 * EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct buf key = BUF_EMPTY, signed_text = BUF_EMPTY;
    add_key(secret, &key);
    buf_add_format(&signed_text, "%s.%lld.", id, (long long)timestamp_s);
    buf_add(&signed_text, body);
    const unsigned char *text = (const unsigned char *)signed_text.ptr;
    if (HMAC(EVP_sha256(), key.ptr, (int)key.len, text, signed_text.len, digest, &length) == NULL)
        abort();
    int written = EVP_EncodeBlock(coded, digest, (int)length);
    buf_add_text(out, "v1,");
    buf_add(out, (struct span){(const char *)coded, (size_t)written});
    buf_fini(&key);
    buf_fini(&signed_text);
}
