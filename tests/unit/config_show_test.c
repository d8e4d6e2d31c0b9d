/* What is shown of a configuration is a file that means the same, in YAML and in JSON; nothing that
 * is a secret is in it. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "relay: shop\nkafka: {bootstrap.servers: \"b:9092\", compression.type: lz4}\n"

static const char *const FILES[] = {
    HEAD "routes: [{name: o, from: public.outbox}]\n",
    HEAD "routes: [{name: o, from: public.outbox, headers: {}, key: \"\"}]\n",
    HEAD
    "source: {mode: poll, poll: {strategy: snapshot, interval_ms: 7}}\n"
    "routes: [{name: o, from: public.outbox, headers: {id: \"{id}\", \"a:b\": \"x \\\"y\\\"\"}}]\n",
    HEAD
    "source: {mode: poll, poll: {strategy: claim}}\n"
    "routes: [{name: o, from: public.outbox, poll: {done: update, column: status, value: DONE, "
    "pending: NEW}}]\n",
    HEAD
    "delivery: {memory_limit: 9MB, topics: {partitions: 3, allow: [\"a*\", b]}, "
    "transaction_metadata: true}\n"
    "log: {level: debug, format: json}\nadmin: {listen: \"off\"}\n"
    "routes:\n"
    "  - {name: c, from: public.customers, as: change, continue: true, debezium: {topic_prefix: p, "
    "decimal_handling_mode: string, column_mask_with_length_chars: {\"8\": 'a\\.b\\.c'}}}\n"
    "  - {name: e, from: \"public.\\\"Ord.ers\\\"\", as: event, when: {op: [insert], jq: '.after.a "
    "== \"b\\n\"'}, type: T, topic: t, key: \"{id}\", format: cloudevents, "
    "cloudevents: {source: /s}, rename: {a: b}, drop: [c], on_error: dead_letter}\n"
    "  - {name: j, from: public.orders, as: event, type: T, topic: t, key: \"{id}\", value: {id: "
    "\"{id}\"}}\n"
    "  - {name: r, from: public.other, event_router: {table_expand_json_payload: true}, "
    "oversize: {policy: truncate, field: payload.note}, format: json}\n"
    "dead_letter: {quarantine: key}\n",
};

static struct config *parse(struct span yaml)
{
    struct error err = ERROR_INIT;
    struct config *config = NULL;
    if (config_parse(yaml, "w.yaml", &config, &err) < 0)
        fail_msg("%s (%s)\n%.*s", err.text, err.hint, (int)yaml.len, yaml.ptr);
    return config;
}

typedef void writer(const struct config *config, struct buf *out);

static void assert_means_the_same(const char *file, writer *write)
{
    struct buf first = BUF_EMPTY, again = BUF_EMPTY;
    struct config *config = parse(span_of(file));
    write(config, &first);
    struct config *read = parse(buf_span(&first));
    assert_string_equal(config_only_relay(config)->hash, config_only_relay(read)->hash);
    assert_null(config_needs_restart(config, read));
    write(read, &again);
    assert_string_equal(buf_text(&first), buf_text(&again));
    config_close(config);
    config_close(read);
    buf_fini(&first);
    buf_fini(&again);
}

static void what_is_shown_means_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        assert_means_the_same(FILES[i], config_write_effective);
        assert_means_the_same(FILES[i], config_write_effective_json);
    }
}

static void defaults_are_shown(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct config *config = parse(span_of(FILES[0]));
    config_write_effective(config, &out);
    static const char *const LINES[] = {
        "relay: \"shop\"\n",
        "\n  slot: \"walferry_shop\"\n",
        "\n  memory_limit: 67108864\n",
        "\n  \"compression.type\": \"lz4\"\n",
        "\n  strict: true\n",
        "\n    allow: []\n",
        "\n  - name: \"o\"\n    from: \"public.outbox\"\n",
        "\n      aggregate_id: \"aggregateid\"\n",
        "\n    key: \"{aggregateid}\"\n",
        "\n  listen: \"127.0.0.1:9187\"\n",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++)
        if (strstr(buf_text(&out), LINES[i]) == NULL)
            fail_msg("no %s in\n%s", LINES[i], buf_text(&out));
    static const char *const NOT[] = {"debezium:", "poll:", "when:", "cloudevents:", "headers:"};
    for (size_t i = 0; i < sizeof NOT / sizeof NOT[0]; i++)
        if (strstr(buf_text(&out), NOT[i]) != NULL)
            fail_msg("%s in\n%s", NOT[i], buf_text(&out));
    config_close(config);
    buf_fini(&out);
}

/* How often the text stands in what is shown of the file, in YAML and in JSON alike. */
static int shown(const char *file, const char *what)
{
    writer *const WRITERS[] = {config_write_effective, config_write_effective_json};
    int counts[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        struct buf out = BUF_EMPTY;
        struct config *config = parse(span_of(file));
        WRITERS[i](config, &out);
        for (const char *at = buf_text(&out); (at = strstr(at, what)) != NULL; at++)
            counts[i]++;
        config_close(config);
        buf_fini(&out);
    }
    assert_int_equal(counts[0], counts[1]);
    return counts[0];
}

static void secrets_are_not(void **state)
{
    (void)state;
    static const char file[] =
        "relay: shop\nsource: {connection: \"host=h password=hunter2\", slot: "
        "\"${env:SHOW_TEST}\"}\n"
        "kafka: {bootstrap.servers: b, sasl.password: hunter2, client.id: \"${env:SHOW_TEST}\", "
        "ssl.key.password: \"${env:SHOW_TEST}\", sasl.oauthbearer.config: "
        "\"hunter2${env:SHOW_TEST}\"}\n"
        "otlp: {endpoint: \"http://u:hunter2@h:4318/v\"}\n"
        "routes:\n"
        "  - {name: c, from: public.c, as: change, debezium: {column_mask_hash: "
        "{SHA-256.with.salt.hunter2: 'a\\.b\\.c'}}}\n"
        "  - {name: o, from: public.o, headers: {x: \"y ${env:SHOW_TEST}\"}}\n";
    assert_int_equal(setenv("SHOW_TEST", "hunter2", 1), 0);
    assert_int_equal(shown(file, "hunter2"), 0);
    assert_int_equal(shown(file, "(hidden)"), 5 + 1);
    assert_int_equal(shown(file, "${env:SHOW_TEST}"), 3);
}

/* The program is what one looks for, and its arguments tell whether it is the right one. */
static void arguments_that_are_called_secrets_are_not(void **state)
{
    (void)state;
    static const char file[] =
        "relay: shop\nkafka: {bootstrap.servers: b}\nsource: {password_command: [/bin/vault, read, "
        "-field=password, --Token=hunter2, --secret-id, hunter2, \"http://u:hunter2@h/\", "
        "API_KEY=hunter2, --key, --plain, db/creds, \"${env:SHOW_TEST}\"]}\n"
        "routes: [{name: o, from: public.o}]\n";
    assert_int_equal(setenv("SHOW_TEST", "hunter2", 1), 0);
    assert_int_equal(shown(file, "hunter2"), 0);
    assert_int_equal(shown(file, "(hidden)"), 4);
    assert_int_equal(shown(file, "\"--Token=(hidden)\""), 1);
    assert_int_equal(shown(file, "\"http://(hidden)@h/\""), 1);
    assert_int_equal(shown(file, "\"-field=password\""), 1);
    assert_int_equal(shown(file, "\"--plain\""), 1);
    assert_int_equal(shown(file, "${env:SHOW_TEST}"), 1);
}

/* A connection is what one looks for first; its passwords are references, or it is not shown. */
static void connections_are(void **state)
{
    (void)state;
    static const struct {
        const char *connection;
        bool shown;
    } CASES[] = {
        {"host=h dbname=d", true},
        {"host=h password=${env:SHOW_TEST} dbname=d", true},
        {"host=h password = '${env:SHOW_TEST}'", true},
        {"postgresql://u@h/d", true},
        {"postgresql://u:${env:SHOW_TEST}@h:5432/d?sslmode=require", true},
        {"postgresql://h:5432/d?password=${env:SHOW_TEST}&user=u", true},
        {"host=h password=hunter2", false},
        {"host=h password=$hunter2", false},
        {"host=h PASSWORD=hunter2", false},
        {"host=h password=${env:SHOW_TEST}hunter2", false},
        {"host=h password=${env:SHOW_TEST} sslpassword=hunter2", false},
        {"host=h oauth_client_secret=hunter2", false},
        {"host=h scram_client_key=hunter2", false},
        {"postgresql://h/d?scram_server_key=hunter2", false},
        {"host=h oauth_client_secret=${env:SHOW_TEST}", true},
        {"postgresql://h/d?application_name=a&pass%77ord=hunter2", false},
        {"password=", false},
        {"postgresql://u:hunter2@h/d", false},
        {"postgresql://u:hunter2@h/d?application_name=a@b", false},
        {"postgresql://u:${env:SHOW_TEST}hunter2@h/d", false},
        {"postgresql://h/d?sslpassword=hunter2", false},
    };
    assert_int_equal(setenv("SHOW_TEST", "hunter2", 1), 0);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char file[400];
        snprintf(file, sizeof file, "source: {connection: \"%s\"}\n%s", CASES[i].connection,
                 FILES[0]);
        if (shown(file, CASES[i].connection) != CASES[i].shown ||
            shown(file, "(hidden)") == CASES[i].shown || shown(file, "hunter2") > 0)
            fail_msg("%s", CASES[i].connection);
    }
}

/* What gives the login of a collector is not shown; an address without one is. */
static void addresses_with_a_login_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool shown;
    } CASES[] = {{"http://h:4318", true},
                 {"https://u:hunter2@h", false},
                 {"https://hunter2@h", false},
                 {"https://u:${env:SHOW_TEST}@h", true},
                 {"https://${env:SHOW_HOST}:${env:SHOW_TEST}@h", true},
                 {"https://${env:SHOW_TEST}@h", true},
                 {"https://hunter2@${env:SHOW_HOST}", false},
                 {"https://u:hunter2@${env:SHOW_HOST}", false}};
    assert_int_equal(setenv("SHOW_TEST", "hunter2", 1), 0);
    assert_int_equal(setenv("SHOW_HOST", "h", 1), 0);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char file[400];
        snprintf(file, sizeof file, "otlp: {endpoint: \"%s\"}\n%s", CASES[i].address, FILES[0]);
        if (shown(file, CASES[i].address) != CASES[i].shown ||
            shown(file, "(hidden)") == CASES[i].shown || shown(file, "hunter2") > 0)
            fail_msg("%s", CASES[i].address);
    }
    struct error err = ERROR_INIT;
    struct config *config = NULL;
    static const char WRONG[] = "otlp: {endpoint: \"htps://u:hunter2@h\"}\n" HEAD
                                "routes: [{name: o, from: public.outbox}]\n";
    assert_int_equal(config_parse(SPAN_LITERAL(WRONG), "w.yaml", &config, &err), -1);
    assert_non_null(strstr(err.text, "otlp.endpoint"));
    assert_null(strstr(err.text, "hunter2"));
    config_close(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shown_means_the_same),
        cmocka_unit_test(defaults_are_shown),
        cmocka_unit_test(secrets_are_not),
        cmocka_unit_test(arguments_that_are_called_secrets_are_not),
        cmocka_unit_test(connections_are),
        cmocka_unit_test(addresses_with_a_login_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
