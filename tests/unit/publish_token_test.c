/* publish/kafka_token_read: which texts are tokens, and what is said where they are none. */
#include "publish/kafka_token_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1700000000000)

static int read_token(const char *said, struct arena *arena, struct kafka_token_facts *facts,
                      struct error *err)
{
    arena_init(arena, 4096, 4096);
    *err = ERROR_INIT;
    return kafka_token_read(span_of(said), NOW_MS, arena, facts, err);
}

static void good(const char *said, const char *token, int64_t ends_ms, const char *principal)
{
    struct arena arena;
    struct kafka_token_facts facts;
    struct error err;
    if (read_token(said, &arena, &facts, &err) < 0)
        fail_msg("%s: %s", said, err.text);
    assert_string_equal(facts.token, token);
    assert_int_equal(facts.ends_ms, ends_ms);
    assert_string_equal(facts.principal, principal);
    arena_fini(&arena);
}

static void bad(const char *said, const char *text)
{
    struct arena arena;
    struct kafka_token_facts facts;
    struct error err;
    assert_int_equal(read_token(said, &arena, &facts, &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_int_equal(err.reason, REASON_TOKEN_COMMAND);
    assert_string_equal(err.text, text);
    assert_non_null(strstr(err.hint, "expires_in_s"));
    arena_fini(&arena);
}

/* {"alg":"none"} . {"sub":"relay","exp":1700000900} */
#define HEAD "eyJhbGciOiJub25lIn0"
#define JWT HEAD ".eyJzdWIiOiJyZWxheSIsImV4cCI6MTcwMDAwMDkwMH0."
/* {"sub":"relay"} */
#define ENDLESS HEAD ".eyJzdWIiOiJyZWxheSJ9.c2ln"
/* {"sub":"relay","exp":1699999990} */
#define STALE HEAD ".eyJzdWIiOiJyZWxheSIsImV4cCI6MTY5OTk5OTk5MH0.c2ln"

static void test_a_jwt(void **state)
{
    (void)state;
    good(JWT, JWT, INT64_C(1700000900000), "relay");
    bad(ENDLESS, "does not say when the token ends: it is no JWT with exp, and neither "
                 "expires_at_ms nor expires_in_s stands beside it");
    bad(STALE, "printed a token that ended 10 s ago by the clock of this machine");
}

static void test_an_object(void **state)
{
    (void)state;
    good("{\"token\":\"abc-._~+/=\",\"expires_in_s\":60}", "abc-._~+/=", NOW_MS + 60000, "");
    good(" \n{\"token\":\"abc\",\"expires_at_ms\":1700000000001,\"principal\":\"p\"}", "abc",
         NOW_MS + 1, "p");
    good("{\"access_token\":\"abc\",\"expires_in\":\"900\",\"token_type\":\"Bearer\"}", "abc",
         NOW_MS + 900000, "");
    /* What a JWT says of itself counts where nothing stands beside it. */
    good("{\"token\":\"" JWT "\"}", JWT, INT64_C(1700000900000), "relay");
    good("{\"token\":\"" JWT "\",\"expires_in_s\":5,\"principal\":\"me\"}", JWT, NOW_MS + 5000,
         "me");
    good("{\"token\":\"" ENDLESS "\",\"expires_in_s\":5,\"expires_at_ms\":null}", ENDLESS,
         NOW_MS + 5000, "relay");
}

static void test_extensions(void **state)
{
    (void)state;
    struct arena arena;
    struct kafka_token_facts facts;
    struct error err;
    assert_int_equal(read_token("{\"token\":\"a\",\"expires_in_s\":1,\"extensions\":"
                                "{\"logicalCluster\":\"lkc-1\",\"identityPoolId\":\"pool-2\"}}",
                                &arena, &facts, &err),
                     0);
    assert_int_equal(facts.extension_count, 2);
    assert_string_equal(facts.extensions[0], "logicalCluster");
    assert_string_equal(facts.extensions[1], "lkc-1");
    assert_string_equal(facts.extensions[3], "pool-2");
    arena_fini(&arena);
    static const char *const wrong[] = {"{\"auth\":\"a\"}", "{\"a1\":\"a\"}",      "{\"\":\"a\"}",
                                        "{\"a\":1}",        "{\"a\":\"\\u0001\"}", "{\"a\":\"ä\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char said[128];
        snprintf(said, sizeof said, "{\"token\":\"a\",\"expires_in_s\":1,\"extensions\":%s}",
                 wrong[i]);
        bad(said, "a member of extensions is no name of letters with a text of printable ASCII "
                  "(RFC 7628, section 3.1)");
    }
    bad("{\"token\":\"a\",\"expires_in_s\":1,\"extensions\":[]}", "extensions is no object");
}

/* Nothing of it is quoted. */
static void test_what_is_no_token(void **state)
{
    (void)state;
    bad("opaque-token", "does not say when the token ends: it is no JWT with exp, and neither "
                        "expires_at_ms nor expires_in_s stands beside it");
    bad("two words", "printed a token with characters that none has (RFC 6750, section 2.1)");
    bad("line\nline", "printed a token with characters that none has (RFC 6750, section 2.1)");
    bad("{\"token\":\"\",\"expires_in_s\":1}",
        "printed a token with characters that none has (RFC 6750, section 2.1)");
    bad("{\"token\":secret}", "printed what begins like a JSON object and is none");
    bad("{\"expires_in_s\":1}", "printed an object with neither token nor access_token");
    bad("{\"token\":7,\"expires_in_s\":1}",
        "printed an object with neither token nor access_token");
    bad("{\"token\":\"a\",\"expires_in_s\":0}", "expires_in_s is no whole number of seconds");
    bad("{\"token\":\"a\",\"expires_in_s\":-5}", "expires_in_s is no whole number of seconds");
    bad("{\"token\":\"a\",\"expires_in\":1.5}", "expires_in is no whole number of seconds");
    bad("{\"token\":\"a\",\"expires_in_s\":9223372036854775807}",
        "expires_in_s is no whole number of seconds");
    bad("{\"token\":\"a\",\"expires_at_ms\":1700000000000000000}",
        "expires_at_ms is no whole number of milliseconds since 1970");
    /* Seconds where milliseconds were meant. */
    bad("{\"token\":\"a\",\"expires_at_ms\":1700000900}",
        "printed a token that ended 1698299999 s ago by the clock of this machine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_jwt),
        cmocka_unit_test(test_an_object),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_what_is_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
