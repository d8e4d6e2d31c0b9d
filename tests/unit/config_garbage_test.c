/* Files that nobody means well: the parser says no in bounded time and memory, and never crashes.
 * What was found by chance is repeated from a seed; what is known to hurt parsers stands by name.
 */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define GOOD                                                                                       \
    "relay: orders\n"                                                                              \
    "source: {connection: \"dbname='a' host=b\", slot: s}\n"                                       \
    "kafka:\n"                                                                                     \
    "  bootstrap.servers: \"127.0.0.1:9092\"\n"                                                    \
    "delivery: {memory_limit: 64MB, strict: true, topics: {partitions: 3}}\n"                      \
    "routes:\n"                                                                                    \
    "  - name: outbox\n"                                                                           \
    "    from: public.outbox\n"                                                                    \
    "    columns: &c {id: \"${env:HOME}\"}\n"                                                      \
    "    headers: {a: \"{b:c}\", d: 'e'}\n"                                                        \
    "  - {name: two, from: message:m, columns: *c}\n"

/* Whatever the answer, it is whole: a configuration, or an error that names the file. */
static bool try_bytes(struct span yaml)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    if (config_parse(yaml, "w.yaml", &config, &err) == 0) {
        assert_non_null(config);
        assert_true(config_only_relay(config)->routes.count > 0);
        assert_int_equal(strlen(config_only_relay(config)->hash), 16);
        config_close(config);
        return true;
    }
    assert_null(config);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_memory_equal(err.text, "w.yaml:", 7);
    return false;
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void every_beginning_of_a_good_file(void **state)
{
    (void)state;
    assert_true(try_bytes(SPAN_LITERAL(GOOD)));
    for (size_t len = 0; len < sizeof GOOD; len++) {
        char *exact = malloc(len + 1); /* so that a read behind the end is seen */
        memcpy(exact, GOOD, len);
        try_bytes((struct span){exact, len});
        free(exact);
    }
}

static void a_good_file_with_bytes_changed(void **state)
{
    (void)state;
    static const char likely[] = "\n :-[]{}&*!#|>'\"%@`,?\t\\$~0a\x80\xff";
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char bytes[sizeof GOOD];
        memcpy(bytes, GOOD, sizeof GOOD);
        for (uint64_t n = random_next(&seed) % 4 + 1; n > 0; n--)
            bytes[random_next(&seed) % (sizeof GOOD - 1)] =
                likely[random_next(&seed) % sizeof likely];
        try_bytes((struct span){bytes, sizeof GOOD - 1});
    }
}

static void lines_of_a_good_file_shuffled(void **state)
{
    (void)state;
    const char *lines[16];
    size_t lens[16], count = 0;
    for (const char *p = GOOD; *p != '\0'; p += lens[count++] + 1) {
        lines[count] = p;
        lens[count] = strcspn(p, "\n");
    }
    uint64_t seed = 362436069;
    struct buf yaml = BUF_EMPTY;
    for (int round = 0; round < 5000; round++) {
        buf_reset(&yaml);
        for (size_t i = 0; i < count + 2; i++) {
            size_t line = random_next(&seed) % count;
            buf_add(&yaml, (struct span){lines[line], lens[line] + 1});
        }
        try_bytes(buf_span(&yaml));
    }
    buf_fini(&yaml);
}

static void random_bytes(void **state)
{
    (void)state;
    uint64_t seed = 521288629;
    for (int round = 0; round < 5000; round++) {
        char bytes[64];
        size_t len = random_next(&seed) % sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)random_next(&seed);
        assert_false(try_bytes((struct span){bytes, len}));
    }
}

static void a_megabyte_of_one_thing(void **state)
{
    (void)state;
    static const char *const things[] = {
        "[",   "{",     "- ",  "a: {", "? ",           "\"",     "&a ",
        "*a ", "\n",    "a\n", "# \n", "{a: ",         "[[]",    "|",
        "'",   "---\n", "${",  "\xff", "\xef\xbb\xbf", "a: a\n", "- a\n"};
    static char bytes[1024 * 1024];
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
        size_t len = strlen(things[i]);
        for (size_t at = 0; at + len <= sizeof bytes; at += len)
            memcpy(bytes + at, things[i], len);
        assert_false(try_bytes((struct span){bytes, sizeof bytes / len * len}));
    }
}

static void assert_error(struct span yaml, const char *text)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(config_parse(yaml, "w.yaml", &config, &err), -1);
    assert_string_equal(err.text, text);
}

static void files_that_are_too_large(void **state)
{
    (void)state;
    static char bytes[1024 * 1024 + 1];
    memset(bytes, '#', sizeof bytes);
    assert_error((struct span){bytes, sizeof bytes}, "w.yaml: larger than 1MB");
    assert_error((struct span){bytes, sizeof bytes - 1}, "w.yaml:1: the file is empty");
}

/* Each level doubles: 2 to the power of 40 nodes, were they written out. */
static void a_bomb_of_aliases(void **state)
{
    (void)state;
    struct buf yaml = BUF_EMPTY;
    buf_add_text(&yaml, "a0: &a0 [x, x]\n");
    for (int i = 1; i <= 40; i++)
        buf_add_format(&yaml, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    assert_error(buf_span(&yaml), "w.yaml:13: too many values");
    buf_fini(&yaml);
}

static void many_of_a_thing(void **state)
{
    (void)state;
    struct buf yaml = BUF_EMPTY;
    buf_add_text(&yaml, "relay: r\nkafka:\n");
    for (int i = 0; i < 1001; i++)
        buf_add_format(&yaml, "  k%d: v\n", i);
    assert_error(buf_span(&yaml), "w.yaml:1003: more than 1000 entries");
    buf_reset(&yaml);
    for (int i = 0; i < 101; i++)
        buf_add_format(&yaml, "a%d: &a%d x\n", i, i);
    assert_error(buf_span(&yaml), "w.yaml:101: more than 100 anchors");
    buf_fini(&yaml);
}

static void bytes_that_are_no_utf8(void **state)
{
    (void)state;
    assert_error(SPAN_LITERAL("relay: r\nx: \xff\n"),
                 "w.yaml:2: not valid YAML: invalid leading UTF-8 octet");
    assert_error(SPAN_LITERAL("relay: r\n\n\nx: \x01\n"),
                 "w.yaml:4: not valid YAML: control characters are not allowed");
    assert_error((struct span){"relay: a\0b\n", 11},
                 "w.yaml:1: not valid YAML: control characters are not allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_beginning_of_a_good_file),
        cmocka_unit_test(a_good_file_with_bytes_changed),
        cmocka_unit_test(lines_of_a_good_file_shuffled),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(a_megabyte_of_one_thing),
        cmocka_unit_test(files_that_are_too_large),
        cmocka_unit_test(a_bomb_of_aliases),
        cmocka_unit_test(many_of_a_thing),
        cmocka_unit_test(bytes_that_are_no_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
