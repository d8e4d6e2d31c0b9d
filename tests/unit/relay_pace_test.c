/* relay/pace: what may be on its way, as it is learnt from acknowledgements. Time is the test's. */
#include "relay/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MEMORY UINT64_C(16000000)
#define START (MEMORY / 16)
#define TIMEOUT_US INT64_C(8000000)
#define SHORT_US (TIMEOUT_US / 16) /* the longest round after which a window grows */
#define LONG_US (TIMEOUT_US / 8)

static struct pace begun(void)
{
    struct pace pace = {0};
    pace_begin(&pace, MEMORY, TIMEOUT_US, 0);
    return pace;
}

/* The window is full at `at_us`, and all of it acknowledged after took_us. */
static void full_round(struct pace *pace, int64_t at_us, int64_t took_us)
{
    uint64_t bytes = pace->window_bytes;
    assert_true(pace_takes(pace, 0, bytes));
    pace_handed(pace, bytes, bytes, at_us);
    assert_false(pace_takes(pace, bytes, 1));
    pace_acknowledged(pace, 0, at_us + took_us);
}

static void it_begins_with_a_part_of_the_memory(void **state)
{
    (void)state;
    struct pace pace = begun();
    assert_int_equal(pace.window_bytes, START);
    assert_true(pace_takes(&pace, START - 10, 10));
    assert_false(pace_takes(&pace, START - 10, 11));
}

static void one_message_may_always_be_on_its_way(void **state)
{
    (void)state;
    struct pace pace = begun();
    assert_true(pace_takes(&pace, 0, 100 * MEMORY));
    assert_false(pace_takes(&pace, 1, 100 * MEMORY));
}

static void a_full_window_that_is_acknowledged_soon_grows(void **state)
{
    (void)state;
    struct pace pace = begun();
    full_round(&pace, SHORT_US, SHORT_US);
    assert_int_equal(pace.window_bytes, 2 * START);
    for (int i = 2; i < 12; i++)
        full_round(&pace, i * 2 * SHORT_US, SHORT_US);
    assert_int_equal(pace.window_bytes, MEMORY);
}

/* What is more than the broker takes at a time only waits. */
static void a_window_that_is_no_faster_is_taken_back(void **state)
{
    (void)state;
    struct pace pace = begun();
    full_round(&pace, 2 * SHORT_US, 1000);
    assert_int_equal(pace.window_bytes, 2 * START);
    full_round(&pace, 4 * SHORT_US, 1700);
    assert_int_equal(pace.window_bytes, START);
    for (int i = 6; i < 20; i += 2)
        full_round(&pace, i * SHORT_US, 1000);
    assert_int_equal(pace.window_bytes, START);
    full_round(&pace, 22 * SHORT_US, 1000); /* tried again */
    assert_int_equal(pace.window_bytes, 2 * START);
    full_round(&pace, 24 * SHORT_US, 1500);
    assert_int_equal(pace.window_bytes, 4 * START);
}

/* A quota lets a burst pass. */
static void it_does_not_grow_by_a_burst(void **state)
{
    (void)state;
    struct pace pace = begun();
    for (int i = 0; i < 100; i++)
        full_round(&pace, i * 1000, 1000);
    assert_int_equal(pace.window_bytes, START);
}

/* Kafka's quota (ClientQuotaManager, SampledStat): what a client was taken in the last eleven
 * samples of a second, over ten seconds at least, is its rate; for what that is above the quota its
 * connection is not read. So ten seconds' worth passes at once, and then each request waits longer
 * than the one before it, until the burst is forgotten. */
struct broker {
    int64_t link_us; /* for a record */
    int64_t sent_us; /* when the link has carried all */
    int64_t mute_us; /* not read before */
    uint64_t samples[11];
    int64_t second[11];
};

enum { RECORD = 10000, QUOTA = 1000000, QUEUE = 4096, REQUEST = 1000000 / RECORD };

static void take_request(struct broker *b, uint64_t records, int64_t now_us)
{
    int64_t second = now_us / 1000000, oldest = second;
    uint64_t bytes = 0;
    if (b->second[second % 11] != second)
        b->samples[second % 11] = 0;
    b->second[second % 11] = second;
    b->samples[second % 11] += records * RECORD;
    for (int i = 0; i < 11; i++) {
        if (second - b->second[i] > 10)
            continue;
        bytes += b->samples[i];
        oldest = b->second[i] < oldest ? b->second[i] : oldest;
    }
    int64_t elapsed_us = now_us - oldest * 1000000;
    if (elapsed_us < 10 * 1000000)
        elapsed_us = 10 * 1000000;
    int64_t owed_us = (int64_t)(bytes * 1000000 / QUOTA) - elapsed_us;
    b->mute_us = now_us + (owed_us > 0 ? owed_us : 0);
}

struct outcome {
    int64_t longest_us; /* that a record waited */
    uint64_t taken;
};

/* Records of 10 kB for so long. */
static struct outcome feed(struct pace *pace, int64_t link_times, int64_t from_us, int64_t for_us)
{
    static struct {
        int64_t handed_us, arrives_us;
    } queue[QUEUE];
    struct broker broker = {.link_us = 10000 / link_times};
    struct outcome outcome = {0};
    uint64_t first = 0, next = 0;
    for (int64_t now_us = from_us; now_us < from_us + for_us; now_us += 1000) {
        uint64_t records = 0;
        while (now_us >= broker.mute_us && records < REQUEST && first < next &&
               queue[first % QUEUE].arrives_us <= now_us) {
            int64_t waited_us = now_us - queue[first++ % QUEUE].handed_us;
            if (waited_us > outcome.longest_us)
                outcome.longest_us = waited_us;
            records++;
        }
        if (records > 0)
            take_request(&broker, records, now_us);
        pace_acknowledged(pace, (next - first) * RECORD, now_us);
        while (pace_takes(pace, (next - first) * RECORD, RECORD)) {
            broker.sent_us = (broker.sent_us > now_us ? broker.sent_us : now_us) + broker.link_us;
            queue[next % QUEUE].handed_us = now_us;
            queue[next % QUEUE].arrives_us = broker.sent_us;
            next++;
            assert_true(next - first < QUEUE);
            pace_handed(pace, (next - first) * RECORD, RECORD, now_us);
        }
    }
    outcome.taken = first * RECORD;
    return outcome;
}

/* A record is given up after three quarters of the time-out, and what was handed over when a Kafka
 * transaction is cut, at half of it, must be through before its end. */
static void no_burst_makes_a_record_wait_too_long(void **state)
{
    (void)state;
    static const int64_t links[] = {2, 3, 4, 5, 6, 8, 12, 20, 100};
    const int64_t timeout_us = 10 * 1000000, for_us = 60 * 1000000;
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        struct pace pace = {0};
        pace_begin(&pace, MEMORY, timeout_us, 100 * 1000000);
        struct outcome outcome = feed(&pace, links[i], 100 * 1000000, for_us);
        print_message("a link %d times as fast: %.1f s, %d kB/s\n", (int)links[i],
                      (double)outcome.longest_us / 1000000,
                      (int)(outcome.taken / (uint64_t)(for_us / 1000)));
        assert_true(outcome.longest_us < timeout_us / 2);
        assert_true(outcome.taken > QUOTA / 10 * 9 * (uint64_t)(for_us / 1000000));
    }
}

static void a_window_that_was_not_full_stays(void **state)
{
    (void)state;
    struct pace pace = begun();
    for (int i = 1; i < 20; i++) {
        pace_handed(&pace, 10, 10, i * SHORT_US);
        pace_acknowledged(&pace, 0, i * SHORT_US + 1000);
    }
    assert_int_equal(pace.window_bytes, START);
}

static void a_long_round_makes_it_smaller(void **state)
{
    (void)state;
    struct pace pace = begun();
    full_round(&pace, 0, LONG_US);
    assert_int_equal(pace.window_bytes, START);
    full_round(&pace, LONG_US, 4 * LONG_US);
    assert_int_equal(pace.window_bytes, START / 8);
}

/* What was handed over counts only once it is acknowledged. */
static void a_round_is_over_when_its_messages_are_acknowledged(void **state)
{
    (void)state;
    struct pace pace = begun();
    pace_handed(&pace, 100, 100, 0);
    pace_handed(&pace, 300, 200, 1000);
    pace_acknowledged(&pace, 201, LONG_US);
    assert_int_equal(pace.window_bytes, START);
    pace_acknowledged(&pace, 200, 2 * LONG_US);
    assert_int_equal(pace.window_bytes, START / 4);
}

static void what_is_not_acknowledged_for_long_makes_it_smaller_meanwhile(void **state)
{
    (void)state;
    struct pace pace = begun();
    pace_handed(&pace, 100, 100, 0);
    pace_acknowledged(&pace, 100, LONG_US + 1);
    assert_in_range(pace.window_bytes, START / 2 - 1, START / 2);
    pace_acknowledged(&pace, 100, 2 * LONG_US);
    assert_in_range(pace.window_bytes, START / 2 - 1, START / 2);
    pace_acknowledged(&pace, 100, 2 * LONG_US + 2);
    assert_in_range(pace.window_bytes, START / 4 - 2, START / 4);
    pace_acknowledged(&pace, 0, 2 * LONG_US + 3);
    assert_in_range(pace.window_bytes, START / 4 - 2, START / 4);
}

static void after_trouble_the_next_epoch_begins_smaller_and_grows_again(void **state)
{
    (void)state;
    struct pace pace = begun();
    pace_handed(&pace, 8000, 8000, 0);
    pace_failed(&pace, REASON_DELIVERY_TIMEOUT);
    pace_begin(&pace, MEMORY, TIMEOUT_US, LONG_US);
    assert_int_equal(pace.window_bytes, 2000); /* a quarter of what was on its way */
    assert_int_equal(pace_split_us(&pace, TIMEOUT_US), TIMEOUT_US / 2);
    full_round(&pace, 2 * LONG_US, 1000);
    assert_int_equal(pace.window_bytes, 2000);
    full_round(&pace, LONG_US + TIMEOUT_US, 1000);
    assert_int_equal(pace.window_bytes, 4000);
    for (int i = 0; i < 8; i++)
        pace_committed(&pace);
    assert_int_equal(pace_split_us(&pace, TIMEOUT_US), TIMEOUT_US);
    full_round(&pace, 2 * LONG_US + TIMEOUT_US, 1000);
    assert_int_equal(pace.window_bytes, 8000);
}

static void it_never_becomes_nothing(void **state)
{
    (void)state;
    struct pace pace = begun();
    for (int i = 0; i < 50; i++) {
        pace_failed(&pace, REASON_TRANSACTION_TIMEOUT);
        pace_begin(&pace, MEMORY, TIMEOUT_US, 0);
    }
    assert_int_equal(pace.window_bytes, 1024);
    assert_int_equal(pace_split_us(&pace, TIMEOUT_US), TIMEOUT_US / 16);
}

static void other_ends_change_nothing(void **state)
{
    (void)state;
    struct pace pace = begun();
    pace_failed(&pace, REASON_SERVER_SHUTDOWN);
    assert_int_equal(pace.window_bytes, START);
    assert_int_equal(pace_split_us(&pace, TIMEOUT_US), TIMEOUT_US);
}

static void less_memory_is_a_smaller_window(void **state)
{
    (void)state;
    struct pace pace = begun();
    pace_begin(&pace, START / 2, TIMEOUT_US, 0);
    assert_int_equal(pace.window_bytes, START / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_a_part_of_the_memory),
        cmocka_unit_test(one_message_may_always_be_on_its_way),
        cmocka_unit_test(a_full_window_that_is_acknowledged_soon_grows),
        cmocka_unit_test(a_window_that_is_no_faster_is_taken_back),
        cmocka_unit_test(it_does_not_grow_by_a_burst),
        cmocka_unit_test(no_burst_makes_a_record_wait_too_long),
        cmocka_unit_test(a_window_that_was_not_full_stays),
        cmocka_unit_test(a_long_round_makes_it_smaller),
        cmocka_unit_test(a_round_is_over_when_its_messages_are_acknowledged),
        cmocka_unit_test(what_is_not_acknowledged_for_long_makes_it_smaller_meanwhile),
        cmocka_unit_test(after_trouble_the_next_epoch_begins_smaller_and_grows_again),
        cmocka_unit_test(it_never_becomes_nothing),
        cmocka_unit_test(other_ends_change_nothing),
        cmocka_unit_test(less_memory_is_a_smaller_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
