/* reader: a read_committed consumer that tells how old each event is when it has it.
 *
 *   reader BOOTSTRAP TOPIC SKIP_MS
 *
 * Reads all partitions of TOPIC from their ends, prints "ready", and goes on until it has as many
 * events as the number that comes on its standard input says and none came for MORE_S, which would
 * be one too many; or until none came for SILENCE_S after that number. The age of an event is
 * CLOCK_REALTIME now less the "at" of its payload, which bench/writer wrote. Those of the first
 * SKIP_MS count as events, not as ages. Prints one line of JSON: events, doubles (an "n" that came
 * before), p50, p95, p99, p999 and max in ms, the second of the run at which the oldest came, the
 * seconds from the arrival of the first to that of the last, CPU seconds. */
#include "bench/sample.h"

#include <librdkafka/rdkafka.h>

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MORE_S 0.5
#define SILENCE_S 60.0

struct seen {
    unsigned char *bits;
    uint64_t bytes;
    uint64_t events, doubles;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "reader: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
        fail(name, error);
}

static rd_kafka_t *open_consumer(const char *bootstrap)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "group.id", "bench-reader");
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.auto.commit", "false");
    set(conf, "auto.offset.reset", "error");
    set(conf, "fetch.wait.max.ms", "100");
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (client == NULL)
        fail("no consumer", error);
    rd_kafka_poll_set_consumer(client);
    return client;
}

/* All partitions of the topic, from what is their end now. */
static void assign_ends(rd_kafka_t *client, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic, &metadata, 10000);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1)
        fail(name, rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int64_t low, high;
        int32_t partition = metadata->topics[0].partitions[i].id;
        code = rd_kafka_query_watermark_offsets(client, name, partition, &low, &high, 10000);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("no end", rd_kafka_err2str(code));
        rd_kafka_topic_partition_list_add(list, name, partition)->offset = high;
    }
    code = rd_kafka_assign(client, list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("cannot assign", rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
}

static uint64_t number_after(const rd_kafka_message_t *message, const char *name)
{
    const char *at = memmem(message->payload, message->len, name, strlen(name));
    if (at == NULL)
        fail("no such field in the payload", name);
    at += strlen(name);
    return strtoull(at + strspn(at, "\": "), NULL, 10);
}

static void note(struct seen *seen, uint64_t n)
{
    uint64_t needed = n / 8 + 1;
    if (needed > seen->bytes) {
        seen->bits = realloc(seen->bits, needed * 2);
        if (seen->bits == NULL)
            fail("no memory", "bits");
        memset(seen->bits + seen->bytes, 0, needed * 2 - seen->bytes);
        seen->bytes = needed * 2;
    }
    unsigned bit = 1u << (n % 8);
    seen->doubles += (seen->bits[n / 8] & bit) != 0;
    seen->bits[n / 8] |= (unsigned char)bit;
    seen->events++;
}

/* How many events there are to be, once that is known; UINT64_MAX before. */
static uint64_t expected(uint64_t known)
{
    char line[32] = "";
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (known != UINT64_MAX || poll(&input, 1, 0) <= 0)
        return known;
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    return got > 0 ? strtoull(line, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: reader BOOTSTRAP TOPIC SKIP_MS\n", stderr);
        return 2;
    }
    rd_kafka_t *client = open_consumer(argv[1]);
    assign_ends(client, argv[2]);
    puts("ready");
    fflush(stdout);
    uint64_t skip_ns = strtoull(argv[3], NULL, 10) * 1000000, first_at = 0;
    uint64_t first_ns = 0, last_ns = clock_ns(CLOCK_MONOTONIC);
    double oldest_ms = 0, oldest_s = 0;
    struct samples ages = {0};
    struct seen seen = {0};
    for (uint64_t wanted = UINT64_MAX;;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 20);
        uint64_t now = clock_ns(CLOCK_REALTIME), passed = clock_ns(CLOCK_MONOTONIC);
        if (message == NULL || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            wanted = expected(wanted);
            if (message != NULL)
                rd_kafka_message_destroy(message);
            double silent_s = (double)(passed - last_ns) / 1e9;
            if (wanted != UINT64_MAX && silent_s > (seen.events >= wanted ? MORE_S : SILENCE_S))
                break;
            continue;
        }
        uint64_t at = number_after(message, "\"at\"");
        note(&seen, number_after(message, "\"n\""));
        rd_kafka_message_destroy(message);
        last_ns = passed;
        first_ns = first_ns == 0 ? passed : first_ns;
        first_at = first_at == 0 ? at : first_at;
        if (at < first_at + skip_ns)
            continue;
        double age_ms = (double)(now - at) / 1e6;
        samples_add(&ages, age_ms);
        if (age_ms > oldest_ms) {
            oldest_ms = age_ms;
            oldest_s = (double)(at - first_at) / 1e9;
        }
    }
    printf("{\"events\": %" PRIu64 ", \"doubles\": %" PRIu64 ", \"p50\": %.2f, \"p95\": %.2f, "
           "\"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f, \"max_at_s\": %.1f, ",
           seen.events, seen.doubles, samples_percentile(&ages, 50), samples_percentile(&ages, 95),
           samples_percentile(&ages, 99), samples_percentile(&ages, 99.9), oldest_ms, oldest_s);
    printf("\"seconds\": %.3f, \"cpu\": %.3f}\n", (double)(last_ns - first_ns) / 1e9, cpu_s());
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    samples_free(&ages);
    free(seen.bits);
    return 0;
}
