/* base/log_ring: what a log keeps of its bad lines. */
#include "base/log_ring.h"
#include "base/log_ring.h"

#include "base/error.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void test_ring(void **state)
{
    (void)state;
    struct log_ring ring;
    log_ring_init(&ring);
    struct log log = {.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY), .ring = &ring};
    struct log_kept kept[LOG_RING_ENTRIES];
    log_event(&log, LOG_INFO, "relay.started", "version", "1", NULL);
    assert_int_equal(log_ring_copy(&ring, kept), 0);
    /* The level says what is written, not what is kept. */
    log_event(&log, LOG_WARN, "transaction.split", "final_lsn", "0/1", "#part", "2", NULL);
    log_event(&log, LOG_WARN, "transaction.split", "final_lsn", "0/1", "#part", "2", NULL);
    struct error err = ERROR_INIT;
    (void)error_retry(&err, REASON_BROKER_TIMEOUT, "no broker answers");
    (void)error_hint(&err, "start it");
    log_error(&log, LOG_ERROR, "epoch.failed", &err);
    assert_int_equal(log_ring_copy(&ring, kept), 2);
    assert_string_equal(kept[0].event, "epoch.failed");
    assert_string_equal(kept[0].reason, "broker_timeout");
    assert_string_equal(kept[0].text, "no broker answers");
    assert_string_equal(kept[0].hint, "start it");
    assert_true(kept[0].is_error);
    assert_string_equal(kept[1].text, "final_lsn 0/1, part 2");
    assert_int_equal(kept[1].times, 2);
    assert_true(kept[1].first_wall_us <= kept[1].last_wall_us);
    close(log.fd);
    log_ring_fini(&ring);
}

static void test_bounds(void **state)
{
    (void)state;
    struct log_ring ring;
    log_ring_init(&ring);
    struct log log = {.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY), .ring = &ring};
    char text[3000];
    for (int i = 0; i < 3 * LOG_RING_ENTRIES; i++) {
        memset(text, 'a' + i % 26, sizeof text);
        memcpy(text + 398, "\xE2\x82\xAC", 3); /* cut in the midst of it */
        text[sizeof text - 1] = '\0';
        log_event(&log, LOG_WARN, "watch.failed", "detail", text, NULL);
    }
    struct log_kept kept[LOG_RING_ENTRIES];
    assert_int_equal(log_ring_copy(&ring, kept), LOG_RING_ENTRIES);
    assert_int_equal(kept[0].text[0], 'a' + (3 * LOG_RING_ENTRIES - 1) % 26);
    assert_int_equal(strlen(kept[0].text), 398);
    close(log.fd);
    log_ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
