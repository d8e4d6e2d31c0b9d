/* publish/kafka_strict: what requests that were lost amount to. */
#include "publish/kafka_strict.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A producer has up to five requests under way; a broker that is restarted takes all of them with
 * it, and says nothing about any record. */
static void requests_of_one_connection_count_once(void **state)
{
    (void)state;
    struct kafka_watch watch = {.produce_lost = 0};
    for (int i = 0; i < 5; i++)
        kafka_watch_lost(&watch, 100 * US_PER_S + i * US_PER_MS);
    assert_int_equal(atomic_load(&watch.produce_lost), 1);
}

static void connections_that_end_one_after_the_other_count(void **state)
{
    (void)state;
    struct kafka_watch watch = {.produce_lost = 0};
    for (int i = 0; i < 5; i++)
        kafka_watch_lost(&watch, 100 * US_PER_S + i * 75 * US_PER_MS);
    assert_int_equal(atomic_load(&watch.produce_lost), 5);
}

static void a_transaction_that_begins_forgets_only_its_own(void **state)
{
    (void)state;
    struct kafka_watch watch = {.end_txn_sent = 2, .transport_failures = 1};
    kafka_watch_lost(&watch, 100 * US_PER_S);
    assert_true(kafka_watch_tainted(&watch));
    kafka_watch_reset(&watch);
    assert_false(kafka_watch_tainted(&watch));
    assert_int_equal(atomic_load(&watch.produce_lost), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_one_connection_count_once),
        cmocka_unit_test(connections_that_end_one_after_the_other_count),
        cmocka_unit_test(a_transaction_that_begins_forgets_only_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
