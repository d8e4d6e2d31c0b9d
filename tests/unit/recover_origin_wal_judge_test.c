/* recover/origin_wal_judge: every refusal with its kind, exit code, reason, text and hint, and what
 * is let through. The texts are what an operator reads at a bad start, so they are compared whole.
 */
#include "base/time.h"
#include "recover/origin_wal_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

struct fixture {
    struct found found;
    struct wal_facts facts;
    struct error err;
};

/* A relay at 0/2000 on a healthy server, with everything in agreement. */
static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){
        .found = {.topic_exists = true,
                  .have_progress = true,
                  .progress = {.relay = "orders",
                               .system_identifier = 42,
                               .timeline = 1,
                               .slot = "walferry_orders",
                               .mode = PROGRESS_WAL,
                               .position = {0x2000, 0},
                               .config_hash = "0123456789abcdef"},
                  .system = {.system_identifier = 42, .timeline = 1, .database = "shop"},
                  .origin = {.present = true,
                             .kind = "pgoutput",
                             .database = "shop",
                             .state = "reserved",
                             .confirmed_lsn = 0x1000,
                             .current_lsn = 0x3000}},
    };
    f.facts = (struct wal_facts){.relay = "orders",
                                 .slot_name = "walferry_orders",
                                 .topic = "walferry.orders.progress",
                                 .config_hash = "0123456789abcdef",
                                 .found = &f.found};
    *state = &f;
    return 0;
}

static void accepted(struct fixture *f)
{
    int result = wal_judge_start(&f->facts, &f->err);
    if (result != 0)
        fail_msg("refused: %s", f->err.text);
}

static void refused(struct fixture *f, enum exit_code code, const char *reason, const char *text,
                    const char *hint)
{
    assert_int_equal(wal_judge_start(&f->facts, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_string_equal(reason_slug(f->err.reason), reason);
    assert_string_equal(f->err.text, text);
    assert_advice(f->err, hint);
    assert_int_equal(f->err.exit_code, code);
}

static void agreement_is_accepted(void **state)
{
    accepted(*state);
}

static void equal_positions_are_accepted(void **state)
{
    struct fixture *f = *state;
    f->found.origin.confirmed_lsn = 0x2000;
    f->found.origin.current_lsn = 0x2000;
    accepted(f);
}

static void wal_status_short_of_lost_is_accepted(void **state)
{
    struct fixture *f = *state;
    snprintf(f->found.origin.state, sizeof f->found.origin.state, "unreserved");
    accepted(f);
    f->found.origin.state[0] = '\0';
    accepted(f);
}

static void nothing_at_all_is_not_set_up(void **state)
{
    struct fixture *f = *state;
    f->found.have_progress = false;
    f->found.origin = (struct found_origin){.present = false};
    refused(f, EXIT_USAGE, "not_set_up",
            "relay orders has neither progress in topic walferry.orders.progress nor slot "
            "walferry_orders: it has not been set up",
            "run: walferry setup");
}

static void a_slot_without_progress_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.have_progress = false;
    refused(f, EXIT_REFUSED, "progress_missing",
            "slot walferry_orders exists, but topic walferry.orders.progress holds no progress of "
            "relay orders: what was published already is not known",
            "publish again from where the slot stands: walferry rebase --to slot --accept-repeat");
}

static void a_relay_torn_down_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.progress.mode = PROGRESS_CLOSED;
    refused(f, EXIT_USAGE, "closed", "relay orders was torn down", "run: walferry setup");
}

static void another_mode_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *text =
        "progress of relay orders was recorded under source.mode: poll, the file says wal";
    f->found.progress.mode = PROGRESS_POLL;
    f->found.progress.resume = SPAN_LITERAL("{\"prev\":\"3:3:\",\"target\":null,\"last_seq\":{}}");
    refused(f, EXIT_REFUSED, "mode_changed", text,
            "move the relay over, without a gap or a repeat; or restore the file: walferry setup "
            "--switch-to wal");
    f->found.progress.resume = SPAN_LITERAL(CLAIM_RESUME_EMPTY);
    refused(f, EXIT_REFUSED, "mode_changed", text,
            "begin with a new slot (what is committed before it is made, and was not published, "
            "never will be): walferry rebase --to new-slot --accept-loss");
}

static void an_unfinished_setup_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.progress.mode = PROGRESS_INTENT;
    refused(f, EXIT_USAGE, "setup_unfinished", "the setup of relay orders has not finished",
            "it goes on where it stopped: walferry setup");
}

static void another_system_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.system.system_identifier = 43;
    refused(
        f, EXIT_REFUSED, "other_system", "progress is of the database system 42, this server is 43",
        "connect to the right server; or, where this one comes from it by pg_upgrade, say "
        "rebase --upgraded (docs/TASKS.md); or start anew on this one: walferry rebase --to slot "
        "--accept-loss");
    f->found.origin.present = false;
    refused(f, EXIT_REFUSED, "other_system",
            "progress is of the database system 42, this server is 43",
            "connect to the right server; or, where this one comes from it by pg_upgrade, say "
            "rebase --upgraded (docs/TASKS.md); or start anew on this one: walferry rebase --to "
            "new-slot --accept-loss");
}

static void retried(struct fixture *f, const char *text)
{
    assert_int_equal(wal_judge_start(&f->facts, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "in_recovery");
    assert_string_equal(f->err.text, text);
}

/* While a failover is under way a string with several hosts may lead to the standby. */
static void what_a_standby_lacks_is_waited_for(void **state)
{
    struct fixture *f = *state;
    f->found.system.in_recovery = true;
    accepted(f);
    f->found.origin.current_lsn = 0x1fff;
    retried(f, "the server is in recovery, and it has not replayed as far as the progress of slot "
               "walferry_orders");
    f->found.origin.present = false;
    retried(f, "the server is in recovery, and it does not have slot walferry_orders");
}

static void a_switch_behind_the_position_is_accepted(void **state)
{
    struct fixture *f = *state;
    f->found.system.timeline = 3;
    f->facts.timeline_switch = 0x2000;
    accepted(f);
    f->facts.timeline_switch = 0x2800;
    accepted(f);
}

/* The position is in the history, but not the transaction of which a part is published already. */
static void a_timeline_that_lost_a_split_transaction_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.system.timeline = 3;
    f->facts.timeline_switch = 0x2800;
    f->found.progress.position.seq = 7;
    f->found.progress.partial = (struct partial){0x2800, 7, 1};
    refused(f, EXIT_REFUSED, "timeline_changed",
            "the server is on timeline 3 and its history does not hold position 0/2000 of timeline "
            "1: a tail of the write-ahead log was lost in a failover, or the relay ran while the "
            "standby that it reads from was promoted",
            "go on from the slot: walferry rebase --to slot --accept-loss");
    f->found.progress.partial.final_lsn = 0x27c8;
    accepted(f);
}

static void a_timeline_that_lost_the_position_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.system.timeline = 3;
    const char *text =
        "the server is on timeline 3 and its history does not hold position 0/2000 "
        "of timeline 1: a tail of the write-ahead log was lost in a failover, or the "
        "relay ran while the standby that it reads from was promoted";
    const char *hint = "go on from the slot: walferry rebase --to slot --accept-loss";
    f->facts.timeline_switch = 0x1fff;
    refused(f, EXIT_REFUSED, "timeline_changed", text, hint);
    f->facts.timeline_switch = 0;
    refused(f, EXIT_REFUSED, "timeline_changed", text, hint);
    f->found.origin.present = false;
    refused(f, EXIT_REFUSED, "timeline_changed", text,
            "go on from the slot: walferry rebase --to new-slot --accept-loss");
}

static void a_missing_slot_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.origin = (struct found_origin){.current_lsn = 0x3000};
    refused(f, EXIT_REFUSED, "slot_missing",
            "slot walferry_orders does not exist, but progress stands at 0/2000: changes since "
            "then may be gone",
            "go on with a new slot: walferry rebase --to new-slot --accept-loss");
}

static void another_plugin_is_refused(void **state)
{
    struct fixture *f = *state;
    snprintf(f->found.origin.kind, sizeof f->found.origin.kind, "test_decoding");
    refused(f, EXIT_USAGE, "slot_plugin",
            "slot walferry_orders has the plugin test_decoding, not pgoutput",
            "name another slot in source.slot");
    f->found.origin.kind[0] = '\0';
    refused(f, EXIT_USAGE, "slot_plugin",
            "slot walferry_orders has the plugin (physical), not pgoutput",
            "name another slot in source.slot");
}

static void a_slot_of_another_database_is_refused(void **state)
{
    struct fixture *f = *state;
    snprintf(f->found.origin.database, sizeof f->found.origin.database, "bank");
    refused(f, EXIT_USAGE, "slot_database",
            "slot walferry_orders belongs to database bank, the connection is to shop",
            "name that database in source.connection, or another slot");
}

static void a_lost_slot_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.origin.lost = true;
    refused(f, EXIT_REFUSED, "slot_lost",
            "slot walferry_orders is lost: the server has removed write-ahead log that it needs "
            "(max_slot_wal_keep_size)",
            "go on with a new slot: walferry rebase --to new-slot --accept-loss");
}

static void a_slot_in_creation_is_waited_for(void **state)
{
    struct fixture *f = *state;
    f->found.origin.confirmed_lsn = 0;
    assert_int_equal(wal_judge_start(&f->facts, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "slot_in_creation");
    assert_string_equal(f->err.text, "slot walferry_orders is still being created");
}

static void a_slot_advanced_behind_our_back_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.origin.confirmed_lsn = 0x2001;
    refused(f, EXIT_REFUSED, "slot_ahead",
            "slot walferry_orders was advanced to 0/2001 behind our back, progress stands at "
            "0/2000: changes between them are gone",
            "go on behind the gap: walferry rebase --to slot --accept-loss");
}

static void a_position_in_the_future_is_refused(void **state)
{
    struct fixture *f = *state;
    f->found.origin.current_lsn = 0x1fff;
    refused(f, EXIT_REFUSED, "position_in_future",
            "progress stands at 0/2000, but the write-ahead log of the server ends at 0/1FFF: it "
            "was restored to an earlier time",
            "go on from the slot: walferry rebase --to slot --accept-repeat");
}

static void a_restored_server_is_known_by_the_last_transaction(void **state)
{
    struct fixture *f = *state;
    const char *hint = "go on from the slot: walferry rebase --to slot --accept-repeat";
    f->found.progress.last.xid = 70;
    f->found.progress.last.xid8 = (UINT64_C(2) << 32) + 70;
    f->found.progress.last.commit_at_us = 1700000000123456;
    f->facts.fate = (struct pg_fate){.outcome = PG_FATE_UNKNOWN};
    accepted(f);
    f->facts.fate = (struct pg_fate){.outcome = PG_FATE_COMMITTED};
    accepted(f); /* the server does not keep commit times */
    f->facts.fate.commit_at_us = 1700000000123456;
    accepted(f);
    f->facts.fate.commit_at_us++;
    refused(f, EXIT_REFUSED, "history_changed",
            "transaction 8589934662 was published last, but this server committed another one "
            "under that id: it was restored to an earlier time, and what it wrote since below "
            "position 0/2000 was never published",
            hint);
    f->found.progress.last.commit_at_us = POSTGRES_EPOCH_US; /* of an origin without a time */
    accepted(f);
    f->found.progress.last.commit_at_us = 0; /* not known to us */
    accepted(f);
    f->facts.fate = (struct pg_fate){.outcome = PG_FATE_ABORTED};
    refused(f, EXIT_REFUSED, "history_changed",
            "transaction 8589934662 was published last, but this server rolled it back: it was "
            "restored to an earlier time, and what it wrote since below position 0/2000 was never "
            "published",
            hint);
    f->facts.fate = (struct pg_fate){.outcome = PG_FATE_FUTURE};
    refused(f, EXIT_REFUSED, "history_changed",
            "transaction 8589934662 was published last, but this server has not got as far as "
            "that: it was restored to an earlier time, and what it wrote since below position "
            "0/2000 was never published",
            hint);
}

static void witness_is(const struct progress *p, uint64_t confirmed_lsn, uint64_t from_lsn,
                       uint64_t final_lsn)
{
    struct stream_witness witness = wal_witness(p, confirmed_lsn);
    assert_int_equal(witness.from_lsn, from_lsn);
    assert_int_equal(witness.confirmed_lsn, from_lsn != 0 ? confirmed_lsn : 0);
    assert_int_equal(witness.final_lsn, final_lsn);
    assert_int_equal(witness.xid, final_lsn != 0 ? 70 : 0);
    assert_int_equal(witness.commit_time_us, final_lsn != 0 ? 17 : 0);
}

/* A slot sends nothing from before what was confirmed to it. */
static void only_what_the_slot_holds_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct progress *p = &f->found.progress;
    witness_is(p, 0x1000, 0, 0); /* nothing is known of what stands below the position */
    p->last.lsn = 0x1800;
    witness_is(p, 0x1000, 0x1800, 0); /* a setup: there was none since */
    witness_is(p, 0x1900, 0x1900, 0);
    p->last.xid = 70;
    p->last.commit_at_us = 17;
    witness_is(p, 0x1000, 0x1800, 0x1800);
    witness_is(p, 0x1800, 0x1800, 0x1800);
    witness_is(p, 0x1801, 0x1801, 0);
    witness_is(p, 0x2000, 0x2000, 0);
}

static void a_partial_asks_for_its_own_configuration(void **state)
{
    struct fixture *f = *state;
    f->found.progress.partial = (struct partial){.final_lsn = 0x2100, .done = 5, .part = 1};
    f->found.progress.position.seq = 5;
    accepted(f);
    f->facts.config_hash = "fedcba9876543210";
    refused(f, EXIT_REFUSED, "partial_config_changed",
            "a split transaction is half published and the configuration of routes, publication "
            "or slot has changed since",
            "restore the file with which it began (config hash 0123456789abcdef), let the "
            "transaction end, then change it");
    f->found.progress.partial = (struct partial){0};
    f->found.progress.position.seq = 0;
    accepted(f);
}

/* What is missing is said before what disagrees, whose it is before where it stands. */
static void the_first_cause_is_named(void **state)
{
    struct fixture *f = *state;
    f->found.progress.mode = PROGRESS_CLOSED;
    f->found.system.system_identifier = 43;
    f->found.origin.present = false;
    assert_int_equal(wal_judge_start(&f->facts, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "closed");
    f->found.progress.mode = PROGRESS_WAL;
    assert_int_equal(wal_judge_start(&f->facts, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "other_system");
    f->found.system.system_identifier = 42;
    assert_int_equal(wal_judge_start(&f->facts, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "slot_missing");
}

/* ---- A first run ---- */

static void told(struct fixture *f, int (*judge)(const struct wal_facts *, struct error *),
                 enum error_kind kind, const char *reason, const char *text)
{
    f->err = ERROR_INIT;
    assert_int_equal(judge(&f->facts, &f->err), -1);
    assert_int_equal(f->err.kind, kind);
    assert_string_equal(reason_slug(f->err.reason), reason);
    assert_string_equal(f->err.text, text);
}

static void a_first_run_takes_nobodys_slot(void **state)
{
    struct fixture *f = *state;
    f->found.have_progress = false;
    told(f, wal_judge_first, ERROR_STOP, "slot_without_progress",
         "slot walferry_orders exists already, but relay orders has no progress: whose it is and "
         "what was published from it is not known");
    assert_advice(f->err, "drop the slot if nobody needs it, or publish from where it stands: "
                          "walferry rebase --to slot --accept-repeat");
    f->found.origin.present = false;
    assert_int_equal(wal_judge_first(&f->facts, &f->err), 0);
}

/* An intent says that the slot is ours, but only for this server and this name. */
static void an_intent_owns_the_slot_of_its_name_and_server(void **state)
{
    struct fixture *f = *state;
    f->found.progress.mode = PROGRESS_INTENT;
    assert_int_equal(wal_judge_first(&f->facts, &f->err), 0);
    f->found.progress.system_identifier = 43;
    assert_int_equal(wal_judge_first(&f->facts, &f->err), -1);
    f->found.progress.system_identifier = 42;
    snprintf(f->found.progress.slot, sizeof f->found.progress.slot, "another");
    assert_int_equal(wal_judge_first(&f->facts, &f->err), -1);
    f->found.progress.mode = PROGRESS_CLOSED;
    snprintf(f->found.progress.slot, sizeof f->found.progress.slot, "walferry_orders");
    assert_int_equal(wal_judge_first(&f->facts, &f->err), -1);
}

static void a_slot_younger_than_the_intent_is_adopted(void **state)
{
    struct fixture *f = *state;
    f->found.progress.mode = PROGRESS_INTENT;
    f->found.origin.confirmed_lsn = 0x2000;
    assert_int_equal(wal_judge_adoption(&f->facts, &f->err), 0);
    f->found.origin.confirmed_lsn = 0x1fff;
    told(f, wal_judge_adoption, ERROR_STOP, "slot_without_progress",
         "slot walferry_orders is older than the setup of relay orders: it is not ours");
}

static void a_slot_that_is_held_is_not_adopted(void **state)
{
    struct fixture *f = *state;
    f->found.progress.mode = PROGRESS_INTENT;
    f->found.origin.confirmed_lsn = 0x2000;
    f->found.origin.holder = (struct found_holder){.present = true, .pid = 77};
    told(f, wal_judge_adoption, ERROR_RETRY, "slot_active",
         "slot walferry_orders is in use by process 77");
    f->found.origin.confirmed_lsn = 0;
    told(f, wal_judge_adoption, ERROR_RETRY, "slot_in_creation",
         "slot walferry_orders is still being created by process 77");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_first_run_takes_nobodys_slot, setup),
        cmocka_unit_test_setup(an_intent_owns_the_slot_of_its_name_and_server, setup),
        cmocka_unit_test_setup(a_slot_younger_than_the_intent_is_adopted, setup),
        cmocka_unit_test_setup(a_slot_that_is_held_is_not_adopted, setup),
        cmocka_unit_test_setup(agreement_is_accepted, setup),
        cmocka_unit_test_setup(equal_positions_are_accepted, setup),
        cmocka_unit_test_setup(wal_status_short_of_lost_is_accepted, setup),
        cmocka_unit_test_setup(nothing_at_all_is_not_set_up, setup),
        cmocka_unit_test_setup(a_slot_without_progress_is_refused, setup),
        cmocka_unit_test_setup(a_relay_torn_down_is_refused, setup),
        cmocka_unit_test_setup(another_mode_is_refused, setup),
        cmocka_unit_test_setup(an_unfinished_setup_is_refused, setup),
        cmocka_unit_test_setup(another_system_is_refused, setup),
        cmocka_unit_test_setup(a_switch_behind_the_position_is_accepted, setup),
        cmocka_unit_test_setup(what_a_standby_lacks_is_waited_for, setup),
        cmocka_unit_test_setup(a_timeline_that_lost_the_position_is_refused, setup),
        cmocka_unit_test_setup(a_timeline_that_lost_a_split_transaction_is_refused, setup),
        cmocka_unit_test_setup(a_missing_slot_is_refused, setup),
        cmocka_unit_test_setup(another_plugin_is_refused, setup),
        cmocka_unit_test_setup(a_slot_of_another_database_is_refused, setup),
        cmocka_unit_test_setup(a_lost_slot_is_refused, setup),
        cmocka_unit_test_setup(a_slot_in_creation_is_waited_for, setup),
        cmocka_unit_test_setup(a_slot_advanced_behind_our_back_is_refused, setup),
        cmocka_unit_test_setup(a_position_in_the_future_is_refused, setup),
        cmocka_unit_test_setup(a_restored_server_is_known_by_the_last_transaction, setup),
        cmocka_unit_test_setup(only_what_the_slot_holds_is_asked_for_again, setup),
        cmocka_unit_test_setup(a_partial_asks_for_its_own_configuration, setup),
        cmocka_unit_test_setup(the_first_cause_is_named, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
