/* migrate/: connectors of Debezium and what is made of them: tests/golden/migrate/. Each property
 * has its remark, no secret is in one, and the result is a file that check takes. UPDATE=1 in the
 * environment writes the results anew. Run at the root of the repository. */
#include "migrate/migrate.h"

#include "config/config.h"
#include "operate/operate.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_text.h"

static const char directory[] = "tests/golden/migrate/";

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    size_t got;
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    buf_reset(out);
    while ((got = fread(buf_reserve(out, 8192), 1, 8192, file)) > 0)
        out->len += got;
    fclose(file);
}

static void write_file(const char *path, const struct buf *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite(text->ptr, 1, text->len, file);
    fclose(file);
}

/* What the result is of, without the directory and with .yaml behind it. */
static void result_path(const char *path, char out[256])
{
    const char *dot = strrchr(path, '.');
    snprintf(out, 256, "%.*s.yaml", (int)(dot - path), path);
}

/* As `walferry check` of the result. */
static void check(const char *path, const struct buf *yaml)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    struct buf said = BUF_EMPTY;
    if (config_parse(buf_span(yaml), path, &config, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    struct log log = {.level = LOG_ERROR, .format = LOG_LOGFMT, .fd = STDERR_FILENO};
    atomic_bool stop = false;
    const struct command_options options = {
        .config = config_only_relay(config), .log = &log, .stop = &stop, .out = &said};
    if (relay_check(&options, false, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    buf_fini(&said);
    config_close(config);
}

static void compare(const char *path)
{
    char expected[256];
    struct buf text = BUF_EMPTY, wanted = BUF_EMPTY;
    struct migrated made = {.yaml = BUF_EMPTY};
    struct error err = ERROR_INIT;
    result_path(path, expected);
    read_file(path, &text);
    if (migrate_debezium(buf_span(&text), path, &made, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    buf_add_format(&made.yaml, "# %u lost, %u to look at\n", made.lost, made.look);
    if (getenv("UPDATE") != NULL)
        write_file(expected, &made.yaml);
    read_file(expected, &wanted);
    if (!span_equal(buf_span(&wanted), buf_span(&made.yaml)))
        fail_msg("%s is made to:\n%s", path, buf_text(&made.yaml));
    check(expected, &made.yaml);
    buf_fini(&text);
    buf_fini(&wanted);
    buf_fini(&made.yaml);
}

static void each_is_made_as_it_stands_there(void **state)
{
    (void)state;
    const char *const endings[] = {"*.json", "*.properties"};
    static const char *const variables[] = {"DB_PASSWORD", "DB_HOST",        "DB_USER",
                                            "NAME",        "KAFKA_PASSWORD", "MODE"};
    glob_t found;
    char pattern[128];
    int flags = 0;
    for (size_t i = 0; i < 6; i++)
        setenv(variables[i], "x", 1);
    for (size_t i = 0; i < 2; i++, flags = GLOB_APPEND) {
        snprintf(pattern, sizeof pattern, "%s%s", directory, endings[i]);
        assert_int_equal(glob(pattern, flags, NULL, &found), 0);
    }
    assert_true(found.gl_pathc >= 11);
    for (size_t i = 0; i < found.gl_pathc; i++)
        compare(found.gl_pathv[i]);
    globfree(&found);
}

/* ---- What is no connector ---- */

#define CLASS "\"connector.class\": \"io.debezium.connector.postgresql.PostgresConnector\""

static void what_is_none_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason, *said;
    } cases[] = {
        {"", "config_value", "f: an empty file"},
        {" \n\t ", "config_value", "f: an empty file"},
        {"{", "config_syntax", "f: line 1, column 1: string or '}' expected near end of file"},
        {"[]", "config_value", "f: no JSON object with a connector's properties"},
        {"{\"config\": 1}", "config_value", "f: no JSON object with a connector's properties"},
        {"{}", "config_value", "f: no connector.class, so this is no Debezium connector"},
        {"a=1\n\nbare\n", "config_syntax", "f:3: expected name=value"},
        {"a=1", "config_value", "f: no connector.class, so this is no Debezium connector"},
        {"{\"connector.class\": \"io.debezium.connector.mysql.MySqlConnector\"}", "config_value",
         "f: connector.class is io.debezium.connector.mysql.MySqlConnector, not Debezium's for "
         "PostgreSQL"},
        {"{" CLASS ", \"a\": {}}", "config_value", "f: a is no text, number or boolean"},
        {"{" CLASS ", \"table.include.list\": \"[a\"}", "config_value",
         "f: no table or message can be told from it"},
        {"{" CLASS ", \"table.include.list\": \"nodot\"}", "config_value",
         "f: no table or message can be told from it"},
        {"{" CLASS ", \"table.include.list\": \"((((((((((a|b)|c)|d)|e)|f)|g)|h)|i)|j)|k\"}",
         "config_value", "f: no table or message can be told from it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct migrated made = {.yaml = BUF_EMPTY};
        struct error err = ERROR_INIT;
        assert_int_equal(migrate_debezium(span_of(cases[i].text), "f", &made, &err), -1);
        assert_error(err, ERROR_STOP, cases[i].reason, cases[i].said);
        assert_true(err.hint[0] != '\0');
        assert_int_equal(made.yaml.len, 0);
        buf_fini(&made.yaml);
    }
}

/* Alternatives multiply: the end comes soon. */
static void a_hostile_expression_ends(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct migrated made = {.yaml = BUF_EMPTY};
    struct error err = ERROR_INIT;
    buf_add_text(&text, "{" CLASS ", \"table.include.list\": \"a.");
    for (int group = 0; group < 8; group++) {
        buf_add_text(&text, "(x");
        for (int i = 0; i < 500; i++)
            buf_add_text(&text, "|x");
        buf_add_char(&text, ')');
    }
    buf_add_text(&text, "\"}");
    assert_int_equal(migrate_debezium(buf_span(&text), "f", &made, &err), -1);
    buf_fini(&made.yaml);
    buf_fini(&text);
}

/* Whatever is broken in a file: an error with words, or a result. */
static void broken_files_are_refused_or_made(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    read_file("tests/golden/migrate/outbox_router.json", &text);
    size_t json = text.len;
    struct buf properties = BUF_EMPTY;
    read_file("tests/golden/migrate/server_outbox.properties", &properties);
    unsigned seed = 1;
    for (unsigned i = 0; i < 3000; i++) {
        struct buf broken = BUF_EMPTY;
        buf_add(&broken, buf_span(i % 2 == 0 ? &text : &properties));
        for (unsigned k = 0; k < 1 + i % 4; k++) {
            seed = seed * 1103515245u + 12345u;
            broken.ptr[(seed >> 8) % broken.len] = (char)(seed >> 24);
        }
        if (i % 5 == 0)
            broken.len = (seed >> 4) % (json / 2);
        struct migrated made = {.yaml = BUF_EMPTY};
        struct error err = ERROR_INIT;
        int result = migrate_debezium(buf_span(&broken), "f", &made, &err);
        assert_true(result == 0 ? made.yaml.len > 0
                                : err.kind == ERROR_STOP && err.text[0] != '\0');
        buf_fini(&made.yaml);
        buf_fini(&broken);
    }
    buf_fini(&text);
    buf_fini(&properties);
}

/* ---- Remarks ---- */

static void no_remark_has_a_secret(void **state)
{
    (void)state;
    const char *const text =
        "{" CLASS ", \"database.password\": \"hush-1\", \"database.sslpassword\": \"hush-2\", "
        "\"table.include.list\": \"a.b\", \"column.mask.hash.SHA-256.with.salt.hush-3\": "
        "\"a.b.c\", "
        "\"producer.override.sasl.jaas.config\": \"x.PlainLoginModule required username='u' "
        "password='hush-4';\", \"unknown\": \"hush-5\", \"driver.x\": \"hush-6\"}";
    struct migrated made = {.yaml = BUF_EMPTY};
    struct error err = ERROR_INIT;
    assert_int_equal(migrate_debezium(span_of(text), "f", &made, &err), 0);
    char *yaml = strstr(buf_text(&made.yaml), "\nrelay:");
    assert_non_null(yaml);
    *yaml = '\0';
    assert_null(strstr(buf_text(&made.yaml), "hush"));
    buf_fini(&made.yaml);
}

/* YAML has line ends that JSON has not. */
static void no_remark_ends_its_line(void **state)
{
    (void)state;
    const char *const text = "{" CLASS ", \"a\\u0085b: 1\": \"\", \"a\\u2028b: 2\": \"\", "
                             "\"a\\u2029b: 3\": \"\", \"a\\u2027b: 4\": \"\"}";
    struct migrated made = {.yaml = BUF_EMPTY};
    struct error err = ERROR_INIT;
    assert_int_equal(migrate_debezium(span_of(text), "f", &made, &err), 0);
    const char *yaml = buf_text(&made.yaml);
    assert_non_null(strstr(yaml, "#   a b: 1"));
    assert_non_null(strstr(yaml, "#   a b: 2"));
    assert_non_null(strstr(yaml, "#   a b: 3"));
    assert_non_null(strstr(yaml, "#   a\xE2\x80\xA7"
                                 "b: 4"));
    buf_fini(&made.yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_made_as_it_stands_there),
        cmocka_unit_test(what_is_none_is_named),
        cmocka_unit_test(a_hostile_expression_ends),
        cmocka_unit_test(broken_files_are_refused_or_made),
        cmocka_unit_test(no_remark_has_a_secret),
        cmocka_unit_test(no_remark_ends_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
