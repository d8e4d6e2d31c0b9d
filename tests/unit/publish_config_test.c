/* publish/kafka_config: librdkafka's properties are found wrong by a check, with the line, without
 * a network; and the versions' list of defects. */
#include "publish/kafka_client.h"
#include "publish/publish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_contains.h"
#include <librdkafka/rdkafka.h>

#define PROPERTIES_MAX 4

struct properties {
    struct config_pair items[PROPERTIES_MAX];
    struct config_kafka kafka;
};

static const struct config_delivery delivery = {
    .guarantee = GUARANTEE_EXACTLY_ONCE,
    .commit_interval_ms = 10,
    .transaction_timeout_ms = 60000,
    .strict = true,
    .memory_limit = 64 << 20,
    .batch_events = 10000,
    .progress_topic = {.text = "walferry.orders.progress"},
    .transactional_id = {.text = "walferry.orders"},
};

static void add(struct properties *p, const char *name, const char *value, bool secret)
{
    uint32_t i = p->kafka.properties.count++;
    uint32_t line = 10 + i;
    p->items[i] = (struct config_pair){
        .name = {.text = name, .file = "w.yaml", .line = line},
        .value = {.text = value, .file = "w.yaml", .line = line, .secret = secret}};
    p->kafka.properties.items = p->items;
}

static int check(struct properties *p, struct error *err)
{
    *err = ERROR_INIT;
    return kafka_check_config(&p->kafka, &delivery, err);
}

static void good_properties_are_taken(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err;
    add(&p, "bootstrap.servers", "203.0.113.1:9092", false); /* nobody there: no network is used */
    add(&p, "compression.type", "lz4", false);
    add(&p, "linger.ms", "3", false);
    add(&p, "fetch.min.bytes", "1", false); /* a consumer's */
    assert_int_equal(check(&p, &err), 0);
}

static void an_unknown_property_is_named_with_its_line(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err;
    add(&p, "bootstrap.servers", "h:9092", false);
    add(&p, "compresion.type", "lz4", false);
    assert_int_equal(check(&p, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_non_null(strstr(err.text, "w.yaml:11: kafka.compresion.type: librdkafka "));
    assert_non_null(strstr(err.text, "knows no such property"));
}

static void a_wrong_value_is_named_with_its_line(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err;
    add(&p, "bootstrap.servers", "h:9092", false);
    add(&p, "compression.type", "pkzip", false);
    assert_int_equal(check(&p, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_non_null(strstr(err.text, "w.yaml:11: kafka.compression.type: "));
    assert_non_null(strstr(err.text, "pkzip"));
}

static void a_secret_value_is_never_printed(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err;
    add(&p, "bootstrap.servers", "h:9092", false);
    add(&p, "security.protocol", "hunter2", true);
    assert_int_equal(check(&p, &err), -1);
    assert_non_null(strstr(err.text, "w.yaml:11: kafka.security.protocol: "));
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(err.hint, "hunter2"));
}

static void properties_that_contradict_each_other_are_found(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err;
    add(&p, "bootstrap.servers", "h:9092", false);
    add(&p, "reconnect.backoff.ms", "5000", false);
    add(&p, "reconnect.backoff.max.ms", "100", false);
    assert_int_equal(check(&p, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.reason, REASON_KAFKA_PROPERTY);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_non_null(strstr(err.text, "kafka: "));
}

struct mechanism_case {
    const char *properties[2 * PROPERTIES_MAX]; /* names and values; NULL behind the last */
    bool command;
    const char *text; /* NULL: it is taken */
};

/* Not every command checks first. */
static void is_opened_by_nobody(const struct config_kafka *kafka, const char *text)
{
    const struct kafka_options options = {.kafka = kafka, .delivery = &delivery, .relay = "orders"};
    const struct kafka_client_options how = {.options = &options, .role = KAFKA_FOLLOWER};
    struct kafka_client client;
    struct error err = ERROR_INIT;
    assert_int_equal(kafka_client_open(&client, &how, &err), -1);
    assert_string_equal(err.text, text);
    kafka_client_close(&client);
}

static void one_thing_gives_the_tokens(void **state)
{
    (void)state;
#define SASL "security.protocol", "sasl_plaintext", "sasl.mechanism", "OAUTHBEARER"
#define UNUSED                                                                                     \
    "w.yaml:7: kafka_token_command: nothing asks for a token but sasl.mechanism OAUTHBEARER with " \
    "security.protocol SASL_SSL"
    static const struct mechanism_case cases[] = {
        {{SASL}, true, NULL},
        {{"security.protocol", "SASL_PLAINTEXT", "sasl.mechanisms", "OAUTHBEARER"}, true, NULL},
        {{SASL, "enable.sasl.oauthbearer.unsecure.jwt", "true"}, false, NULL},
        {{SASL}, false, "w.yaml:12: kafka.sasl.mechanism: nothing gives a token for OAUTHBEARER"},
        {{NULL}, true, UNUSED},
        {{"sasl.mechanism", "OAUTHBEARER"}, true, UNUSED},
        {{"security.protocol", "SSL", "sasl.mechanism", "OAUTHBEARER"}, true, UNUSED},
        {{SASL, "enable.sasl.oauthbearer.unsecure.jwt", "true"},
         true,
         "w.yaml:13: kafka.enable.sasl.oauthbearer.unsecure.jwt: kafka_token_command gives the "
         "tokens"},
    };
    static const char *const arguments[] = {"token", NULL};
    static const struct config_text texts[] = {{.text = "token", .file = "w.yaml", .line = 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct properties p = {0};
        struct error err;
        add(&p, "bootstrap.servers", "203.0.113.1:9092", false);
        for (size_t at = 0; cases[i].properties[at] != NULL; at += 2)
            add(&p, cases[i].properties[at], cases[i].properties[at + 1], false);
        if (cases[i].command)
            p.kafka.token_command = (struct config_command){{1, texts}, arguments};
        int result = check(&p, &err);
        if (cases[i].text != NULL)
            assert_string_equal(err.text, cases[i].text);
        if (cases[i].text != NULL && cases[i].command)
            is_opened_by_nobody(&p.kafka, cases[i].text);
        if (cases[i].text == NULL && result < 0)
            fail_msg("case %zu: %s", i, err.text);
    }
}

/* Its memory may be gone by then. */
static void no_program_is_run_for_a_handle_that_closes(void **state)
{
    (void)state;
    static const char *const arguments[] = {"/nowhere/token", NULL};
    struct kafka_token token;
    struct error err = ERROR_INIT;
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, NULL, NULL, 0);
    assert_non_null(rk);
    kafka_token_init(&token, arguments);
    kafka_token_refresh(&token, rk);
    assert_true(kafka_token_has_failed(&token, &err));
    kafka_token_init(&token, arguments);
    kafka_token_close(&token);
    kafka_token_refresh(&token, rk);
    assert_false(kafka_token_has_failed(&token, &err));
    rd_kafka_destroy(rk);
}

static void files_of_tls_are_looked_at(void **state)
{
    (void)state;
    static const struct {
        const char *property, *path, *says, *hint;
    } wrong[] = {
        {"ssl.ca.location", "/nonexistent/ca.pem",
         "w.yaml:12: kafka.ssl.ca.location: cannot read /nonexistent/ca.pem: No such file",
         "that walferry's user may read"},
        {"ssl.key.location", "/nonexistent/key.pem", "w.yaml:12: kafka.ssl.key.location: cannot ",
         "the key of ssl.certificate.location"},
        {"ssl.certificate.location", "/dev/null",
         "w.yaml:12: kafka: ssl.certificate.location failed",
         "let ssl.certificate.location name a file in PEM"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct properties p = {0};
        struct error err;
        add(&p, "bootstrap.servers", "h:9092", false);
        add(&p, "security.protocol", "ssl", false);
        add(&p, wrong[i].property, wrong[i].path, false);
        assert_int_equal(check(&p, &err), -1);
        assert_int_equal(err.kind, ERROR_STOP);
        assert_int_equal(err.reason, REASON_TLS);
        assert_int_equal(err.exit_code, EXIT_USAGE);
        assert_contains(err.text, wrong[i].says);
        assert_contains(err.hint, wrong[i].hint);
    }
}

static void bootstrap_servers_must_be_there(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err;
    add(&p, "linger.ms", "3", false);
    assert_int_equal(check(&p, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_string_equal(err.text, "kafka.bootstrap.servers is missing");
    assert_string_equal(err.hint, "add bootstrap.servers: \"host:9092\" under kafka:");
}

static void the_shortest_and_longest_time_outs_are_taken(void **state)
{
    (void)state;
    struct properties p = {0};
    struct error err = ERROR_INIT;
    add(&p, "bootstrap.servers", "h:9092", false);
    struct config_delivery extreme = delivery;
    extreme.transaction_timeout_ms = 1000;
    extreme.batch_events = 1;
    extreme.memory_limit = 8 << 20;
    assert_int_equal(kafka_check_config(&p.kafka, &extreme, &err), 0);
    extreme.transaction_timeout_ms = 900000;
    extreme.batch_events = 1000000;
    extreme.memory_limit = UINT64_C(1) << 40;
    assert_int_equal(kafka_check_config(&p.kafka, &extreme, &err), 0);
}

static void defects_come_one_a_line(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    kafka_known_defects(&out);
    assert_true(out.len > 0); /* one is not mended in any release */
    assert_int_equal(out.ptr[out.len - 1], '\n');
    assert_true(strlen(kafka_library_version()) > 0);
    buf_fini(&out);
}

/* The one that is built with the program is what its headers say, and can what the manual says. */
static void the_pinned_one_is_whole(void **state)
{
    (void)state;
    if (strcmp(WALFERRY_LIBRDKAFKA, "system") == 0)
        skip();
    assert_string_equal(WALFERRY_LIBRDKAFKA, "pinned, static");
    assert_int_equal(rd_kafka_version(), RD_KAFKA_VERSION);
    char features[512];
    size_t size = sizeof features;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_get(conf, "builtin.features", features, &size),
                     RD_KAFKA_CONF_OK);
    rd_kafka_conf_destroy(conf);
    static const char *const wanted[] = {"ssl",   "sasl_plain", "sasl_scram", "sasl_oauthbearer",
                                         "oidc",  "gzip",       "lz4",        "zstd",
                                         "snappy"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_non_null(strstr(features, wanted[i]));
}

/* In a mend they are one word of a shell. */
static void the_servers_of_a_mend_are_one_word(void **state)
{
    (void)state;
    char text[KAFKA_SERVERS_MAX], many[500] = "";
    static const char *const cases[][2] = {
        {"a:9092", "a:9092"},
        {"a:9092, b:9093\t,c:1", "a:9092,b:9093,c:1"},
        {"SSL://[2001:db8::1]:9093", "'SSL://[2001:db8::1]:9093'"},
        {"SSL://a:9093", "SSL://a:9093"},
        {"$(id):1", "'$(id):1'"},
        {"", "HOST:9092"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct properties p = {0};
        add(&p, "bootstrap.servers", cases[i][0], false);
        assert_string_equal(kafka_servers(&p.kafka, text), cases[i][1]);
    }
    for (size_t i = 0; i < 20; i++)
        strcat(many, i > 0 ? ",broker-0123456789:9092" : "broker-0123456789:9092");
    struct properties p = {0};
    add(&p, "bootstrap.servers", many, false);
    size_t length = strlen(kafka_servers(&p.kafka, text));
    assert_in_range(length, 200, KAFKA_SERVERS_MAX - 1);
    assert_memory_equal(text, many, length);
    assert_int_equal(many[length], ',');
    /* Who wants a login wants one of a script, too. */
    static const char login[] = " --command-config admin.properties";
    add(&p, "security.protocol", "SASL_SSL", false);
    length = strlen(kafka_servers(&p.kafka, text));
    assert_in_range(length, 200, KAFKA_SERVERS_MAX - 1);
    length -= strlen(login);
    assert_memory_equal(text, many, length);
    assert_int_equal(many[length], ',');
    assert_string_equal(text + length, login);
    struct properties plain = {0};
    add(&plain, "bootstrap.servers", "k:1", false);
    add(&plain, "security.protocol", "PLAINTEXT", false);
    assert_string_equal(kafka_servers(&plain.kafka, text), "k:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_properties_are_taken),
        cmocka_unit_test(an_unknown_property_is_named_with_its_line),
        cmocka_unit_test(a_wrong_value_is_named_with_its_line),
        cmocka_unit_test(a_secret_value_is_never_printed),
        cmocka_unit_test(properties_that_contradict_each_other_are_found),
        cmocka_unit_test(one_thing_gives_the_tokens),
        cmocka_unit_test(no_program_is_run_for_a_handle_that_closes),
        cmocka_unit_test(files_of_tls_are_looked_at),
        cmocka_unit_test(bootstrap_servers_must_be_there),
        cmocka_unit_test(the_shortest_and_longest_time_outs_are_taken),
        cmocka_unit_test(defects_come_one_a_line),
        cmocka_unit_test(the_pinned_one_is_whole),
        cmocka_unit_test(the_servers_of_a_mend_are_one_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
