/* progress: how one record follows another (I3), and which skips a new position leaves behind. */
#include "progress/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static struct progress at(uint64_t generation, uint64_t lsn)
{
    return (struct progress){
        .generation = generation, .mode = PROGRESS_WAL, .position = {lsn, 0}, .slot = "s"};
}

static struct batch ending(uint64_t lsn)
{
    return (struct batch){.end = {lsn, 0}, .ends_txn = true, .xid = 5};
}

static void an_advance_takes_the_batchs_end(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next;
    last.rebased.present = true;
    last.xid = 4;
    last.partial = (struct partial){120, 7, 1};
    last.position.seq = 7;
    struct batch batch = ending(200);
    batch.resume = SPAN_LITERAL("{}");
    progress_advance(&last, &batch, 99, &next);
    assert_int_equal(next.position.lsn, 200);
    assert_int_equal(next.position.seq, 0);
    assert_int_equal(next.partial.final_lsn, 0);
    assert_int_equal(next.xid, 5);
    assert_int_equal(next.generation, 3);
    assert_int_equal(next.at_us, 99);
    assert_false(next.rebased.present);
    assert_true(span_equal_text(next.resume, "{}"));
    assert_string_equal(next.slot, "s");
    assert_true(progress_follows(&last, &next));
}

static void a_part_keeps_the_lsn_and_counts(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next, after;
    struct batch batch = {.end = {100, 40}, .partial = {150, 40, 1}, .xid = 9};
    progress_advance(&last, &batch, 1, &next);
    assert_int_equal(next.position.lsn, 100);
    assert_int_equal(next.position.seq, 40);
    assert_int_equal(next.partial.final_lsn, 150);
    assert_int_equal(next.partial.done, 40);
    assert_int_equal(next.partial.part, 1);
    batch.end.seq = batch.partial.done = 80;
    batch.partial.part = 2;
    progress_advance(&next, &batch, 2, &after);
    assert_true(progress_follows(&next, &after));
    assert_false(progress_follows(&after, &next));
}

static void the_last_transaction_is_known_by_xid_and_time(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next, after;
    last.last.xid8 = 4;
    struct batch batch = ending(200);
    batch.ended = (struct batch_ended){.xid = 5, .final_lsn = 190, .commit_at_us = 77};
    progress_advance(&last, &batch, 1, &next);
    assert_int_equal(next.last.xid, 5);
    assert_int_equal(next.last.xid8, 0); /* of the one before */
    assert_int_equal(next.last.lsn, 190);
    assert_int_equal(next.last.commit_at_us, 77);
    struct batch mark = {.end = {300, 0}, .ends_txn = true, .mark = true};
    progress_advance(&next, &mark, 2, &after);
    assert_int_equal(after.last.xid, 5);
    assert_int_equal(after.last.lsn, 190);
    assert_int_equal(after.last.commit_at_us, 77);
}

/* A part stands behind whole transactions, which are the last ones below its position. */
static void a_part_remembers_what_ended_before_it(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next, after;
    struct batch batch = {.end = {150, 40}, .partial = {180, 40, 1}, .xid = 9};
    batch.ended = (struct batch_ended){.xid = 8, .final_lsn = 140, .commit_at_us = 70};
    progress_advance(&last, &batch, 1, &next);
    assert_int_equal(next.xid, 9);
    assert_int_equal(next.last.xid, 8);
    assert_int_equal(next.last.lsn, 140);
    /* Where it is not known which one was last, nothing is asked for again. */
    batch.end.seq = batch.partial.done = 80;
    batch.ended = (struct batch_ended){.unknown = true};
    progress_advance(&next, &batch, 2, &after);
    assert_int_equal(after.last.xid, 8);
    assert_int_equal(after.last.lsn, 0);
    batch.end.seq = batch.partial.done = 90;
    batch.ended = (struct batch_ended){.xid = 9, .final_lsn = 145}; /* at no known time */
    progress_advance(&next, &batch, 2, &after);
    assert_int_equal(after.last.xid, 9);
    assert_int_equal(after.last.lsn, 0);
}

static void an_id_is_the_one_nearest_to_those_given_out(void **state)
{
    (void)state;
    assert_int_equal(progress_xid8(0, 900), 0);
    assert_int_equal(progress_xid8(800, 0), 0);
    assert_int_equal(progress_xid8(800, 900), 800);
    assert_int_equal(progress_xid8(1000, 900), 1000); /* given out since */
    uint64_t third = UINT64_C(3) << 32;
    assert_int_equal(progress_xid8(UINT32_MAX, third + 5), third - 1);
    assert_int_equal(progress_xid8(7, third - 1), third + 7);
    assert_int_equal(progress_xid8(UINT32_MAX, 5), 0); /* there is no epoch before the first */
}

static void nobody_goes_back_to_an_older_version(void **state)
{
    (void)state;
    struct progress a = at(3, 100), b = at(4, 200);
    a.version = 2;
    b.version = 1;
    assert_false(progress_follows(&a, &b));
    b.rebased.present = true;
    assert_false(progress_follows(&a, &b));
    b.version_before = 1; /* on the way back from another one */
    assert_false(progress_follows(&a, &b));
    a.version = 1;
    b.version = 2;
    assert_true(progress_follows(&a, &b));
}

static void the_way_back_is_written_down(void **state)
{
    (void)state;
    struct progress a = at(3, 100), b = at(4, 100);
    a.version = 2;
    b.version = 1;
    b.version_before = 2;
    assert_true(progress_follows(&a, &b));
    b.generation = 2;
    assert_false(progress_follows(&a, &b));
}

static void is_lost(const struct progress *p, const char *lines)
{
    struct buf told = BUF_EMPTY;
    progress_lost_in(p, 1, &told);
    assert_string_equal(buf_text(&told), lines);
    buf_reset(&told);
    progress_lost_in(p, 2, &told);
    assert_int_equal(told.len, 0);
    buf_fini(&told);
}

static void what_an_older_version_cannot_hold_is_named(void **state)
{
    (void)state;
    struct progress p = at(3, 0x100);
    p.last.xid = 5;
    p.fingerprint = (struct progress_fingerprint){"0123456789abcdef0123456789abcdef", 0x100, 9};
    p.guard = 0x100;
    p.publication_count = 1;
    p.publications[0] = (struct progress_publication){"pub", 0x100};
    p.skip_count = 1;
    p.skips[0] = (struct skip){change_id_wal(0x150, 1), ""};
    p.partial = (struct partial){0x150, 2, 1};
    is_lost(&p, "");
    snprintf(p.skips[0].route, sizeof p.skips[0].route, "audit");
    is_lost(&p, "a change that only route audit is to pass over\n");
    p.skips[0].route[0] = '\0';
    p.publications[0].from = 0x101;
    p.guard = 0x102;
    p.command.present = true;
    memcpy(p.fingerprint.hash, PROGRESS_LOST, strlen(PROGRESS_LOST));
    is_lost(&p, "publication pub, which may not be asked for yet\n"
                "a decision about what was published up to 0/102\n"
                "that rows may be missing, about which nobody has decided\n"
                "a command that is under way\n");
}

static void a_mark_keeps_the_xid(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next;
    last.xid = 4;
    struct batch batch = ending(200);
    batch.xid = 0;
    batch.mark = true;
    progress_advance(&last, &batch, 1, &next);
    assert_int_equal(next.xid, 4);
}

static void skips_behind_the_position_go(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next;
    last.skip_count = 4;
    last.skips[0] = (struct skip){change_id_wal(150, 1), ""}; /* its transaction is done */
    last.skips[1] = (struct skip){change_id_wal(200, 1),
                                  ""}; /* commit record right at the position: still ahead */
    last.skips[2] = (struct skip){change_id_wal(199, 9), ""};
    last.skips[3] = (struct skip){change_id_wal(300, 2), ""};
    struct batch batch = ending(200);
    progress_advance(&last, &batch, 1, &next);
    assert_int_equal(next.skip_count, 2);
    assert_int_equal(next.skips[0].id.final_lsn, 200);
    assert_int_equal(next.skips[1].id.final_lsn, 300);
}

static void skips_among_the_changes_of_a_part_go(void **state)
{
    (void)state;
    struct progress last = at(3, 100), next;
    last.skip_count = 2;
    last.skips[0] = (struct skip){change_id_wal(150, 40), ""};
    last.skips[1] = (struct skip){change_id_wal(150, 41), ""};
    struct batch batch = {.end = {100, 40}, .partial = {150, 40, 1}};
    progress_advance(&last, &batch, 1, &next);
    assert_int_equal(next.skip_count, 1);
    assert_int_equal(next.skips[0].id.ordinal, 41);
}

static void within_a_generation_the_position_grows(void **state)
{
    (void)state;
    struct progress a = at(3, 100), b = at(3, 101);
    assert_true(progress_follows(&a, &b));
    assert_false(progress_follows(&b, &a));
    assert_false(progress_follows(&a, &a));
}

static void a_claim_may_repeat_the_position(void **state)
{
    (void)state;
    struct progress a = at(3, 100), claim = at(4, 100);
    assert_true(progress_follows(&a, &claim));
    assert_false(progress_follows(&claim, &a)); /* an older generation never comes back */
    claim.position.lsn = 99;
    assert_false(progress_follows(&a, &claim));
}

static void a_rebase_may_go_back(void **state)
{
    (void)state;
    struct progress a = at(3, 100), rebase = at(4, 50);
    rebase.rebased.present = true;
    assert_true(progress_follows(&a, &rebase));
    rebase.generation = 3;
    assert_false(progress_follows(&a, &rebase));
}

static void an_intent_comes_first_or_after_a_close(void **state)
{
    (void)state;
    struct progress wal = at(3, 100), intent = at(4, 100), closed = at(4, 100);
    intent.mode = PROGRESS_INTENT;
    closed.mode = PROGRESS_CLOSED;
    assert_false(progress_follows(&wal, &intent));
    assert_true(progress_follows(&wal, &closed));
    intent.generation = 5;
    intent.position.lsn = 7; /* a new slot, perhaps on a restored server */
    assert_true(progress_follows(&closed, &intent));
    wal = at(5, 7);
    assert_true(progress_follows(&intent, &wal)); /* the slot's consistent point may be the same */
    struct progress elsewhere = intent;
    elsewhere.generation = 6;
    elsewhere.position.lsn = 3;
    assert_true(progress_follows(&intent, &elsewhere)); /* begun anew on another server */
}

static void a_close_forgets_what_is_done_of_a_split(void **state)
{
    (void)state;
    struct progress part = at(3, 100), closed = at(4, 100);
    part.position.seq = 7;
    part.partial = (struct partial){150, 7, 1};
    closed.mode = PROGRESS_CLOSED;
    assert_true(progress_follows(&part, &closed));
    closed.position.lsn = 99;
    assert_false(progress_follows(&part, &closed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_advance_takes_the_batchs_end),
        cmocka_unit_test(a_part_keeps_the_lsn_and_counts),
        cmocka_unit_test(the_last_transaction_is_known_by_xid_and_time),
        cmocka_unit_test(a_part_remembers_what_ended_before_it),
        cmocka_unit_test(an_id_is_the_one_nearest_to_those_given_out),
        cmocka_unit_test(nobody_goes_back_to_an_older_version),
        cmocka_unit_test(the_way_back_is_written_down),
        cmocka_unit_test(what_an_older_version_cannot_hold_is_named),
        cmocka_unit_test(a_mark_keeps_the_xid),
        cmocka_unit_test(skips_behind_the_position_go),
        cmocka_unit_test(skips_among_the_changes_of_a_part_go),
        cmocka_unit_test(within_a_generation_the_position_grows),
        cmocka_unit_test(a_claim_may_repeat_the_position),
        cmocka_unit_test(a_rebase_may_go_back),
        cmocka_unit_test(an_intent_comes_first_or_after_a_close),
        cmocka_unit_test(a_close_forgets_what_is_done_of_a_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
