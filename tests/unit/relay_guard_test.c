/* relay/guard: whose a message is and whether the relay stops at it, by prefix and body. */
#include "relay/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void by_prefix_and_body(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *body;
        enum guard_kind kind;
    } cases[] = {
        {"walferry:orders", "{\"v\":1,\"guard\":\"DROP TABLE\"}", GUARD_STOP},
        {"walferry:*", "{\"v\":1,\"guard\":\"ALTER TABLE\",\"failed\":\"42703\"}", GUARD_STOP},
        {"walferry:orders", "{\"guard\":null}", GUARD_STOP},
        {"walferry:orders", "{\"v\":1,\"id\":7}", GUARD_IGNORED},
        {"walferry:orders", "[\"guard\"]", GUARD_IGNORED},
        {"walferry:orders", "{\"guard\":", GUARD_STOP}, /* it may be of one */
        {"walferry:orders", "{\"guard\":\"\xff\"}", GUARD_STOP},
        {"walferry:orders", "", GUARD_STOP},
        {"walferry:order", "{\"guard\":", GUARD_IGNORED},
        {"walferry:order", "{\"guard\":\"x\"}", GUARD_IGNORED},
        {"walferry:orders2", "{\"guard\":\"x\"}", GUARD_IGNORED},
        {"walferry:", "{\"guard\":\"x\"}", GUARD_IGNORED},
        {"walferry", "{\"guard\":\"x\"}", GUARD_IGNORED},
        {"walferryorders", "{\"guard\":\"x\"}", GUARD_NOT_OURS},
        {"walferr", "{\"guard\":\"x\"}", GUARD_NOT_OURS},
        {"", "{\"guard\":\"x\"}", GUARD_NOT_OURS},
        {"orders", "{\"guard\":\"x\"}", GUARD_NOT_OURS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct change change = {.op = CHANGE_MESSAGE};
        change.message.prefix = span_of(cases[i].prefix);
        change.message.content = span_of(cases[i].body);
        change.message.transactional = true;
        struct fingerprint_suspects suspects;
        enum guard_kind kind = guard_of("orders", &change, &suspects);
        if (kind != cases[i].kind)
            fail_msg("%s %s: %d", cases[i].prefix, cases[i].body, (int)kind);
        if (kind == GUARD_STOP)
            assert_true(suspects.all); /* none of them names anything */
    }
    struct change row = {.op = CHANGE_INSERT};
    struct fingerprint_suspects suspects;
    assert_int_equal(guard_of("orders", &row, &suspects), GUARD_NOT_OURS);
}

static struct fingerprint_suspects named_in(const char *gone)
{
    char body[2048];
    struct change change = {.op = CHANGE_MESSAGE};
    struct fingerprint_suspects suspects;
    snprintf(body, sizeof body, "{\"v\":1,\"guard\":\"x\",\"gone\":%s}", gone);
    change.message.prefix = span_of("walferry:orders");
    change.message.content = span_of(body);
    assert_int_equal(guard_of("orders", &change, &suspects), GUARD_STOP);
    return suspects;
}

static void what_it_names(void **state)
{
    (void)state;
    struct fingerprint_suspects s =
        named_in("[\"table 16390 public.\\\"a b\\\" rp of 16388\",\"table 4294967295 s.t pp\"]");
    assert_false(s.all);
    assert_false(s.publication);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.oids[0], 16390);
    assert_int_equal(s.oids[1], UINT32_MAX);
    s = named_in("[\"publication {\\\"oid\\\": 5}\",\"member {}\",\"schema {}\"]");
    assert_false(s.all);
    assert_true(s.publication);
    assert_int_equal(s.count, 0);
}

static void what_is_not_understood_is_all(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "null",
        "[]",
        "{}",
        "[5]",
        "[\"table 5 s.t rp\", \"column 7\"]",
        "[\"table s.t\"]",
        "[\"table 5\"]",
        "[\"table 0 s.t rp\"]",
        "[\"table 4294967296 s.t rp\"]",
        "[\"table 99999999999999999999999 s.t rp\"]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!named_in(cases[i]).all)
            fail_msg("%s", cases[i]);
    char many[1024] = "[";
    for (int i = 0; i < 50; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%s\"table 5 s.t\"",
                 i > 0 ? "," : "");
    char *end = many + strlen(many);
    snprintf(end, sizeof many - (size_t)(end - many), "]");
    struct fingerprint_suspects s = named_in(many);
    assert_true(s.all); /* as many as a guard names: there may be more */
    assert_int_equal(s.count, 50);
    end = strrchr(many, ',');
    snprintf(end, sizeof many - (size_t)(end - many), "]");
    s = named_in(many);
    assert_false(s.all);
    assert_int_equal(s.count, 49);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_prefix_and_body),
                                       cmocka_unit_test(what_it_names),
                                       cmocka_unit_test(what_is_not_understood_is_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
