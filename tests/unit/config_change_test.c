/* What a changed file means: the hash over what decides about events, and the keys that a running
 * relay does not take over. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define BASE                                                                                       \
    "relay: orders\n"                                                                              \
    "kafka: {bootstrap.servers: k}\n"                                                              \
    "routes:\n"                                                                                    \
    "  - name: a\n"                                                                                \
    "    from: public.outbox\n"

static struct config *parse(const char *yaml)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    if (config_parse(span_of(yaml), "w.yaml", &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

static bool same_hash(const char *left, const char *right)
{
    struct config *a = parse(left), *b = parse(right);
    bool same = strcmp(config_only_relay(a)->hash, config_only_relay(b)->hash) == 0;
    config_close(a);
    config_close(b);
    return same;
}

/* The value is recorded in progress, so it may only change together with a new version of it. */
static void the_hash_is_what_it_was(void **state)
{
    (void)state;
    struct config *c = parse(BASE);
    assert_string_equal(config_only_relay(c)->hash, "001d87ca6aa87812");
    config_close(c);
}

static void the_hash_does_not_see_what_changes_no_event(void **state)
{
    (void)state;
    assert_true(same_hash(BASE, "# a comment\n" BASE));
    assert_true(same_hash(BASE, BASE "    on_error: skip\n"));
    assert_true(same_hash(BASE, BASE "    topic: \"outbox.event.{aggregatetype}\"\n"
                                     "    columns: {id: id, payload: payload}\n"));
    assert_true(
        same_hash(BASE, BASE "source: {slot: walferry_orders, connection: \"dbname=x\"}\n"));
    assert_true(same_hash(BASE, BASE "delivery: {batch_events: 1, guarantee: at_least_once}\n"
                                     "log: {level: debug}\nadmin: {listen: off}\n"));
    assert_true(same_hash("routes: [{from: public.outbox, name: b}]\nrelay: orders\n"
                          "kafka: {bootstrap.servers: other}\n",
                          BASE));
}

static void the_hash_sees_what_changes_events(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "    topic: t\n",
        "    key: k\n",
        "    columns: {id: x}\n",
        "    columns: {type: x}\n",
        "    columns: {payload: x}\n",
        "    columns: {headers: x}\n",
        "    columns: {timestamp: x}\n",
        "    columns: {partition: x}\n",
        "    headers: {}\n",
        "    headers: {id: \"{id}\"}\n",
        "    headers: {i: \"d{id}\"}\n",
        "    continue: true\n",
        "  - {name: b, from: s.t}\n",
        "source: {slot: x}\n",
        "source: {publication: x}\n",
        "delivery: {id_header: x}\n",
        "delivery: {id_header: \"\"}\n",
    };
    enum { COUNT = sizeof changes / sizeof changes[0] };
    char hashes[COUNT + 1][17];
    for (size_t i = 0; i <= COUNT; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, BASE "%s", i < COUNT ? changes[i] : "");
        struct config *c = parse(yaml);
        memcpy(hashes[i], config_only_relay(c)->hash, sizeof hashes[i]);
        config_close(c);
        for (size_t j = 0; j < i; j++)
            if (strcmp(hashes[i], hashes[j]) == 0)
                fail_msg("same hash: %s and %s", i < COUNT ? changes[i] : "base", changes[j]);
    }
}

static void the_hash_sees_the_order_of_routes(void **state)
{
    (void)state;
    assert_false(same_hash("relay: r\nkafka: {bootstrap.servers: k}\n"
                           "routes: [{name: a, from: a.a}, {name: b, from: b.b}]\n",
                           "relay: r\nkafka: {bootstrap.servers: k}\n"
                           "routes: [{name: a, from: b.b}, {name: b, from: a.a}]\n"));
}

static void assert_restart(const char *left, const char *right, const char *key)
{
    struct config *a = parse(left), *b = parse(right);
    const char *found = config_needs_restart(a, b);
    if (key == NULL)
        assert_null(found);
    else
        assert_string_equal(found != NULL ? found : "none", key);
    config_close(a);
    config_close(b);
}

static void these_keys_need_a_restart(void **state)
{
    (void)state;
    assert_restart(BASE,
                   "relay: other\nkafka: {bootstrap.servers: k}\n"
                   "routes: [{name: a, from: public.outbox}]\n",
                   "relay");
    assert_restart(BASE, BASE "source: {slot: x}\n", "source.slot");
    assert_restart(BASE, BASE "source: {publication: x}\n", "source.publication");
    assert_restart(BASE, BASE "source: {connection: \"dbname=x\"}\n", "source.connection");
    assert_restart(BASE, BASE "delivery: {guarantee: at_least_once}\n", "delivery.guarantee");
    assert_restart(BASE, BASE "delivery: {progress_topic: x}\n", "delivery.progress_topic");
    assert_restart(BASE, BASE "delivery: {transactional_id: x}\n", "delivery.transactional_id");
    assert_restart(BASE, BASE "admin: {listen: off}\n", "admin.listen");
}

static void these_keys_do_not(void **state)
{
    (void)state;
    assert_restart(BASE, BASE, NULL);
    assert_restart(BASE, BASE "source: {slot: walferry_orders, snapshot: never, mode: wal}\n",
                   NULL);
    assert_restart(BASE, BASE "  - {name: b, from: x.y}\n", NULL);
    assert_restart(BASE,
                   BASE "delivery: {commit_interval_ms: 5, transaction_timeout_ms: 9000, "
                        "strict: false, memory_limit: 9MB, batch_events: 2, id_header: x}\n"
                        "retry: {min_ms: 5}\nadmin: {ready_grace_ms: 1}\nlog: {level: warn}\n",
                   NULL);
    assert_restart(BASE,
                   "relay: orders\nkafka: {bootstrap.servers: k2, client.id: x}\n"
                   "routes: [{name: a, from: public.outbox}]\n",
                   NULL);
}

static void assert_database(const char *left, const char *right, bool same)
{
    char a[1024], b[1024];
    snprintf(a, sizeof a, BASE "source:\n  connection: >-\n    %s\n", left);
    snprintf(b, sizeof b, BASE "source:\n  connection: >-\n    %s\n", right);
    assert_restart(a, b, same ? NULL : "source.connection");
}

static void the_database_of_a_keyword_string(void **state)
{
    (void)state;
    assert_database("dbname=a host=h password=x", "host=i dbname=a password='y z'", true);
    assert_database("dbname=a", "dbname = 'a'", true);
    assert_database("dbname='it\\'s'", "dbname=it\\'s", true);
    assert_database("password='x dbname=b' dbname=a", "dbname=a", true);
    assert_database("dbname=b dbname=a", "dbname=a", true);
    assert_database("dbname=a", "dbname=b", false);
    assert_database("dbname=a", "dbname=A", false);
    assert_database("password='dbname=a'", "dbname=a", false);
    assert_database("dbname='a", "dbname=a", true);
    assert_database("nonsense", "dbname=a", false);
    assert_database("dbname", "= = =", true);
}

static void the_database_of_a_uri(void **state)
{
    (void)state;
    assert_database("postgresql://u:p@h:5432/a?sslmode=require", "dbname=a", true);
    assert_database("postgres://u:q@[::1]:1,h2:2/a", "postgresql://u@h/a", true);
    assert_database("postgresql://h/a%20b", "dbname='a b'", true);
    assert_database("postgresql://h/%41%zz", "dbname=A%zz", true);
    assert_database("postgresql:///?host=/tmp&dbname=a", "dbname=a", true);
    assert_database("postgresql://h/b?dbname=a&x", "dbname=a", true);
    assert_database("postgresql://u:p@h/a", "postgresql://u:p@h/b", false);
    assert_database("postgresql://h?dbname=a", "dbname=a", true);
    assert_database("postgresql://h/a%2", "dbname=a%2", true);
}

/* Without dbname it is the service's, else the one of the user's name. */
static void the_database_that_is_not_named(void **state)
{
    (void)state;
    assert_database("host=h user=shop", "user=shop dbname=shop", true);
    assert_database("postgresql://shop:pw@h", "user=shop", true);
    assert_database("user=shop", "user=other", false);
    assert_database("service=s user=a", "service=s user=b", true);
    assert_database("service=s", "service=t", false);
    assert_database("host=h", "host=i", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_what_it_was),
        cmocka_unit_test(the_hash_does_not_see_what_changes_no_event),
        cmocka_unit_test(the_hash_sees_what_changes_events),
        cmocka_unit_test(the_hash_sees_the_order_of_routes),
        cmocka_unit_test(these_keys_need_a_restart),
        cmocka_unit_test(these_keys_do_not),
        cmocka_unit_test(the_database_of_a_keyword_string),
        cmocka_unit_test(the_database_of_a_uri),
        cmocka_unit_test(the_database_that_is_not_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
