/* ${env:NAME} and ${file:PATH}: where they may stand, what they yield, what they must not do, and
 * that what they yield is never printed. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char secret_path[] = "/tmp/config_expand_test.XXXXXX";

static void write_secret(const char *bytes, size_t len)
{
    FILE *file = fopen(secret_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

/* A file whose source.connection is `value`, as YAML; %s in it is the path of the secret. */
static int parse_value(const char *key, const char *value, struct config **config,
                       struct error *err)
{
    char yaml[1024], expanded[512];
    const char *mark = strstr(value, "PATH");
    if (mark != NULL)
        snprintf(expanded, sizeof expanded, "%.*s%s%s", (int)(mark - value), value, secret_path,
                 mark + 4);
    else
        snprintf(expanded, sizeof expanded, "%s", value);
    snprintf(yaml, sizeof yaml,
             "relay: r\nkafka: {bootstrap.servers: k}\nroutes: [{name: a, from: b.c}]\n%s: %s\n",
             key, expanded);
    *err = ERROR_INIT;
    return config_parse(span_of(yaml), "w.yaml", config, err);
}

static void assert_connection(const char *value, const char *expected)
{
    struct config *config;
    struct error err;
    char map[512];
    snprintf(map, sizeof map, "{connection: %s}", value);
    if (parse_value("source", map, &config, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(config_only_relay(config)->source.connection.text, expected);
    assert_true(config_only_relay(config)->source.connection.secret);
    config_close(config);
}

static void values_come_from_both(void **state)
{
    (void)state;
    setenv("WF_USER", "ann", 1);
    setenv("WF_EMPTY", "", 1);
    write_secret("pw 1\n", 5);
    assert_connection("\"${env:WF_USER}\"", "ann");
    assert_connection("\"user=${env:WF_USER} password='${file:PATH}'\"",
                      "user=ann password='pw 1'");
    assert_connection("\"${env:WF_USER}${env:WF_USER}\"", "annann");
    assert_connection("\"a${env:WF_EMPTY}b\"", "ab");
    assert_connection("'x=${file:PATH}}'", "x=pw\\ 1}");
}

/* Whatever a password holds, it is the value and nothing else. */
static void a_connection_string_takes_any_value(void **state)
{
    (void)state;
    static const char odd[] = "%I\\GYg-7'anx1Ox{y/@:#?&= ";
    write_secret(odd, sizeof odd - 1);
    assert_connection("\"user=a password=${file:PATH} host=h\"",
                      "user=a password=%I\\\\GYg-7\\'anx1Ox{y/@:#?&=\\  host=h");
    assert_connection("\"password='${file:PATH}' host=h\"",
                      "password='%I\\\\GYg-7\\'anx1Ox{y/@:#?&= ' host=h");
    assert_connection("\"postgresql://a:${file:PATH}@h/d\"",
                      "postgresql://a:%25I%5CGYg-7%27anx1Ox%7By%2F%40:%23%3F%26%3D%20@h/d");
    /* All of it from one place is a connection string as it stands. */
    write_secret("host=h user=a", 13);
    assert_connection("\"${file:PATH}\"", "host=h user=a");
    assert_connection("\"password=${env:WF_EMPTY} user=a\"", "password='' user=a");
    assert_connection("\"password='${env:WF_EMPTY}' user=a\"", "password='' user=a");
    setenv("WF_HOST", "db.example:5433", 1);
    assert_connection("\"postgres://${env:WF_HOST}/d\"", "postgres://db.example:5433/d");
}

static void no_other_dollar_is_special(void **state)
{
    (void)state;
    assert_connection("\"$a ${b} $${ ${ENV:X} $\"", "$a ${b} $${ ${ENV:X} $");
}

static void one_newline_at_the_end_of_a_file_goes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } files[] = {{"a", "a"}, {"a\n", "a"}, {"a\r\n", "a"}, {"a\n\n", "a\n"}, {"", ""}, {"\n", ""}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        write_secret(files[i].bytes, strlen(files[i].bytes));
        assert_connection("\"${file:PATH}\"", files[i].text);
    }
}

/* A password that looks like an expansion, or like YAML, stays what it is. */
static void what_comes_out_is_not_looked_at_again(void **state)
{
    (void)state;
    setenv("WF_TRICK", "${env:WF_USER}", 1);
    assert_connection("\"${env:WF_TRICK}\"", "${env:WF_USER}");
    setenv("WF_TRICK", "a: [b\n# c", 1);
    assert_connection("\"${env:WF_TRICK}\"", "a: [b\n# c");
}

/* Not even by way of a default that takes in the name of a column. */
static void a_default_does_not_expand(void **state)
{
    (void)state;
    struct config *config;
    struct error err = ERROR_INIT;
    setenv("WF_TRICK", "${env:WF_USER}", 1);
    const char *yaml = "relay: r\nkafka: {bootstrap.servers: k}\n"
                       "routes: [{name: a, from: b.c, columns: {aggregate_id: "
                       "\"${env:WF_TRICK}\"}}]\n";
    assert_int_equal(config_parse(span_of(yaml), "w.yaml", &config, &err), 0);
    assert_string_equal(config_only_relay(config)->routes.items[0].key.text,
                        "{\"${env:WF_USER}\"}");
    config_close(config);
}

static void every_type_can_be_expanded(void **state)
{
    (void)state;
    struct config *config;
    struct error err;
    setenv("WF_N", "250", 1);
    setenv("WF_B", "false", 1);
    setenv("WF_S", "9MB", 1);
    setenv("WF_C", "at_least_once", 1);
    assert_int_equal(parse_value("delivery",
                                 "{commit_interval_ms: \"${env:WF_N}\", strict: \"${env:WF_B}\","
                                 " memory_limit: \"${env:WF_S}\", guarantee: \"${env:WF_C}\"}",
                                 &config, &err),
                     0);
    assert_int_equal(config_only_relay(config)->delivery.commit_interval_ms, 250);
    assert_false(config_only_relay(config)->delivery.strict);
    assert_int_equal(config_only_relay(config)->delivery.memory_limit, 9 * 1024 * 1024);
    assert_int_equal(config_only_relay(config)->delivery.guarantee, GUARANTEE_AT_LEAST_ONCE);
    config_close(config);
}

static void expanded_texts_are_secrets(void **state)
{
    (void)state;
    struct config *config;
    struct error err;
    assert_int_equal(
        parse_value("source", "{slot: \"s_${env:WF_N}\", publication: p}", &config, &err), 0);
    assert_true(config_only_relay(config)->source.slot.secret);
    assert_false(config_only_relay(config)->source.publication.secret);
    config_close(config);
}

static void assert_refused(const char *key, const char *value, const char *expected)
{
    struct config *config;
    struct error err;
    char text[512];
    const char *mark = strstr(expected, "PATH");
    assert_int_equal(parse_value(key, value, &config, &err), -1);
    if (mark != NULL)
        snprintf(text, sizeof text, "w.yaml:4: %.*s%s%s", (int)(mark - expected), expected,
                 secret_path, mark + 4);
    else
        snprintf(text, sizeof text, "w.yaml:4: %s", expected);
    assert_string_equal(err.text, text);
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(err.hint, "hunter2"));
}

static void errors_name_the_source_and_not_the_value(void **state)
{
    (void)state;
    setenv("WF_SECRET", "hunter2", 1);
    unsetenv("WF_NONE");
    write_secret("a\0b", 3);
    assert_refused("source", "{connection: \"${env:WF_NONE}\"}",
                   "source.connection: ${env:WF_NONE}: the environment has no such variable");
    assert_refused("source", "{connection: \"${file:PATH.none}\"}",
                   "source.connection: ${file:PATH.none}: No such file or directory");
    assert_refused("source", "{connection: \"${file:PATH}\"}",
                   "source.connection: ${file:PATH}: holds a NUL character");
    assert_refused("source", "{connection: \"${file:/dev/zero}\"}",
                   "source.connection: ${file:/dev/zero}: larger than 64KB");
    assert_refused("source", "{connection: \"${file:PATH\"}",
                   "source.connection: ${file: without its closing brace");
    assert_refused("source", "{slot: \"-${env:WF_SECRET}\"}",
                   "source.slot: expected 1 to 63 of a-z 0-9 _, found a value that is not shown");
    assert_refused("delivery", "{batch_events: \"${env:WF_SECRET}\"}",
                   "delivery.batch_events: expected a whole number, 1 to 1000000, "
                   "found a value that is not shown");
    assert_refused("delivery", "{strict: \"${env:WF_SECRET}\"}",
                   "delivery.strict: expected true or false, found a value that is not shown");
    assert_refused("admin", "{listen: \"${env:WF_SECRET}\"}",
                   "admin.listen: expected host:port, or off, found a value that is not shown");
}

static void a_relative_path_is_shown_as_it_counts(void **state)
{
    (void)state;
    struct config *config;
    struct error err;
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(
        parse_value("source", "{connection: \"${file:none.password}\"}", &config, &err), -1);
    assert_string_equal(err.text, "w.yaml:4: source.connection: ${file:none.password}: "
                                  "/tmp/none.password: No such file or directory");
    assert_string_equal(err.hint, "write the value into that file, readable to the user of "
                                  "walferry; a path without a leading / counts from the directory "
                                  "in which walferry was started, /tmp");
}

static void a_place_that_the_unit_hides_is_named(void **state)
{
    (void)state;
    static const char *const files[] = {"/home/walferry.password", "/tmp/none/walferry.password",
                                        "/etc/none/walferry.password", "/homes/none"};
    for (size_t i = 0; i < 4; i++) {
        char value[128];
        struct config *config;
        struct error err;
        snprintf(value, sizeof value, "{connection: \"${file:%s}\"}", files[i]);
        assert_int_equal(parse_value("source", value, &config, &err), -1);
        assert_memory_equal(err.hint, "write the value into that file", 30);
        assert_int_equal(strstr(err.hint, "systemd unit hides") != NULL, i < 2);
    }
}

static void expansions_are_bounded(void **state)
{
    (void)state;
    static char big[60 * 1024], yaml[4096] = "relay: r\nsource: {connection: \"";
    struct config *config;
    struct error err = ERROR_INIT;
    memset(big, 'x', sizeof big);
    write_secret(big, sizeof big);
    for (int i = 0; i < 20; i++) {
        size_t at = strlen(yaml);
        snprintf(yaml + at, sizeof yaml - at, "${file:%s}", secret_path);
    }
    size_t at = strlen(yaml);
    snprintf(yaml + at, sizeof yaml - at, "\"}\n");
    assert_int_equal(config_parse(span_of(yaml), "w.yaml", &config, &err), -1);
    assert_string_equal(err.text,
                        "w.yaml:2: source.connection: larger than 1MB once it is expanded");
}

static int make_secret(void **state)
{
    (void)state;
    int fd = mkstemp(secret_path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_secret(void **state)
{
    (void)state;
    return unlink(secret_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_from_both),
        cmocka_unit_test(a_connection_string_takes_any_value),
        cmocka_unit_test(no_other_dollar_is_special),
        cmocka_unit_test(one_newline_at_the_end_of_a_file_goes),
        cmocka_unit_test(what_comes_out_is_not_looked_at_again),
        cmocka_unit_test(a_default_does_not_expand),
        cmocka_unit_test(every_type_can_be_expanded),
        cmocka_unit_test(expanded_texts_are_secrets),
        cmocka_unit_test(errors_name_the_source_and_not_the_value),
        cmocka_unit_test(a_relative_path_is_shown_as_it_counts),
        cmocka_unit_test(a_place_that_the_unit_hides_is_named),
        cmocka_unit_test(expansions_are_bounded),
    };
    return cmocka_run_group_tests(tests, make_secret, drop_secret);
}
