/* What is made from the table is what is committed, byte for byte, and what it shows is true: the
 * sample and the examples are files that the parser takes. Run at the root of the repository. */
#include "config/config.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MAN_BEGIN ".\\\" keys: made by `make generate` from src/config/config.def\n"
#define MAN_END ".\\\" end of keys\n"

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    size_t got;
    while ((got = fread(buf_reserve(out, 8192), 1, 8192, file)) > 0)
        out->len += got;
    fclose(file);
}

static void assert_same(const char *path, const struct buf *committed, const struct buf *made)
{
    if (!span_equal(buf_span(committed), buf_span(made)))
        fail_msg("%s is not what src/config/config.def makes: run `make generate`", path);
}

static void the_committed_files_are_made_from_the_table(void **state)
{
    (void)state;
    struct buf committed = BUF_EMPTY, made = BUF_EMPTY;
    read_file("config/walferry.schema.json", &committed);
    config_write_schema(&made);
    assert_same("config/walferry.schema.json", &committed, &made);
    buf_reset(&committed);
    buf_reset(&made);
    read_file("config/walferry.yaml", &committed);
    config_write_sample(&made);
    assert_same("config/walferry.yaml", &committed, &made);
    buf_fini(&committed);
    buf_fini(&made);
}

static void the_keys_of_the_man_page_are_made_from_the_table(void **state)
{
    (void)state;
    struct buf page = BUF_EMPTY, keys = BUF_EMPTY, made = BUF_EMPTY;
    read_file("docs/man/walferry.yaml.5", &page);
    const char *begin = strstr(buf_text(&page), MAN_BEGIN);
    assert_non_null(begin);
    begin += strlen(MAN_BEGIN);
    const char *end = strstr(begin, MAN_END);
    assert_non_null(end);
    buf_add(&keys, (struct span){begin, (size_t)(end - begin)});
    config_write_man(&made);
    assert_same("docs/man/walferry.yaml.5", &keys, &made);
    buf_fini(&page);
    buf_fini(&keys);
    buf_fini(&made);
}

static struct config *parse(struct span yaml, const char *name)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    if (config_parse(yaml, name, &config, &err) < 0)
        fail_msg("%s (%s)", err.text, err.hint);
    return config;
}

static void the_sample_shows_the_defaults(void **state)
{
    (void)state;
    struct buf yaml = BUF_EMPTY;
    config_write_sample(&yaml);
    struct config *shown = parse(buf_span(&yaml), "sample");
    struct config *bare =
        parse(SPAN_LITERAL("relay: orders\n"
                           "source: {connection: \"dbname=shop\"}\n"
                           "kafka: {bootstrap.servers: \"127.0.0.1:9092\"}\n"
                           "routes:\n  - name: outbox\n"
                           "    from: public.outbox\n"
                           "    columns: {headers: headers}\n"
                           "    headers: {id: \"{id}\", eventType: \"{type}\",\n"
                           "      correlation_id: \"{correlation_id|optional}\",\n"
                           "      causation_id: \"{causation_id|optional}\",\n"
                           "      traceparent: \"{traceparent|optional}\"}\n"),
              "bare");
    assert_string_equal(config_only_relay(shown)->hash, config_only_relay(bare)->hash);
    assert_null(config_needs_restart(shown, bare));
    assert_memory_equal(&config_only_relay(shown)->retry, &config_only_relay(bare)->retry,
                        sizeof config_only_relay(bare)->retry);
    assert_memory_equal(&shown->log, &bare->log, sizeof bare->log);
    assert_int_equal(shown->admin.ready_grace_ms, bare->admin.ready_grace_ms);
    const struct config_delivery *a = &config_only_relay(shown)->delivery,
                                 *b = &config_only_relay(bare)->delivery;
    assert_int_equal(a->commit_interval_ms, b->commit_interval_ms);
    assert_int_equal(a->transaction_timeout_ms, b->transaction_timeout_ms);
    assert_int_equal(a->strict, b->strict);
    assert_int_equal(a->memory_limit, b->memory_limit);
    assert_int_equal(a->batch_events, b->batch_events);
    assert_int_equal(a->idle_progress_bytes, b->idle_progress_bytes);
    assert_int_equal(a->idle_progress_interval_ms, b->idle_progress_interval_ms);
    assert_int_equal(a->topics.create, b->topics.create);
    assert_int_equal(a->topics.partitions, b->topics.partitions);
    assert_int_equal(a->topics.replication_factor, b->topics.replication_factor);
    assert_int_equal(a->topics.allow.count, b->topics.allow.count);
    assert_int_equal(a->require_replication, b->require_replication);
    config_close(shown);
    config_close(bare);
    buf_fini(&yaml);
}

/* The keys behind a # without a space are keys too. */
static void the_sample_is_good_with_every_key_in_use(void **state)
{
    (void)state;
    setenv("WALFERRY_ADMIN_TOKEN", "0123456789abcdef", 1);
    struct buf yaml = BUF_EMPTY, all = BUF_EMPTY;
    config_write_sample(&yaml);
    size_t keys = 0;
    for (const char *c = buf_text(&yaml); *c != '\0'; c++) {
        bool hidden = *c == '#' && c[1] >= 'a' && c[1] <= 'z';
        keys += hidden;
        if (!hidden)
            buf_add_char(&all, *c);
    }
    assert_int_equal(keys, 17);
    setenv("WALFERRY_WEBHOOK_SECRET", "of at least 16 bytes", 1);
    struct config *config = parse(buf_span(&all), "sample");
    assert_string_equal(config->notify.secret.text, "of at least 16 bytes");
    assert_string_equal(config_only_relay(config)->source.slot.text, "walferry_orders");
    assert_true(config_only_relay(config)->source.slot.line > 0);
    assert_string_equal(config_only_relay(config)->delivery.progress_topic.text,
                        "walferry.orders.progress");
    assert_true(config_only_relay(config)->delivery.transactional_id.line > 0);
    assert_string_equal(config_only_relay(config)->routes.items[0].columns.timestamp.text,
                        "created_at");
    config_close(config);
    buf_fini(&yaml);
    buf_fini(&all);
}

/* The examples name secrets in /run/secrets; here they lie in a directory of the test's own. */
static void parse_example(const char *path, const char *secrets)
{
    struct buf yaml = BUF_EMPTY, moved = BUF_EMPTY;
    read_file(path, &yaml);
    const char *rest = buf_text(&yaml);
    for (const char *mark; (mark = strstr(rest, "/run/secrets")) != NULL; rest = mark + 12) {
        buf_add(&moved, (struct span){rest, (size_t)(mark - rest)});
        buf_add_text(&moved, secrets);
    }
    buf_add_text(&moved, rest);
    struct config *config = parse(buf_span(&moved), path);
    assert_string_equal(config_only_relay(config)->name.text, "orders");
    config_close(config);
    buf_fini(&yaml);
    buf_fini(&moved);
}

static void every_example_is_good(void **state)
{
    (void)state;
    char dir[] = "/tmp/config_generated_test.XXXXXX", db[64], kafka[64];
    assert_non_null(mkdtemp(dir));
    snprintf(db, sizeof db, "%s/walferry-db", dir);
    snprintf(kafka, sizeof kafka, "%s/walferry-kafka", dir);
    fclose(fopen(db, "w"));
    fclose(fopen(kafka, "w"));
    glob_t found;
    assert_int_equal(glob("config/examples/*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 4);
    for (size_t i = 0; i < found.gl_pathc; i++)
        parse_example(found.gl_pathv[i], dir);
    globfree(&found);
    unlink(db);
    unlink(kafka);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_files_are_made_from_the_table),
        cmocka_unit_test(the_keys_of_the_man_page_are_made_from_the_table),
        cmocka_unit_test(the_sample_shows_the_defaults),
        cmocka_unit_test(the_sample_is_good_with_every_key_in_use),
        cmocka_unit_test(every_example_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
