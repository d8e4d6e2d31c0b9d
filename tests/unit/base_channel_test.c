/* base/channel: a bounded queue between two threads, with an end that carries an error. */
#include "base/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <pthread.h>

#include <cmocka.h>

static bool readable(const struct channel *channel)
{
    struct pollfd poll_fd = {.fd = channel_fd(channel), .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static struct channel *open_channel(size_t capacity)
{
    struct channel *channel = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(channel_open(capacity, &channel, &err), 0);
    return channel;
}

static void test_order_and_descriptor(void **state)
{
    (void)state;
    int items[5];
    struct channel *channel = open_channel(3);
    assert_false(readable(channel));
    assert_null(channel_take(channel));
    for (int round = 0; round < 4; round++) {
        channel_send(channel, &items[0]);
        assert_true(readable(channel));
        channel_send(channel, &items[1]);
        channel_send(channel, &items[2]);
        assert_int_equal(channel_count(channel), 3);
        assert_ptr_equal(channel_take(channel), &items[0]);
        assert_true(readable(channel));
        assert_ptr_equal(channel_take(channel), &items[1]);
        assert_ptr_equal(channel_take(channel), &items[2]);
        assert_false(readable(channel));
        assert_null(channel_take(channel));
    }
    channel_close_free(channel);
    channel_close_free(NULL);
}

static void test_finish(void **state)
{
    (void)state;
    int item;
    struct error first = ERROR_INIT, second = ERROR_INIT, found = ERROR_INIT;
    error_retry(&first, REASON_CONNECTION_LOST, "the socket is gone");
    error_retry(&second, REASON_TIMEOUT, "too late");
    struct channel *channel = open_channel(2);
    channel_send(channel, &item);
    assert_false(channel_finished(channel, NULL));
    channel_finish(channel, &first);
    channel_finish(channel, &second);
    assert_false(channel_finished(channel, &found));
    assert_int_equal(found.kind, ERROR_NONE);
    assert_ptr_equal(channel_take(channel), &item);
    assert_true(readable(channel));
    assert_true(channel_finished(channel, &found));
    assert_string_equal(reason_slug(found.reason), "connection_lost");
    assert_true(channel_finished(channel, NULL));
    channel_close_free(channel);
}

static void test_clean_finish_wakes(void **state)
{
    (void)state;
    struct error found = ERROR_INIT;
    error_retry(&found, REASON_STOPPING, "old");
    struct channel *channel = open_channel(1);
    channel_finish(channel, NULL);
    assert_true(readable(channel));
    assert_null(channel_take(channel));
    assert_true(readable(channel));
    assert_true(channel_finished(channel, &found));
    assert_int_equal(found.kind, ERROR_NONE);
    channel_close_free(channel);
}

struct pair {
    struct channel *full;
    struct channel *empty;
};

enum { PASSES = 20000 };

static void wait_for(struct channel *channel)
{
    struct pollfd poll_fd = {.fd = channel_fd(channel), .events = POLLIN};
    poll(&poll_fd, 1, 1000);
}

static void *send_home(void *argument)
{
    struct pair *pair = argument;
    size_t taken = 0;
    while (!channel_finished(pair->full, NULL)) {
        int *item = channel_take(pair->full);
        if (item == NULL) {
            wait_for(pair->full);
            continue;
        }
        (*item)++;
        taken++;
        channel_send(pair->empty, item);
    }
    return (void *)taken;
}

static void test_two_threads(void **state)
{
    (void)state;
    int items[3] = {0, 0, 0};
    struct pair pair = {open_channel(3), open_channel(3)};
    for (int i = 0; i < 3; i++)
        channel_send(pair.empty, &items[i]);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_home, &pair), 0);
    for (int sent = 0; sent < PASSES;) {
        int *item = channel_take(pair.empty);
        if (item == NULL) {
            wait_for(pair.empty);
            continue;
        }
        channel_send(pair.full, item);
        sent++;
    }
    channel_finish(pair.full, NULL);
    void *taken;
    pthread_join(thread, &taken);
    assert_int_equal((uintptr_t)taken, PASSES);
    assert_int_equal(items[0] + items[1] + items[2], PASSES);
    assert_int_equal(channel_count(pair.empty), 3);
    channel_close_free(pair.full);
    channel_close_free(pair.empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_descriptor),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_clean_finish_wakes),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
