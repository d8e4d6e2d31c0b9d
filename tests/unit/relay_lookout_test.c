/* relay/lookout: which transactions were over when a snapshot was taken, and what a look answers.
 */
#include "relay/lookout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool over(const char *snapshot, uint32_t xid)
{
    return lookout_is_over(span_of(snapshot), xid);
}

static void what_a_snapshot_says(void **state)
{
    (void)state;
    assert_true(over("100:100:", 99));
    assert_false(over("100:100:", 100));
    assert_true(over("100:110:103,105", 104));
    assert_false(over("100:110:103,105", 103));
    assert_false(over("100:110:103,105", 105));
    assert_false(over("100:110:103,105", 110));
    assert_false(over("", 1));
    assert_false(over("nonsense", 1));
}

/* A pg_snapshot has 64 bits, the stream 32, and those go round. */
static void ids_go_round(void **state)
{
    (void)state;
    assert_true(over("4294967306:4294967306:", UINT32_MAX)); /* xmin is 10 in the next epoch */
    assert_true(over("4294967306:4294967306:", 9));
    assert_false(over("4294967306:4294967306:", 10));
    assert_false(over("4294967290:4294967306:4294967300", 4));
    assert_true(over("4294967290:4294967306:4294967300", 5));
    assert_true(over("4294967290:4294967306:4294967300", UINT32_MAX));
}

/* ---- What it is told ---- */

static struct lookout l;
static uint64_t near_xid;
static struct lookout_ahead ahead;

static uint64_t next_of(const char *snapshot)
{
    struct span rest = span_of(snapshot);
    uint64_t next = 0;
    fingerprint_next_number(&rest, &next);
    fingerprint_next_number(&rest, &next);
    return next;
}

static struct fingerprint look(const char *hash, uint64_t lsn, const char *snapshot)
{
    struct fingerprint f = {.id = {.lsn = lsn, .xid = fingerprint_oldest(span_of(snapshot))},
                            .text = span_of(hash),
                            .snapshot = span_of(snapshot),
                            .next_xid = next_of(snapshot),
                            .behind_lsn = lsn + 5,
                            .end_lsn = lsn + 9};
    snprintf(f.id.hash, sizeof f.id.hash, "%s", hash);
    return f;
}

static void tell(const char *hash, uint64_t lsn, const char *snapshot)
{
    struct fingerprint f = look(hash, lsn, snapshot);
    lookout_tell(&l, l.epoch, &f, NULL);
}

/* As the watch does: `touched` is what the server answers, if it is asked. */
static bool tell_touched(uint64_t lsn, const char *snapshot, bool any, const char *touched)
{
    struct fingerprint f = look("aa", lsn, snapshot);
    struct lookout_guard guard;
    if (!lookout_asked(&l, &f, &guard)) {
        lookout_tell(&l, l.epoch, &f, NULL);
        return false;
    }
    struct lookout_touched answer = {.guard = &guard, .any = any, .names = span_of(touched)};
    lookout_tell(&l, l.epoch, &f, &answer);
    return true;
}

static struct lookout_guard guard_of_xid(uint32_t xid, uint64_t final_lsn)
{
    return (struct lookout_guard){.xid = xid, .id = change_id_wal(final_lsn, 1)};
}

/* The record is from xid 40, the open's look from 100 on. */
static int begin(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(lookout_open(&l, &err), 0);
    struct progress_fingerprint recorded = {.hash = "aa", .lsn = 50, .xid = 40};
    struct fingerprint now = look("aa", 100, "100:105:103");
    lookout_begin(&l, &recorded, &now);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lookout_close(&l);
    return 0;
}

static uint64_t lsn(void)
{
    return lookout_lsn(&l, 0, &near_xid, &ahead);
}

static bool wanted(void)
{
    uint64_t epoch;
    return lookout_wanted(&l, &epoch);
}

static void what_a_look_answers(void **state)
{
    (void)state;
    struct lookout_guard guard = guard_of_xid(200, 1000), other = guard_of_xid(190, 990);
    assert_true(wanted());
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_UNANSWERED);
    lookout_ask(&l, &guard);
    assert_false(tell_touched(900, "200:200:", false, "")); /* still under way at that look */
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_UNANSWERED);
    assert_true(tell_touched(1100, "201:201:", false, ""));
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_PASSES_ALL);
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_PASSES_ALL); /* over at that look, too */
    other.xid = 201;
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_UNANSWERED);
    assert_false(lookout_changed(&l));
    lookout_blind(&l); /* it may be of long ago from now on */
    lsn();
    assert_int_equal(near_xid, 0);
    lookout_end(&l);
    assert_false(wanted());
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_PASSES_ALL); /* nothing is recorded */
}

static void what_is_touched_beside_lets_each_guard_be_asked_about(void **state)
{
    (void)state;
    struct lookout_guard guard = guard_of_xid(200, 1000), other = guard_of_xid(200, 1000);
    other.id.ordinal = 2;
    lookout_ask(&l, &guard);
    assert_true(tell_touched(1100, "201:201:", true, ""));
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_PASSES);
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_UNANSWERED);
    lookout_ask(&l, &other);
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_UNANSWERED);
    assert_true(tell_touched(1200, "202:202:", true, ""));
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_PASSES);
}

static void what_was_put_back_is_a_change(void **state)
{
    (void)state;
    struct arena arena;
    struct published_seen seen;
    struct lookout_guard guard = guard_of_xid(200, 1000);
    arena_init(&arena, 256, 256);
    lookout_recall_seen(&l, &arena, &seen);
    assert_int_equal(seen.lsn, 0);
    lookout_ask(&l, &guard);
    assert_true(tell_touched(1100, "201:201:", true, "table a.b"));
    assert_true(lookout_changed(&l));
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_UNANSWERED);
    lookout_end(&l);
    lookout_recall_seen(&l, &arena, &seen);
    assert_int_equal(seen.lsn, 1109);
    assert_true(span_equal_text(seen.touched, "table a.b"));
    assert_null(seen.text.ptr);
    arena_fini(&arena);
}

/* It is looked for since a place at which the guard's transaction was not over: the record's, or a
 * look whose place in the log the guard is behind. */
static void since_when_it_matters(void **state)
{
    (void)state;
    struct fingerprint f = look("aa", 2000, "500:500:");
    struct lookout_guard asked, before = guard_of_xid(90, 104), behind = guard_of_xid(300, 105);
    lookout_ask(&l, &before);
    assert_true(lookout_asked(&l, &f, &asked));
    assert_int_equal(asked.suspects.xid, 40);
    lookout_ask(&l, &behind);
    assert_true(lookout_asked(&l, &f, &asked));
    assert_int_equal(asked.suspects.xid, 100);
    lookout_lsn(&l, 104, &near_xid, &ahead);
    assert_int_equal(ahead.xid, 100);
    assert_int_equal(ahead.lsn, 105);
    lookout_lsn(&l, 105, &near_xid, &ahead); /* committed so far: now it is the record's */
    assert_int_equal(ahead.xid, 100);
    assert_int_equal(ahead.lsn, 0);
    lookout_ask(&l, &before); /* which was answered by then, or never comes */
    lookout_tell(&l, l.epoch, &f, NULL);
    lookout_lsn(&l, 105, &near_xid, &ahead);
    assert_int_equal(ahead.xid, 500);
    assert_int_equal(ahead.lsn, 2005);
    /* A clean look since 100 says nothing of what a guard may have touched since 40. */
    lookout_ask(&l, &behind);
    assert_true(tell_touched(2100, "600:600:", false, ""));
    assert_int_equal(lookout_answer(&l, &behind), LOOKOUT_PASSES_ALL);
}

/* A commit that waits for a standby stands in the log long before it is seen. */
static void from_where_on_rows_may_be_missing(void **state)
{
    (void)state;
    assert_int_equal(lsn(), 50); /* 103 and 104 are under way */
    tell("aa", 200, "103:120:");
    assert_int_equal(lsn(), 50);
    tell("aa", 300, "105:130:105");
    assert_int_equal(lsn(), 100); /* all that had begun at 100 is over */
    tell("aa", 400, "129:140:129");
    assert_int_equal(lsn(), 100);
    tell("aa", 500, "150:150:");
    assert_int_equal(lsn(), 500); /* nothing is under way */
    assert_int_equal(near_xid, 150);
    tell("bb", 600, "160:160:");
    assert_true(lookout_changed(&l));
    assert_false(wanted());
    assert_int_equal(lsn(), 500);
}

/* A snapshot ends behind the newest that is over: what waits may have a later id. */
static void what_waits_stands_behind_the_snapshot(void **state)
{
    (void)state;
    struct fingerprint f = look("aa", 200, "105:105:");
    f.next_xid = 108; /* 105 and 107 wait with their commit */
    lookout_tell(&l, l.epoch, &f, NULL);
    assert_int_equal(lsn(), 100);
    f.id.lsn = 300;
    lookout_tell(&l, l.epoch, &f, NULL);
    assert_int_equal(lsn(), 100);
    tell("aa", 400, "107:107:");
    assert_int_equal(lsn(), 100);
    tell("aa", 500, "108:108:");
    assert_int_equal(lsn(), 500);
}

/* It was on its way while one epoch ended and the next began. */
static void a_look_for_another_epoch_says_nothing(void **state)
{
    (void)state;
    uint64_t epoch;
    struct progress_fingerprint recorded = {.hash = "bb", .lsn = 60, .xid = 40};
    struct fingerprint late = look("aa", 600, "160:160:"), now = look("bb", 700, "170:170:");
    struct lookout_guard guard = guard_of_xid(165, 650), asked;
    assert_true(lookout_wanted(&l, &epoch));
    lookout_end(&l);
    lookout_begin(&l, &recorded, &now);
    lookout_tell(&l, epoch, &late, NULL);
    assert_false(lookout_changed(&l));
    late = look("bb", 800, "180:180:"); /* of other routes, which say that nothing was touched */
    lookout_ask(&l, &guard);
    assert_true(lookout_asked(&l, &late, &asked));
    lookout_tell(&l, epoch, &late, &(struct lookout_touched){.guard = &asked});
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_UNANSWERED);
    assert_true(lookout_wanted(&l, &epoch));
    lookout_tell(&l, epoch, &late, &(struct lookout_touched){.guard = &asked});
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_PASSES_ALL);
}

/* Detached, written by its name, and dropped: an open finds it gone, which alone is harmless. */
static void a_guard_that_names_what_is_gone_is_a_change(void **state)
{
    (void)state;
    struct lookout_guard guard = guard_of_xid(90, 800), other = guard, behind = guard;
    guard.suspects.count = other.suspects.count = behind.suspects.count = 2;
    guard.suspects.oids[1] = behind.suspects.oids[1] = 16500;
    behind.id.final_lsn = 1000; /* it was dropped by then: so this one is forged */
    lookout_gone(&l, SPAN_LITERAL("16400"), 900);
    lookout_gone(&l, SPAN_LITERAL("16500,16600"), 1000);
    size_t len = l.gone.len;
    lookout_gone(&l, SPAN_LITERAL("16500,16600"), 1000); /* an open that has failed, once more */
    assert_int_equal(l.gone.len, len);
    lookout_gone(&l, span_null(), 2000);
    lookout_ask(&l, &other);
    assert_true(tell_touched(1100, "201:201:", false, ""));
    assert_int_equal(lookout_answer(&l, &other), LOOKOUT_PASSES_ALL);
    assert_int_equal(lookout_answer(&l, &behind), LOOKOUT_PASSES_ALL);
    assert_int_equal(lookout_answer(&l, &guard), LOOKOUT_UNANSWERED);
    assert_false(lookout_changed(&l));
    lookout_news(&l);
    lookout_ask(&l, &guard);
    assert_true(lookout_changed(&l));
    assert_true(lookout_news(&l));
    struct arena arena;
    struct published_seen seen;
    arena_init(&arena, 256, 256);
    lookout_recall_seen(&l, &arena, &seen);
    assert_true(span_equal_text(seen.touched, "a partition that is gone"));
    assert_int_equal(seen.lsn, 1000);
    arena_fini(&arena);
}

static void what_was_seen_is_kept_until_an_epoch_begins(void **state)
{
    (void)state;
    struct arena arena;
    struct published_seen seen;
    const char *hash;
    arena_init(&arena, 256, 256);
    tell("bb", 600, "160:160:");
    assert_int_equal(lookout_answer(&l, &(struct lookout_guard){.xid = 5}), LOOKOUT_UNANSWERED);
    lookout_end(&l);
    tell("aa", 700, "170:170:"); /* nobody wants it */
    assert_true(span_equal_text(lookout_recall(&l, &arena, &hash), "aa"));
    assert_string_equal(hash, "aa");
    lookout_recall_seen(&l, &arena, &seen);
    assert_true(span_equal_text(seen.text, "bb"));
    assert_int_equal(seen.lsn, 609);
    struct progress_fingerprint recorded = {.hash = "bb", .lsn = 50, .xid = 40};
    struct fingerprint now = look("bb", 800, "180:180:");
    lookout_begin(&l, &recorded, &now);
    assert_false(lookout_changed(&l));
    lookout_recall_seen(&l, &arena, &seen);
    assert_int_equal(seen.lsn, 0);
    assert_null(seen.text.ptr);
    arena_fini(&arena);
}

/* What was open when a publication was seen must be over before it is asked for. */
static void what_is_younger_than_the_position(void **state)
{
    (void)state;
    tell("aa", 150, "112:115:112");
    assert_int_equal(lookout_more_from(&l), 0); /* nobody waits */
    lookout_await_more(&l);
    tell("aa", 200, "107:112:107");
    tell("aa", 300, "111:114:111");
    assert_int_equal(lookout_more_from(&l), 0);
    tell("aa", 400, "112:115:112");
    assert_int_equal(lookout_more_from(&l), 409);
    tell("aa", 500, "120:120:");
    assert_int_equal(lookout_more_from(&l), 409);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_snapshot_says),
        cmocka_unit_test(ids_go_round),
        TEST(what_a_look_answers),
        TEST(what_is_touched_beside_lets_each_guard_be_asked_about),
        TEST(what_was_put_back_is_a_change),
        TEST(since_when_it_matters),
        TEST(from_where_on_rows_may_be_missing),
        TEST(what_waits_stands_behind_the_snapshot),
        TEST(a_look_for_another_epoch_says_nothing),
        TEST(a_guard_that_names_what_is_gone_is_a_change),
        TEST(what_was_seen_is_kept_until_an_epoch_begins),
        TEST(what_is_younger_than_the_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
