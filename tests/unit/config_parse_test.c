/* What a good file becomes: every default, every key, quoting, aliases, JSON, and where lines and
 * secrets are kept. Errors are in config_errors_test.c. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MINIMAL                                                                                    \
    "relay: orders\n"                                                                              \
    "kafka:\n"                                                                                     \
    "  bootstrap.servers: \"127.0.0.1:9092\"\n"                                                    \
    "routes:\n"                                                                                    \
    "  - name: outbox\n"                                                                           \
    "    from: public.outbox\n"

static struct config *parse(const char *yaml)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    if (config_parse(span_of(yaml), "w.yaml", &config, &err) < 0)
        fail_msg("%s (%s)", err.text, err.hint);
    return config;
}

static void assert_default(struct config_text text, const char *expected)
{
    assert_non_null(text.text);
    assert_string_equal(text.text, expected);
    assert_int_equal(text.line, 0);
    assert_string_equal(text.file, "w.yaml");
}

static void defaults_of_source_and_delivery(void **state)
{
    (void)state;
    struct config *c = parse(MINIMAL);
    assert_string_equal(c->path, "w.yaml");
    assert_string_equal(config_only_relay(c)->name.text, "orders");
    assert_int_equal(config_only_relay(c)->name.line, 1);
    assert_int_equal(config_only_relay(c)->source.mode, SOURCE_WAL);
    assert_int_equal(config_only_relay(c)->source.snapshot, SNAPSHOT_NEVER);
    assert_default(config_only_relay(c)->source.connection, "");
    assert_true(config_only_relay(c)->source.connection.secret);
    assert_default(config_only_relay(c)->source.slot, "walferry_orders");
    assert_default(config_only_relay(c)->source.publication, "walferry_orders");
    assert_int_equal(config_only_relay(c)->delivery.guarantee, GUARANTEE_EXACTLY_ONCE);
    assert_int_equal(config_only_relay(c)->delivery.commit_interval_ms, 10);
    assert_int_equal(config_only_relay(c)->delivery.transaction_timeout_ms, 60000);
    assert_true(config_only_relay(c)->delivery.strict);
    assert_int_equal(config_only_relay(c)->delivery.memory_limit, 64 * 1024 * 1024);
    assert_int_equal(config_only_relay(c)->delivery.batch_events, 10000);
    assert_default(config_only_relay(c)->delivery.progress_topic, "walferry.orders.progress");
    assert_default(config_only_relay(c)->delivery.transactional_id, "walferry.orders");
    assert_default(config_only_relay(c)->delivery.id_header, "walferry-id");
    assert_int_equal(config_only_relay(c)->delivery.idle_progress_bytes, 16 * 1024 * 1024);
    assert_int_equal(config_only_relay(c)->delivery.idle_progress_interval_ms, 10000);
    assert_true(config_only_relay(c)->delivery.topics.create);
    assert_int_equal(config_only_relay(c)->delivery.topics.partitions, -1);
    assert_int_equal(config_only_relay(c)->delivery.topics.replication_factor, -1);
    assert_int_equal(config_only_relay(c)->delivery.topics.allow.count, 0);
    assert_false(config_only_relay(c)->delivery.require_replication);
    config_close(c);
}

static void defaults_of_the_rest(void **state)
{
    (void)state;
    struct config *c = parse(MINIMAL);
    assert_int_equal(config_only_relay(c)->kafka.properties.count, 1);
    assert_int_equal(config_only_relay(c)->retry.min_ms, 100);
    assert_int_equal(config_only_relay(c)->retry.max_ms, 30000);
    assert_int_equal(config_only_relay(c)->retry.give_up_ms, 0);
    assert_int_equal(config_only_relay(c)->retry.auth_grace_ms, 60000);
    assert_default(c->admin.listen, "127.0.0.1:9187");
    assert_int_equal(c->admin.ready_grace_ms, 30000);
    assert_false(c->admin.show_payloads);
    assert_int_equal(c->log.level, LOG_INFO);
    assert_int_equal(c->log.format, LOG_LOGFMT);
    assert_int_equal(strlen(config_only_relay(c)->hash), 16);
    config_close(c);
}

static void defaults_of_a_route(void **state)
{
    (void)state;
    struct config *c = parse(MINIMAL);
    assert_int_equal(config_only_relay(c)->routes.count, 1);
    const struct config_route *r = &config_only_relay(c)->routes.items[0];
    assert_string_equal(r->name.text, "outbox");
    assert_int_equal(r->name.line, 5);
    assert_string_equal(r->from.text, "public.outbox");
    assert_int_equal(r->from.line, 6);
    assert_int_equal(r->as, ROUTE_OUTBOX);
    assert_default(r->columns.id, "id");
    assert_default(r->columns.aggregate_type, "aggregatetype");
    assert_default(r->columns.aggregate_id, "aggregateid");
    assert_default(r->columns.type, "type");
    assert_default(r->columns.payload, "payload");
    assert_null(r->columns.headers.text);
    assert_null(r->columns.timestamp.text);
    assert_null(r->columns.partition.text);
    assert_default(r->topic, "outbox.event.{aggregatetype}");
    assert_default(r->key, "{aggregateid}");
    assert_false(r->has_headers);
    assert_int_equal(r->headers.count, 0);
    assert_int_equal(r->format, FORMAT_RAW);
    assert_int_equal(r->on_error, ON_ERROR_STOP);
    assert_false(r->continue_matching);
    config_close(c);
}

/* The defaults of a route follow its mapped columns, the others the relay's name. */
static void defaults_follow_other_keys(void **state)
{
    (void)state;
    struct config *c =
        parse("routes:\n"
              "  - name: a\n"
              "    columns: {aggregate_type: kind, aggregate_id: ref}\n"
              "    from: s.a\n"
              "  - {name: b, from: s.b, columns: {aggregate_id: ref}, key: \"{x}\"}\n"
              "source: {slot: mine_2}\n"
              "kafka: {bootstrap.servers: k}\n"
              "relay: shop_1\n");
    assert_default(config_only_relay(c)->routes.items[0].topic, "outbox.event.{kind}");
    assert_default(config_only_relay(c)->routes.items[0].key, "{ref}");
    assert_default(config_only_relay(c)->routes.items[1].topic, "outbox.event.{aggregatetype}");
    assert_string_equal(config_only_relay(c)->routes.items[1].key.text, "{x}");
    assert_int_equal(config_only_relay(c)->routes.items[1].key.line, 5);
    assert_string_equal(config_only_relay(c)->source.slot.text, "mine_2");
    assert_default(config_only_relay(c)->source.publication, "walferry_shop_1");
    assert_default(config_only_relay(c)->delivery.progress_topic, "walferry.shop_1.progress");
    config_close(c);
}

/* A column that a template would read as something else is quoted in the templates made of it. */
static void derived_templates_quote(void **state)
{
    (void)state;
    static const char *const columns[][2] = {{"kind.of", "{kind.of}"},
                                             {"a:b", "{\"a:b\"}"},
                                             {"@op", "{\"@op\"}"},
                                             {"a}b", "{\"a}b\"}"},
                                             {"a\\\"b", "{\"a\"\"b\"}"}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "relay: r\nkafka: {bootstrap.servers: k}\n"
                 "routes: [{name: a, from: s.a, columns: {aggregate_id: \"%s\"}}]\n",
                 columns[i][0]);
        struct config *c = parse(text);
        assert_default(config_only_relay(c)->routes.items[0].key, columns[i][1]);
        config_close(c);
    }
}

static const char everything[] =
    "relay: r\n"
    "source: {mode: wal, connection: \"dbname=x\", slot: \"1\", publication: p, snapshot: never}\n"
    "kafka: {bootstrap.servers: \"k:1\", sasl.password: pw, socket.keepalive.enable: true,\n"
    "        statistics.interval.ms: 500}\n"
    "delivery:\n"
    "  guarantee: at_least_once\n"
    "  commit_interval_ms: 200\n"
    "  transaction_timeout_ms: 5000\n"
    "  strict: false\n"
    "  memory_limit: 1GB\n"
    "  batch_events: 7\n"
    "  progress_topic: pt\n"
    "  transactional_id: ti\n"
    "  id_header: \"\"\n"
    "  require_replication: true\n"
    "  idle_progress: {bytes: 512KB, interval_ms: 20}\n"
    "  topics: {create: false, partitions: 12, replication_factor: 3, "
    "allow: [\"outbox.event.*\", order-?]}\n"
    "retry: {min_ms: 1, max_ms: 2, give_up_ms: 3, auth_grace_ms: 4}\n"
    "routes:\n"
    "  - name: r1\n"
    "    from: message:p:q\n"
    "    as: outbox\n"
    "    columns: {id: a, aggregate_type: b, aggregate_id: c, type: d, payload: e, headers: f,\n"
    "              timestamp: g, partition: h}\n"
    "    topic: t\n"
    "    key: k\n"
    "    headers: {n: \"{v}\", v: 1}\n"
    "    format: raw\n"
    "    on_error: skip\n"
    "    continue: true\n"
    "admin: {listen: off, ready_grace_ms: 0, show_payloads: true, token: 0123456789abcdef==,\n"
    "        tls_cert: c, tls_key: k}\n"
    "log: {level: debug, format: json}\n"
    "dead_letter: {topic: dl}\n";

static void every_key_outside_of_routes(void **state)
{
    (void)state;
    struct config *c = parse(everything);
    assert_string_equal(config_only_relay(c)->source.connection.text, "dbname=x");
    assert_string_equal(config_only_relay(c)->source.slot.text, "1");
    assert_string_equal(config_only_relay(c)->source.publication.text, "p");
    assert_int_equal(config_only_relay(c)->delivery.guarantee, GUARANTEE_AT_LEAST_ONCE);
    assert_int_equal(config_only_relay(c)->delivery.commit_interval_ms, 200);
    assert_int_equal(config_only_relay(c)->delivery.transaction_timeout_ms, 5000);
    assert_false(config_only_relay(c)->delivery.strict);
    assert_int_equal(config_only_relay(c)->delivery.memory_limit, 1024 * 1024 * 1024);
    assert_int_equal(config_only_relay(c)->delivery.batch_events, 7);
    assert_string_equal(config_only_relay(c)->delivery.progress_topic.text, "pt");
    assert_string_equal(config_only_relay(c)->delivery.transactional_id.text, "ti");
    assert_string_equal(config_only_relay(c)->delivery.id_header.text, "");
    assert_true(config_only_relay(c)->delivery.require_replication);
    assert_int_equal(config_only_relay(c)->delivery.idle_progress_bytes, 512 * 1024);
    assert_int_equal(config_only_relay(c)->delivery.idle_progress_interval_ms, 20);
    assert_false(config_only_relay(c)->delivery.topics.create);
    assert_int_equal(config_only_relay(c)->delivery.topics.partitions, 12);
    assert_int_equal(config_only_relay(c)->delivery.topics.replication_factor, 3);
    const struct config_texts *allow = &config_only_relay(c)->delivery.topics.allow;
    assert_int_equal(allow->count, 2);
    assert_string_equal(allow->items[0].text, "outbox.event.*");
    assert_string_equal(allow->items[1].text, "order-?");
    assert_int_equal(allow->items[1].line, 17);
    assert_int_equal(config_only_relay(c)->retry.min_ms, 1);
    assert_int_equal(config_only_relay(c)->retry.max_ms, 2);
    assert_int_equal(config_only_relay(c)->retry.give_up_ms, 3);
    assert_int_equal(config_only_relay(c)->retry.auth_grace_ms, 4);
    assert_string_equal(config_only_relay(c)->dead_letter.topic.text, "dl");
    assert_string_equal(c->admin.listen.text, "off");
    assert_int_equal(c->admin.ready_grace_ms, 0);
    assert_true(c->admin.show_payloads);
    assert_string_equal(c->admin.token.text, "0123456789abcdef==");
    assert_true(c->admin.token.secret);
    assert_string_equal(c->admin.tls_cert.text, "c");
    assert_string_equal(c->admin.tls_key.text, "k");
    assert_int_equal(c->log.level, LOG_DEBUG);
    assert_int_equal(c->log.format, LOG_JSON);
    config_close(c);
}

static void every_key_of_a_route(void **state)
{
    (void)state;
    struct config *c = parse(everything);
    const struct config_route *r = &config_only_relay(c)->routes.items[0];
    assert_string_equal(r->from.text, "message:p:q");
    assert_string_equal(r->columns.id.text, "a");
    assert_string_equal(r->columns.aggregate_type.text, "b");
    assert_string_equal(r->columns.aggregate_id.text, "c");
    assert_string_equal(r->columns.type.text, "d");
    assert_string_equal(r->columns.payload.text, "e");
    assert_string_equal(r->columns.headers.text, "f");
    assert_string_equal(r->columns.timestamp.text, "g");
    assert_string_equal(r->columns.partition.text, "h");
    assert_string_equal(r->topic.text, "t");
    assert_int_equal(r->topic.line, 25);
    assert_string_equal(r->key.text, "k");
    assert_true(r->has_headers);
    assert_int_equal(r->headers.count, 2);
    assert_string_equal(r->headers.items[0].name.text, "n");
    assert_string_equal(r->headers.items[0].value.text, "{v}");
    assert_string_equal(r->headers.items[1].value.text, "1");
    assert_int_equal(r->headers.items[1].value.line, 27);
    assert_int_equal(r->on_error, ON_ERROR_SKIP);
    assert_true(r->continue_matching);
    config_close(c);
}

static void kafka_properties_keep_order_line_and_secrecy(void **state)
{
    (void)state;
    struct config *c = parse(everything);
    const struct config_pairs *p = &config_only_relay(c)->kafka.properties;
    assert_int_equal(p->count, 4);
    assert_string_equal(p->items[0].name.text, "bootstrap.servers");
    assert_false(p->items[0].value.secret);
    assert_string_equal(p->items[1].value.text, "pw");
    assert_true(p->items[1].value.secret);
    assert_string_equal(p->items[2].value.text, "true");
    assert_int_equal(p->items[2].name.line, 3);
    assert_string_equal(p->items[3].value.text, "500");
    assert_int_equal(p->items[3].value.line, 4);
    config_close(c);
}

static void no_headers_at_all_can_be_asked_for(void **state)
{
    (void)state;
    struct config *c = parse(MINIMAL "    headers: {}\n");
    assert_true(config_only_relay(c)->routes.items[0].has_headers);
    assert_int_equal(config_only_relay(c)->routes.items[0].headers.count, 0);
    config_close(c);
}

static void json_is_yaml(void **state)
{
    (void)state;
    struct config *c = parse("{\"relay\": \"j\", \"kafka\": {\"bootstrap.servers\": \"k\"},\n"
                             " \"delivery\": {\"batch_events\": 5, \"strict\": false},\n"
                             " \"routes\": [{\"name\": \"a\\u0062\", \"from\": \"s.t\"}]}");
    assert_string_equal(config_only_relay(c)->name.text, "j");
    assert_int_equal(config_only_relay(c)->delivery.batch_events, 5);
    assert_false(config_only_relay(c)->delivery.strict);
    assert_string_equal(config_only_relay(c)->routes.items[0].name.text, "ab");
    config_close(c);
}

static void aliases_stand_for_what_they_name(void **state)
{
    (void)state;
    struct config *c = parse("relay: r\n"
                             "kafka: {bootstrap.servers: k}\n"
                             "routes:\n"
                             "  - {name: a, from: s.a, columns: &c {id: event_id}, topic: &t x}\n"
                             "  - {name: b, from: s.b, columns: *c, topic: *t}\n");
    assert_string_equal(config_only_relay(c)->routes.items[1].columns.id.text, "event_id");
    assert_string_equal(config_only_relay(c)->routes.items[1].topic.text, "x");
    config_close(c);
}

static void sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"1048576", 1048576}, {"\"2048\"", 2048}, {"3B", 3},
                 {"5KB", 5120},        {"64MB", 67108864}, {"1024GB", UINT64_C(1) << 40}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, MINIMAL "delivery: {idle_progress: {bytes: %s}}\n",
                 sizes[i].text);
        struct config *c = parse(yaml);
        assert_int_equal(config_only_relay(c)->delivery.idle_progress_bytes, sizes[i].bytes);
        config_close(c);
    }
}

static void names_may_be_as_long_as_their_rule(void **state)
{
    (void)state;
    struct config *c = parse("relay: a234567890123456789012345678901234567890\n"
                             "source: {slot: "
                             "s23456789012345678901234567890123456789012345678901234567890123}\n"
                             "kafka: {bootstrap.servers: k}\n"
                             "routes: [{name: a, from: '*.outbox_?'}]\n");
    assert_int_equal(strlen(config_only_relay(c)->name.text), 40);
    assert_int_equal(strlen(config_only_relay(c)->source.slot.text), 63);
    assert_default(config_only_relay(c)->source.publication,
                   "walferry_a234567890123456789012345678901234567890");
    config_close(c);
}

static void the_environment_names_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/config_parse_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, MINIMAL, sizeof MINIMAL - 1), sizeof MINIMAL - 1);
    close(fd);
    struct config *c = NULL;
    struct error err = ERROR_INIT;
    setenv("WALFERRY_CONFIG", path, 1);
    assert_int_equal(config_open(NULL, &c, &err), 0);
    assert_string_equal(c->path, path);
    assert_string_equal(config_only_relay(c)->name.file, path);
    config_close(c);
    unsetenv("WALFERRY_CONFIG");
    assert_int_equal(config_open(path, &c, &err), 0);
    config_close(c);
    config_close(NULL);
    unlink(path);
}

/* What belongs to the process is reached from the relay, and is not the relay's. */
static void a_relay_is_found_by_its_name(void **state)
{
    (void)state;
    struct config *c = parse(MINIMAL);
    assert_int_equal(c->relays.count, 1);
    assert_ptr_equal(config_relay_find(c, "orders"), config_only_relay(c));
    assert_ptr_equal(config_only_relay(c)->process, c);
    assert_null(config_relay_find(c, "order"));
    assert_null(config_relay_find(c, "orders2"));
    config_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_is_found_by_its_name),
        cmocka_unit_test(defaults_of_source_and_delivery),
        cmocka_unit_test(defaults_of_the_rest),
        cmocka_unit_test(defaults_of_a_route),
        cmocka_unit_test(defaults_follow_other_keys),
        cmocka_unit_test(derived_templates_quote),
        cmocka_unit_test(every_key_outside_of_routes),
        cmocka_unit_test(every_key_of_a_route),
        cmocka_unit_test(kafka_properties_keep_order_line_and_secrecy),
        cmocka_unit_test(no_headers_at_all_can_be_asked_for),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(aliases_stand_for_what_they_name),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(names_may_be_as_long_as_their_rule),
        cmocka_unit_test(the_environment_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
