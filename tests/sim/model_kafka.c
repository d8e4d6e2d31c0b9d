/* sim/model_kafka: see the header. */
#include "model_kafka.h"

#include "progress/progress.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS_MAX 20000
#define UNREPORTED_MAX 4096

struct model_publisher {
    struct publisher base;
    struct model_kafka *kafka;
    uint32_t epoch;
    bool recovered;
    bool dead;
    int slices; /* STEP_WAIT so often still */
    struct unreported {
        struct batch *batch;
        size_t bytes;
        int64_t put_us;
        int64_t due_us; /* of the report, where the broker is slow */
    } unreported[UNREPORTED_MAX];
    uint32_t unreported_count;
    int64_t end_us; /* when the slow broker answers the EndTxn; 0: not sent */
};

void model_kafka_init(struct model_kafka *k, struct random *random)
{
    *k = (struct model_kafka){.random = random};
    k->log = calloc(EVENTS_MAX, sizeof *k->log);
    k->open = calloc(EVENTS_MAX, sizeof *k->open);
    k->records = calloc(EVENTS_MAX, sizeof *k->records);
}

void model_kafka_fini(struct model_kafka *k)
{
    for (uint32_t i = 0; i < k->record_count; i++)
        free(k->records[i].json);
    free(k->pending.json);
    free(k->log);
    free(k->open);
    free(k->records);
}

static bool fault(struct model_kafka *k, uint32_t one_in)
{
    return k->faults && random_once_in(k->random, one_in);
}

/* ---- The broker ---- */

static void settle(struct model_kafka *k, bool commit)
{
    if (commit) {
        assert(k->log_count + k->open_count <= EVENTS_MAX);
        for (uint32_t i = 0; i < k->open_count; i++)
            k->log[k->log_count++] = k->open[i];
        k->pending.events = k->log_count;
        if (k->pending.json != NULL)
            k->records[k->record_count++] = k->pending;
        k->pending.json = NULL;
    }
    free(k->pending.json);
    k->pending = (struct kafka_record){0};
    k->open_count = 0;
    k->begun_us = 0;
    k->end_sent = false;
    k->txn++;
}

struct position model_kafka_progress(const struct model_kafka *k)
{
    struct position position = {0, 0};
    if (k->record_count == 0)
        return position;
    struct arena arena;
    struct progress progress;
    struct error err = ERROR_INIT;
    arena_init(&arena, 1024, 1024);
    const struct kafka_record *last = &k->records[k->record_count - 1];
    if (progress_decode((struct span){last->json, last->len}, &arena, &progress, &err) == 0)
        position = progress.position;
    arena_fini(&arena);
    return position;
}

/* ---- The publisher ---- */

static void violated(struct model_kafka *k, const char *what)
{
    if (k->violation[0] == '\0')
        snprintf(k->violation, sizeof k->violation, "%s", what);
}

static int usable(struct model_publisher *p, struct error *err)
{
    if (p->dead)
        violated(p->kafka, "I5: a publisher was used after an error");
    if (!p->recovered)
        violated(p->kafka, "I2: begin before recover");
    if (p->epoch == p->kafka->epoch)
        return 0;
    p->dead = true;
    return error_retry(err, REASON_FENCED, "fenced");
}

static int recover(struct publisher *base, struct buf *record, struct error *err)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    if (fault(k, 40)) {
        p->dead = true;
        return error_retry(err, REASON_KAFKA_ERROR, "recover failed");
    }
    p->recovered = true;
    if (k->record_count > 0)
        buf_add(record, (struct span){k->records[k->record_count - 1].json,
                                      k->records[k->record_count - 1].len});
    return 0;
}

static uint32_t number_in(struct span text, size_t skip)
{
    char digits[16] = "";
    snprintf(digits, sizeof digits, "%.*s", (int)(text.len - skip), text.ptr + skip);
    return (uint32_t)strtoul(digits, NULL, 10);
}

/* ---- A slow broker ---- */

static int64_t message_bytes(const struct message *message)
{
    size_t bytes = 70 + message->key.len + message->value.len;
    for (uint32_t i = 0; i < message->header_count; i++)
        bytes += message->headers[i].name.len + message->headers[i].value.len;
    return (int64_t)bytes;
}

/* Returns when the answer is there. */
static int64_t send_bytes(struct model_kafka *k, int64_t bytes)
{
    if (k->pace.bytes_per_s == 0)
        return k->now_us;
    int64_t took_us = bytes * 1000000 / k->pace.bytes_per_s;
    int64_t rested_us = k->now_us - k->pace.burst_us;
    k->free_us = (k->free_us > rested_us ? k->free_us : rested_us) + took_us;
    k->link_us = k->link_us > k->now_us ? k->link_us : k->now_us;
    if (k->pace.link_times > 0)
        k->link_us += took_us / k->pace.link_times;
    return (k->free_us > k->link_us ? k->free_us : k->link_us) + k->pace.latency_us;
}

/* The broker ends a transaction that lasts for its whole time-out. */
static int check_age(struct model_publisher *p, struct error *err)
{
    struct model_kafka *k = p->kafka;
    if (k->pace.bytes_per_s == 0)
        return 0;
    if (k->begun_us == 0)
        k->begun_us = k->now_us;
    if (k->now_us - k->begun_us < k->pace.timeout_us)
        return 0;
    p->dead = true;
    settle(k, false);
    return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                       "the transaction was as old as its time-out");
}

/* True once all is reported and the EndTxn answered. */
static bool has_ended(struct model_publisher *p, size_t record_bytes)
{
    struct model_kafka *k = p->kafka;
    if (k->pace.bytes_per_s == 0)
        return true;
    if (p->unreported_count > 0)
        return false;
    if (p->end_us == 0)
        p->end_us = send_bytes(k, 70 + (int64_t)record_bytes) + k->pace.latency_us;
    if (k->now_us < p->end_us)
        return false;
    p->end_us = 0;
    return true;
}

/* ---- Its ops ---- */

/* Between two transactions both handles may have to be made anew. */
static bool made_anew(struct model_publisher *p)
{
    struct model_kafka *k = p->kafka;
    if (k->open_count > 0 || k->pending.json != NULL || p->unreported_count > 0 || !fault(k, 100))
        return false;
    p->base.claim_due = true;
    return true;
}

static enum step put(struct publisher *base, struct batch *batch, const struct message *message,
                     struct error *err)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    if (usable(p, err) < 0 || check_age(p, err) < 0)
        return -1;
    if (base->claim_due)
        violated(k, "I3: an event before the claim");
    if (p->unreported_count == UNREPORTED_MAX || fault(k, 50) || made_anew(p))
        return STEP_WAIT;
    if (fault(k, 2000)) {
        p->dead = true;
        return error_retry(err, REASON_KAFKA_ERROR, "produce failed");
    }
    struct kafka_event *event = &k->open[k->open_count++];
    *event = (struct kafka_event){.event = number_in(message->value, 0),
                                  .key = number_in(message->key, 1),
                                  .final_lsn = message->id.final_lsn,
                                  .txn = k->txn};
    dump_line(message, event->line);
    for (uint32_t i = 0; i < message->header_count; i++)
        event->part |= span_equal_text(message->headers[i].name, "walferry-part");
    batch->outstanding++;
    batch->outstanding_bytes += message->bytes;
    batch->handed++;
    p->unreported[p->unreported_count++] = (struct unreported){
        batch, message->bytes, k->now_us, send_bytes(k, message_bytes(message))};
    return STEP_DONE;
}

static void reported(const struct unreported *message)
{
    message->batch->outstanding--;
    message->batch->outstanding_bytes -= message->bytes;
}

static void report(struct model_publisher *p, uint32_t count)
{
    for (; count > 0 && p->unreported_count > 0; count--)
        reported(&p->unreported[--p->unreported_count]);
}

/* In order, as they become due; a message that is on its way for too long is given up. */
static int report_due(struct model_publisher *p, struct error *err)
{
    struct model_kafka *k = p->kafka;
    uint32_t due = 0;
    while (due < p->unreported_count && p->unreported[due].due_us <= k->now_us)
        reported(&p->unreported[due++]);
    p->unreported_count -= due;
    memmove(p->unreported, p->unreported + due, p->unreported_count * sizeof *p->unreported);
    if (p->unreported_count == 0 ||
        k->now_us - p->unreported[0].put_us < k->pace.timeout_us / 4 * 3)
        return 0;
    p->dead = true;
    return error_retry(err, REASON_DELIVERY_FAILED, "a record was not delivered in time");
}

static int poll_reports(struct publisher *base, int wait_ms, struct error *err)
{
    (void)wait_ms;
    struct model_publisher *p = (struct model_publisher *)base;
    if (fault(p->kafka, 4000)) {
        p->dead = true;
        return error_retry(err, REASON_DELIVERY_FAILED, "a delivery failed");
    }
    if (p->kafka->pace.bytes_per_s > 0)
        return report_due(p, err);
    report(p, 1 + random_below(p->kafka->random, 40));
    return 0;
}

/* One time-out in so many leaves the outcome open: the transaction may be committed already, or be
 * settled either way when the next producer begins. */
static int unknown_outcome(struct model_publisher *p, struct error *err)
{
    struct model_kafka *k = p->kafka;
    p->dead = true;
    uint32_t kind = random_below(k->random, 3);
    if (kind == 0)
        settle(k, true);
    else
        k->end_sent = kind == 1;
    return error_retry(err, REASON_COMMIT_OUTCOME_UNKNOWN, "the outcome of a commit is not known");
}

/* A commit serves reports, too. */
static int report_slow(struct model_publisher *p, struct error *err)
{
    return p->kafka->pace.bytes_per_s > 0 ? report_due(p, err) : 0;
}

static enum step commit(struct publisher *base, struct span record, struct error *err)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    if (usable(p, err) < 0 || check_age(p, err) < 0 || report_slow(p, err) < 0)
        return -1;
    if (k->pending.json == NULL) {
        k->pending = (struct kafka_record){.json = malloc(record.len), .len = record.len};
        memcpy(k->pending.json, record.ptr, record.len);
        p->slices = fault(k, 4) ? (int)random_below(k->random, 4) : 0;
    }
    assert(k->pending.len == record.len && memcmp(k->pending.json, record.ptr, record.len) == 0);
    if (p->slices > 0) {
        p->slices--;
        return STEP_WAIT;
    }
    if (!has_ended(p, record.len))
        return STEP_WAIT;
    if (fault(k, 25))
        return unknown_outcome(p, err);
    if (fault(k, 40)) {
        p->dead = true;
        settle(k, false);
        return error_retry(err, REASON_TRANSACTION_ABORTED, "the transaction was aborted");
    }
    report(p, UNREPORTED_MAX);
    settle(k, true);
    base->claim_due = false;
    return STEP_DONE;
}

static void close_publisher(struct publisher *base, int abort_ms)
{
    struct model_publisher *p = (struct model_publisher *)base;
    if (abort_ms > 0 && !p->dead && p->epoch == p->kafka->epoch)
        settle(p->kafka, false);
    free(p);
}

int model_publisher_open(struct model_kafka *k, struct publisher **publisher)
{
    static const struct publisher_ops ops = {.name = "model",
                                             .recover = recover,
                                             .put = put,
                                             .poll = poll_reports,
                                             .commit = commit,
                                             .close = close_publisher};
    settle(k, k->end_sent);
    k->free_us = k->now_us; /* what was not sent yet went with the producer before */
    k->epoch++;
    struct model_publisher *p = calloc(1, sizeof *p);
    p->base.ops = &ops;
    p->kafka = k;
    p->base.claim_due = true;
    p->epoch = k->epoch;
    *publisher = &p->base;
    return 0;
}
