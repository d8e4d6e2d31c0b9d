/* relay/guard: whose a message is and whether the relay stops at it, by prefix and body. */
#include "relay/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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
        {"walferry:orders", "{\"guard\":", GUARD_IGNORED},
        {"walferry:orders", "", GUARD_IGNORED},
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
        if (guard_of("orders", &change) != cases[i].kind)
            fail_msg("%s %s: %d", cases[i].prefix, cases[i].body, (int)guard_of("orders", &change));
    }
    struct change row = {.op = CHANGE_INSERT};
    assert_int_equal(guard_of("orders", &row), GUARD_NOT_OURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_prefix_and_body)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
