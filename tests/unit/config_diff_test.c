/* What of a file is another value than what is in force, shown without its secrets, and when it
 * counts. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static void assert_changes(const char *before, const char *after, const char *json)
{
    struct config *a = parse(before), *b = parse(after);
    struct buf out = BUF_EMPTY;
    config_write_changes(a, b, &out);
    assert_string_equal(buf_text(&out), json);
    buf_fini(&out);
    config_close(a);
    config_close(b);
}

#define CHANGE(key, before, after, when)                                                           \
    "{\"key\":\"" key "\",\"before\":" before ",\"after\":" after ",\"when\":\"" when "\"}"

static void the_same_is_no_change(void **state)
{
    (void)state;
    assert_changes(BASE, BASE, "[]");
    assert_changes(BASE, "# said\n" BASE "delivery: {batch_events: 10000}\n", "[]");
}

static void each_key_says_when(void **state)
{
    (void)state;
    assert_changes(BASE, BASE "log: {level: debug}\n",
                   "[" CHANGE("log.level", "\"info\"", "\"debug\"", "at_once") "]");
    assert_changes(
        BASE, BASE "delivery: {batch_events: 7, memory_limit: 9MB, strict: false}\n",
        "[" CHANGE("delivery.strict", "true", "false", "next_epoch") "," CHANGE(
            "delivery.memory_limit", "67108864", "9437184",
            "next_epoch") "," CHANGE("delivery.batch_events", "10000", "7", "next_epoch") "]");
    assert_changes(BASE, BASE "source: {slot: x}\n",
                   "[" CHANGE("source.slot", "\"walferry_orders\"", "\"x\"", "restart") "]");
    assert_changes(BASE "source: {connection: \"dbname=a host=x\"}\n",
                   BASE "source: {connection: \"dbname=a host=y\"}\n",
                   "[" CHANGE("source.connection", "\"dbname=a host=x\"", "\"dbname=a host=y\"",
                              "next_epoch") "]");
    assert_changes(BASE "source: {connection: \"dbname=a\"}\n",
                   BASE "source: {connection: \"dbname=b\"}\n",
                   "[" CHANGE("source.connection", "\"dbname=a\"", "\"dbname=b\"", "restart") "]");
}

/* A value that cannot be seen is still seen to be another one. */
static void secrets_are_compared_and_not_shown(void **state)
{
    (void)state;
    setenv("DIFF_TEST", "one", 1);
    struct config *a = parse(
        HEAD "routes: [" ROUTE("a", "s.a") "]\n"
                                           "source: {connection: \"password=${env:DIFF_TEST}\"}\n");
    setenv("DIFF_TEST", "two", 1);
    struct config *b = parse(
        "relay: orders\n"
        "kafka: {bootstrap.servers: k, sasl.password: hunter2}\n"
        "routes: [" ROUTE("a", "s.a") "]\n"
                                      "source: {connection: \"password=${env:DIFF_TEST}\"}\n");
    struct buf out = BUF_EMPTY;
    config_write_changes(a, b, &out);
    assert_string_equal(buf_text(&out),
                        "[" CHANGE("source.connection", "\"password=${env:DIFF_TEST}\"",
                                   "\"password=${env:DIFF_TEST}\"",
                                   "next_epoch") "," CHANGE("kafka.sasl.password", "null",
                                                            "\"(hidden)\"", "next_epoch") "]");
    buf_fini(&out);
    config_close(a);
    config_close(b);
}

static void routes_are_known_by_name(void **state)
{
    (void)state;
    assert_changes(HEAD "routes: [" ROUTE("a", "s.a") ", " ROUTE("b", "s.b") "]\n",
                   HEAD "routes: [" ROUTE("b", "s.b") ", " ROUTE("a", "s.a") "]\n",
                   "[" CHANGE("routes", "[\"a\",\"b\"]", "[\"b\",\"a\"]", "next_epoch") "]");
    assert_changes(HEAD "routes: [" ROUTE("a", "s.a") ", " ROUTE("b", "s.b") "]\n", BASE,
                   "[" CHANGE("routes[b].name", "\"b\"", "null", "next_epoch") "]");
    assert_changes(BASE,
                   HEAD "routes: [{name: a, from: s.a, topic: t}, {name: c, from: s.c, topic: u, "
                        "key: k, on_error: skip}]\n",
                   "[" CHANGE("routes[a].topic", "\"outbox.event.{aggregatetype}\"", "\"t\"",
                              "next_epoch")                                      /**/
                   "," CHANGE("routes[c].name", "null", "\"c\"", "next_epoch")   /**/
                   "," CHANGE("routes[c].from", "null", "\"s.c\"", "next_epoch") /**/
                   "," CHANGE("routes[c].topic", "null", "\"u\"", "next_epoch")  /**/
                   "," CHANGE("routes[c].key", "null", "\"k\"", "next_epoch")    /**/
                   "," CHANGE("routes[c].on_error", "null", "\"skip\"", "next_epoch") "]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_is_no_change),
                                       cmocka_unit_test(each_key_says_when),
                                       cmocka_unit_test(secrets_are_compared_and_not_shown),
                                       cmocka_unit_test(routes_are_known_by_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
