/* publish/kafka_token_read: what a program has printed becomes a token. Internal to the module.
 *
 * Either a JWT in its compact form (RFC 7519), of which the claims exp and sub are read and nothing
 * is proved; or one JSON object with
 *
 *   token            or access_token, as the answer of a token endpoint has it (RFC 6749, 5.1)
 *   expires_at_ms    Unix time; or expires_in_s, or expires_in: seconds from now on; may be left
 * out where the token is a JWT that says it principal        for librdkafka, which only shows it;
 * else the JWT's sub, or empty extensions       an object of texts (RFC 7628, 3.1)
 *
 * Other members are passed over. */
#ifndef WALFERRY_PUBLISH_KAFKA_TOKEN_READ_H
#define WALFERRY_PUBLISH_KAFKA_TOKEN_READ_H

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

struct kafka_token_facts {
    const char *token;
    const char *principal;
    int64_t ends_ms; /* Unix; behind now_ms */
    size_t extension_count;
    const char **extensions; /* names and values in turn */
};

/* All in the arena. ERROR_RETRY, token_command; the text quotes nothing but names of members. */
int kafka_token_read(struct span said, int64_t now_ms, struct arena *arena,
                     struct kafka_token_facts *facts, struct error *err);

#endif
