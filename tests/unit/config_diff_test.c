/* What of a file is another value than what is in force, shown without its secrets, and when it
 * counts. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "relay: orders\nkafka: {bootstrap.servers: k}\n"
#define ROUTE(name, from) "{name: " name ", from: " from "}"
#define BASE HEAD "routes: [" ROUTE("a", "s.a") "]\n"

static struct config *parse(const char *yaml)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    if (config_parse(span_of(yaml), "w.yaml", &config, &err) < 0)
        fail_msg("%s in %s", err.text, yaml);
    return config;
}

#define CHANGE(key, before, after, when)                                                           \
    "{\"key\":\"" key "\",\"before\":" before ",\"after\":" after ",\"when\":\"" when "\"}"
#define CHANGES_MAX 8

/* changes: ended by NULL. */
static void assert_written(const struct config *a, const struct config *b,
                           const char *const changes[CHANGES_MAX])
{
    struct buf out = BUF_EMPTY, wanted = BUF_EMPTY;
    buf_add_char(&wanted, '[');
    for (size_t i = 0; changes[i] != NULL; i++)
        buf_add_format(&wanted, "%s%s", i > 0 ? "," : "", changes[i]);
    buf_add_char(&wanted, ']');
    config_write_changes(a, b, &out);
    assert_string_equal(buf_text(&out), buf_text(&wanted));
    buf_fini(&out);
    buf_fini(&wanted);
}

static void assert_changes(const char *before, const char *after,
                           const char *const changes[CHANGES_MAX])
{
    struct config *a = parse(before), *b = parse(after);
    assert_written(a, b, changes);
    config_close(a);
    config_close(b);
}

static void the_same_is_no_change(void **state)
{
    (void)state;
    static const char *const none[CHANGES_MAX] = {NULL};
    assert_changes(BASE, BASE, none);
    assert_changes(BASE, "# said\n" BASE "delivery: {batch_events: 10000}\n", none);
}

static void each_key_says_when(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *changes[CHANGES_MAX];
    } cases[] = {
        {BASE,
         BASE "log: {level: debug}\n",
         {CHANGE("log.level", "\"info\"", "\"debug\"", "at_once")}},
        {BASE,
         BASE "delivery: {batch_events: 7, memory_limit: 9MB, strict: false}\n",
         {CHANGE("delivery.strict", "true", "false", "next_epoch"),
          CHANGE("delivery.memory_limit", "67108864", "9437184", "next_epoch"),
          CHANGE("delivery.batch_events", "10000", "7", "next_epoch")}},
        {BASE,
         BASE "source: {slot: x}\n",
         {CHANGE("source.slot", "\"walferry_orders\"", "\"x\"", "restart")}},
        {BASE "source: {connection: \"dbname=a host=x\"}\n",
         BASE "source: {connection: \"dbname=a\"}\n",
         {CHANGE("source.connection", "\"dbname=a host=x\"", "\"dbname=a\"", "next_epoch")}},
        {BASE "source: {connection: \"dbname=a\"}\n",
         BASE "source: {connection: \"dbname=b\"}\n",
         {CHANGE("source.connection", "\"dbname=a\"", "\"dbname=b\"", "restart")}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_changes(cases[i].before, cases[i].after, cases[i].changes);
}

/* A value that cannot be seen is still seen to be another one. */
static void secrets_are_compared_and_not_shown(void **state)
{
    (void)state;
    static const char rest[] =
        "routes: [" ROUTE("a", "s.a") "]\n"
                                      "source: {connection: \"password=${env:DIFF_TEST}\"}\n";
    static const char *const changes[CHANGES_MAX] = {
        CHANGE("source.connection", "\"password=${env:DIFF_TEST}\"",
               "\"password=${env:DIFF_TEST}\"", "next_epoch"),
        CHANGE("kafka.sasl.password", "null", "\"(hidden)\"", "next_epoch")};
    char yaml[512];
    setenv("DIFF_TEST", "one", 1);
    snprintf(yaml, sizeof yaml, HEAD "%s", rest);
    struct config *a = parse(yaml);
    setenv("DIFF_TEST", "two", 1);
    snprintf(yaml, sizeof yaml,
             "relay: orders\nkafka: {bootstrap.servers: k, sasl.password: hunter2}\n%s", rest);
    struct config *b = parse(yaml);
    assert_written(a, b, changes);
    config_close(a);
    config_close(b);
}

static void routes_are_known_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *changes[CHANGES_MAX];
    } cases[] = {
        {HEAD "routes: [" ROUTE("a", "s.a") ", " ROUTE("b", "s.b") "]\n",
         HEAD "routes: [" ROUTE("b", "s.b") ", " ROUTE("a", "s.a") "]\n",
         {CHANGE("routes", "[\"a\",\"b\"]", "[\"b\",\"a\"]", "next_epoch")}},
        {HEAD "routes: [" ROUTE("a", "s.a") ", " ROUTE("b", "s.b") "]\n",
         BASE,
         {CHANGE("routes[b].name", "\"b\"", "null", "next_epoch")}},
        {HEAD "routes: [{name: a, from: s.a, topic: t}]\n",
         HEAD "routes:\n  - {name: a, from: s.a, topic: x}\n"
              "  - {name: c, from: s.c, topic: u, key: k, on_error: skip}\n",
         {CHANGE("routes[a].topic", "\"t\"", "\"x\"", "next_epoch"),
          CHANGE("routes[c].name", "null", "\"c\"", "next_epoch"),
          CHANGE("routes[c].from", "null", "\"s.c\"", "next_epoch"),
          CHANGE("routes[c].topic", "null", "\"u\"", "next_epoch"),
          CHANGE("routes[c].key", "null", "\"k\"", "next_epoch"),
          CHANGE("routes[c].on_error", "null", "\"skip\"", "next_epoch")}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_changes(cases[i].before, cases[i].after, cases[i].changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_is_no_change),
                                       cmocka_unit_test(each_key_says_when),
                                       cmocka_unit_test(secrets_are_compared_and_not_shown),
                                       cmocka_unit_test(routes_are_known_by_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
