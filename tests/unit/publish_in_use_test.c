/* publish/kafka_in_use: which names are no topics for events, which partition a message goes to,
 * and when a topic that takes little is full. Nobody is connected to; what a broker would have said
 * of a topic is written into it. */
#include "publish/kafka_in_use.h"

#include "publish/kafka_memory.h"
#include "publish/kafka_size.h"
#include "publish/partitioner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define LIMIT 2000

struct fixture {
    struct config_pair properties[1];
    struct config_kafka kafka;
    struct config_delivery delivery;
    struct kafka_memory memory;
    struct kafka_options options;
    struct kafka_session session;
    struct kafka_in_use topics;
    struct kafka_topic topic;
    struct error err;
};

static void no_report(void *owner, const rd_kafka_message_t *report)
{
    (void)owner, (void)report;
}

static void no_fatal(void *owner, const struct kafka_health *health, rd_kafka_resp_err_t code,
                     const char *text)
{
    (void)owner, (void)health, (void)code, (void)text;
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.delivery = {.progress_topic = {.text = "walferry.orders.progress"},
                                      .transactional_id = {.text = "walferry.orders"}},
                         .options = {.kafka = &f.kafka,
                                     .delivery = &f.delivery,
                                     .relay = "orders",
                                     .memory = &f.memory},
                         .topic = {.name = "orders", .partitions = 6, .sticky_partition = -1}};
    struct kafka_listener listener = {.on_report = no_report, .on_fatal = no_fatal};
    kafka_session_init(&f.session, &f.options, &listener);
    kafka_in_use_init(&f.topics, &f.session);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kafka_in_use_forget_handles(&f->topics);
    kafka_in_use_fini(&f->topics);
    return 0;
}

static struct message message_of(const char *key)
{
    return (struct message){.partition = -1,
                            .key = key != NULL ? span_of(key) : (struct span){NULL, 0},
                            .value = SPAN_LITERAL("0123456789")};
}

static int32_t partition_of(struct fixture *f, const struct message *message)
{
    int32_t partition = -1;
    assert_int_equal(kafka_in_use_partition(&f->topics, &f->topic, message, &partition, &f->err),
                     0);
    assert_in_range(partition, 0, f->topic.partitions - 1);
    return partition;
}

/* ---- Names ---- */

static void assert_no_topic(struct fixture *f, struct span name, const char *text)
{
    struct kafka_topic *topic;
    assert_int_equal(kafka_in_use_get(&f->topics, name, &topic, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(f->err.reason), "illegal_topic");
    assert_non_null(strstr(f->err.text, text));
}

static void names_that_are_not_for_events(void **state)
{
    struct fixture *f = *state;
    char name[251];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_no_topic(f, span_of(name), "is longer than 249");
    assert_no_topic(f, SPAN_LITERAL("walferry.orders.progress"), "is not for events");
    assert_no_topic(f, SPAN_LITERAL("__consumer_offsets"), "is not for events");
    assert_null(f->topics.newest);
}

/* ---- Partitions ---- */

static void a_partition_of_its_own_is_taken_or_refused(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of("k");
    message.partition = 5;
    assert_int_equal(partition_of(f, &message), 5);
    message.partition = 6;
    int32_t partition;
    assert_int_equal(kafka_in_use_partition(&f->topics, &f->topic, &message, &partition, &f->err),
                     -1);
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(f->err.reason), "bad_partition");
}

static void a_key_has_one_partition(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of("order-17");
    int32_t first = partition_of(f, &message);
    assert_int_equal(first, partition_for_key(SPAN_LITERAL("order-17"), 6));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(partition_of(f, &message), first);
}

static void null_keys_stay_for_a_batch_and_then_move(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of(NULL);
    int64_t bytes = kafka_message_bytes_max(&message);
    int stays = (int)((16384 + bytes - 1) / bytes);
    bool seen[6] = {false};
    for (int round = 0; round < 200; round++) {
        int32_t first = partition_of(f, &message);
        for (int i = 1; i < stays; i++)
            assert_int_equal(partition_of(f, &message), first);
        seen[first] = true;
    }
    for (int i = 0; i < 6; i++)
        assert_true(seen[i]); /* all but one time in 10^15 */
    f->topic.partitions = 1;  /* fewer than were chosen from */
    assert_int_equal(partition_of(f, &message), 0);
}

/* ---- Topics that take little ---- */

static void a_small_topic_is_full_at_its_limit_and_free_again(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of("k");
    int64_t bytes = kafka_message_bytes_max(&message);
    f->topics.small = true;
    kafka_in_use_count(&f->topics);
    f->topic.max_message_bytes = LIMIT;
    int64_t sent = 0;
    while (!kafka_in_use_is_full(&f->topics, &f->topic, &message)) {
        kafka_in_use_sent(&f->topics, &f->topic, &message);
        sent++;
        assert_true(sent * bytes <= LIMIT);
    }
    assert_true((sent + 1) * bytes > LIMIT);
    f->topic.unreported_bytes -= bytes; /* a report */
    assert_false(kafka_in_use_is_full(&f->topics, &f->topic, &message));
}

/* One that is larger than the topic takes goes out alone, to be refused by name. */
static void a_message_beyond_the_limit_goes_out_alone(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of("k");
    f->topics.small = true;
    kafka_in_use_count(&f->topics);
    f->topic.max_message_bytes = 50;
    assert_false(kafka_in_use_is_full(&f->topics, &f->topic, &message));
    kafka_in_use_sent(&f->topics, &f->topic, &message);
    assert_true(kafka_in_use_is_full(&f->topics, &f->topic, &message));
}

static void a_topic_that_takes_a_whole_batch_is_never_full(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of("k");
    f->topics.small = true; /* because of another one */
    kafka_in_use_count(&f->topics);
    f->topic.max_message_bytes = KAFKA_BATCH_BYTES;
    f->topic.unreported_bytes = 10 * KAFKA_BATCH_BYTES;
    assert_false(kafka_in_use_is_full(&f->topics, &f->topic, &message));
}

/* A topic may turn out to take little while messages are under way. */
static void what_was_not_counted_when_it_went_out_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct message message = message_of("k");
    struct kafka_topic *topic;
    message.topic = SPAN_LITERAL("orders");
    assert_int_equal(kafka_in_use_get(&f->topics, message.topic, &topic, &f->err), 0);
    kafka_in_use_count(&f->topics);
    kafka_in_use_sent(&f->topics, topic, &message);
    struct kafka_topic_settings settings = {.max_message_bytes = LIMIT};
    kafka_in_use_set(&f->topics, topic, &settings, 1);
    assert_true(f->topics.small);
    assert_true(kafka_in_use_is_full(&f->topics, topic, &message));
    kafka_in_use_reported(&f->topics, &message);
    assert_int_equal(topic->unreported_bytes, 0);
    kafka_in_use_count(&f->topics);
    assert_false(kafka_in_use_is_full(&f->topics, topic, &message));
    kafka_in_use_sent(&f->topics, topic, &message);
    assert_int_equal(topic->unreported_bytes, kafka_message_bytes_max(&message));
    kafka_in_use_reported(&f->topics, &message);
    assert_int_equal(topic->unreported_bytes, 0);
}

/* ---- What grows ---- */

/* Looked at every ten seconds, for as long as the epoch lasts. */
static void how_weakly_a_topic_is_replicated_is_kept_once(void **state)
{
    struct fixture *f = *state;
    struct kafka_topic *topic;
    assert_int_equal(kafka_in_use_get(&f->topics, SPAN_LITERAL("orders"), &topic, &f->err), 0);
    kafka_in_use_set_weak(&f->topics, topic, SPAN_LITERAL("topic orders has factor 1"));
    size_t used = f->topics.arena.used_bytes;
    for (int i = 0; i < 1000; i++) {
        kafka_in_use_set_weak(&f->topics, topic, span_null());
        assert_null(topic->weak);
        kafka_in_use_set_weak(&f->topics, topic, SPAN_LITERAL("topic orders has factor 1"));
        assert_string_equal(topic->weak, "topic orders has factor 1");
    }
    assert_int_equal(f->topics.arena.used_bytes, used);
    kafka_in_use_set_weak(&f->topics, topic, SPAN_LITERAL("topic orders has factor 2"));
    assert_string_equal(topic->weak, "topic orders has factor 2");
}

static void names_that_are_no_topics_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct kafka_topic *topic;
    char name[200];
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "topic-%d-%0150d", i, 0);
        kafka_in_use_drop_missing(&f->topics);
        assert_int_equal(kafka_in_use_get(&f->topics, span_of(name), &topic, &f->err), 0);
        f->topics.last = topic;
        if (i % 20000 != 0)
            continue;
        topic->partitions = 6;
        topic->weak = "weak";
    }
    assert_in_range(f->topics.table.count, 5, 5000);
    assert_in_range(f->topics.arena.used_bytes, 1, 4 << 20);
    for (int i = 0; i < 100000; i += 20000) {
        snprintf(name, sizeof name, "topic-%d-%0150d", i, 0);
        assert_int_equal(kafka_in_use_get(&f->topics, span_of(name), &topic, &f->err), 0);
        assert_string_equal(topic->name, name);
        assert_string_equal(topic->weak, "weak");
        assert_int_equal(topic->partitions, 6);
        topic->partitions = 0;
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(names_that_are_not_for_events),
        T(a_partition_of_its_own_is_taken_or_refused),
        T(a_key_has_one_partition),
        T(null_keys_stay_for_a_batch_and_then_move),
        T(a_small_topic_is_full_at_its_limit_and_free_again),
        T(a_message_beyond_the_limit_goes_out_alone),
        T(a_topic_that_takes_a_whole_batch_is_never_full),
        T(what_was_not_counted_when_it_went_out_is_waited_for),
        T(how_weakly_a_topic_is_replicated_is_kept_once),
        T(names_that_are_no_topics_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
