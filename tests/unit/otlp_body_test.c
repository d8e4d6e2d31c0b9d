/* otlp/otlp_body: a request, byte for byte; tests/e2e/284_otlp.py holds live ones against the names
 * of the protocol. */
#include "otlp/otlp_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define RESOURCE                                                                                   \
    "{\"resource\":{\"attributes\":["                                                              \
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"walferry\"}},"                         \
    "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"" WALFERRY_VERSION "\"}},"          \
    "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"orders\"}}]},"
#define SCOPE "[{\"scope\":{\"name\":\"walferry\",\"version\":\"" WALFERRY_VERSION "\"},"

static void a_span_is_a_child_of_its_trace(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct trace_span span = {.start_us = 1700000000000000,
                              .end_us = 1700000000005001,
                              .id = "7-16-1",
                              .topic = "orders"};
    assert_true(trace_context_parse(
        SPAN_LITERAL("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &span.context));
    otlp_body_spans(&span, 1, "orders", &out);
    const char *begin =
        "{\"resourceSpans\":[" RESOURCE "\"scopeSpans\":" SCOPE
        "\"spans\":[{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"";
    const char *end =
        "\",\"parentSpanId\":\"b7ad6b7169203331\",\"flags\":1,\"name\":\"send orders\",\"kind\":4,"
        "\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":\"1700000000005001000\","
        "\"attributes\":[{\"key\":\"messaging.system\",\"value\":{\"stringValue\":\"kafka\"}},"
        "{\"key\":\"messaging.operation.name\",\"value\":{\"stringValue\":\"send\"}},"
        "{\"key\":\"messaging.operation.type\",\"value\":{\"stringValue\":\"send\"}},"
        "{\"key\":\"messaging.destination.name\",\"value\":{\"stringValue\":\"orders\"}},"
        "{\"key\":\"walferry.relay\",\"value\":{\"stringValue\":\"orders\"}},"
        "{\"key\":\"walferry.id\",\"value\":{\"stringValue\":\"7-16-1\"}}]}]}]}]}";
    const char *text = buf_text(&out);
    assert_int_equal(strlen(text), strlen(begin) + 16 + strlen(end));
    assert_memory_equal(text, begin, strlen(begin));
    assert_string_equal(text + strlen(begin) + 16, end);
    buf_fini(&out);
}

/* Both times the id is cut at the same place, or there is none. */
static void the_number_makes_the_id_of_a_span(void **state)
{
    (void)state;
    struct trace_span spans[3] = {{.number = 1, .topic = "orders"},
                                  {.number = 2, .topic = "orders"},
                                  {.number = 1, .topic = "orders"}};
    char ids[3][17];
    for (uint32_t i = 0; i < 3; i++) {
        struct buf out = BUF_EMPTY;
        otlp_body_spans(&spans[i], 1, "orders", &out);
        snprintf(ids[i], sizeof ids[i], "%s", strstr(buf_text(&out), "\"spanId\":\"") + 10);
        buf_fini(&out);
    }
    assert_string_not_equal(ids[0], ids[1]);
    assert_string_equal(ids[0], ids[2]);
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in %s", part, text);
}

#define POINT(label, value)                                                                        \
    "{\"attributes\":[{\"key\":\"relay\",\"value\":{\"stringValue\":\"orders\"}}," label           \
    "],\"startTimeUnixNano\":\"1000\",\"timeUnixNano\":\"2000\",\"asInt\":\"" value "\"}"
#define LABEL(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"

static void metrics_are_points(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    const char *const routes[] = {"outbox"};
    struct metrics *metrics = metrics_open("orders", 1, routes);
    metrics_add_route(metrics, METRIC_EVENTS, 0, 3);
    metrics_add_reason(metrics, METRIC_ERRORS, "retry", 2);
    metrics_set(metrics, METRIC_WAL_ROOM, UINT64_MAX);
    metrics_observe_us(metrics, METRIC_COMMIT_SECONDS, 600);
    otlp_body_metrics(metrics, "orders", 1, 2, &out);
    const char *text = buf_text(&out);
    contains(text, "{\"resourceMetrics\":[" RESOURCE "\"scopeMetrics\":" SCOPE "\"metrics\":[");
    contains(text, "\"name\":\"walferry_events_total\"");
    contains(text, "\"sum\":{\"dataPoints\":[" POINT(LABEL("route", "outbox"),
                                                     "3") "],\"aggregationTemporality\":2,"
                                                          "\"isMonotonic\":true}}");
    contains(text, POINT(LABEL("kind", "retry"), "2"));
    contains(text, POINT(LABEL("kind", "kafka"), "0") "," POINT(LABEL("kind", "postgres"), "0"));
    contains(text, "\"asInt\":\"9223372036854775807\"");
    contains(text, "\"count\":\"1\",\"sum\":0.000600,\"bucketCounts\":[\"0\",\"1\",\"0\",");
    contains(text, "\"explicitBounds\":[0.0005,0.001,0.002,");
    metrics_close(metrics);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_span_is_a_child_of_its_trace),
                                       cmocka_unit_test(the_number_makes_the_id_of_a_span),
                                       cmocka_unit_test(metrics_are_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
