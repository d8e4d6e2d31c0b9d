/* model/topic_name and model/header_name: what Kafka takes, what events may not take, and that the
 * rule of the configuration's schema says the same. */
#include "model/topic_name.h"

#include "model/header_name.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_contains.h"
#include "assert_text.h"

static const char *const legal[] = {
    "a", "orders", "Shop.Order-1_x", "...", ".a", "_x", "walferry.orders.progres", "0",
};
static const char *const illegal[] = {
    "", ".", "..", "a b", "a/b", "a:b", "ä", "a\n", "a*",
};

static void names_are_those_that_kafka_takes(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
        assert_int_equal(topic_name_check(span_of(legal[i]), &err), 0);
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++) {
        assert_int_equal(topic_name_check(span_of(illegal[i]), &err), -1);
        assert_int_equal(err.kind, ERROR_DATA);
        assert_int_equal(err.reason, REASON_ILLEGAL_TOPIC);
    }
    char long_name[TOPIC_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    assert_int_equal(topic_name_check((struct span){long_name, TOPIC_NAME_MAX}, &err), 0);
    assert_int_equal(topic_name_check((struct span){long_name, TOPIC_NAME_MAX + 1}, &err), -1);
    assert_contains(err.text, "has 250 bytes, more than 249");
}

static void the_rule_of_the_schema_is_the_same(void **state)
{
    (void)state;
    regex_t rule;
    assert_int_equal(regcomp(&rule, "^(" TOPIC_NAME_RULE ")$", REG_EXTENDED | REG_NOSUB), 0);
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
        assert_int_equal(regexec(&rule, legal[i], 0, NULL, 0) == 0, legal[i][0] != '.');
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++)
        assert_int_not_equal(regexec(&rule, illegal[i], 0, NULL, 0), 0);
    char name[TOPIC_NAME_MAX + 2];
    memset(name, 'x', sizeof name);
    name[TOPIC_NAME_MAX + 1] = '\0';
    assert_int_not_equal(regexec(&rule, name, 0, NULL, 0), 0);
    assert_int_equal(regexec(&rule, name + 1, 0, NULL, 0), 0);
    regfree(&rule);
}

static void events_may_not_have_ours(void **state)
{
    (void)state;
    static const char *const reserved[] = {
        "__consumer_offsets",        "mine",
        "walferry.orders.progress",  "walferry.other.dead-letter",
        "walferry.other.quarantine", "walferry.x.control",
    };
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        assert_int_equal(topic_name_check(span_of(reserved[i]), &err), 0);
        assert_int_equal(topic_name_check_event(span_of(reserved[i]), "mine", &err), -1);
        assert_int_equal(err.kind, ERROR_DATA);
        assert_int_equal(err.reason, REASON_RESERVED_TOPIC);
    }
    assert_int_equal(topic_name_check_event(SPAN_LITERAL("a b"), "mine", &err), -1);
    assert_int_equal(err.reason, REASON_ILLEGAL_TOPIC);
    assert_int_equal(topic_name_check_event(SPAN_LITERAL("walferry.orders"), "mine", &err), 0);
    assert_int_equal(topic_name_check_event(SPAN_LITERAL("mine.too"), "mine", &err), 0);
}

static void our_headers_begin_alike(void **state)
{
    (void)state;
    assert_true(header_name_is_ours(SPAN_LITERAL(HEADER_ID)));
    assert_true(header_name_is_ours(SPAN_LITERAL("walferry-part")));
    assert_true(header_name_is_ours(SPAN_LITERAL("walferry-")));
    assert_false(header_name_is_ours(SPAN_LITERAL("walferry")));
    assert_false(header_name_is_ours(SPAN_LITERAL("Walferry-id")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_that_kafka_takes),
        cmocka_unit_test(the_rule_of_the_schema_is_the_same),
        cmocka_unit_test(events_may_not_have_ours),
        cmocka_unit_test(our_headers_begin_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
