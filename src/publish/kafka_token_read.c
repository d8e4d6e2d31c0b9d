/* publish/kafka_token_read: see kafka_token_read.h. The broker alone decides whether a token is
 * good; here only what librdkafka must know is read of it. */
#include "publish/kafka_token_read.h"

#include "json/json_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
/* The last millisecond of the year 9999. */
#define LATEST_MS INT64_C(253402300799999)

static int bad(struct error *err, const char *what)
{
    error_retry(err, REASON_TOKEN_COMMAND, "%s", what);
    return error_hint(err, "let it print a JWT, or {\"token\": \"…\", \"expires_in_s\": 900} and "
                           "nothing else");
}

/* ---- A JWT ---- */

static int base64url_digit(char c)
{
    static const char digits[] = ALPHANUMERIC "-_";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* RFC 4648, section 5, without padding. NULL: it is none. */
static char *from_base64url(struct span text, struct arena *arena, size_t *len)
{
    char *bytes = arena_alloc_bytes(arena, text.len + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64url_digit(text.ptr[i]);
        if (digit < 0)
            return NULL;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[(*len)++] = (char)(bits >> held & 0xff);
        }
    }
    return bytes;
}

/* The claims of a token of three parts, or NULL: it is opaque. */
static struct json_tree *claims_of(struct span token, struct arena *arena)
{
    struct json_tree *claims = NULL;
    struct error unread = ERROR_INIT;
    const char *first = memchr(token.ptr, '.', token.len);
    const char *end = token.ptr + token.len;
    const char *second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return NULL;
    size_t len;
    char *bytes =
        from_base64url((struct span){first + 1, (size_t)(second - first - 1)}, arena, &len);
    if (bytes == NULL || json_tree_parse((struct span){bytes, len}, &claims, &unread) < 0)
        return NULL;
    return claims;
}

static void read_claims(struct span token, struct arena *arena, struct kafka_token_facts *facts)
{
    struct json_tree *claims = claims_of(token, arena);
    uint64_t exp_s = 0;
    struct span sub;
    if (facts->ends_ms == 0 && json_tree_member_u64(claims, "exp", &exp_s))
        facts->ends_ms = exp_s < (uint64_t)LATEST_MS / 1000 ? (int64_t)exp_s * 1000 : LATEST_MS;
    if (facts->principal == NULL && json_tree_member_string(claims, "sub", &sub))
        facts->principal = arena_text(arena, sub);
    json_tree_free(claims);
}

/* ---- An object ---- */

static int read_time(const struct json_tree *root, int64_t now_ms, struct kafka_token_facts *facts,
                     struct error *err)
{
    static const char *const names[] = {"expires_at_ms", "expires_in_s", "expires_in"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct json_tree *member = json_tree_member(root, names[i]);
        uint64_t number = 0;
        if (member == NULL || json_tree_is_null(member))
            continue;
        uint64_t most = i == 0 ? (uint64_t)LATEST_MS : (uint64_t)(LATEST_MS - now_ms) / 1000;
        if (!json_tree_u64(member, &number) || number == 0 || number > most) {
            char what[96];
            snprintf(what, sizeof what, "%s is no whole number of %s", names[i],
                     i == 0 ? "milliseconds since 1970" : "seconds");
            return bad(err, what);
        }
        facts->ends_ms = i == 0 ? (int64_t)number : now_ms + (int64_t)number * 1000;
        return 0;
    }
    return 0;
}

/* RFC 7628, section 3.1. */
static bool is_extension(const char *name, struct span value)
{
    if (name[0] == '\0' || name[strspn(name, ALPHANUMERIC)] != '\0' ||
        strpbrk(name, "0123456789") != NULL || strcmp(name, "auth") == 0)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!(c >= 0x20 && c <= 0x7e) && c != '\t' && c != '\r' && c != '\n')
            return false;
    }
    return true;
}

static int read_extensions(const struct json_tree *root, struct arena *arena,
                           struct kafka_token_facts *facts, struct error *err)
{
    const struct json_tree *all = json_tree_member(root, "extensions");
    if (all == NULL || json_tree_is_null(all))
        return 0;
    if (json_tree_kind(all) != JSON_TREE_OBJECT)
        return bad(err, "extensions is no object");
    size_t count = json_tree_count(all);
    facts->extensions = arena_alloc_zero(arena, (2 * count + 1) * sizeof *facts->extensions);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_tree_name_at(all, i);
        struct span value;
        if (!json_tree_member_string(all, name, &value) || !is_extension(name, value))
            return bad(err, "a member of extensions is no name of letters with a text of printable "
                            "ASCII (RFC 7628, section 3.1)");
        facts->extensions[2 * i] = arena_text(arena, span_of(name));
        facts->extensions[2 * i + 1] = arena_text(arena, value);
    }
    facts->extension_count = count;
    return 0;
}

static int read_object(struct span said, int64_t now_ms, struct arena *arena,
                       struct kafka_token_facts *facts, struct error *err)
{
    struct json_tree *root = NULL;
    struct error quoting = ERROR_INIT; /* what it quotes may be the token */
    struct span token, principal;
    if (json_tree_parse(said, &root, &quoting) < 0)
        return bad(err, "printed what begins like a JSON object and is none");
    int result = read_time(root, now_ms, facts, err);
    if (result == 0)
        result = read_extensions(root, arena, facts, err);
    if (json_tree_member_string(root, "principal", &principal))
        facts->principal = arena_text(arena, principal);
    bool given = json_tree_member_string(root, "token", &token) ||
                 json_tree_member_string(root, "access_token", &token);
    if (result == 0 && !given)
        result = bad(err, "printed an object with neither token nor access_token");
    if (result == 0)
        facts->token = arena_text(arena, token);
    json_tree_free(root);
    return result;
}

/* ---- Either ---- */

/* RFC 6750, section 2.1: b64token. */
static bool is_token(const char *text)
{
    size_t len = strspn(text, ALPHANUMERIC "-._~+/");
    return len > 0 && text[len + strspn(text + len, "=")] == '\0';
}

int kafka_token_read(struct span said, int64_t now_ms, struct arena *arena,
                     struct kafka_token_facts *facts, struct error *err)
{
    assert(arena != NULL && facts != NULL);
    assert(said.len > 0);
    *facts = (struct kafka_token_facts){.token = NULL};
    size_t blank = 0;
    while (blank < said.len && strchr(" \t\r\n", said.ptr[blank]) != NULL)
        blank++;
    if (blank == said.len || said.ptr[blank] != '{')
        facts->token = arena_text(arena, said);
    else if (read_object(said, now_ms, arena, facts, err) < 0)
        return -1;
    if (!is_token(facts->token))
        return bad(err, "printed a token with characters that none has (RFC 6750, section 2.1)");
    read_claims(span_of(facts->token), arena, facts);
    if (facts->principal == NULL)
        facts->principal = "";
    if (facts->ends_ms == 0)
        return bad(err, "does not say when the token ends: it is no JWT with exp, and neither "
                        "expires_at_ms nor expires_in_s stands beside it");
    if (facts->ends_ms <= now_ms) {
        char what[128];
        snprintf(what, sizeof what,
                 "printed a token that ended %" PRId64 " s ago by the clock of this machine",
                 (now_ms - facts->ends_ms) / 1000);
        return bad(err, what);
    }
    return 0;
}
