/* relay/retention_rule: what is taken for published, and what is not. */
#include "relay/retention_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

static struct retention_rule rule;
static struct retention_basis basis;
static struct poll_guard server;

static int setup(void **state)
{
    (void)state;
    rule = (struct retention_rule){.seen = BUF_EMPTY, .next = BUF_EMPTY};
    basis = (struct retention_basis){
        .open = true, .epoch = 1, .system_identifier = 7, .timeline = 1, .committed = {0x1000, 0}};
    server = (struct poll_guard){.system_identifier = 7,
                                 .timeline = 1,
                                 .snapshot = SPAN_LITERAL("10:10:"),
                                 .insert_lsn = 0x2000,
                                 .flush_lsn = 0x1800,
                                 .checkpoint = 0x500,
                                 .wal_segment = 16 << 20,
                                 .wal_block = 8192};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    retention_rule_fini(&rule);
    buf_fini(&basis.snapshot);
    return 0;
}

static void look(void)
{
    retention_look(&rule, &basis, &server);
}

static void published(const char *snapshot)
{
    assert_span(buf_span(&rule.seen), snapshot);
}

/* A later look sees more, which says nothing of what is published by then. */
static void later(uint64_t flushed, uint64_t committed)
{
    server.snapshot = SPAN_LITERAL("20:20:");
    server.insert_lsn = 0x9000;
    server.flush_lsn = flushed;
    basis.committed.lsn = committed;
    look();
}

static void the_place_behind_the_snapshot_is_waited_for(void **state)
{
    (void)state;
    look();
    published("");
    later(0x8000, 0x1fff);
    published("");
    later(0x8000, 0x2000);
    published("10:10:");
    later(0x9000, 0x8fff); /* the next pair is of 0x9000 */
    published("10:10:");
    later(0x9000, 0x9000);
    published("20:20:");
}

/* The next record begins behind the header of its page, where nothing is committed yet. */
static void the_header_of_a_page_is_no_place(void **state)
{
    (void)state;
    server.insert_lsn = 0x2000 + 24;
    look();
    later(0x2000, 0x2000);
    published("10:10:");
}

static void a_crash_before_it_was_flushed_takes_it_back(void **state)
{
    (void)state;
    look();
    server.checkpoint = 0x600;
    later(0x8000, 0x8000);
    published("");
    later(0x9000, 0x9000); /* one of the new life */
    published("20:20:");
}

static void a_crash_behind_that_does_not(void **state)
{
    (void)state;
    look();
    later(0x2000, 0x1000);
    server.checkpoint = 0x600;
    later(0x2000, 0x2000);
    published("10:10:");
}

static void what_is_not_flushed_is_waited_for(void **state)
{
    (void)state;
    look();
    later(0x1fff, 0x2000);
    published("");
    later(0x2000, 0x2000);
    published("10:10:");
}

static void nothing_outlives_its_epoch(void **state)
{
    (void)state;
    look();
    later(0x2000, 0x2000);
    published("10:10:");
    basis.epoch = 2;
    look();
    published("");
    later(0x9000, 0x9000);
    published("20:20:");
    basis.open = false;
    look();
    published("");
}

static void another_server_says_nothing(void **state)
{
    (void)state;
    look();
    server.timeline = 2;
    later(0x8000, 0x8000);
    published("");
    server.timeline = 1;
    server.in_recovery = true;
    look();
    published("");
    server.in_recovery = false;
    server.system_identifier = 8;
    look();
    published("");
}

/* Put back from a copy: what it writes is not what was committed. */
static void a_server_behind_the_progress_is_not_believed(void **state)
{
    (void)state;
    basis.committed.lsn = 0x2001;
    look();
    later(0x2000, 0x2001);
    published("");
    later(0x9000, 0x9000);
    published("20:20:");
}

static void polling_goes_by_its_record_alone(void **state)
{
    (void)state;
    basis.polls = true;
    look();
    published("");
    buf_add_text(&basis.snapshot, "8:9:8");
    look();
    published("8:9:8");
    server.timeline = 2;
    look();
    published("");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_place_behind_the_snapshot_is_waited_for),
        TEST(the_header_of_a_page_is_no_place),
        TEST(a_crash_before_it_was_flushed_takes_it_back),
        TEST(a_crash_behind_that_does_not),
        TEST(what_is_not_flushed_is_waited_for),
        TEST(nothing_outlives_its_epoch),
        TEST(another_server_says_nothing),
        TEST(a_server_behind_the_progress_is_not_believed),
        TEST(polling_goes_by_its_record_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
