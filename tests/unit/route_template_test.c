/* route/route_template, route/route_compile: what is refused when a configuration is read, and
 * where the message points. */
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

static void expect_refused(struct route_fixture *f, const char *reason, const char *text)
{
    assert_int_equal(route_fixture_open(f), -1);
    assert_error(f->err, ERROR_STOP, reason, text);
    assert_int_equal(f->err.exit_code, EXIT_USAGE);
    assert_null(f->router);
    route_fixture_fini(f);
}

static void refuse_topic(const char *topic, const char *text)
{
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].topic = route_fixture_text(topic);
    expect_refused(&f, "bad_template", text);
}

static void test_bad_templates(void **state)
{
    (void)state;
    refuse_topic("a.{type", "shop.yaml:7: routes[0].topic: a { is not closed: {type");
    refuse_topic("a.{type{id}", "shop.yaml:7: routes[0].topic: a { is not closed: {type");
    refuse_topic("a.{", "shop.yaml:7: routes[0].topic: a { is not closed: {");
    refuse_topic("a.type}", "shop.yaml:7: routes[0].topic: a } without {");
    refuse_topic("}}}", "shop.yaml:7: routes[0].topic: a } without {");
    refuse_topic("a.{}", "shop.yaml:7: routes[0].topic: braces without the name of a column");
    refuse_topic("a.{\"\"}", "shop.yaml:7: routes[0].topic: braces without the name of a column");
    refuse_topic("a.{\"type}", "shop.yaml:7: routes[0].topic: a double quote is not closed");
    refuse_topic("a.{\"type\"\"}", "shop.yaml:7: routes[0].topic: a double quote is not closed");
    refuse_topic("a.{\"type\"x}", "shop.yaml:7: routes[0].topic: a { is not closed: {\"type\"x");
    refuse_topic("a.{:x}", "shop.yaml:7: routes[0].topic: braces without the name of a column");
    refuse_topic("a.{@shema}", "shop.yaml:7: routes[0].topic: there is no such fact: @shema");
    refuse_topic("a.{@}", "shop.yaml:7: routes[0].topic: there is no such fact: @");
    refuse_topic("a.{@op:x}",
                 "shop.yaml:7: routes[0].topic: a fact is never NULL and takes no default: @op");
}

/* SQL's own quoting, for names that would be read as something else. */
static void test_quoted_names(void **state)
{
    (void)state;
    static const char *const names[][3] = {
        {"{\"a.b\"}", "a.b", "v"},       {"{a.b}", "a.b", "v"},
        {"{\"a:b\"}", "a:b", "v"},       {"{\"a}b{\"}", "a}b{", "v"},
        {"{\"a\"\"b\"}", "a\"b", "v"},   {"{a\"b}", "a\"b", "v"},
        {"{\"@lsn\"}", "@lsn", "v"},     {"{\"plain\"}", "plain", "v"},
        {"{\"a:b\":none}", "a:b", NULL}, {"-{\"\"\"\":no\"ne}-", "\"", NULL},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct route_fixture f;
        route_fixture_init(&f);
        f.configs[0].key = route_fixture_text(names[i][0]);
        route_fixture_set(&f, names[i][1], names[i][2]);
        assert_int_equal(route_fixture_open(&f), 0);
        assert_int_equal(route_fixture_route(&f), 1);
        assert_span(f.event.key.cell.value.bytes, names[i][2] != NULL     ? names[i][2]
                                                  : names[i][0][0] == '-' ? "-no\"ne-"
                                                                          : "none");
        route_fixture_fini(&f);
    }
}

static void test_hints(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].key = route_fixture_text("{@nope}");
    assert_int_equal(route_fixture_open(&f), -1);
    assert_string_equal(f.err.text, "shop.yaml:7: routes[0].key: there is no such fact: @nope");
    assert_string_equal(f.err.hint,
                        "the facts are {@schema} {@table} {@op} {@lsn} {@xid} {@commit_ms} "
                        "{@relay}");
    f.configs[0].key = route_fixture_text("{a");
    assert_int_equal(route_fixture_open(&f), -1);
    assert_string_equal(f.err.hint, "write {{ for a brace that is meant as one");
    route_fixture_fini(&f);
}

static void test_secret_template_is_not_shown(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].topic = route_fixture_text("a.{hunter2");
    f.configs[0].topic.secret = true;
    expect_refused(&f, "bad_template", "shop.yaml:7: routes[0].topic: a { is not closed");
}

static void test_bad_literal_topics(void **state)
{
    (void)state;
    const char *const bad[][3] = {
        {"", "illegal_topic", "shop.yaml:7: routes[0].topic: the topic name is empty"},
        {"a/b", "illegal_topic",
         "shop.yaml:7: routes[0].topic: the topic name \"a/b\" holds a character other than "
         "a-z A-Z 0-9 . _ -"},
        {"{{a}}", "illegal_topic",
         "shop.yaml:7: routes[0].topic: the topic name \"{a}\" holds a character other than "
         "a-z A-Z 0-9 . _ -"},
        {"at.{@lsn}", "illegal_topic",
         "shop.yaml:7: routes[0].topic: the topic name \"at.0/0\" holds a character other than "
         "a-z A-Z 0-9 . _ -"},
        {"__x", "reserved_topic",
         "shop.yaml:7: routes[0].topic: topic __x begins with __, which is for Kafka's own topics"},
        {"walferry.{@relay}.progress", "reserved_topic",
         "shop.yaml:7: routes[0].topic: topic walferry.orders.progress is the progress topic"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct route_fixture f;
        route_fixture_init(&f);
        f.configs[0].topic = route_fixture_text(bad[i][0]);
        expect_refused(&f, bad[i][1], bad[i][2]);
    }
}

static void test_topics_that_are_not_allowed(void **state)
{
    (void)state;
    const struct config_text globs[] = {route_fixture_text("outbox.event.*"),
                                        route_fixture_text("audit-?")};
    const struct config_texts allowed = {2, globs};
    const char *const bad[][2] = {
        {"orders", "shop.yaml:7: routes[0].topic: topic orders matches none of "
                   "delivery.topics.allow"},
        {"audit-10", "shop.yaml:7: routes[0].topic: topic audit-10 matches none of "
                     "delivery.topics.allow"},
        {"outbox.ev.{type}", "shop.yaml:7: routes[0].topic: no topic like outbox.ev.* can "
                             "match any of delivery.topics.allow"},
        {"audit_{type}", "shop.yaml:7: routes[0].topic: no topic like audit_* can match any of "
                         "delivery.topics.allow"}};
    const char *const good[] = {"outbox.event.x",  "audit-1",          "outbox.event.{type}",
                                "outbox.e{type}t", "{type}",           "{type}.{aggregatetype}",
                                "audit-{type}",    "outbox.event{id}x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct route_fixture f;
        route_fixture_init(&f);
        f.topics_allowed = &allowed;
        f.configs[0].topic = route_fixture_text(bad[i][0]);
        expect_refused(&f, "topic_not_allowed", bad[i][1]);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct route_fixture f;
        route_fixture_init(&f);
        f.topics_allowed = &allowed;
        f.configs[0].topic = route_fixture_text(good[i]);
        assert_int_equal(route_fixture_open(&f), 0);
        route_fixture_fini(&f);
    }
}

static void test_messages_have_no_table(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text("message:outbox");
    f.configs[0].topic = route_fixture_text("a.{@table}");
    expect_refused(&f, "bad_template",
                   "shop.yaml:7: routes[0].topic: a message has no schema and no table: @table");
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text("message:outbox");
    f.configs[0].key = route_fixture_text("{@schema}");
    expect_refused(&f, "bad_template",
                   "shop.yaml:7: routes[0].key: a message has no schema and no table: @schema");
}

static void refuse_from(const char *from, const char *text)
{
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text(from);
    expect_refused(&f, "bad_from", text);
}

static void test_bad_from(void **state)
{
    (void)state;
    const char *expected =
        "shop.yaml:7: routes[0].from: expected schema.table, a glob of that form, "
        "or message:<prefix>";
    refuse_from("outbox", expected);
    refuse_from(".outbox", expected);
    refuse_from("public.", expected);
    refuse_from("", expected);
    refuse_from("message:",
                "shop.yaml:7: routes[0].from: message: needs the prefix of the messages");
}

static void refuse_header(const char *name, const char *value, const char *reason, const char *text)
{
    struct route_fixture f;
    struct config_pair header = {route_fixture_text(name), route_fixture_text(value)};
    route_fixture_init(&f);
    f.configs[0].has_headers = true;
    f.configs[0].headers = (struct config_pairs){1, &header};
    expect_refused(&f, reason, text);
}

static void test_bad_headers(void **state)
{
    (void)state;
    refuse_header("", "x", "bad_header", "shop.yaml:7: routes[0].headers: a header has no name");
    refuse_header("walferry-part", "x", "reserved_header",
                  "shop.yaml:7: routes[0].headers: names that begin with walferry- are walferry's "
                  "own: walferry-part");
    refuse_header("a", "{", "bad_template", "shop.yaml:7: routes[0].headers: a { is not closed: {");
}

/* One that may be missing is all of its header, or nothing. */
static void test_bad_optional(void **state)
{
    (void)state;
    static const char *const beside = "shop.yaml:7: routes[0].headers: an optional column stands "
                                      "alone: type";
    refuse_header("a", "{type|optional}!", "bad_template", beside);
    refuse_header("a", "a {type|optional}", "bad_template", beside);
    refuse_header("a", "{id}{type|optional}", "bad_template", beside);
    refuse_header("a", "{type|optional:x}", "bad_template",
                  "shop.yaml:7: routes[0].headers: a column is optional or has a default: type");
    refuse_header("a", "{@op|optional}", "bad_template",
                  "shop.yaml:7: routes[0].headers: a fact keeps its letters and is always there: "
                  "@op");
    refuse_header("a", "{|optional}", "bad_template",
                  "shop.yaml:7: routes[0].headers: braces without the name of a column");
    refuse_header("a", "{type|optionl}", "bad_template",
                  "shop.yaml:7: routes[0].headers: behind a | stands upper, lower or optional: "
                  "optionl");
    refuse_topic("{type|optional}",
                 "shop.yaml:7: routes[0].topic: behind a | stands upper or lower: optional");
}

static void test_the_item_is_named(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_add_route(&f, "second", "public.other")->key = route_fixture_text("{");
    expect_refused(&f, "bad_template", "shop.yaml:7: routes[1].key: a { is not closed: {");
}

static void expect_key(const char *template, const char *color, const char *wanted)
{
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].key = route_fixture_text(template);
    route_fixture_set(&f, "color", color);
    route_fixture_set(&f, "größe", "XL");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.key.cell.value.bytes, wanted);
    route_fixture_fini(&f);
}

static void test_rendering(void **state)
{
    (void)state;
    expect_key("plain", "red", "plain");
    expect_key("{color}", "red", "red");
    expect_key("{color}", "", "");
    expect_key("{color:none}", "red", "red");
    expect_key("{color:none}", NULL, "none");
    expect_key("{color:a:b}", NULL, "a:b");
    expect_key("{color:}", NULL, "");
    expect_key("<{color:}>", NULL, "<>");
    expect_key("{aggregateid}/{color:none}/{aggregateid}", NULL, "4711/none/4711");
    expect_key("{{{color}}}", "red", "{red}");
    expect_key("{{color}}", "red", "{color}");
    expect_key("}}{{", "red", "}{");
    expect_key("{größe}", "red", "XL");
    expect_key("{@relay}-{@op}", "red", "orders-insert");
}

static void test_close_of_nothing(void **state)
{
    (void)state;
    router_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_templates),
        cmocka_unit_test(test_quoted_names),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_secret_template_is_not_shown),
        cmocka_unit_test(test_bad_literal_topics),
        cmocka_unit_test(test_topics_that_are_not_allowed),
        cmocka_unit_test(test_messages_have_no_table),
        cmocka_unit_test(test_bad_from),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_optional),
        cmocka_unit_test(test_the_item_is_named),
        cmocka_unit_test(test_rendering),
        cmocka_unit_test(test_close_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
