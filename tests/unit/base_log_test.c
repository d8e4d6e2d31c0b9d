/* base/log: one line, one event, in two formats. */
#include "base/log.h"

#include "base/error.h"
#include "json/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_text.h"

struct capture {
    struct log log;
    int read_fd;
    char text[8192];
};

static void begin(struct capture *c, enum log_format format)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *c = (struct capture){.log = {.level = LOG_INFO, .format = format, .fd = fds[1]},
                          .read_fd = fds[0]};
}

/* All that was written; ends the capture. */
static const char *end(struct capture *c)
{
    close(c->log.fd);
    size_t len = 0;
    ssize_t got;
    while ((got = read(c->read_fd, c->text + len, sizeof c->text - 1 - len)) > 0)
        len += (size_t)got;
    close(c->read_fd);
    c->text[len] = '\0';
    return c->text;
}

static void test_logfmt(void **state)
{
    (void)state;
    struct capture c;
    begin(&c, LOG_LOGFMT);
    log_event(&c.log, LOG_INFO, "relay.started", "slot", "s 1", "none", NULL, "empty", "", "q",
              "a=\"b\"\\\n", "n", "7", NULL);
    const char *text = end(&c);
    assert_memory_equal(text, "time=20", 7);
    assert_int_equal(strlen("time=2024-01-01T00:00:00.000Z"), strcspn(text, " "));
    assert_string_equal(strchr(text, ' '),
                        " level=info event=relay.started slot=\"s 1\" empty=\"\" "
                        "q=\"a=\\\"b\\\"\\\\\\u000a\" n=7\n");
}

/* The journal takes <N> off; behind it a line is what it is elsewhere. */
static void test_journal(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    static const char *const wanted[] = {"<7>", "<6>", "<4>", "<3>"};
    for (size_t i = 0; i < 4; i++) {
        struct capture c;
        begin(&c, i % 2 == 0 ? LOG_LOGFMT : LOG_JSON);
        c.log.level = LOG_DEBUG;
        c.log.journal = true;
        log_event(&c.log, levels[i], "seen", NULL);
        const char *text = end(&c);
        assert_memory_equal(text, wanted[i], 3);
        assert_memory_equal(text + 3, i % 2 == 0 ? "time=20" : "{\"time\":\"20", 7);
    }
}

static void test_levels_and_relay(void **state)
{
    (void)state;
    struct capture c;
    begin(&c, LOG_LOGFMT);
    c.log.relay = "orders";
    log_event(&c.log, LOG_DEBUG, "hidden", NULL);
    log_event(&c.log, LOG_WARN, "seen", NULL);
    const char *text = end(&c);
    assert_string_equal(strchr(text, ' '), " level=warn event=seen relay=orders\n");
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
    assert_string_equal(log_level_name(LOG_ERROR), "error");
}

static void test_errors(void **state)
{
    (void)state;
    struct capture c;
    struct error err = ERROR_INIT;
    error_stop(&err, REASON_CONFIG_FILE, "no such file");
    begin(&c, LOG_LOGFMT);
    log_error(&c.log, LOG_ERROR, "relay.stopped", &err);
    error_hint(&err, "make one");
    log_error(&c.log, LOG_ERROR, "relay.stopped", &err);
    const char *text = end(&c);
    assert_non_null(strstr(text, " kind=stop reason=config_file error=\"no such file\"\n"));
    assert_non_null(strstr(text, " error=\"no such file\" hint=\"make one\"\n"));
}

static void parse_line(const char *text, struct json_tree **tree)
{
    struct error err = ERROR_INIT;
    if (json_tree_parse(span_of(text), tree, &err) < 0)
        fail_msg("not JSON: %s: %s", err.text, text);
}

static void test_json(void **state)
{
    (void)state;
    struct capture c;
    struct json_tree *tree;
    struct span value;
    begin(&c, LOG_JSON);
    log_event(&c.log, LOG_INFO, "relay.started", "slot", "a\"b\\\n\x01", NULL);
    parse_line(end(&c), &tree);
    assert_true(json_tree_member_string(tree, "slot", &value));
    assert_span(value, "a\"b\\\n\x01");
    assert_true(json_tree_member_string(tree, "event", &value));
    assert_span(value, "relay.started");
    json_tree_free(tree);
}

/* What is a number stays one, in both formats, and no member comes twice. */
static void test_json_numbers(void **state)
{
    (void)state;
    struct capture c;
    struct json_tree *tree;
    struct span value;
    uint64_t number = 0;
    bool yes = false;
    begin(&c, LOG_JSON);
    c.log.relay = "orders";
    log_event(&c.log, LOG_INFO, "e", "#pid", "42", "slot", "7", "#abandoned", "true", "#none", NULL,
              "relay", "orders", NULL);
    const char *text = end(&c);
    parse_line(text, &tree);
    assert_true(json_tree_member_u64(tree, "pid", &number) && number == 42);
    assert_true(json_tree_member_bool(tree, "abandoned", &yes) && yes);
    assert_true(json_tree_member_string(tree, "slot", &value));
    assert_span(value, "7");
    assert_null(json_tree_member(tree, "none"));
    const char *relay = strstr(text, "\"relay\"");
    assert_non_null(relay);
    assert_null(strstr(relay + 1, "\"relay\""));
    json_tree_free(tree);
    begin(&c, LOG_LOGFMT);
    log_event(&c.log, LOG_INFO, "e", "#pid", "42", NULL);
    assert_non_null(strstr(end(&c), " event=e pid=42\n"));
}

/* Values of every length around the end of the line, of characters of one to four bytes: what comes
 * out is one line, and valid. */
static void test_cut_lines_are_whole(void **state)
{
    (void)state;
    const char *const characters[] = {"x", "\"", "\x01", "\xC3\xA4", "\xF0\x9F\x98\x80"};
    char value[6000];
    for (size_t i = 0; i < 5; i++) {
        for (size_t size = 3800; size < 4300; size += 7) {
            size_t width = strlen(characters[i]), len = 0;
            while (len < size) {
                memcpy(value + len, characters[i], width);
                len += width;
            }
            value[len] = '\0';
            struct capture c;
            struct json_tree *tree;
            begin(&c, LOG_JSON);
            log_event(&c.log, LOG_INFO, "e", "pad", &"..."[len % 3], "value", value, "next", value,
                      "last", "1", NULL);
            const char *text = end(&c);
            assert_true(strlen(text) <= 4096);
            assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
            parse_line(text, &tree);
            json_tree_free(tree);
        }
    }
}

/* Whatever the values are, a line is UTF-8: what was cut before it came here loses its half
 * character, and a byte that belongs to none is shown as such. */
static void test_lines_are_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *seen;
    } cases[] = {
        {"a\xC3", "a"},
        {"\xE2\x82\xAC\xE2\x82", "\xE2\x82\xAC"},
        {"\xF0\x9F\x9A", ""},
        {"M\xFCll", "M\xEF\xBF\xBDll"},
        {"\x80\xFF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC3\xC3\xA4", "\xEF\xBF\xBD\xC3\xA4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct capture c;
        struct json_tree *tree;
        struct span value;
        begin(&c, LOG_JSON);
        log_event(&c.log, LOG_INFO, "e", "value", cases[i].value, NULL);
        parse_line(end(&c), &tree);
        assert_true(json_tree_member_string(tree, "value", &value));
        assert_span(value, cases[i].seen);
        json_tree_free(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_levels_and_relay),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_cut_lines_are_whole),
        cmocka_unit_test(test_lines_are_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
