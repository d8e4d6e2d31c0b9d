/* publish/kafka_flight: each report finds the batch of its message, and the range of events since
 * the last commit is known, whatever the order of reports. */
#include "publish/kafka_flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BATCHES 4
#define MESSAGES 3

struct fixture {
    struct kafka_flight flight;
    struct batch batches[BATCHES];
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.flight = {.outstanding = 0}};
    for (uint64_t b = 0; b < BATCHES; b++) {
        batch_init(&f.batches[b], MESSAGES, 1024);
        for (uint64_t m = 0; m < MESSAGES; m++) {
            struct message *message = batch_next(&f.batches[b]);
            message->topic = SPAN_LITERAL("t");
            message->id = change_id_wal(100 * (b + 1), m + 1);
            batch_add(&f.batches[b]);
        }
    }
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kafka_flight_fini(&f->flight);
    for (int b = 0; b < BATCHES; b++)
        batch_fini(&f->batches[b]);
    return 0;
}

static void send_all(struct fixture *f, int b)
{
    for (int m = 0; m < MESSAGES; m++)
        kafka_flight_sent(&f->flight, &f->batches[b], &f->batches[b].messages[m]);
}

static void reports_find_their_batches_in_any_order(void **state)
{
    struct fixture *f = *state;
    for (int b = 0; b < BATCHES; b++)
        send_all(f, b);
    assert_int_equal(f->flight.outstanding, BATCHES * MESSAGES);
    for (int m = MESSAGES - 1; m >= 0; m--) {
        for (int b = BATCHES - 1; b >= 0; b--) {
            assert_int_equal(f->batches[b].outstanding, m + 1);
            kafka_flight_reported(&f->flight, &f->batches[b].messages[m]);
            assert_int_equal(f->batches[b].outstanding, m);
        }
    }
    assert_int_equal(f->flight.outstanding, 0);
}

static void a_batch_that_comes_again_is_known_once(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        for (int b = 0; b < 2; b++) {
            send_all(f, b);
            for (int m = 0; m < MESSAGES; m++)
                kafka_flight_reported(&f->flight, &f->batches[b].messages[m]);
        }
    }
    assert_int_equal(f->flight.batch_count, 2);
    assert_int_equal(f->batches[0].outstanding, 0);
    assert_int_equal(f->batches[1].outstanding, 0);
}

/* With none of its messages under way a batch is another thread's, which may move them. */
static void messages_that_were_moved_belong_to_who_has_them(void **state)
{
    struct fixture *f = *state;
    for (int b = 0; b < 2; b++) {
        send_all(f, b);
        for (int m = 0; m < MESSAGES; m++)
            kafka_flight_reported(&f->flight, &f->batches[b].messages[m]);
    }
    struct message *messages = f->batches[0].messages;
    f->batches[0].messages = f->batches[1].messages;
    f->batches[1].messages = messages;
    send_all(f, 1);
    kafka_flight_reported(&f->flight, &messages[0]);
    assert_int_equal(f->batches[0].outstanding, 0);
    assert_int_equal(f->batches[1].outstanding, MESSAGES - 1);
    send_all(f, 0);
    kafka_flight_reported(&f->flight, &f->batches[0].messages[0]);
    assert_int_equal(f->batches[0].outstanding, MESSAGES - 1);
}

static void the_range_begins_anew_with_a_commit(void **state)
{
    struct fixture *f = *state;
    send_all(f, 0);
    send_all(f, 1);
    assert_true(change_id_equal(f->flight.first, change_id_wal(100, 1)));
    assert_true(change_id_equal(f->flight.last, change_id_wal(200, MESSAGES)));
    f->flight.produced = 0; /* what a commit does */
    send_all(f, 2);
    assert_true(change_id_equal(f->flight.first, change_id_wal(300, 1)));
    assert_true(change_id_equal(f->flight.last, change_id_wal(300, MESSAGES)));
    assert_int_equal(f->flight.produced, MESSAGES);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(reports_find_their_batches_in_any_order),
        T(a_batch_that_comes_again_is_known_once),
        T(messages_that_were_moved_belong_to_who_has_them),
        T(the_range_begins_anew_with_a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
