/* relay/seal: when a batch goes to the writer, by numbers.
 *
 * Each table begins with a case in which nothing is due; every other row differs from it in what
 * one rule looks at, so that a rule which is removed or moved by one fails a row. */
#include "relay/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW_US 1000000
#define INTERVAL_US 10000
#define PART_AGE_US 2000000
#define BEHIND_INTERVALS 20
#define AT_LSN 0x1000

static const struct seal_limits limits = {.events_max = 800,
                                          .bytes_max = 80000,
                                          .commit_interval_us = INTERVAL_US,
                                          .part_age_us = PART_AGE_US,
                                          .idle_bytes = 0x100,
                                          .idle_interval_us = 50000};

/* ---- A batch with messages ---- */

struct batch_row {
    const char *what;
    enum seal due;
    uint32_t count;
    size_t bytes;
    int64_t age_us; /* since its first message */
    uint32_t transactions;
    bool in_txn;
    bool open_parts;
    bool behind;
    bool input_empty;
    uint32_t away;
    uint32_t commits_away;
    uint64_t suspect_lsn;
};

static const struct batch_row rows[] = {
    {"nothing is due", SEAL_NOT, .count = 1},

    {"input empty", SEAL_COMMIT, .count = 1, .input_empty = true},
    {"input empty, no message", SEAL_NOT, .input_empty = true, .transactions = 1},
    {"input empty, a commit away", SEAL_NOT, .count = 1, .input_empty = true, .away = 1,
     .commits_away = 1},
    {"input empty, a part away", SEAL_COMMIT, .count = 1, .input_empty = true, .away = 1},
    {"input empty in a transaction", SEAL_NOT, .count = 1, .input_empty = true, .in_txn = true},

    {"interval not yet over", SEAL_NOT, .count = 1, .age_us = INTERVAL_US - 1},
    {"interval over", SEAL_COMMIT, .count = 1, .age_us = INTERVAL_US},
    {"interval over, no message", SEAL_NOT, .age_us = INTERVAL_US, .transactions = 1},
    {"interval over, one commit away", SEAL_COMMIT, .count = 1, .age_us = INTERVAL_US, .away = 3,
     .commits_away = 1},
    {"interval over, two commits away", SEAL_NOT, .count = 1, .age_us = INTERVAL_US, .away = 3,
     .commits_away = 2},
    {"interval over in a transaction", SEAL_NOT, .count = 1, .age_us = INTERVAL_US, .in_txn = true},
    {"behind: twenty intervals not yet over", SEAL_NOT, .count = 1, .behind = true,
     .age_us = BEHIND_INTERVALS * INTERVAL_US - 1},
    {"behind: twenty intervals over", SEAL_COMMIT, .count = 1, .behind = true,
     .age_us = BEHIND_INTERVALS * INTERVAL_US},

    {"just below half of the events", SEAL_NOT, .count = 399},
    {"half of the events", SEAL_COMMIT, .count = 400},
    {"half of the events, commits away", SEAL_COMMIT, .count = 400, .away = 3, .commits_away = 3},
    {"half of the events in a transaction", SEAL_NOT, .count = 400, .in_txn = true},
    {"behind: just below seven eighths", SEAL_NOT, .count = 699, .behind = true},
    {"behind: seven eighths of the events", SEAL_COMMIT, .count = 700, .behind = true},
    {"just below half of the bytes", SEAL_NOT, .count = 1, .bytes = 39999},
    {"half of the bytes", SEAL_COMMIT, .count = 1, .bytes = 40000},
    {"half of the bytes in a transaction", SEAL_NOT, .count = 1, .bytes = 40000, .in_txn = true},
    {"behind: just below seven eighths of the bytes", SEAL_NOT, .count = 1, .bytes = 69999,
     .behind = true},
    {"behind: seven eighths of the bytes", SEAL_COMMIT, .count = 1, .bytes = 70000, .behind = true},

    {"nearly full in a transaction", SEAL_NOT, .count = 799, .bytes = 79999, .in_txn = true},
    {"full of events", SEAL_PART, .count = 800, .in_txn = true},
    {"full of bytes", SEAL_PART, .count = 1, .bytes = 80000, .in_txn = true},
    {"behind: full is full", SEAL_PART, .count = 800, .in_txn = true, .behind = true},
    {"full, all away", SEAL_PART, .count = 800, .in_txn = true, .away = 3, .commits_away = 3},
    {"full, a further part", SEAL_PART, .count = 800, .in_txn = true, .open_parts = true},

    {"not yet the age of a part", SEAL_NOT, .count = 1, .in_txn = true, .age_us = PART_AGE_US - 1},
    {"the age of a part", SEAL_PART, .count = 1, .in_txn = true, .age_us = PART_AGE_US},
    {"the age of a part, no message", SEAL_NOT, .in_txn = true, .age_us = PART_AGE_US},
    {"the age of a part, input empty", SEAL_NOT, .count = 1, .in_txn = true, .age_us = PART_AGE_US,
     .input_empty = true},
    {"the age of a further part", SEAL_PART, .count = 1, .in_txn = true, .open_parts = true,
     .age_us = PART_AGE_US},

    {"the end of a split transaction", SEAL_COMMIT, .open_parts = true, .transactions = 1},
    {"the same with commits away", SEAL_COMMIT, .open_parts = true, .transactions = 1, .away = 3,
     .commits_away = 2},
    {"a split transaction that has not begun again", SEAL_NOT, .open_parts = true,
     .input_empty = true},
    {"inside a split transaction", SEAL_NOT, .open_parts = true, .in_txn = true, .count = 1,
     .input_empty = true, .age_us = INTERVAL_US},

    {"suspects: below their limit", SEAL_NOT, .count = 63, .in_txn = true, .suspect_lsn = AT_LSN},
    {"suspects: their limit", SEAL_PART, .count = 64, .in_txn = true, .suspect_lsn = AT_LSN},
    {"suspects: half of it", SEAL_COMMIT, .count = 32, .suspect_lsn = AT_LSN},
    {"suspects behind", SEAL_NOT, .count = 64, .in_txn = true, .suspect_lsn = AT_LSN - 1},
};

static void batches_are_sealed_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct batch_row *row = &rows[i];
        struct seal_limits of = limits;
        of.suspect_lsn = row->suspect_lsn;
        struct seal_state at = {.in_txn = row->in_txn,
                                .open_parts = row->open_parts,
                                .behind = row->behind,
                                .away = row->away,
                                .commits_away = row->commits_away,
                                .committed = {AT_LSN, 0}};
        struct batch batch = {.count = row->count,
                              .bytes = row->bytes,
                              .transactions = row->transactions,
                              .opened_us = NOW_US - row->age_us};
        if (seal_due(&of, &at, &batch, row->input_empty, NOW_US) != row->due)
            fail_msg("%s", row->what);
    }
}

/* A batch that is smaller than the suspects' own limit stays as it is. */
static void suspicion_makes_no_batch_larger(void **state)
{
    (void)state;
    struct seal_limits of = limits;
    of.events_max = 10;
    of.suspect_lsn = AT_LSN;
    struct seal_state at = {.in_txn = true, .committed = {AT_LSN, 0}};
    struct batch batch = {.count = 9};
    assert_int_equal(seal_due(&of, &at, &batch, false, NOW_US), SEAL_NOT);
    batch.count = 10;
    assert_int_equal(seal_due(&of, &at, &batch, false, NOW_US), SEAL_PART);
}

/* An eighth of a small batch is nothing: it is sealed when it is full. */
static void the_share_of_a_small_batch_is_all_of_it(void **state)
{
    (void)state;
    struct seal_limits of = limits;
    of.events_max = 7;
    struct seal_state at = {.committed = {AT_LSN, 0}};
    struct batch batch = {.count = 6, .opened_us = NOW_US};
    assert_int_equal(seal_due(&of, &at, &batch, false, NOW_US), SEAL_NOT);
    batch.count = 7;
    assert_int_equal(seal_due(&of, &at, &batch, false, NOW_US), SEAL_COMMIT);
}

/* ---- A mark ---- */

struct mark_row {
    const char *what;
    bool due;
    uint64_t mark_lsn;
    bool urgent;
    uint64_t until_lsn;
    int64_t idle_us; /* since progress moved */
    bool in_txn;
    uint32_t away;
    uint32_t count;
};

static const struct mark_row mark_rows[] = {
    {"nothing is due", false, .mark_lsn = AT_LSN + 0xff},

    {"much WAL", true, .mark_lsn = AT_LSN + 0x100},
    {"long idle, not yet", false, .mark_lsn = AT_LSN + 1, .idle_us = 49999},
    {"long idle", true, .mark_lsn = AT_LSN + 1, .idle_us = 50000},
    {"long idle, nothing new", false, .mark_lsn = AT_LSN, .idle_us = 50000},
    {"the server waits", true, .mark_lsn = AT_LSN + 1, .urgent = true},
    {"the server waited for what is committed", false, .mark_lsn = AT_LSN, .urgent = true},
    {"wanted", true, .mark_lsn = AT_LSN + 1, .until_lsn = AT_LSN + 1},
    {"wanted, and there", false, .mark_lsn = AT_LSN + 1, .until_lsn = AT_LSN},

    {"inside a transaction", false, .mark_lsn = AT_LSN + 0x100, .urgent = true, .in_txn = true},
    {"a batch is away", false, .mark_lsn = AT_LSN + 0x100, .away = 1},
    {"the batch has messages", false, .mark_lsn = AT_LSN + 0x100, .count = 1},
};

static void marks_are_sealed_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mark_rows / sizeof mark_rows[0]; i++) {
        const struct mark_row *row = &mark_rows[i];
        struct seal_limits of = limits;
        of.until_lsn = row->until_lsn;
        struct seal_state at = {.in_txn = row->in_txn,
                                .away = row->away,
                                .committed = {AT_LSN, 0},
                                .progress_us = NOW_US - row->idle_us,
                                .mark = {row->mark_lsn, 0},
                                .urgent = row->urgent};
        struct batch batch = {.count = row->count};
        if (seal_mark_due(&of, &at, &batch, NOW_US) != row->due)
            fail_msg("%s", row->what);
    }
}

/* A hurry ends with the mark that it was for. */
static void a_mark_is_done_once_it_is_committed(void **state)
{
    (void)state;
    struct batch batch = {.count = 0};
    struct seal_state at = {.committed = {AT_LSN, 0}, .mark = {AT_LSN, 0}};
    assert_true(seal_mark_done(&at, &batch));
    at.mark.lsn++;
    assert_false(seal_mark_done(&at, &batch));
    at.mark.lsn--;
    at.in_txn = true;
    assert_false(seal_mark_done(&at, &batch));
    at.in_txn = false;
    at.away = 1;
    assert_false(seal_mark_done(&at, &batch));
    at.away = 0;
    batch.count = 1;
    assert_false(seal_mark_done(&at, &batch));
}

/* ---- When to look again ---- */

struct time_row {
    const char *what;
    int64_t due_us;
    uint32_t count;
    uint64_t mark_lsn;
    bool in_txn;
    bool behind;
    uint32_t away;
    uint32_t commits_away;
};

#define OPENED_US (NOW_US - 1000)
#define PROGRESS_US (NOW_US - 35000)

static const struct time_row time_rows[] = {
    {"never", INT64_MAX, .mark_lsn = AT_LSN},

    {"the interval's end", OPENED_US + INTERVAL_US, .count = 1},
    {"behind: twenty of them", OPENED_US + BEHIND_INTERVALS *INTERVAL_US, .count = 1,
     .behind = true},
    {"one commit away", OPENED_US + INTERVAL_US, .count = 1, .away = 1, .commits_away = 1},
    {"two commits away", INT64_MAX, .count = 1, .away = 2, .commits_away = 2},
    {"messages inside a transaction", INT64_MAX, .count = 1, .in_txn = true},

    {"the idle interval's end", PROGRESS_US + 50000, .mark_lsn = AT_LSN + 1},
    {"a mark inside a transaction", INT64_MAX, .mark_lsn = AT_LSN + 1, .in_txn = true},
    {"a mark with a batch away", INT64_MAX, .mark_lsn = AT_LSN + 1, .away = 1},
    {"the earlier of both", OPENED_US + INTERVAL_US, .count = 1, .mark_lsn = AT_LSN + 1},
    {"the earlier of both, behind", PROGRESS_US + 50000, .count = 1, .mark_lsn = AT_LSN + 1,
     .behind = true},
};

static void time_alone_makes_one_due(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof time_rows / sizeof time_rows[0]; i++) {
        const struct time_row *row = &time_rows[i];
        struct seal_state at = {.in_txn = row->in_txn,
                                .behind = row->behind,
                                .away = row->away,
                                .commits_away = row->commits_away,
                                .committed = {AT_LSN, 0},
                                .progress_us = PROGRESS_US,
                                .mark = {row->mark_lsn, 0}};
        struct batch batch = {.count = row->count, .opened_us = OPENED_US};
        if (seal_due_us(&limits, &at, &batch) != row->due_us)
            fail_msg("%s", row->what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_sealed_by_the_rules),
        cmocka_unit_test(suspicion_makes_no_batch_larger),
        cmocka_unit_test(the_share_of_a_small_batch_is_all_of_it),
        cmocka_unit_test(marks_are_sealed_by_the_rules),
        cmocka_unit_test(a_mark_is_done_once_it_is_committed),
        cmocka_unit_test(time_alone_makes_one_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
