/* publish/kafka_away: which broker librdkafka's text is about. */
#include "publish/kafka_away.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void expect(const char *text, const char *address, const char *why)
{
    struct kafka_away away = {.count = 0};
    kafka_away_note(&away, text);
    assert_int_equal(away.count, 1);
    assert_string_equal(away.brokers[0].address, address);
    assert_string_equal(away.brokers[0].why, why);
}

static void expect_none(const char *text)
{
    struct kafka_away away = {.count = 0};
    kafka_away_note(&away, text);
    assert_int_equal(away.count, 0);
}

static void test_brokers(void **state)
{
    (void)state;
    expect("127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused",
           "127.0.0.1:9092", "Connect to ipv4#127.0.0.1:9092 failed: Connection refused");
    expect("kafka:29092/12: Failed to resolve 'kafka:29092': Name or service not known",
           "kafka:29092", "Failed to resolve 'kafka:29092': Name or service not known");
    expect("sasl_ssl://b-1.example:9096/0: Disconnected", "b-1.example:9096", "Disconnected");
    expect("[::1]:9092/3: Connection setup timed out", "[::1]:9092", "Connection setup timed out");
    expect("TxnCoordinator: 127.0.0.1:9092: Disconnected", "127.0.0.1:9092", "Disconnected");
    expect("GroupCoordinator: ssl://a:1: b: c", "a:1", "b: c");
}

static void test_others(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ": ",
        "/1: x",
        "1/1 brokers are down",
        "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused",
        "ssl:///1: x",
        "host:9092/: x",
        "TxnCoordinator: x",
        "TxnCoordinator: : x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_none(texts[i]);
}

static void test_each_once(void **state)
{
    (void)state;
    struct kafka_away away = {.count = 0};
    char text[64];
    for (int round = 0; round < 2; round++)
        for (int id = 0; id < KAFKA_AWAY_MAX + 4; id++) {
            snprintf(text, sizeof text, "h%d:9092/%d: round %d", id, id, round);
            kafka_away_note(&away, text);
        }
    assert_int_equal(away.count, KAFKA_AWAY_MAX);
    assert_string_equal(away.brokers[2].address, "h2:9092");
    assert_string_equal(away.brokers[2].why, "round 1");
}

static void expect_unreachable(const char *text, bool unreachable)
{
    struct kafka_away away = {.count = 0};
    kafka_away_note(&away, text);
    kafka_away_note(&away, "h:1/1: Disconnected (after 20ms in state UP)");
    assert_int_equal(kafka_away_unreachable(&away), unreachable);
}

static void test_unreachable(void **state)
{
    (void)state;
    expect_unreachable("h:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused", true);
    expect_unreachable("h:1/1: Connection setup timed out in state CONNECT", true);
    expect_unreachable("h:1/1: Failed to resolve 'h:1': Name or service not known", true);
    expect_unreachable("h:1/1: Disconnected while requesting ApiVersion: might be caused by", true);
    expect_unreachable("h:1/1: Disconnected (after 1ms in state APIVERSION_QUERY)", true);
    expect_unreachable("[::1]:1/1: Connect to ipv6#[::1]:1 failed: Connection refused", true);
    expect_unreachable("fd00::2:1/1: Connect to ipv6#[fd00::2]:1 failed: refused", true);
    expect_unreachable("localhost:1/1: Connect to ipv6#[::1]:1 failed: Connection refused", false);
    expect_unreachable("h:1/1: Disconnected (after 20ms in state UP)", false);
    expect_unreachable("h:1/1: 1 request(s) timed out: disconnect (after 9ms in state UP)", false);
}

/* The cluster names hosts without brackets; texts of librdkafka 2.15.1 have them, older ones not.
 */
static void test_found_again(void **state)
{
    (void)state;
    struct kafka_away away = {.count = 0};
    kafka_away_note(&away, "[fd00::1]:9092/3: Connect to ipv6#[fd00::1]:9092 failed: refused");
    kafka_away_note(&away, "fd00::2:9092/4: Connect to ipv6#[fd00::2]:9092 failed: refused");
    kafka_away_note(&away, "kafka:9092/5: Disconnected");
    assert_true(kafka_away_has(&away, "fd00::1", 9092));
    assert_true(kafka_away_has(&away, "fd00::2", 9092));
    assert_true(kafka_away_has(&away, "kafka", 9092));
    assert_false(kafka_away_has(&away, "fd00::1", 9093));
    assert_false(kafka_away_has(&away, "fd00::3", 9092));
    assert_false(kafka_away_has(&away, "kafk", 9092));
}

/* By its entries, and not by what one of them begins or ends with. */
static void test_listed(void **state)
{
    (void)state;
    assert_true(kafka_away_is_listed("host:9092", "host:9092"));
    assert_false(kafka_away_is_listed("host:9092", "host:909"));
    assert_false(kafka_away_is_listed("myhost:9092", "host:9092"));
    assert_false(kafka_away_is_listed("host:9092,other:9093", "host:9093"));
    assert_true(kafka_away_is_listed("a:1, ssl://Host:9093 ,b:2", "host:9093"));
    assert_true(kafka_away_is_listed("a,host", "host:9092"));
    assert_false(kafka_away_is_listed("a,host", "host:9093"));
    assert_true(kafka_away_is_listed("[::1]:9093", "[::1]:9093"));
    assert_true(kafka_away_is_listed("[fd00::1]:9093,[fd00::2]", "fd00::2:9092"));
    assert_false(kafka_away_is_listed("[fd00::2]", "fd00::2:9093"));
    assert_false(kafka_away_is_listed("", "host:9092"));
    assert_false(kafka_away_is_listed(" , ", "host:9092"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brokers),     cmocka_unit_test(test_others),
        cmocka_unit_test(test_each_once),   cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_found_again), cmocka_unit_test(test_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
