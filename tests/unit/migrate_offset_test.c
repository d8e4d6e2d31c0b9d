/* migrate/: where a connector has stopped, in all forms that a person can get hold of. */
#include "migrate/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

#define OFFSET                                                                                     \
    "{\"lsn_proc\":300,\"messageType\":\"INSERT\",\"lsn_commit\":200,\"lsn\":300,\"txId\":7}"

static struct migrate_offset read_offset(struct span text)
{
    struct migrate_offset offset;
    struct error err = ERROR_INIT;
    if (migrate_offset(text, "f", "shop", &offset, &err) < 0)
        fail_msg("%.*s: %s", SPAN_ARG(text), err.text);
    return offset;
}

static void each_form_is_read(void **state)
{
    (void)state;
    const struct span FORMS[] = {
        SPAN_LITERAL(OFFSET),
        SPAN_LITERAL("{\"offsets\":[{\"partition\":{\"server\":\"shop\"},\"offset\":" OFFSET "}]}"),
        SPAN_LITERAL("[\"orders\",{\"server\":\"shop\"}]\t" OFFSET "\n"),
        /* The last one of a key counts, and of several keys the one that is asked for. */
        SPAN_LITERAL("[\"o\",{\"server\":\"shop\"}] {\"lsn_commit\":1,\"lsn\":2}\n"
                     "[\"p\",{\"server\":\"other\"}] {\"lsn_commit\":5,\"lsn\":6}\n"
                     "[\"o\",{\"server\":\"shop\"}] " OFFSET "\n"),
        /* What was deleted is none. */
        SPAN_LITERAL(
            "[\"p\",{\"server\":\"other\"}]\t{\"lsn_commit\":5}\n[\"p\",{\"server\":\"other\"}]\t"
            "null\n[\"o\",{\"server\":\"x\"}]\t" OFFSET),
        /* A HashMap<byte[], byte[]> as Java serialises it. */
        SPAN_LITERAL(
            "\xac\xed\x00\x05sr\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16`\xd1\x03\x00"
            "\x02"
            "F\x00\nloadFactorI\x00\tthresholdxp?@\x00\x00\x00\x00\x00\x0cw\x08\x00\x00\x00"
            "\x10\x00\x00\x00\x01ur\x00\x02[B\xac\xf3\x17\xf8\x06\x08T\xe0\x02\x00\x00xp\x00"
            "\x00\x00\x1b[\"kafka\",{\"server\":\"shop\"}]uq\x00~\x00\x02\x00\x00\x00"
            "H" OFFSET "x"),
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        struct migrate_offset offset = read_offset(FORMS[i]);
        assert_int_equal(offset.commit_lsn, 200);
        assert_int_equal(offset.event_lsn, 300);
    }
}

static void parts_may_be_missing(void **state)
{
    (void)state;
    struct migrate_offset offset =
        read_offset(SPAN_LITERAL("{\"lsn\":300,\"lsn_commit\":null,\"messageType\":\"UPDATE\"}"));
    assert_int_equal(offset.commit_lsn, 0);
    assert_int_equal(offset.event_lsn, 300);
    offset = read_offset(
        SPAN_LITERAL("{\"lsn\":9,\"lsn_commit\":8,\"snapshot\":true,\"snapshot_completed\":true}"));
    assert_int_equal(offset.commit_lsn, 8);
    offset =
        read_offset(SPAN_LITERAL("{\"lsn_commit\":8,\"incremental_snapshot_collections\":\"\"}"));
    assert_int_equal(offset.commit_lsn, 8);
}

/* An offset that names many tables. */
static void a_long_one_is_read(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "{\"lsn_commit\":8,\"tables\":\"");
    for (int i = 0; i < 15 * 1024; i++)
        buf_add_char(&text, 't');
    buf_add_text(&text, "\"}");
    assert_int_equal(read_offset(buf_span(&text)).commit_lsn, 8);
    buf_fini(&text);
}

/* What the last message was decides whether its LSN says that a change was sent. */
static void only_a_change_names_what_was_sent(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t event_lsn;
    } CASES[] = {
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":\"INSERT\"}", 9},
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":\"UPDATE\"}", 9},
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":\"DELETE\"}", 9},
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":\"TRUNCATE\"}", 9},
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":\"BEGIN\"}", 7},
        {"{\"lsn\":9,\"lsn_commit\":9,\"messageType\":\"COMMIT\"}", 8},
        {"{\"lsn\":9,\"messageType\":\"COMMIT\"}", 0},
        {"{\"lsn\":9,\"messageType\":\"BEGIN\"}", 0},
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":\"MESSAGE\"}", 0},
        {"{\"lsn\":9,\"lsn_commit\":8,\"messageType\":null}", 0},
        {"{\"lsn\":9,\"lsn_commit\":8}", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (read_offset(span_of(CASES[i].text)).event_lsn != CASES[i].event_lsn)
            fail_msg("%s", CASES[i].text);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } CASES[] = {
        {"", "f: no offset of a Debezium connector"},
        {"{\"offsets\":[]}", "f: no offset of a Debezium connector"},
        {"{\"lsn_commit\":200", "f: no offset of a Debezium connector"},
        {"{{{{{{", "f: no offset of a Debezium connector"},
        {"{\"lsn\":9,\"snapshot\":\"INITIAL\",\"snapshot_completed\":false}",
         "f: the connector is in its snapshot"},
        {"{\"lsn\":9,\"messageType\":\"INSERT\",\"incremental_snapshot_collections\":\"[{}]\"}",
         "f: the connector is in its snapshot"},
        {"{\"server\":\"a\"}{\"lsn\":1}{\"server\":\"b\"}{\"lsn\":1}",
         "f: offsets of 2 connectors (a, b), none of them of topic.prefix shop"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct migrate_offset offset;
        struct error err = ERROR_INIT;
        assert_int_equal(migrate_offset(span_of(CASES[i].text), "f", "shop", &offset, &err), -1);
        assert_error(err, ERROR_STOP, "config_value", CASES[i].said);
        assert_true(err.hint[0] != '\0');
    }
}

/* A megabyte of braces is looked at in time that grows with it. */
static void a_hostile_file_ends(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct migrate_offset offset;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < (size_t)200 * 1000; i++)
        buf_add_text(&text, "{\"a\":");
    assert_int_equal(migrate_offset(buf_span(&text), "f", "shop", &offset, &err), -1);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(parts_may_be_missing),
        cmocka_unit_test(a_long_one_is_read),
        cmocka_unit_test(only_a_change_names_what_was_sent),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_hostile_file_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
