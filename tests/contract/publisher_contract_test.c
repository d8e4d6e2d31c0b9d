/* The contract of publisher_ops (publish/publish.h), held by the Kafka publisher against a real
 * broker: what recover gives, what a commit makes visible and what a close does not, when put
 * refuses, how two instances part. Needs WALFERRY_TEST_BOOTSTRAP. */
#include "publish/partitioner.h"
#include "publish_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool look(struct fixture *f, const char **record)
{
    struct buf found = BUF_EMPTY;
    bool exists = false;
    if (kafka_look(&f->options, &found, &exists, &f->err) < 0)
        fail_msg("%s", f->err.text);
    *record = arena_text(&f->arena, buf_span(&found));
    buf_fini(&found);
    return exists;
}

static void nothing_is_recovered_at_first(void **state)
{
    struct fixture *f = *state;
    const char *record;
    assert_false(look(f, &record));
    assert_string_equal(record, "");
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, NULL, NULL, &f->err), 0);
    assert_true(look(f, &record));
    assert_string_equal(record, "");
    assert_string_equal(fixture_reopen(f), "");
}

static void the_newest_committed_record_is_recovered(void **state)
{
    struct fixture *f = *state;
    const char *record;
    fixture_open(f);
    fixture_must_commit(f, "one");
    fixture_must_commit(f, "two");
    assert_string_equal(fixture_reopen(f), "two");
    assert_true(span_equal_text(kafka_publisher_previous(f->publisher), "one"));
    assert_true(look(f, &record));
    assert_string_equal(record, "two");
}

static void another_shards_records_are_not_ours(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_must_commit(f, "of shard 0");
    f->options.shard = 1;
    assert_string_equal(fixture_reopen(f), "");
    for (int i = 0; i < 3; i++)
        fixture_must_commit(f, "of shard 1");
    f->options.shard = 0;
    assert_string_equal(fixture_reopen(f), "of shard 0");
}

static void a_committed_message_is_seen_as_it_was_given(void **state)
{
    struct fixture *f = *state;
    const struct header headers[] = {{SPAN_LITERAL("id"), SPAN_LITERAL("4711")},
                                     {SPAN_LITERAL("empty"), SPAN_LITERAL("")},
                                     {SPAN_LITERAL("none"), {NULL, 0}}};
    peer_create_topic(f->topic, 3, NULL);
    fixture_open(f);
    struct message *m = fixture_message(f, f->topic, "foobar", "hello");
    m->headers = headers;
    m->header_count = 3;
    m->timestamp_ms -= 12345;
    fixture_must_put(f, m);
    fixture_must_commit(f, "r");
    assert_int_equal(f->batch->outstanding, 0);
    const struct peer_records *seen = fixture_read(f, f->topic, 3);
    assert_int_equal(seen->count, 1);
    const struct peer_record *r = &seen->items[0];
    assert_true(span_equal_text(r->key, "foobar"));
    assert_true(span_equal_text(r->value, "hello"));
    assert_int_equal(r->timestamp_ms, m->timestamp_ms);
    assert_int_equal(r->partition, partition_for_key(SPAN_LITERAL("foobar"), 3));
    assert_true(span_equal_text(peer_header(r, "id"), "4711"));
    assert_int_equal(peer_header(r, "empty").len, 0);
    assert_null(peer_header(r, "none").ptr);
}

static void absent_and_empty_differ(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", NULL));
    fixture_must_put(f, fixture_message(f, f->topic, "k", ""));
    fixture_must_put(f, fixture_message(f, f->topic, NULL, "v"));
    fixture_must_put(f, fixture_message(f, f->topic, "", "v"));
    fixture_must_commit(f, "r");
    const struct peer_records *seen = fixture_read(f, f->topic, 1);
    assert_int_equal(seen->count, 4);
    assert_null(seen->items[0].value.ptr);
    assert_non_null(seen->items[1].value.ptr);
    assert_null(seen->items[2].key.ptr);
    assert_non_null(seen->items[3].key.ptr);
}

static void order_within_a_partition_is_the_order_of_put(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 4, NULL);
    fixture_open(f);
    char key[16], value[16];
    for (int i = 0; i < 1500; i++) {
        snprintf(key, sizeof key, "%d", i % 37);
        snprintf(value, sizeof value, "%06d", i);
        fixture_must_put(f, fixture_message(f, f->topic, key, value));
    }
    fixture_must_commit(f, "r");
    const struct peer_records *seen = fixture_read(f, f->topic, 4);
    assert_int_equal(seen->count, 1500);
    for (uint32_t i = 1; i < seen->count; i++)
        if (seen->items[i].partition == seen->items[i - 1].partition)
            assert_true(memcmp(seen->items[i - 1].value.ptr, seen->items[i].value.ptr, 6) < 0);
}

static void what_is_not_committed_is_never_seen(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "aborted"));
    fixture_close(f, 5000);
    fixture_reopen(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "left open"));
    for (int i = 0; i < 50 && f->batch->outstanding > 0; i++)
        publisher_poll(f->publisher, 20, &f->err);
    fixture_close(f, 0);
    assert_string_equal(fixture_reopen(f), "claim"); /* rolls it back */
    fixture_must_put(f, fixture_message(f, f->topic, "k", "committed"));
    fixture_must_commit(f, "r");
    const struct peer_records *seen = fixture_read(f, f->topic, 1);
    assert_int_equal(seen->count, 1);
    assert_true(span_equal_text(seen->items[0].value, "committed"));
}

/* A process of its own that commits "first" and dies at the crash point with an event and the
 * record "second" under way. It leaves by _exit, so that no failure runs the rest of the tests. */
static void die_at(struct fixture *f, const char *point)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct buf record = BUF_EMPTY;
        setenv("WALFERRY_CRASH_AT", point, 1);
        if (kafka_publisher_open(&f->options, &f->publisher, &f->err) == 0 &&
            publisher_recover(f->publisher, &record, &f->err) == 0 &&
            fixture_commit(f, "first") == 0 &&
            fixture_put(f, fixture_message(f, f->topic, "k", "event")) == 0)
            fixture_commit(f, "second");
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* I4: whenever it dies, both are there or neither is. */
static void events_and_their_record_are_there_together(void **state)
{
    static const struct {
        const char *point;
        bool committed;
    } deaths[] = {{"C2:1", false}, {"C3:1", false}, {"C5:1", true}};
    struct fixture *f = *state;
    assert_int_equal(kafka_prepare_topics(&f->options, NULL, 0, true, NULL, NULL, &f->err), 0);
    peer_create_topic(f->topic, 1, NULL);
    uint32_t events = 0;
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        die_at(f, deaths[i].point);
        events += deaths[i].committed ? 1 : 0;
        assert_string_equal(fixture_reopen(f), deaths[i].committed ? "second" : "first");
        fixture_close(f, 0);
        assert_int_equal(fixture_read(f, f->topic, 1)->count, events);
    }
}

static void a_second_open_fences_the_first(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_commit(f, "first");
    fixture_must_put(f, fixture_message(f, f->topic, "k", "zombie"));
    struct publisher *zombie = f->publisher;
    f->publisher = NULL;
    struct batch *zombies = f->batch;
    f->batch = fixture_batch();
    assert_string_equal(fixture_reopen(f), "first");
    fixture_must_put(f, fixture_message(f, f->topic, "k", "successor"));
    fixture_must_commit(f, "second");
    int result;
    while ((result = publisher_commit(zombie, SPAN_LITERAL("zombie"), &f->err)) == STEP_WAIT)
        ;
    assert_int_equal(result, -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "fenced");
    /* And it stays so (I5). */
    assert_int_equal(publisher_poll(zombie, 0, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "fenced");
    publisher_close(zombie, 1000);
    fixture_batch_free(zombies);
    fixture_must_commit(f, "third"); /* the zombie's close harmed nobody */
    const struct peer_records *seen = fixture_read(f, f->topic, 1);
    assert_int_equal(seen->count, 1);
    assert_true(span_equal_text(seen->items[0].value, "successor"));
}

static void what_put_refuses_leaves_the_transaction_whole(void **state)
{
    struct fixture *f = *state;
    static const char *const small[] = {"max.message.bytes", "2000", NULL};
    peer_create_topic(f->topic, 2, small);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "before"));
    char large[3001];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_int_equal(fixture_put(f, fixture_message(f, f->topic, "k", large)), -1);
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(f->err.reason), "message_too_large");
    struct message *m = fixture_message(f, f->topic, "k", "nowhere");
    m->partition = 2;
    assert_int_equal(fixture_put(f, m), -1);
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(f->err.reason), "bad_partition");
    assert_int_equal(fixture_put(f, fixture_message(f, f->progress_topic, "k", "v")), -1);
    assert_string_equal(reason_slug(f->err.reason), "illegal_topic");
    fixture_must_put(f, fixture_message(f, f->topic, "k", "after"));
    fixture_must_commit(f, "r");
    assert_int_equal(fixture_read(f, f->topic, 2)->count, 2);
}

static void a_missing_topic_is_made_or_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    f->delivery.topics.create = false;
    assert_int_equal(fixture_put(f, fixture_message(f, f->topic, "k", "v")), -1);
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(f->err.reason), "topic_missing");
    char other[96];
    snprintf(other, sizeof other, "%s.more", f->topic);
    f->delivery.topics =
        (struct config_topics){.create = true, .partitions = 5, .replication_factor = 1};
    fixture_must_put(f, fixture_message(f, other, "k", "v"));
    fixture_must_commit(f, "r");
    assert_int_equal(fixture_read(f, other, 5)->count, 1);
}

static void a_stop_ends_recovery_but_no_commit(void **state)
{
    struct fixture *f = *state;
    peer_create_topic(f->topic, 1, NULL);
    fixture_open(f);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "v"));
    atomic_store(&f->stop, true);
    fixture_must_put(f, fixture_message(f, f->topic, "k", "w"));
    fixture_must_commit(f, "drained");
    atomic_store(&f->stop, false);
    assert_string_equal(fixture_reopen(f), "drained");
}

int main(void)
{
    if (peer_bootstrap() == NULL) {
        printf("skipped: WALFERRY_TEST_BOOTSTRAP is not set\n");
        return 0;
    }
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_is_recovered_at_first),
        T(the_newest_committed_record_is_recovered),
        T(another_shards_records_are_not_ours),
        T(a_committed_message_is_seen_as_it_was_given),
        T(absent_and_empty_differ),
        T(order_within_a_partition_is_the_order_of_put),
        T(what_is_not_committed_is_never_seen),
        T(events_and_their_record_are_there_together),
        T(a_second_open_fences_the_first),
        T(what_put_refuses_leaves_the_transaction_whole),
        T(a_missing_topic_is_made_or_refused),
        T(a_stop_ends_recovery_but_no_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
