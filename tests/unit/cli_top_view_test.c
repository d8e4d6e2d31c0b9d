/* cli/: the lines of walferry top. */
#include "cli/cli_top_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static const char status[] =
    "{\"relay\":\"orders\",\"state\":\"backoff\",\"ready\":false,\"pid\":7,\"slot\":\"s\","
    "\"since\":\"2026-01-01T00:00:00.000000Z\",\"slot_lag_bytes\":2048,\"slot_risk\":\"at_risk\","
    "\"slot_seconds_left\":600,\"checks\":[{\"name\":\"state\",\"ok\":true,\"text\":\"\"},"
    "{\"name\":\"broker\",\"ok\":false,\"text\":\"a\\u001b[31mb\\u009bc\\td\"}]}";
static const char before[] = "{\"walferry_events_total\":{\"a\":100,\"b\":5}}";
static const char metrics[] = "{\"walferry_events_total\":{\"a\":300,\"b\":5},"
                              "\"walferry_event_bytes_total\":{\"a\":4096},"
                              "\"walferry_skipped_total\":{\"b\":2}}";
static const char history[] =
    "{\"samples\":[{\"at_ms\":1000,\"lag_bytes\":0,\"events\":0,\"visible_count\":0,"
    "\"visible_us\":0},{\"at_ms\":2000,\"lag_bytes\":70,\"events\":50,\"visible_count\":10,"
    "\"visible_us\":25000}],\"problems\":[{\"level\":\"error\",\"event\":\"epoch.failed\","
    "\"reason\":\"broker_away\","
    "\"text\":\"no broker \\u65e5\\u672c\",\"times\":3,"
    "\"last_at\":\"2026-01-01T00:00:50.000000Z\"}]}";

static struct json_tree *parse(const char *text)
{
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    if (text != NULL && json_tree_parse(span_of(text), &tree, &err) < 0)
        fail_msg("%s", err.text);
    return tree;
}

static void view(const char *const texts[4], const char *away, struct top_screen screen,
                 struct buf *out)
{
    struct json_tree *trees[4];
    for (int i = 0; i < 4; i++)
        trees[i] = parse(texts[i]);
    const struct top_data data = {.status = trees[0],
                                  .metrics = trees[1],
                                  .history = trees[2],
                                  .before = trees[3],
                                  .between_us = 2000000,
                                  .wall_us = INT64_C(1767225660000000), /* 00:01:00 */
                                  .away = away};
    top_view(&data, &screen, out);
    (void)buf_text(out);
    for (int i = 0; i < 4; i++)
        json_tree_free(trees[i]);
}

static const char *const whole[4] = {status, metrics, history, before};

static void test_what_is_said(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "walferry top  orders  00:01:00 UTC\n",
        "NOT READY, backoff for 60 s\n",
        "  FAILS broker: a?[31mb?c?d\n  passes: state\n",
        "-> 100 events ->",
        "events a second 100           ▁█\n",
        "lag             2.0 KB        ▁█\n",
        "visible after   2.5 ms        ▁█\n",
        "risk at_risk, retains -, room -, lost in 10 min\n",
        "  a                              100           300      4.0 KB           0\n",
        "  b                                0             5         0 B           2\n",
        "  10 s ago, 3 times  epoch.failed (broker_away): no broker 日本\n",
    };
    struct buf out = BUF_EMPTY;
    view(whole, NULL, (struct top_screen){.columns = 80, .utf8 = true}, &out);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(out.ptr, parts[i]) == NULL)
            fail_msg("not %s in\n%s", parts[i], out.ptr);
    assert_null(strchr(out.ptr, '\x1b'));
    buf_reset(&out);
    view(whole, "nobody", (struct top_screen){.columns = 80, .colours = true}, &out);
    assert_non_null(strstr(out.ptr, "AWAY: nobody"));
    assert_non_null(strstr(out.ptr, "_#")); /* no UTF-8 */
    assert_non_null(strstr(out.ptr, "no broker ????"));
    assert_non_null(strstr(out.ptr, "\x1b[1;31m"));
    for (const char *c = out.ptr; *c != '\0'; c++)
        assert_true((unsigned char)*c < 0x80);
    buf_fini(&out);
}

/* Never wider, never higher, whatever there is. */
static void test_sizes(void **state)
{
    (void)state;
    static const char *const some[][4] = {{status, metrics, history, before},
                                          {status, NULL, NULL, NULL},
                                          {NULL, NULL, NULL, NULL},
                                          {"{}", "{}", "{}", "{}"},
                                          {"{\"checks\":7}", "[]", "3", "null"}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        for (int rows = 1; rows < 30; rows++) {
            struct buf out = BUF_EMPTY;
            struct top_screen screen = {.rows = rows, .columns = rows * 3};
            view(some[i], NULL, screen, &out);
            int lines = 0, column = 0;
            for (const char *c = out.ptr; *c != '\0'; c++) {
                column = *c == '\n' ? 0 : column + 1;
                lines += *c == '\n';
                assert_true(column <= screen.columns);
            }
            assert_true(lines > 0 && lines <= rows);
            buf_fini(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
