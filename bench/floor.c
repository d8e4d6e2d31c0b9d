/* floor: what a transaction takes with librdkafka and nothing around it.
 *
 *   floor BOOTSTRAP TOPIC PARTITIONS PROGRESS RATE SECONDS
 *
 * Event n is due at n/RATE s and has a payload as bench/writer makes it, "at" being when it was
 * due. As the relay does, two producers take turns: all events that are due go into the one
 * transaction with a record of RECORD_BYTES to partition 0 of PROGRESS; the next begins when it is
 * committed. There is no database, and nothing is decoded. Prints one line of JSON: rows, txns,
 * requests of a kind for each transaction (registers: AddPartitionsToTxn), p50 in ms of the time
 * from the first record's handing over to the last report (flush) and from there to the commit's
 * return (commit), CPU seconds. */
#include "bench/sample.h"

#include <librdkafka/rdkafka.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>

#define RECORD_BYTES 700
#define PAD 205
/* Kafka protocol guide, "Api Keys". */
enum { API_PRODUCE = 0, API_ADD_PARTITIONS_TO_TXN = 24 };

static atomic_ulong produces, registers;

struct producer {
    rd_kafka_t *client;
    rd_kafka_topic_t *events, *progress;
};

struct plan {
    uint64_t start_ns, wall_ns; /* of event 0: CLOCK_MONOTONIC, CLOCK_REALTIME */
    uint64_t rows, next;
    double rate;
    int32_t partitions;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, rd_kafka_error_t *error)
{
    if (error != NULL)
        fail(what, rd_kafka_error_string(error));
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
        fail(name, error);
}

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *report, void *opaque)
{
    (void)client, (void)opaque;
    if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("a record", rd_kafka_err2str(report->err));
}

static rd_kafka_resp_err_t on_sent(rd_kafka_t *client, int socket, const char *name, int32_t broker,
                                   int16_t key, int16_t version, int32_t correlation, size_t size,
                                   void *opaque)
{
    (void)client, (void)socket, (void)name, (void)broker, (void)version, (void)correlation;
    (void)size, (void)opaque;
    produces += key == API_PRODUCE;
    registers += key == API_ADD_PARTITIONS_TO_TXN;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t size)
{
    (void)conf, (void)opaque, (void)text, (void)size;
    return rd_kafka_interceptor_add_on_request_sent(client, "floor", on_sent, NULL);
}

/* With what src/publish/kafka_config.c sets. */
static void open_producer(struct producer *p, const char *id, char **argv)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "transactional.id", id);
    set(conf, "linger.ms", "0.1");
    set(conf, "batch.num.messages", "10000");
    set(conf, "socket.nagle.disable", "true");
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_interceptor_add_on_new(conf, "floor", on_new, NULL);
    p->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (p->client == NULL)
        fail("no producer", error);
    check("init_transactions", rd_kafka_init_transactions(p->client, 30000));
    p->events = rd_kafka_topic_new(p->client, argv[2], NULL);
    p->progress = rd_kafka_topic_new(p->client, argv[4], NULL);
}

static uint64_t due_ns(const struct plan *plan, uint64_t n)
{
    return (uint64_t)((double)n / plan->rate * 1e9);
}

static void produce(rd_kafka_topic_t *topic, int32_t partition, char *value, size_t size)
{
    if (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value, size, "key", 3, NULL) != 0)
        fail("cannot produce", rd_kafka_err2str(rd_kafka_last_error()));
}

static void put_events(const struct producer *p, struct plan *plan)
{
    char payload[512], pad[PAD + 1];
    memset(pad, 'x', PAD);
    pad[PAD] = '\0';
    uint64_t passed = clock_ns(CLOCK_MONOTONIC) - plan->start_ns;
    while (plan->next < plan->rows && due_ns(plan, plan->next) <= passed) {
        uint64_t n = plan->next++;
        int size = snprintf(payload, sizeof payload,
                            "{\"at\": %" PRIu64 ", \"n\": %" PRIu64 ", \"pad\": \"%s\"}",
                            plan->wall_ns + due_ns(plan, n), n, pad);
        int32_t partition = (int32_t)(n % 1000 * UINT64_C(2654435761) % (uint64_t)plan->partitions);
        produce(p->events, partition, payload, (size_t)size);
    }
}

static void run(struct producer *producers, struct plan *plan)
{
    char record[RECORD_BYTES];
    struct samples flush = {0}, commit = {0};
    uint64_t txns = 0;
    memset(record, 'r', sizeof record);
    produces = registers = 0;
    plan->start_ns = clock_ns(CLOCK_MONOTONIC);
    plan->wall_ns = clock_ns(CLOCK_REALTIME);
    for (; plan->next < plan->rows; txns++) {
        const struct producer *p = &producers[txns % 2];
        sleep_until_ns(plan->start_ns + due_ns(plan, plan->next));
        check("begin_transaction", rd_kafka_begin_transaction(p->client));
        uint64_t begun = clock_ns(CLOCK_MONOTONIC);
        put_events(p, plan);
        produce(p->progress, 0, record, sizeof record);
        if (rd_kafka_flush(p->client, 30000) != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("flush", "no reports within 30 s");
        uint64_t flushed = clock_ns(CLOCK_MONOTONIC);
        check("commit_transaction", rd_kafka_commit_transaction(p->client, 30000));
        samples_add(&flush, (double)(flushed - begun) / 1e6);
        samples_add(&commit, (double)(clock_ns(CLOCK_MONOTONIC) - flushed) / 1e6);
    }
    printf("{\"rows\": %" PRIu64 ", \"txns\": %" PRIu64 ", \"produces\": %.2f, "
           "\"registers\": %.2f, \"flush\": %.2f, \"commit\": %.2f, \"cpu\": %.3f}\n",
           plan->rows, txns, (double)produces / (double)txns, (double)registers / (double)txns,
           samples_percentile(&flush, 50), samples_percentile(&commit, 50), cpu_s());
    samples_free(&flush);
    samples_free(&commit);
}

int main(int argc, char **argv)
{
    struct producer producers[2];
    struct plan plan = {0};
    plan.partitions = argc == 7 ? atoi(argv[3]) : 0;
    plan.rate = argc == 7 ? atof(argv[5]) : 0;
    if (plan.partitions < 1 || plan.rate <= 0) {
        fputs("usage: floor BOOTSTRAP TOPIC PARTITIONS PROGRESS RATE SECONDS\n", stderr);
        return 2;
    }
    plan.rows = (uint64_t)(plan.rate * atof(argv[6]));
    open_producer(&producers[0], "bench.floor.0", argv);
    open_producer(&producers[1], "bench.floor.1", argv);
    run(producers, &plan);
    for (int i = 0; i < 2; i++) {
        rd_kafka_topic_destroy(producers[i].events);
        rd_kafka_topic_destroy(producers[i].progress);
        rd_kafka_destroy(producers[i].client);
    }
    return 0;
}
