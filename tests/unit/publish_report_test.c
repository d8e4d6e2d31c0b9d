/* publish/kafka_report and kafka_failure: who is to blame for a record that was not delivered. The
 * handles are librdkafka's own; nobody is connected to, the reports are made here. */
#include "base/clock.h"
#include "publish/kafka_memory.h"
#include "publish/kafka_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

struct fixture {
    struct config_pair properties[2]; /* the second one is a test's own */
    struct config_kafka kafka;
    struct config_delivery delivery;
    struct kafka_options options;
    struct kafka_session session;
    struct kafka_flight flight;
    struct kafka_failure failure;
    struct kafka_txn txn;
    struct message message;
    struct kafka_memory memory;
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

static void open_handle(struct fixture *f, struct kafka_client *client, enum kafka_role role)
{
    struct kafka_client_options how = {.options = &f->options, .role = role};
    struct error err;
    if (role == KAFKA_TRANSACTIONAL)
        how.transactional_id = f->session.handles[0].transactional_id;
    assert_int_equal(kafka_client_open(client, &how, &err), 0);
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.delivery = {.transaction_timeout_ms = 60000,
                                      .memory_limit = 64 << 20,
                                      .batch_events = 1000,
                                      .progress_topic = {.text = "walferry.orders.progress"},
                                      .transactional_id = {.text = "walferry.orders"}},
                         .options = {.kafka = &f.kafka, .delivery = &f.delivery, .relay = "orders"},
                         .message = {.topic = SPAN_LITERAL("orders"), .id = change_id_wal(200, 3)}};
    f.properties[0] = (struct config_pair){.name = {.text = "bootstrap.servers"},
                                           .value = {.text = "127.0.0.1:1"}};
    f.kafka.properties = (struct config_pairs){.items = f.properties, .count = 1};
    struct kafka_listener listener = {.on_report = no_report, .on_fatal = no_fatal};
    f.options.memory = &f.memory;
    kafka_session_init(&f.session, &f.options, &listener);
    open_handle(&f, &f.session.handles[0].client, KAFKA_TRANSACTIONAL);
    kafka_txn_init(&f.txn, &f.session, &f.flight, &f.failure);
    f.flight.first = change_id_wal(100, 1);
    f.flight.last = change_id_wal(300, 7);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kafka_txn_fini(&f->txn);
    kafka_session_close(&f->session);
    return 0;
}

static const char *blame(struct fixture *f, void *whose, rd_kafka_resp_err_t code)
{
    rd_kafka_message_t report = {.err = code, ._private = whose};
    kafka_report_failed(&f->txn, &report);
    assert_true(f->failure.failed);
    return reason_slug(f->failure.error.reason);
}

static void assert_nobody_blamed(const struct fixture *f)
{
    assert_true(change_id_is_none(f->failure.suspect.from));
    assert_true(change_id_is_none(f->failure.verdict));
}

/* ---- Records ---- */

static void a_refused_batch_makes_all_since_the_commit_suspect(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(blame(f, &f->message, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE),
                        "batch_refused");
    assert_true(change_id_equal(f->failure.suspect.from, f->flight.first));
    assert_true(change_id_equal(f->failure.suspect.to, f->flight.last));
    assert_true(change_id_is_none(f->failure.verdict));
}

/* The transaction can be given up behind it. */
static void a_record_refused_alone_is_told_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    f->flight.awaited = &f->message;
    rd_kafka_message_t report = {.err = RD_KAFKA_RESP_ERR_INVALID_RECORD, ._private = &f->message};
    kafka_report_failed(&f->txn, &report);
    assert_false(f->failure.failed);
    assert_int_equal(f->failure.refused, RD_KAFKA_RESP_ERR_INVALID_RECORD);
    assert_nobody_blamed(f);
}

static void one_beside_a_transaction_has_its_verdict(void **state)
{
    struct fixture *f = *state;
    f->flight.awaited = &f->message;
    f->session.apart = true;
    assert_string_equal(blame(f, &f->message, RD_KAFKA_RESP_ERR_INVALID_RECORD), "record_refused");
    assert_true(change_id_equal(f->failure.verdict, f->message.id));
    assert_int_equal(f->failure.verdict_route, f->message.route);
    assert_true(change_id_is_none(f->failure.suspect.from));
}

static void a_refused_progress_record_is_nobodys_verdict(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(blame(f, &f->txn, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE),
                        "progress_topic_small");
    assert_int_equal(f->failure.error.kind, ERROR_STOP);
    assert_non_null(strstr(f->failure.error.text, "topic walferry.orders.progress "));
    assert_nobody_blamed(f);
}

/* ---- Connections that end without an answer ---- */

/* A large record is under way, and so many connections ended in a row. */
static void lose(struct fixture *f, unsigned connections, size_t bytes)
{
    f->message.bytes = f->flight.largest = bytes;
    f->flight.outstanding = 1;
    atomic_store(&f->session.handles[0].watch.produce_lost, connections);
    kafka_report_lost(&f->txn);
}

static void large_records_without_an_answer_become_suspect(void **state)
{
    struct fixture *f = *state;
    lose(f, 4, 3000000);
    assert_false(f->failure.failed);
    lose(f, 5, 3000000);
    assert_string_equal(reason_slug(f->failure.error.reason), "batch_refused");
    assert_non_null(strstr(f->failure.error.text, "records of up to 3000000 bytes"));
    assert_true(change_id_equal(f->failure.suspect.from, f->flight.first));
    assert_true(change_id_is_none(f->failure.verdict));
}

static void one_that_is_lost_alone_has_its_verdict(void **state)
{
    struct fixture *f = *state;
    f->flight.awaited = &f->message;
    lose(f, 5, 3000000);
    assert_string_equal(reason_slug(f->failure.error.reason), "record_refused");
    assert_non_null(strstr(f->failure.error.text, "one record of 3000000 bytes of topic orders"));
    assert_true(change_id_equal(f->failure.verdict, f->message.id));
}

/* With a short time-out an epoch has not the time for as many. */
static void what_was_lost_is_counted_over_epochs(void **state)
{
    struct fixture *f = *state;
    lose(f, 3, 3000000);
    kafka_report_keep_lost(&f->txn);
    lose(f, 0, 3000000);
    lose(f, 1, 3000000);
    assert_false(f->failure.failed);
    kafka_report_keep_lost(&f->txn);
    f->flight.awaited = &f->message; /* that is another count */
    lose(f, 4, 3000000);
    assert_false(f->failure.failed);
    f->flight.awaited = NULL;
    lose(f, 1, 3000000);
    assert_string_equal(reason_slug(f->failure.error.reason), "batch_refused");
    kafka_report_keep_lost(&f->txn);
    assert_int_equal(kafka_memory_lost(&f->memory, NULL), 0);
}

/* Another record, or one that came through between them: not in a row. */
static void what_was_lost_is_counted_for_one_record(void **state)
{
    struct fixture *f = *state;
    f->flight.awaited = &f->message;
    lose(f, 4, 3000000);
    kafka_report_keep_lost(&f->txn);
    struct message other = f->message;
    other.bytes = 4000000;
    other.id = change_id_wal(f->message.id.final_lsn + 100, 1);
    assert_int_equal(kafka_memory_lost(&f->memory, &f->message), 4);
    assert_int_equal(kafka_memory_lost(&f->memory, &other), 0);
    other = f->message;
    other.route++;
    assert_int_equal(kafka_memory_lost(&f->memory, &other), 0);
    lose(f, 0, 3000000);
    kafka_memory_came_through(&f->memory, &f->message);
    lose(f, 1, 3000000);
    assert_false(f->failure.failed);
}

/* A record in front of it that compresses well is larger, and comes through in each epoch. */
static void a_record_that_is_lost_again_and_again_is_shielded_by_none(void **state)
{
    struct fixture *f = *state;
    struct message large = {.id = change_id_wal(f->message.id.final_lsn, 1), .bytes = 9000000};
    f->flight.awaited = &f->message;
    for (int epoch = 0; epoch < 3; epoch++) {
        assert_false(f->failure.failed);
        kafka_memory_took(&f->memory, large.bytes, clock_monotonic_us());
        kafka_memory_came_through(&f->memory, &large);
        lose(f, 5, 3000000);
        kafka_report_keep_lost(&f->txn);
    }
    assert_true(f->failure.failed);
    assert_string_equal(reason_slug(f->failure.error.reason), "record_refused");
    assert_true(change_id_equal(f->failure.verdict, f->message.id));
}

/* It dies at each append, and is started again each time. */
static void a_broker_that_is_ill_condemns_no_record(void **state)
{
    struct fixture *f = *state;
    struct kafka_away *away = &f->session.handles[0].client.health.away;
    kafka_away_note(away, "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection "
                          "refused (after 0ms in state CONNECT)");
    kafka_away_note(away, "127.0.0.1:9092/1: Disconnected (after 12ms in state UP)");
    f->flight.awaited = &f->message;
    for (int epoch = 0; epoch < 9; epoch++) {
        lose(f, 5, 3000000);
        kafka_report_keep_lost(&f->txn);
    }
    assert_false(f->failure.failed);
    *away = (struct kafka_away){.count = 0};
    lose(f, 4, 3000000);
    assert_false(f->failure.failed); /* what it was lost in before does not count */
    lose(f, 5, 3000000);
    assert_true(change_id_equal(f->failure.verdict, f->message.id));
}

/* Connections end for other reasons, too. */
static void what_is_no_matter_of_size_blames_nobody(void **state)
{
    struct fixture *f = *state;
    lose(f, 100, 65535);
    f->flight.awaited = &f->message;
    lose(f, 100, 65535);
    kafka_memory_took(&f->memory, 3000000, clock_monotonic_us());
    lose(f, 14, 3000000);
    f->flight.awaited = NULL;
    f->flight.outstanding = 0;
    kafka_report_lost(&f->txn);
    assert_false(f->failure.failed);
    assert_nobody_blamed(f);
}

/* ---- What is no record's fault ---- */

static void time_outs_and_missing_topics_blame_no_record(void **state)
{
    struct fixture *f = *state;
    f->flight.awaited = &f->message;
    assert_string_equal(blame(f, &f->message, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT),
                        "delivery_timeout");
    f->failure.failed = false;
    assert_string_equal(blame(f, &f->message, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART),
                        "delivery_failed");
    assert_nobody_blamed(f);
}

static void a_missing_acl_names_the_topic_that_librdkafka_named(void **state)
{
    struct fixture *f = *state;
    blame(f, &f->message, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(f->failure.error.kind, ERROR_STOP);
    assert_non_null(strstr(f->failure.error.text, "Kafka denies Write,Describe on topic orders"));
    f->failure.failed = false;
    strcpy(f->session.handles[0].client.denied_topic, "other");
    atomic_store(&f->session.handles[0].client.denied_topic_known, true);
    blame(f, &f->message, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_non_null(strstr(f->failure.error.text, "on topic other"));
    assert_nobody_blamed(f);
}

/* Two producers and the probe of check have one prefix: whoever runs the mend for one has them all.
 */
static void transactional_ids_are_allowed_together(void **state)
{
    struct fixture *f = *state;
    struct kafka_health *health = &f->session.handles[0].client.health;
    struct error err;
    health->options = &f->options;
    kafka_denied(&err, health, "transactional-id", f->session.handles[1].transactional_id,
                 "Describe,Write");
    assert_string_equal(err.text,
                        "Kafka denies Describe,Write on transactional-id walferry.orders.1");
    /* Who it is only the broker knows: there is no line to run. */
    assert_int_equal(err.mends[0].kind, MEND_NONE);
    assert_non_null(strstr(err.hint, " --allow-principal User:NAME --operation Describe "
                                     "--operation Write --transactional-id walferry.orders. "
                                     "--resource-pattern-type prefixed"));
    f->properties[1] =
        (struct config_pair){.name = {.text = "sasl.username"}, .value = {.text = "CN=the relay"}};
    f->kafka.properties.count = 2;
    kafka_denied(&err, health, "transactional-id", f->session.handles[1].transactional_id,
                 "Describe,Write");
    assert_non_null(strstr(err.mends[0].line,
                           " --allow-principal 'User:CN=the relay' --operation Describe "
                           "--operation Write --transactional-id walferry.orders. "
                           "--resource-pattern-type prefixed"));
    kafka_denied(&err, health, "topic", "a.b", "Write");
    assert_non_null(strstr(err.mends[0].line, " --topic a.b"));
    assert_null(strstr(err.mends[0].line, "prefixed"));
}

static void what_ended_the_producer_is_the_cause(void **state)
{
    struct fixture *f = *state;
    rd_kafka_test_fatal_error(f->session.handles[0].client.rk, RD_KAFKA_RESP_ERR__FENCED,
                              "fenced!");
    assert_string_equal(blame(f, &f->message, RD_KAFKA_RESP_ERR__FATAL), "fenced");
    assert_nobody_blamed(f);
}

/* In at_least_once it is the handle of the progress record that another instance fences. */
static void a_record_is_asked_about_at_its_own_handle(void **state)
{
    struct fixture *f = *state;
    open_handle(f, &f->session.idempotent, KAFKA_IDEMPOTENT);
    f->session.apart = true;
    rd_kafka_test_fatal_error(f->session.handles[0].client.rk, RD_KAFKA_RESP_ERR__FENCED,
                              "fenced!");
    assert_string_equal(blame(f, &f->txn, RD_KAFKA_RESP_ERR__FATAL), "fenced");
    f->failure.failed = false;
    f->session.handles[0].client.health.auth_failed = true;
    assert_string_equal(blame(f, &f->txn, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), "auth_failed");
}

static void a_fatal_error_is_told_by_its_cause(void **state)
{
    struct fixture *f = *state;
    const struct kafka_health *health = &f->session.handles[0].client.health;
    kafka_report_fatal(&f->failure, health, RD_KAFKA_RESP_ERR_UNKNOWN, "lost its mind");
    assert_string_equal(reason_slug(f->failure.error.reason), "producer_fatal");
    f->failure.failed = false;
    kafka_report_fatal(&f->failure, health, RD_KAFKA_RESP_ERR__FENCED, "fenced!");
    assert_string_equal(reason_slug(f->failure.error.reason), "fenced");
}

/* ---- Once ---- */

static void the_first_failure_stays(void **state)
{
    struct fixture *f = *state;
    struct error first, second, told;
    error_retry(&first, REASON_FENCED, "first");
    error_retry(&second, REASON_KAFKA_ERROR, "second");
    assert_int_equal(kafka_fail(&f->failure, &first, NULL), -1);
    assert_int_equal(kafka_fail(&f->failure, &second, &told), -1);
    assert_string_equal(told.text, "first");
    assert_int_equal(kafka_fail_again(&f->failure, &second), -1);
    assert_string_equal(second.text, "first");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_refused_batch_makes_all_since_the_commit_suspect),
        T(a_record_refused_alone_is_told_and_nothing_else),
        T(one_beside_a_transaction_has_its_verdict),
        T(a_refused_progress_record_is_nobodys_verdict),
        T(large_records_without_an_answer_become_suspect),
        T(one_that_is_lost_alone_has_its_verdict),
        T(what_was_lost_is_counted_over_epochs),
        T(what_was_lost_is_counted_for_one_record),
        T(a_record_that_is_lost_again_and_again_is_shielded_by_none),
        T(a_broker_that_is_ill_condemns_no_record),
        T(what_is_no_matter_of_size_blames_nobody),
        T(time_outs_and_missing_topics_blame_no_record),
        T(a_missing_acl_names_the_topic_that_librdkafka_named),
        T(transactional_ids_are_allowed_together),
        T(what_ended_the_producer_is_the_cause),
        T(a_record_is_asked_about_at_its_own_handle),
        T(a_fatal_error_is_told_by_its_cause),
        T(the_first_failure_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
