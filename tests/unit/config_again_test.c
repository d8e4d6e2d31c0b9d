/* config_again: what ${file:} reads is read again, from the bytes that are in force. */
#include "config/config.h"

#include "assert_contains.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char file_path[] = "/tmp/config_again_test.XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(file_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* %s is the file's path. */
static struct config *parse(const char *format)
{
    char yaml[1024];
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    snprintf(yaml, sizeof yaml, format, file_path);
    if (config_parse(span_of(yaml), "w.yaml", &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

#define ROUTES "\nroutes: [{name: a, from: b.c}]\n"

static void test_a_rotated_password(void **state)
{
    (void)state;
    struct config *again = NULL, *third = NULL;
    struct error err = ERROR_INIT;
    write_file("first\n");
    struct config *config = parse("relay: r\nsource: {connection: 'user=u password=${file:%s}'}\n"
                                  "kafka: {bootstrap.servers: k}" ROUTES);
    assert_int_equal(config_again(config, &again, &err), 0);
    assert_null(again);
    write_file("second\n");
    assert_int_equal(config_again(config, &again, &err), 1);
    assert_string_equal(config_only_relay(again)->source.connection.text, "user=u password=second");
    assert_string_equal(config_only_relay(again)->hash, config_only_relay(config)->hash);
    config_close(config);
    /* And it can be done again with what came of it. */
    write_file("third\n");
    assert_int_equal(config_again(again, &third, &err), 1);
    assert_string_equal(config_only_relay(third)->source.connection.text, "user=u password=third");
    config_close(again);
    config_close(third);
}

static void test_under_kafka_and_in_commands(void **state)
{
    (void)state;
    static const char *const files[] = {
        "relay: r\nkafka: {bootstrap.servers: k, sasl.password: '${file:%s}'}" ROUTES,
        "relay: r\nkafka: {bootstrap.servers: k}\nkafka_token_command: [t, '${file:%s}']" ROUTES,
        "relay: r\nkafka: {bootstrap.servers: k}\nsource: {password_command: [t, "
        "'${file:%s}']}" ROUTES,
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct config *again = NULL;
        struct error err = ERROR_INIT;
        write_file("one");
        struct config *config = parse(files[i]);
        write_file("two");
        assert_int_equal(config_again(config, &again, &err), 1);
        config_close(again);
        config_close(config);
    }
}

static void test_a_file_that_is_away(void **state)
{
    (void)state;
    struct config *again = NULL;
    struct error err = ERROR_INIT;
    write_file("first");
    struct config *config = parse("relay: r\nsource: {connection: '${file:%s}'}\n"
                                  "kafka: {bootstrap.servers: k}" ROUTES);
    unlink(file_path);
    assert_int_equal(config_again(config, &again, &err), -1);
    assert_null(again);
    assert_int_equal(err.reason, REASON_CONFIG_EXPANSION);
    assert_contains(err.text, "w.yaml:2: source.connection: ${file:/tmp/config_again_test");
    config_close(config);
}

/* It would be another relay, or its events would be others. */
static void test_what_is_no_credential(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
    } cases[] = {
        {"relay: r\nsource: {connection: 'dbname=${file:%s}'}\nkafka: {bootstrap.servers: "
         "k}" ROUTES,
         "w.yaml: what ${file:} reads has changed source.connection"},
        {"relay: r\nkafka: {bootstrap.servers: k, sasl.password: '${file:%1$s}'}\n"
         "routes: [{name: a, from: b.c, topic: '${file:%1$s}'}]\n",
         "w.yaml: what ${file:} reads has changed which events come out of a change"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *again = NULL;
        struct error err = ERROR_INIT;
        write_file("one");
        struct config *config = parse(cases[i].file);
        write_file("two");
        assert_int_equal(config_again(config, &again, &err), -1);
        assert_int_equal(err.reason, REASON_NEEDS_RESTART);
        assert_string_equal(err.text, cases[i].text);
        config_close(config);
    }
}

/* Other values alone wait for a reload. */
static void test_other_values_stay(void **state)
{
    (void)state;
    struct config *again = NULL;
    struct error err = ERROR_INIT;
    write_file("100");
    struct config *config = parse("relay: r\nkafka: {bootstrap.servers: k}\n"
                                  "retry: {min_ms: '${file:%s}'}" ROUTES);
    write_file("200");
    assert_int_equal(config_again(config, &again, &err), 0);
    assert_null(again);
    config_close(config);
}

static void test_a_file_without_any(void **state)
{
    (void)state;
    struct config *again = NULL;
    struct error err = ERROR_INIT;
    struct config *config = parse("relay: r\nkafka: {bootstrap.servers: k}" ROUTES "#%s");
    assert_int_equal(config_again(config, &again, &err), 0);
    assert_int_equal(config->yaml.len, 0);
    config_close(config);
}

/* What has no epochs is told apart by itself, whatever else the same files feed. */
static void test_of_the_process(void **state)
{
    (void)state;
    static const char *const files[] = {
        "notify: {url: 'http://h/${file:%s}', secret: sixteen-or-more-bytes}",
        "notify: {url: 'http://h/', secret: 'sixteen-or-more-${file:%s}'}",
        "otlp: {endpoint: 'http://h:${file:%s}'}",
        "otlp: {endpoint: 'http://h', headers: {authorization: '${file:%s}'}}",
        "admin: {token: 'sixteen-or-more-${file:%s}'}",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char yaml[512];
        struct config *again = NULL, *third = NULL;
        struct error err = ERROR_INIT;
        snprintf(yaml, sizeof yaml, "relay: r\nkafka: {bootstrap.servers: k}" ROUTES "%s\n",
                 files[i]);
        write_file("111");
        struct config *config = parse(yaml);
        assert_int_equal(config_again_process(config, &again, &err), 0);
        write_file("222");
        assert_int_equal(config_again_process(config, &again, &err), 1);
        assert_int_equal(config_again_process(again, &third, &err), 0);
        assert_null(third);
        unlink(file_path);
        assert_int_equal(config_again_process(again, &third, &err), -1);
        assert_int_equal(err.reason, REASON_CONFIG_EXPANSION);
        assert_null(strstr(err.text, "222"));
        config_close(again);
        config_close(config);
    }
    struct config *again = NULL;
    struct error err = ERROR_INIT;
    write_file("one");
    struct config *config =
        parse("relay: r\nkafka: {bootstrap.servers: k, sasl.password: '${file:%s}'}" ROUTES);
    write_file("two");
    assert_int_equal(config_again_process(config, &again, &err), 0);
    config_close(config);
}

static void test_that_files_have_changed(void **state)
{
    (void)state;
    write_file("one");
    struct config *config =
        parse("relay: r\nkafka: {bootstrap.servers: k, sasl.password: '${file:%s}'}" ROUTES);
    uint64_t one = config_secrets_hash(config);
    assert_int_not_equal(one, 0);
    assert_int_equal(config_secrets_hash(config), one);
    write_file("two");
    uint64_t two = config_secrets_hash(config);
    assert_int_not_equal(two, one);
    unlink(file_path);
    uint64_t none = config_secrets_hash(config);
    assert_true(none != two && none != one && none != 0);
    /* Whoever opened it would wait for a writer. */
    assert_int_equal(mkfifo(file_path, 0600), 0);
    assert_int_equal(config_secrets_hash(config), 0);
    unlink(file_path);
    write_file("one");
    assert_int_equal(config_secrets_hash(config), one);
    config_close(config);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    unlink(file_path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rotated_password),
        cmocka_unit_test(test_under_kafka_and_in_commands),
        cmocka_unit_test(test_a_file_that_is_away),
        cmocka_unit_test(test_what_is_no_credential),
        cmocka_unit_test(test_other_values_stay),
        cmocka_unit_test(test_a_file_without_any),
        cmocka_unit_test(test_of_the_process),
        cmocka_unit_test(test_that_files_have_changed),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
