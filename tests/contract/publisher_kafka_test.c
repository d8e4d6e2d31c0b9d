/* What only Kafka has: refusals by the broker and how they are traced to one record, topics that
 * take little, timestamps, changed partition counts, strict mode, at_least_once, servers that are
 * not there. Looks into the publisher where a fault cannot be had from a healthy broker. Needs
 * WALFERRY_TEST_BOOTSTRAP. */
#include "publish/partitioner.h"
#include "publish/publish_internal.h"
#include "publish_fixture.h"

#include "base/clock.h"
#include "publish/kafka_size.h"
#include "publish/kafka_topics.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

static struct kafka_publisher *inside(struct fixture *f)
{
    return (struct kafka_publisher *)f->publisher;
}

/* Text that no codec makes smaller than about three quarters. */
static char *noise(struct fixture *f, size_t length)
{
    char *text = arena_alloc_bytes(&f->arena, length + 1);
    uint32_t x = 12345;
    for (size_t i = 0; i < length; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (char)('!' + (x >> 20) % 94);
    }
    text[length] = '\0';
    return text;
}

static const char *const takes_little[] = {"max.message.bytes", "2000", NULL};

/* ---- Sizes ---- */

static void a_message_of_exactly_the_limit_is_taken(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, takes_little);
    fixture_open(f);
    struct message *m = fixture_message(f, f->topic, "key", noise(f, 1900));
    m->value.len += (size_t)(2000 - kafka_message_bytes(m, 0));
    m->value.ptr = noise(f, m->value.len);
    assert_int_equal(kafka_message_bytes(m, 0), 2000);
    fixture_must_put(f, m);
    fixture_must_commit(f, "r");
    struct message *n = fixture_message(f, f->topic, "key", noise(f, m->value.len + 1));
    assert_int_equal(kafka_message_bytes(n, 0), 2001);
    assert_int_equal(fixture_put(f, n), -1);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "a message of 2001 bytes for topic %s, which takes 2000 (max.message.bytes)",
             f->topic);
    assert_string_equal(f->err.text, wanted);
    /* The header with the true time counts. */
    struct message *old = fixture_message(f, f->topic, "key", noise(f, 1900));
    old->timestamp_ms = 1000000000000;
    old->value.len += (size_t)(2000 - kafka_message_bytes(old, 13));
    old->value.ptr = noise(f, old->value.len);
    fixture_must_put(f, old);
    fixture_must_commit(f, "s");
    old = fixture_message(f, f->topic, "key", noise(f, old->value.len + 1));
    old->timestamp_ms = 1000000000000;
    assert_int_equal(fixture_put(f, old), -1);
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 2);
}

static void many_small_messages_do_not_add_up_to_a_refusal(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, takes_little);
    fixture_open(f);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++)
            fixture_must_put(f, fixture_message(f, f->topic, "k", noise(f, 150)));
        fixture_must_commit(f, round == 0 ? "one" : "two");
    }
    /* With smaller batches, and behind another claim. */
    assert_int_equal(inside(f)->session.batch_bytes, 2000);
    assert_int_equal(metrics_get(f->metrics, METRIC_PRODUCERS_RECREATED), 1);
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 200);
}

static void a_message_larger_than_a_megabyte_is_taken_where_the_topic_takes_it(void **state)
{
    struct fixture *f = *state;
    static const char *const takes_much[] = {"max.message.bytes", "8000000", NULL};
    peer_create_topic(f->topic, 1, takes_much);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", noise(f, 5000000)));
    fixture_must_commit(f, "r");
    assert_int_equal(fixture_read(f, f->topic, 1)->items[0].value.len, 5000000);
}

/* ---- Refusals ---- */

/* Ten small messages, one that the broker will refuse, ten more. Under compression the publisher
 * does not judge sizes. */
static int put_with_bad_ones(struct fixture *f, int first, int second)
{
    f->next_lsn = 1000;
    for (int i = 0; i < 21; i++) {
        const char *value = noise(f, i == first || i == second ? 4000 : 20);
        struct message *message = fixture_message(f, f->topic, "k", value);
        uint32_t before = f->publisher->refusals;
        if (fixture_put(f, message) == 0)
            continue;
        if (f->publisher->refusals == before)
            return -1;
        size_t len = strlen(f->refused);
        snprintf(f->refused + len, sizeof f->refused - len, "%llu ",
                 (unsigned long long)message->id.final_lsn);
        f->err = ERROR_INIT;
    }
    return fixture_commit(f, "r");
}

static void a_refused_batch_is_traced_to_its_record(void **state)
{
    struct fixture *f = *state;
    struct change_id verdict;
    uint32_t route = 9;
    fixture_property(f, "compression.type", "lz4");
    peer_create_topic(f->topic, 1, takes_little);
    fixture_open(f);
    assert_int_equal(put_with_bad_ones(f, 10, 10), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "batch_refused");
    assert_true(kafka_publisher_suspect(f->publisher, &f->options.suspect));
    assert_int_equal(f->options.suspect.from.final_lsn, 1000);
    assert_true(f->options.suspect.to.final_lsn >= 1010);
    assert_false(kafka_publisher_verdict(f->publisher, &verdict, &route));
    fixture_reopen(f);
    assert_int_equal(put_with_bad_ones(f, 10, 15), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "record_refused");
    assert_string_equal(f->err.text, "Kafka refuses 2 records of a transaction, one by one");
    assert_string_equal(f->refused, "1010 1015 ");
    assert_false(kafka_publisher_verdict(f->publisher, &verdict, &route));
    fixture_close(f, 5000);
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 0);
}

static void good_suspects_go_out_one_by_one(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_close(f, 0);
    f->options.suspect = (struct publish_suspect){change_id_wal(1005, 1), change_id_wal(1007, 1)};
    fixture_reopen(f);
    for (int i = 0; i < 12; i++) {
        struct message *m = fixture_message(f, f->topic, "k", "v");
        fixture_must_put(f, m);
        if (m->id.final_lsn >= 1005 && m->id.final_lsn <= 1007)
            assert_int_equal(f->batch->outstanding, 0);
    }
    fixture_must_commit(f, "r");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 12);
}

/* ---- Timestamps ---- */

static void timestamps_are_moved_into_what_the_topic_takes(void **state)
{
    struct fixture *f = *state;
    static const char *const week[] = {"retention.ms", "604800000", NULL};
    peer_create_topic(f->topic, 1, week);
    fixture_open(f);
    fixture_must_commit(f, "claim"); /* tells the broker's clock */
    int64_t now_ms = clock_wall_us() / 1000;
    struct message *m = fixture_message(f, f->topic, "k", "future");
    m->timestamp_ms = now_ms + 7200000;
    fixture_must_put(f, m);
    m = fixture_message(f, f->topic, "k", "past");
    m->timestamp_ms = 1000000000000;
    fixture_must_put(f, m);
    m = fixture_message(f, f->topic, "k", "now");
    m->timestamp_ms = now_ms;
    fixture_must_put(f, m);
    fixture_must_commit(f, "r");
    const struct peer_records *seen = fixture_read(f, f->topic, 1);
    assert_int_equal(seen->count, 3);
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%lld", (long long)now_ms + 7200000);
    assert_true(span_equal_text(peer_header(&seen->items[0], "walferry-time"), wanted));
    assert_in_range(seen->items[0].timestamp_ms, now_ms - 1000, clock_wall_us() / 1000 + 1000);
    assert_true(span_equal_text(peer_header(&seen->items[1], "walferry-time"), "1000000000000"));
    assert_in_range(seen->items[1].timestamp_ms, now_ms - 302400000 - 1000, now_ms - 302390000);
    assert_int_equal(seen->items[2].timestamp_ms, now_ms);
    assert_int_equal(seen->items[2].header_count, 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_TIMESTAMPS_CLAMPED), 2);
}

/* ---- Partitions ---- */

static void a_changed_partition_count_is_switched_to_between_transactions(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "abcd", "one"));
    peer_add_partitions(f->topic, 3);
    inside(f)->topics.refreshed_us = 0;
    inside(f)->topics.newest->checked_us = 0;
    fixture_must_put(f, fixture_message(f, f->topic, "abcd", "two"));
    fixture_must_commit(f, "one");
    fixture_must_put(f, fixture_message(f, f->topic, "abcd", "three"));
    fixture_must_commit(f, "two");
    /* The handle that knew one partition only knows of the others, too. */
    fixture_must_put(f, fixture_message(f, f->topic, "abcd", "four"));
    fixture_must_commit(f, "three");
    const struct peer_records *seen = fixture_read(f, f->topic, 3);
    assert_int_equal(seen->count, 4);
    assert_int_equal(seen->items[1].partition, 0);
    for (int i = 2; i < 4; i++)
        assert_int_equal(seen->items[i].partition, partition_for_key(SPAN_LITERAL("abcd"), 3));
    assert_int_not_equal(seen->items[2].partition, 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_PARTITION_CHANGES), 1);
}

static void null_keys_are_spread(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 4, NULL);
    fixture_open(f);
    for (int i = 0; i < 1000; i++)
        fixture_must_put(f, fixture_message(f, f->topic, NULL, noise(f, 1000)));
    fixture_must_commit(f, "r");
    const struct peer_records *seen = fixture_read(f, f->topic, 4);
    uint32_t counts[4] = {0};
    for (uint32_t i = 0; i < seen->count; i++)
        counts[seen->items[i].partition]++;
    for (int p = 0; p < 4; p++)
        assert_true(counts[p] >= 30); /* about 250; runs of 16 */
}

/* ---- Two handles in turn ---- */

static unsigned ends_sent(struct fixture *f, uint32_t handle)
{
    return atomic_load(&inside(f)->session.handles[handle].watch.end_txn_sent);
}

/* Of each handle what its last transaction sent. */
static void the_claim_is_on_the_first_handle_and_then_they_alternate(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    assert_string_equal(
        inside(f)->session.handles[1].transactional_id + strlen(f->transactional_id), ".1");
    fixture_must_commit(f, "claim");
    assert_int_equal(ends_sent(f, 0), 1);
    assert_int_equal(ends_sent(f, 1), 0);
    for (uint32_t i = 1; i < 6; i++) {
        assert_int_equal(inside(f)->session.turn, i % 2);
        fixture_must_put(f, fixture_message(f, f->topic, "k", "v"));
        atomic_store(&inside(f)->session.handles[i % 2].watch.end_txn_sent, 0);
        fixture_must_commit(f, "r");
        assert_int_equal(ends_sent(f, i % 2), 1);
    }
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 5);
}

/* The broker refuses whoever has another's handle; of what was on its way librdkafka may report the
 * end before the reason, 2.0.2 more often than later ones. Either ends the epoch. */
static void assert_shut_out(const struct fixture *f)
{
    const char *slug = reason_slug(f->err.reason);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    if (strcmp(slug, "fenced") != 0 && strcmp(slug, "delivery_failed") != 0)
        fail_msg("%s: %s", slug, f->err.text);
}

/* As fixture_reopen() does, with a zombie's commit between the inits and the reading. */
static void reopen_beside(struct fixture *f, struct publisher *zombie)
{
    struct buf record = BUF_EMPTY;
    int result;
    assert_int_equal(kafka_publisher_open(&f->options, &f->publisher, &f->err), 0);
    while ((result = publisher_commit(zombie, SPAN_LITERAL("zombie"), &f->err)) == STEP_WAIT)
        ;
    assert_int_equal(result, -1);
    assert_shut_out(f);
    assert_int_equal(publisher_recover(f->publisher, &record, &f->err), 0);
    assert_string_equal(buf_text(&record), "committed");
    buf_fini(&record);
}

/* Whichever handle has a transaction open: before anything is read, it has ended. */
static void an_open_ends_what_either_handle_has_begun(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    for (int before = 1; before <= 2; before++) {
        for (int i = 0; i < before; i++)
            fixture_must_commit(f, "committed");
        fixture_must_put(f, fixture_message(f, f->topic, "k", "zombie"));
        struct publisher *zombie = f->publisher;
        f->publisher = NULL;
        struct batch *zombies = f->batch;
        f->batch = fixture_batch();
        reopen_beside(f, zombie);
        publisher_close(zombie, 0);
        fixture_batch_free(zombies);
    }
    assert_string_equal(fixture_reopen(f), "committed");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 0);
}

/* Fences whoever has the id, as an older version does, or one whose open crosses ours. */
static void take_alone(struct fixture *f, uint32_t handle)
{
    struct kafka_client client;
    char id[100];
    snprintf(id, sizeof id, "%s.%u", f->transactional_id, handle);
    struct kafka_client_options how = {
        .options = &f->options, .role = KAFKA_TRANSACTIONAL, .transactional_id = id};
    assert_int_equal(kafka_client_open(&client, &how, &f->err), 0);
    assert_int_equal(kafka_client_init(&client, id, &f->err), 0);
    kafka_client_close(&client);
}

/* Of two that cross, the one without the first handle fails at its claim, before any event. */
static void who_has_lost_the_first_handle_claims_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    take_alone(f, 0);
    assert_int_equal(fixture_commit(f, "claim"), -1);
    assert_shut_out(f);
    assert_string_equal(fixture_reopen(f), "");
}

/* The one without the second fails at its first events. */
static void who_has_lost_the_second_handle_publishes_nothing(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_commit(f, "claim");
    take_alone(f, 1);
    if (fixture_put(f, fixture_message(f, f->topic, "k", "v")) == 0)
        assert_int_equal(fixture_commit(f, "one"), -1);
    assert_shut_out(f);
    assert_string_equal(fixture_reopen(f), "claim");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 0);
}

/* ---- Strict ---- */

/* The publisher asks for a claim, in which nothing of ours is. */
static void claim_again(struct fixture *f, const char *record)
{
    const struct message *m = fixture_message(f, f->topic, "k", "waits");
    assert_false(f->publisher->claim_due);
    while (!f->publisher->claim_due)
        assert_int_equal(publisher_put(f->publisher, f->batch, m, &f->err), STEP_WAIT);
    assert_int_equal(f->batch->outstanding, 0);
    assert_int_equal(inside(f)->session.turn, 0);
    fixture_must_commit(f, record);
    assert_false(f->publisher->claim_due);
    fixture_must_put(f, m);
}

/* Another one has taken the handle that is not in doubt: made anew alone, the other would go on. */
static void a_tainted_transaction_has_both_producers_made_anew(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    for (uint32_t commits = 1; commits <= 2; commits++) {
        for (uint32_t i = 0; i < commits; i++)
            fixture_must_commit(f, "one");
        uint32_t last = (inside(f)->session.turn + 1) % 2;
        struct kafka_watch *watch = &inside(f)->session.handles[last].watch;
        assert_int_equal(atomic_load(&watch->end_txn_sent), 1);
        assert_int_equal(atomic_load(&watch->transport_failures), 0);
        atomic_store(&watch->end_txn_sent, 2);
        take_alone(f, (last + 1) % 2);
        claim_again(f, "claim");
        fixture_must_commit(f, "two");
        assert_int_equal(metrics_get(f->metrics, METRIC_PRODUCERS_RECREATED), commits);
    }
    fixture_must_commit(f, "three");
    assert_int_equal(metrics_get(f->metrics, METRIC_PRODUCERS_RECREATED), 2);
    assert_string_equal(fixture_reopen(f), "three");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 2);
}

/* A record without events is its own claim. */
static void a_record_alone_goes_through_the_first_handle_then(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "one");
    atomic_store(&inside(f)->session.handles[0].watch.end_txn_sent, 2);
    fixture_must_commit(f, "two");
    assert_int_equal(metrics_get(f->metrics, METRIC_PRODUCERS_RECREATED), 1);
    assert_int_equal(inside(f)->session.turn, 1);
    assert_int_equal(ends_sent(f, 0), 1);
    assert_int_equal(ends_sent(f, 1), 0);
    assert_string_equal(fixture_reopen(f), "two");
}

static void a_zombie_in_strict_mode_fences_nobody(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "one");
    struct kafka_publisher *zombie = inside(f);
    atomic_store(&zombie->session.handles[0].watch.transport_failures, 1);
    f->publisher = NULL;
    fixture_reopen(f);
    fixture_must_commit(f, "two");
    assert_int_equal(publisher_commit(&zombie->base, SPAN_LITERAL("x"), &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "progress_moved");
    publisher_close(&zombie->base, 0);
    fixture_must_commit(f, "three");
}

static void without_strict_a_taint_is_passed_over(void **state)
{
    struct fixture *f = *state;
    f->delivery.strict = false;
    fixture_open(f);
    fixture_must_commit(f, "one");
    atomic_store(&inside(f)->session.handles[0].watch.end_txn_sent, 2);
    fixture_must_commit(f, "two");
    assert_int_equal(metrics_get(f->metrics, METRIC_PRODUCERS_RECREATED), 0);
}

/* ---- What was not read ---- */

/* As if the broker that was asked had shown an end before the newest record: one that was deposed
 * and does not know it. Where that record stands: the marker of the one before may be behind it,
 * since the answer to EndTxn comes before the markers. */
static int64_t read_all_but_the_newest(struct fixture *f)
{
    const struct peer_records *all = fixture_read(f, f->progress_topic, 1);
    assert_true(all->count > 1);
    int64_t newest = all->items[all->count - 1].offset;
    assert_true(inside(f)->txn.read_end > newest);
    inside(f)->txn.read_end = newest;
    return newest;
}

static void nothing_is_committed_behind_progress_that_was_not_read(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_commit(f, "one");
    fixture_must_commit(f, "two");
    fixture_reopen(f);
    int64_t end = read_all_but_the_newest(f);
    assert_int_equal(fixture_put(f, fixture_message(f, f->topic, "k", "again")),
                     -1); /* it claims */
    assert_string_equal(reason_slug(f->err.reason), "progress_moved");
    char text[160];
    snprintf(text, sizeof text,
             "progress was read up to offset %" PRId64 ", and the next record of this relay "
             "stands at 4 with others between them",
             end);
    assert_string_equal(f->err.text, text);
    assert_string_equal(fixture_reopen(f), "two");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 0);
    /* Longer than the log is now: it is not the one that was read. */
    inside(f)->txn.read_end += 10;
    assert_int_equal(fixture_commit(f, "three"), -1);
    assert_string_equal(reason_slug(f->err.reason), "progress_moved");
    assert_string_equal(fixture_reopen(f), "two");
    fixture_must_commit(f, "three");
    assert_int_equal(inside(f)->txn.read_end, -1);
}

/* The topic may be another relay's, too, with its records and its markers. */
static void others_may_stand_before_the_first_commit(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "one");
    fixture_reopen(f);
    struct publisher *ours = f->publisher;
    f->publisher = NULL;
    f->options.shard = 1;
    fixture_reopen(f);
    fixture_must_commit(f, "theirs");
    fixture_must_commit(f, "theirs again");
    f->options.shard = 0;
    kafka_publisher_note(ours, SPAN_LITERAL("a note before the record"));
    enum step result;
    while ((result = publisher_commit(ours, SPAN_LITERAL("two"), &f->err)) == STEP_WAIT)
        ;
    assert_int_equal(result, STEP_DONE);
    publisher_close(ours, 1000);
    assert_string_equal(fixture_reopen(f), "two");
}

/* Its length is the same the next time, so nobody tries for ever. */
static void a_note_that_the_topic_does_not_take_is_told(void **state)
{
    struct fixture *f = *state;
    size_t size = 1100000;
    char *text = malloc(size);
    memset(text, 'n', size);
    fixture_open(f);
    fixture_must_commit(f, "one");
    kafka_publisher_note(f->publisher, (struct span){text, size});
    free(text);
    assert_int_equal(fixture_commit(f, "two"), -1);
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_string_equal(reason_slug(f->err.reason), "progress_topic_small");
    assert_non_null(strstr(f->err.hint, "raise max.message.bytes of topic"));
    assert_string_equal(fixture_reopen(f), "one");
}

/* ---- at_least_once ---- */

static void at_least_once_events_are_seen_before_the_commit(void **state)
{
    struct fixture *f = *state;
    f->delivery.guarantee = GUARANTEE_AT_LEAST_ONCE;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "v"));
    for (int i = 0; i < 100 && f->batch->outstanding > 0; i++)
        assert_int_equal(publisher_poll(f->publisher, 20, &f->err), 0);
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 1);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "w"));
    fixture_must_commit(f, "r");
    assert_int_equal(f->batch->outstanding, 0);
    assert_string_equal(fixture_reopen(f), "r");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 2);
}

static void at_least_once_what_is_behind_all_waits_for_it(void **state)
{
    struct fixture *f = *state;
    f->delivery.guarantee = GUARANTEE_AT_LEAST_ONCE;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "v"));
    fixture_must_put(f, fixture_message(f, f->topic, "k", "w"));
    struct message *mark = fixture_message(f, f->topic, "k", "mark");
    mark->behind_all = true;
    fixture_must_put(f, mark);
    assert_int_equal(f->batch->outstanding, 1);
    fixture_must_commit(f, "r");
}

static void at_least_once_is_fenced_at_its_progress(void **state)
{
    struct fixture *f = *state;
    f->delivery.guarantee = GUARANTEE_AT_LEAST_ONCE;
    fixture_open(f);
    fixture_must_commit(f, "one");
    struct publisher *zombie = f->publisher;
    f->publisher = NULL;
    fixture_reopen(f);
    int result;
    while ((result = publisher_commit(zombie, SPAN_LITERAL("x"), &f->err)) == STEP_WAIT)
        ;
    assert_int_equal(result, -1);
    assert_string_equal(reason_slug(f->err.reason), "fenced");
    publisher_close(zombie, 1000);
    fixture_must_commit(f, "two");
}

/* As if the process had been stopped since the last call. */
static void sleep_for_long(struct kafka_publisher *p)
{
    assert_true(p->awake_us > 0);
    p->awake_us -= 5 * US_PER_S;
}

/* Nobody fences the handle that takes the events. */
static void at_least_once_asks_after_a_pause_whether_it_was_succeeded(void **state)
{
    struct fixture *f = *state;
    f->delivery.guarantee = GUARANTEE_AT_LEAST_ONCE;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_commit(f, "one");
    sleep_for_long(inside(f));
    fixture_must_put(f, fixture_message(f, f->topic, "k", "alone"));
    assert_false(inside(f)->slept);
    fixture_must_commit(f, "two");
    struct kafka_publisher *zombie = inside(f);
    f->publisher = NULL;
    fixture_reopen(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "newer"));
    fixture_must_commit(f, "three");
    sleep_for_long(zombie);
    assert_int_equal(publisher_poll(&zombie->base, 0, &f->err), 0);
    const struct message *older = fixture_message(f, f->topic, "k", "older");
    assert_int_equal(publisher_put(&zombie->base, f->batch, older, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "progress_moved");
    publisher_close(&zombie->base, 1000);
    fixture_must_commit(f, "four");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 2);
}

/* Each message goes out by itself, long before the broker answers for the one before it. */
static int put_one_by_one(struct fixture *f)
{
    f->next_lsn = 1000;
    for (int i = 0; i < 9; i++) {
        const char *value = noise(f, i == 4 ? 4000 : 20);
        if (fixture_put(f, fixture_message(f, f->topic, "k", value)) < 0)
            return -1;
        clock_sleep_us(2 * US_PER_MS);
    }
    return fixture_commit(f, "r");
}

/* There is no transaction that takes back what stands behind a record that was refused. */
static void at_least_once_nothing_overtakes_a_refused_record(void **state)
{
    struct fixture *f = *state;
    struct change_id verdict;
    uint32_t route = 9;
    f->delivery.guarantee = GUARANTEE_AT_LEAST_ONCE;
    fixture_property(f, "compression.type", "lz4");
    peer_create_topic(f->topic, 1, takes_little);
    fixture_open(f);
    assert_int_equal(put_one_by_one(f), -1);
    assert_string_equal(reason_slug(f->err.reason), "batch_refused");
    assert_true(kafka_publisher_suspect(f->publisher, &f->options.suspect));
    fixture_close(f, 0);
    assert_true(fixture_read(f, f->topic, 1)->count <= 4);
    fixture_reopen(f);
    assert_int_equal(put_one_by_one(f), -1);
    assert_string_equal(reason_slug(f->err.reason), "record_refused");
    assert_true(kafka_publisher_verdict(f->publisher, &verdict, &route));
    assert_true(change_id_equal(verdict, change_id_wal(1004, 1)));
}

/* ---- Recovery from far back, and servers that are not there ---- */

static void a_record_far_from_the_end_is_found(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "old");
    f->options.shard = 1;
    fixture_reopen(f);
    for (int i = 0; i < 700; i++) /* two offsets each: the record and its marker */
        fixture_must_commit(f, "other");
    f->options.shard = 0;
    assert_string_equal(fixture_reopen(f), "old");
}

static void nobody_there(void **state)
{
    struct fixture *f = *state;
    struct buf record = BUF_EMPTY;
    bool exists;
    f->properties[0].value.text = "127.0.0.1:1";
    assert_int_equal(kafka_look(&f->options, &record, &exists, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "broker_unreachable");
    assert_non_null(strstr(f->err.text, "bootstrap.servers=127.0.0.1:1"));
    assert_int_equal(kafka_publisher_open(&f->options, &f->publisher, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "broker_unreachable");
    assert_int_equal(kafka_probe(&f->options, &f->err), -1);
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, NULL, NULL, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "broker_unreachable");
    f->publisher = NULL;
}

static void a_stop_ends_the_waiting(void **state)
{
    struct fixture *f = *state;
    struct buf record = BUF_EMPTY;
    bool exists;
    f->properties[0].value.text = "203.0.113.1:9092"; /* answers nothing at all */
    atomic_store(&f->stop, true);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(kafka_look(&f->options, &record, &exists, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "stopping");
    assert_true(clock_monotonic_us() - began_us < 5 * US_PER_S);
}

static void the_probe_fences_nobody(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "one");
    assert_int_equal(kafka_probe(&f->options, &f->err), 0);
    fixture_must_commit(f, "two");
}

/* ---- Preparing ---- */

static void the_progress_topic_is_made_as_it_must_be(void **state)
{
    struct fixture *f = *state;
    struct buf weak = BUF_EMPTY, made = BUF_EMPTY;
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, &weak, &made, &f->err), 0);
    assert_non_null(strstr(buf_text(&weak), "has replication factor 1"));
    assert_string_equal(buf_text(&made), f->progress_topic);
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, NULL, &made, &f->err), 0);
    assert_string_equal(buf_text(&made), "");
    struct kafka_client client;
    struct kafka_client_options how = {.options = &f->options, .role = KAFKA_ADMIN};
    struct kafka_topic_settings settings;
    assert_int_equal(kafka_client_open(&client, &how, &f->err), 0);
    assert_int_equal(kafka_topic_settings(&client, f->progress_topic,
                                          kafka_deadline_us(&f->options), &settings, &f->err),
                     0);
    assert_true(settings.known);
    assert_true(settings.compacts);
    assert_false(settings.clamp.deletes);
    assert_false(settings.unclean_election);
    assert_true(settings.clamp.log_append_time);
    kafka_client_close(&client);
    buf_fini(&made);
    buf_fini(&weak);
}

static void a_wrong_progress_topic_is_refused(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->progress_topic, 2, NULL);
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, NULL, NULL, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_string_equal(reason_slug(f->err.reason), "progress_topic_partitions");
    f->delivery.progress_topic.text = f->topic;
    peer_create_topic(f->topic, 1, NULL);
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, NULL, NULL, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "progress_topic_deletes");
    assert_advice_contains(f->err, "--add-config cleanup.policy=compact");
}

static void topics_that_may_not_be_made_are_missed(void **state)
{
    struct fixture *f = *state;
    const char *topics[] = {f->topic};
    f->delivery.topics.create = false;
    assert_int_equal(kafka_prepare_topics(&f->options, topics, 1, false, NULL, NULL, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_int_equal(f->err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(f->err.reason), "topic_missing");
}

/* ---- What rows reach ---- */

static int put_of_row(struct fixture *f, const char *topic)
{
    struct message *message = fixture_message(f, topic, "k", "v");
    message->topic_of_row = true;
    return fixture_put(f, message);
}

/* Twice: the second time by heart. */
static void assert_refused(struct fixture *f, const char *topic, const char *reason,
                           const char *text)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put_of_row(f, topic), -1);
        assert_int_equal(f->err.kind, ERROR_DATA);
        assert_string_equal(reason_slug(f->err.reason), reason);
        assert_non_null(strstr(f->err.text, text));
    }
}

static void a_row_reaches_no_weak_topic_where_replication_is_required(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    f->delivery.require_replication = true;
    assert_refused(f, f->topic, "replication_weak", "has replication factor 1");
    f->delivery.require_replication = false;
    assert_int_equal(put_of_row(f, f->topic), 0);
    fixture_must_commit(f, "r");
}

static void a_weak_topic_that_was_refused_is_looked_at_again(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    f->delivery.require_replication = true;
    assert_refused(f, f->topic, "replication_weak", "min.insync.replicas 1");
    fixture_must_commit(f, "r");
    struct kafka_topic *topic = inside(f)->topics.newest;
    assert_int_not_equal(topic->partitions, 0);
    inside(f)->topics.refreshed_us = 0;
    topic->checked_us = 0;
    kafka_in_use_refresh(&inside(f)->topics);
    assert_int_equal(topic->partitions, 0);
    assert_refused(f, f->topic, "replication_weak", "min.insync.replicas 1");
    assert_true(clock_monotonic_us() - topic->checked_us < 60 * US_PER_S);
}

static void a_row_reaches_no_topic_that_is_laid_out_as_progress(void **state)
{
    struct fixture *f = *state;
    char other[100];
    snprintf(other, sizeof other, "%s.ledger", f->relay);
    const char *own = f->delivery.progress_topic.text;
    f->delivery.progress_topic.text = other; /* made, and then somebody else's */
    fixture_open(f);
    fixture_must_commit(f, "r");
    f->delivery.progress_topic.text = own;
    fixture_open(f);
    assert_refused(f, other, "reserved_topic", "is laid out as a relay's progress");
    fixture_must_put(f, fixture_message(f, f->topic, "k", "v"));
    fixture_must_commit(f, "s");
    const char *topics[] = {other};
    assert_int_equal(kafka_prepare_topics(&f->options, topics, 1, false, NULL, NULL, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_int_equal(f->err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(f->err.reason), "reserved_topic");
}

static void a_row_reaches_no_topic_with_records_of_ours(void **state)
{
    struct fixture *f = *state;
    char other[100];
    static const char *const by_hand[] = {"cleanup.policy", "compact", NULL};
    snprintf(other, sizeof other, "%s.by-hand", f->relay);
    peer_create_topic(other, 1, by_hand);
    peer_create_topic(f->topic, 1, by_hand);
    const char *own = f->delivery.progress_topic.text;
    f->delivery.progress_topic.text = other;
    fixture_open(f);
    fixture_must_commit(f, "r");
    f->delivery.progress_topic.text = own;
    fixture_open(f);
    assert_refused(f, other, "reserved_topic", "holds a relay's progress");
    assert_int_equal(put_of_row(f, f->topic), 0); /* compacted, and nobody's */
    fixture_must_commit(f, "s");
    assert_int_equal(fixture_read(f, f->topic, 1)->count, 1);
    assert_int_equal(fixture_read(f, other, 1)->count, 1);
}

/* What rows may not reach costs its look-up once, however many topics and rows there are. */
static void names_that_collide_are_refused_by_heart(void **state)
{
    struct fixture *f = *state;
    char dotted[100], barred[100];
    snprintf(dotted, sizeof dotted, "%s.of-row", f->relay);
    snprintf(barred, sizeof barred, "%s_of-row", f->relay);
    fixture_open(f);
    assert_int_equal(put_of_row(f, dotted), 0);
    assert_refused(f, barred, "illegal_topic", "collides with existing topic");
    fixture_must_commit(f, "r");
}

/* ---- A progress topic that is shared ---- */

static char *looked(struct fixture *f)
{
    struct buf record = BUF_EMPTY;
    bool exists;
    int result = kafka_look(&f->options, &record, &exists, &f->err);
    char *text = result == 0 ? arena_text(&f->arena, buf_span(&record)) : NULL;
    buf_fini(&record);
    return text;
}

static void a_look_is_not_hidden_behind_the_transaction_of_another(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "one");
    struct peer_txn *other = peer_begin(f->progress_topic, "another/0", "open");
    assert_string_equal(looked(f), "one"); /* nothing of ours is behind it */
    fixture_must_commit(f, "two");
    f->options.timeout_ms = 1500;
    assert_null(looked(f));
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "broker_timeout");
    assert_non_null(strstr(f->err.text, "another relay's transaction stays open"));
    f->options.timeout_ms = 0;
    peer_end(other);
    assert_string_equal(looked(f), "two");
}

/* Who is stopped in the middle of a commit must not keep his successor from looking. */
static void an_open_transaction_of_our_own_hides_nothing(void **state)
{
    struct fixture *f = *state;
    char key[100];
    fixture_open(f);
    fixture_must_commit(f, "one");
    snprintf(key, sizeof key, "%s/0", f->relay);
    struct peer_txn *ours = peer_begin(f->progress_topic, key, "two");
    f->options.timeout_ms = 5000;
    assert_string_equal(looked(f), "one");
    peer_end(ours);
}

/* ---- Leaving ---- */

static unsigned end_txn_of_abort(struct fixture *f, bool tainted)
{
    struct kafka_publisher *p = inside(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "v"));
    struct kafka_watch *watch = &kafka_session_handle(&p->session)->watch;
    while (p->flight.outstanding > 0)
        assert_int_equal(publisher_poll(f->publisher, 100, &f->err), 0);
    if (tainted)
        atomic_fetch_add(&watch->transport_failures, 1);
    kafka_txn_abort(&p->txn, 5000);
    return atomic_load(&watch->end_txn_sent);
}

static void a_tainted_transaction_is_not_aborted(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(end_txn_of_abort(f, true), 0);
    fixture_reopen(f);
    fixture_must_commit(f, "after");
}

static void an_untainted_transaction_is_aborted(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(end_txn_of_abort(f, false), 1);
}

static void names_that_collide_are_told_why(void **state)
{
    struct fixture *f = *state;
    char dotted[64], barred[64];
    snprintf(dotted, sizeof dotted, "%s.line", f->relay);
    snprintf(barred, sizeof barred, "%s_line", f->relay);
    const char *topics[] = {dotted, barred};
    assert_int_equal(kafka_prepare_topics(&f->options, topics, 2, true, NULL, NULL, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "illegal_topic");
    assert_non_null(strstr(f->err.text, barred));
    assert_non_null(strstr(f->err.text, "collides with existing topic"));
}

int main(void)
{
    if (peer_bootstrap() == NULL) {
        printf("skipped: WALFERRY_TEST_BOOTSTRAP is not set\n");
        return 0;
    }
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(a_message_of_exactly_the_limit_is_taken),
        T(many_small_messages_do_not_add_up_to_a_refusal),
        T(a_message_larger_than_a_megabyte_is_taken_where_the_topic_takes_it),
        T(a_refused_batch_is_traced_to_its_record),
        T(good_suspects_go_out_one_by_one),
        T(timestamps_are_moved_into_what_the_topic_takes),
        T(a_changed_partition_count_is_switched_to_between_transactions),
        T(null_keys_are_spread),
        T(the_claim_is_on_the_first_handle_and_then_they_alternate),
        T(an_open_ends_what_either_handle_has_begun),
        T(who_has_lost_the_first_handle_claims_nothing),
        T(who_has_lost_the_second_handle_publishes_nothing),
        T(a_tainted_transaction_has_both_producers_made_anew),
        T(a_record_alone_goes_through_the_first_handle_then),
        T(a_zombie_in_strict_mode_fences_nobody),
        T(without_strict_a_taint_is_passed_over),
        T(nothing_is_committed_behind_progress_that_was_not_read),
        T(others_may_stand_before_the_first_commit),
        T(a_note_that_the_topic_does_not_take_is_told),
        T(at_least_once_events_are_seen_before_the_commit),
        T(at_least_once_what_is_behind_all_waits_for_it),
        T(at_least_once_is_fenced_at_its_progress),
        T(at_least_once_asks_after_a_pause_whether_it_was_succeeded),
        T(at_least_once_nothing_overtakes_a_refused_record),
        T(a_record_far_from_the_end_is_found),
        T(nobody_there),
        T(a_stop_ends_the_waiting),
        T(the_probe_fences_nobody),
        T(the_progress_topic_is_made_as_it_must_be),
        T(a_wrong_progress_topic_is_refused),
        T(a_row_reaches_no_weak_topic_where_replication_is_required),
        T(a_weak_topic_that_was_refused_is_looked_at_again),
        T(a_row_reaches_no_topic_that_is_laid_out_as_progress),
        T(a_row_reaches_no_topic_with_records_of_ours),
        T(names_that_collide_are_refused_by_heart),
        T(a_look_is_not_hidden_behind_the_transaction_of_another),
        T(an_open_transaction_of_our_own_hides_nothing),
        T(a_tainted_transaction_is_not_aborted),
        T(an_untainted_transaction_is_aborted),
        T(names_that_collide_are_told_why),
        T(topics_that_may_not_be_made_are_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
