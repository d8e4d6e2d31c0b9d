/* metrics/: what is counted is what is printed, and the page is one that Prometheus takes. */
#include "metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const two_routes[] = {"outbox", "audit \"log\"\\x"};

static void assert_has(struct buf *page, const char *line)
{
    char wanted[512];
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (strstr(buf_text(page), wanted) == NULL)
        fail_msg("no line: %s\nin:\n%s", line, buf_text(page));
}

static void assert_has_not(struct buf *page, const char *part)
{
    if (strstr(buf_text(page), part) != NULL)
        fail_msg("unexpected: %s\nin:\n%s", part, buf_text(page));
}

static struct buf page_of(const struct metrics *metrics)
{
    struct buf page = BUF_EMPTY;
    metrics_write(metrics, &page);
    return page;
}

static void test_counters_and_gauges(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 2, two_routes);
    metrics_add(m, METRIC_TRANSACTIONS_KAFKA, 2);
    metrics_add(m, METRIC_TRANSACTIONS_KAFKA, 3);
    metrics_set(m, METRIC_ORIGIN_LAG, 70);
    metrics_set(m, METRIC_ORIGIN_LAG, 7);
    assert_int_equal(metrics_get(m, METRIC_TRANSACTIONS_KAFKA), 5);
    assert_int_equal(metrics_get(m, METRIC_ORIGIN_LAG), 7);
    struct buf page = page_of(m);
    assert_has(&page, "walferry_transactions_total{relay=\"orders\",kind=\"kafka\"} 5");
    assert_has(&page, "walferry_transactions_total{relay=\"orders\",kind=\"split\"} 0");
    assert_has(&page, "walferry_slot_lag_bytes{relay=\"orders\"} 7");
    assert_has(&page, "# TYPE walferry_slot_lag_bytes gauge");
    buf_fini(&page);
    metrics_close(m);
}

static void test_one_heading_for_a_name(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 2, two_routes);
    struct buf page = page_of(m);
    const char *first = strstr(buf_text(&page), "# TYPE walferry_transactions_total");
    assert_non_null(first);
    assert_null(strstr(first + 1, "# TYPE walferry_transactions_total"));
    buf_fini(&page);
    metrics_close(m);
}

static void test_routes_and_escapes(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 2, two_routes);
    metrics_add_route(m, METRIC_EVENTS, 0, 10);
    metrics_add_route(m, METRIC_EVENTS, 1, 4);
    assert_int_equal(metrics_get_route(m, METRIC_EVENTS, 1), 4);
    struct buf page = page_of(m);
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"outbox\"} 10");
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"audit \\\"log\\\"\\\\x\"} 4");
    assert_has_not(&page, "route=\"other\"");
    buf_fini(&page);
    metrics_close(m);
}

/* A reload changes what an index means; what was counted stays under its name. */
static void test_routes_after_a_reload(void **state)
{
    (void)state;
    static const char *const after[] = {"payments", "outbox"};
    struct metrics *m = metrics_open("orders", 2, two_routes);
    metrics_add_route(m, METRIC_EVENTS, 0, 10);
    metrics_set_routes(m, 2, after);
    metrics_add_route(m, METRIC_EVENTS, 0, 1);
    metrics_add_route(m, METRIC_EVENTS, 1, 5);
    metrics_add_route(m, METRIC_EVENTS, 9, 3); /* no such index */
    struct buf page = page_of(m);
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"outbox\"} 15");
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"payments\"} 1");
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"other\"} 3");
    buf_fini(&page);
    metrics_close(m);
}

static void test_route_names_are_bounded(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 0, NULL);
    for (int i = 0; i < 600; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i);
        const char *const names[] = {name};
        metrics_set_routes(m, 1, names);
        metrics_add_route(m, METRIC_EVENTS, 0, 1);
    }
    struct buf page = page_of(m);
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"r511\"} 1");
    assert_has(&page, "walferry_events_total{relay=\"orders\",route=\"other\"} 88");
    assert_has_not(&page, "route=\"r512\"");
    buf_fini(&page);
    metrics_close(m);
}

static void test_reasons_are_bounded(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 0, NULL);
    for (int i = 0; i < 70; i++) {
        char reason[24];
        snprintf(reason, sizeof reason, "reason_%d", i);
        metrics_add_reason(m, METRIC_EPOCHS, reason, 1);
        metrics_add_reason(m, METRIC_EPOCHS, "reason_0", 1);
    }
    struct buf page = page_of(m);
    assert_has(&page, "walferry_epochs_total{relay=\"orders\",reason=\"reason_0\"} 71");
    assert_has(&page, "walferry_epochs_total{relay=\"orders\",reason=\"reason_63\"} 1");
    assert_has(&page, "walferry_epochs_total{relay=\"orders\",reason=\"other\"} 6");
    assert_has_not(&page, "reason_64");
    buf_fini(&page);
    metrics_close(m);
}

static void test_histogram(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 0, NULL);
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, -5); /* a clock went back: counts as 0 */
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, 500);
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, 501);
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, 61000000);
    struct buf page = page_of(m);
    assert_has(&page, "walferry_commit_seconds_bucket{relay=\"orders\",le=\"0.0005\"} 2");
    assert_has(&page, "walferry_commit_seconds_bucket{relay=\"orders\",le=\"0.001\"} 3");
    assert_has(&page, "walferry_commit_seconds_bucket{relay=\"orders\",le=\"60\"} 3");
    assert_has(&page, "walferry_commit_seconds_bucket{relay=\"orders\",le=\"+Inf\"} 4");
    assert_has(&page, "walferry_commit_seconds_sum{relay=\"orders\"} 61.001001");
    assert_has(&page, "walferry_commit_seconds_count{relay=\"orders\"} 4");
    buf_fini(&page);
    metrics_close(m);
}

static void test_build_info(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 0, NULL);
    struct buf page = page_of(m);
    assert_has_not(&page, "walferry_build_info");
    buf_fini(&page);
    metrics_set_build_info(m, "0.1.0", "2.0.2", "15.4");
    metrics_set_build_info(m, "0.1.0", "2.10.1", "15.4");
    page = page_of(m);
    assert_has(&page,
               "walferry_build_info{relay=\"orders\",version=\"0.1.0\",librdkafka=\"2.10.1\","
               "libpq=\"15.4\"} 1");
    buf_fini(&page);
    metrics_close(m);
}

static void test_without_metrics(void **state)
{
    (void)state;
    struct buf page = BUF_EMPTY;
    metrics_add(NULL, METRIC_TRANSACTIONS_KAFKA, 1);
    metrics_set(NULL, METRIC_READY, 1);
    metrics_add_route(NULL, METRIC_EVENTS, 0, 1);
    metrics_add_reason(NULL, METRIC_EPOCHS, "stop", 1);
    metrics_observe_us(NULL, METRIC_COMMIT_SECONDS, 1);
    metrics_set_build_info(NULL, "a", "b", "c");
    metrics_write(NULL, &page);
    assert_int_equal(page.len, 0);
    assert_int_equal(metrics_get(NULL, METRIC_READY), 0);
    metrics_close(NULL);
}

static void *count_much(void *argument)
{
    for (int i = 0; i < 20000; i++) {
        metrics_add(argument, METRIC_TRANSACTIONS_IDLE, 1);
        metrics_observe_us(argument, METRIC_VISIBLE_SECONDS, i);
        if (i % 100 == 0)
            metrics_add_reason(argument, METRIC_ERRORS, "retry", 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 2, two_routes);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, m), 0);
    for (int i = 0; i < 50; i++) {
        struct buf page = page_of(m);
        buf_fini(&page);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_get(m, METRIC_TRANSACTIONS_IDLE), 60000);
    struct buf page = page_of(m);
    assert_has(&page, "walferry_errors_total{relay=\"orders\",kind=\"retry\"} 600");
    assert_has(&page, "walferry_visible_seconds_count{relay=\"orders\"} 60000");
    buf_fini(&page);
    metrics_close(m);
}

/* The same numbers as JSON: by name, by label, by bucket. */
static void test_json(void **state)
{
    (void)state;
    struct metrics *m = metrics_open("orders", 2, two_routes);
    metrics_add_route(m, METRIC_EVENTS, 1, 7);
    metrics_add_route(m, METRIC_EVENTS, 9, 2);
    metrics_add(m, METRIC_TRANSACTIONS_SPLIT, 3);
    metrics_add_reason(m, METRIC_EPOCHS, "fenced", 1);
    metrics_set(m, METRIC_READY, 1);
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, 900);
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, 61000000);
    struct buf out = BUF_EMPTY;
    metrics_write_json(m, &out);
    static const char *const parts[] = {
        "{\"walferry_events_total\":{\"outbox\":0,\"audit \\\"log\\\"\\\\x\":7,\"other\":2},",
        "\"walferry_transactions_total\":{\"kafka\":0,\"postgres\":0,\"idle\":0,\"split\":3}",
        "\"walferry_epochs_total\":{\"fenced\":1}",
        "\"walferry_ready\":1}\n",
        "\"walferry_commit_seconds\":{\"bounds\":[0.000500,0.001000,",
        "60.000000],\"counts\":[0,1,0,",
        ",1],\"sum\":61.000900}"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(buf_text(&out), parts[i]) == NULL)
            fail_msg("no %s in %s", parts[i], buf_text(&out));
    assert_int_equal(metrics_sum_routes(m, METRIC_EVENTS), 9);
    uint64_t count, sum_us;
    metrics_get_histogram(m, METRIC_COMMIT_SECONDS, &count, &sum_us);
    assert_int_equal(count, 2);
    assert_int_equal(sum_us, 61000900);
    buf_reset(&out);
    metrics_write_json(NULL, &out);
    assert_string_equal(buf_text(&out), "{}\n");
    assert_int_equal(metrics_sum_routes(NULL, METRIC_EVENTS), 0);
    buf_fini(&out);
    metrics_close(m);
}

/* Prometheus' own checker, where it is installed. */
static void test_promtool(void **state)
{
    (void)state;
    if (access("/usr/bin/promtool", X_OK) != 0)
        skip();
    struct metrics *m = metrics_open("orders", 2, two_routes);
    metrics_add_route(m, METRIC_EVENTS, 1, 1);
    metrics_add_reason(m, METRIC_EPOCHS, "fenced", 1);
    metrics_observe_us(m, METRIC_COMMIT_SECONDS, 1234);
    metrics_set_build_info(m, "0.1.0", "2.0.2", "15.4");
    struct buf page = page_of(m);
    FILE *tool = popen("/usr/bin/promtool check metrics", "w");
    assert_non_null(tool);
    assert_int_equal(fwrite(page.ptr, 1, page.len, tool), page.len);
    assert_int_equal(pclose(tool), 0);
    buf_fini(&page);
    metrics_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_and_gauges),
        cmocka_unit_test(test_one_heading_for_a_name),
        cmocka_unit_test(test_routes_and_escapes),
        cmocka_unit_test(test_routes_after_a_reload),
        cmocka_unit_test(test_route_names_are_bounded),
        cmocka_unit_test(test_reasons_are_bounded),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_build_info),
        cmocka_unit_test(test_without_metrics),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_promtool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
