/* sim/model_kafka: see the header. */
#include "model_kafka.h"

#include "progress/progress.h"
#include "wrong.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS_MAX 20000
#define UNREPORTED_MAX 4096

struct model_publisher {
    struct publisher base;
    struct model_kafka *kafka;
    uint32_t epochs[MODEL_IDS];
    uint32_t turn; /* of the transaction that is open or comes next */
    bool recovered;
    bool dead;
    bool begun;  /* a transaction is open, though it may hold nothing yet */
    bool ending; /* the transaction of the other id is */
    int slices;  /* STEP_WAIT so often still */
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
    for (uint32_t i = 0; i < MODEL_IDS; i++)
        k->ids[i].open = calloc(EVENTS_MAX, sizeof *k->ids[i].open);
    k->records = calloc(EVENTS_MAX, sizeof *k->records);
}

void model_kafka_fini(struct model_kafka *k)
{
    for (uint32_t i = 0; i < k->record_count; i++)
        free(k->records[i].json);
    for (uint32_t i = 0; i < k->log_count; i++)
        kept_free(k->log[i].kept);
    for (uint32_t i = 0; i < MODEL_IDS; i++) {
        for (uint32_t j = 0; j < k->ids[i].open_count; j++)
            kept_free(k->ids[i].open[j].kept);
        free(k->ids[i].pending.json);
        free(k->ids[i].open);
    }
    free(k->log);
    free(k->records);
}

static bool fault(struct model_kafka *k, uint32_t one_in)
{
    return k->faults && random_once_in(k->random, one_in);
}

/* ---- The broker ---- */

/* Whatever is open on the id is committed or aborted. */
static void settle(struct model_kafka *k, struct kafka_id *id, bool commit)
{
    if (commit) {
        assert(k->log_count + id->open_count <= EVENTS_MAX);
        for (uint32_t i = 0; i < id->open_count; i++)
            k->log[k->log_count++] = id->open[i];
        id->pending.events = k->log_count;
        if (id->pending.json != NULL)
            k->records[k->record_count++] = id->pending;
        id->pending.json = NULL;
    } else {
        for (uint32_t i = 0; i < id->open_count; i++)
            kept_free(id->open[i].kept);
    }
    free(id->pending.json);
    id->pending = (struct kafka_record){0};
    id->open_count = 0;
    id->begun_us = 0;
    id->end_sent = false;
}

static bool is_open(const struct kafka_id *id)
{
    return id->open_count > 0 || id->pending.json != NULL;
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

/* index: of the id that is used. */
static int usable(struct model_publisher *p, uint32_t index, struct error *err)
{
    if (p->dead)
        violated(p->kafka, "I5: a publisher was used after an error");
    if (!p->recovered)
        violated(p->kafka, "I2: begin before recover");
    if (p->epochs[index] == p->kafka->ids[index].epoch)
        return 0;
    p->dead = true;
    return error_retry(err, REASON_FENCED, "fenced");
}

static int recover(struct publisher *base, struct buf *record, struct error *err)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    if (p->dead || fault(k, 40)) {
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
static int check_age(struct model_publisher *p, struct kafka_id *id, struct error *err)
{
    struct model_kafka *k = p->kafka;
    if (k->pace.bytes_per_s == 0)
        return 0;
    if (id->begun_us == 0)
        id->begun_us = k->now_us;
    if (k->now_us - id->begun_us < k->pace.timeout_us)
        return 0;
    p->dead = true;
    settle(k, id, false);
    return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                       "the transaction was as old as its time-out");
}

/* True once the EndTxn is answered. */
static bool has_ended(struct model_publisher *p)
{
    struct model_kafka *k = p->kafka;
    if (k->pace.bytes_per_s == 0)
        return true;
    if (k->now_us < p->end_us)
        return false;
    p->end_us = 0;
    return true;
}

/* ---- Its ops ---- */

/* init_transactions of both ids, in their order. False where the second one knows nothing of it.
 */
static bool initialise(struct model_publisher *p)
{
    struct model_kafka *k = p->kafka;
    p->turn = 0;
    p->base.claim_due = true;
    for (uint32_t i = 0; i < MODEL_IDS; i++) {
        if (i > 0 && fault(k, 20))
            return false;
        settle(k, &k->ids[i], k->ids[i].end_sent);
        p->epochs[i] = ++k->ids[i].epoch;
    }
    return true;
}

/* Between two transactions both handles may have to be made anew. STEP_DONE: they were not. */
static enum step look_between(struct model_publisher *p, struct error *err)
{
    struct model_kafka *k = p->kafka;
    if (p->begun || is_open(&k->ids[0]) || is_open(&k->ids[1]) || p->unreported_count > 0 ||
        !fault(k, 100))
        return STEP_DONE;
    if (initialise(p))
        return STEP_WAIT;
    p->dead = true;
    return error_retry(err, REASON_BROKER_TIMEOUT, "the handles could not be made anew");
}

/* ---- What is wrong with an event ---- */

static uint32_t event_of(const struct message *message)
{
    static const char payload[] = "\"payload\":\"";
    if (!message->dead_letter)
        return number_in(message->value, 0);
    for (size_t i = 0; i + sizeof payload <= message->value.len; i++)
        if (memcmp(message->value.ptr + i, payload, sizeof payload - 1) == 0)
            return number_in(message->value, i + sizeof payload - 1);
    return 0;
}

static void read_large(struct model_kafka *k, const struct message *message,
                       struct kafka_event *event)
{
    uint32_t number = 0;
    if (k->claims == NULL || !message_has_route(message->route) || message->dead_letter)
        return;
    const char *bad = large_read(k->claims, message, &event->as, &number);
    event->event = number != 0 ? number : event->event;
    if (bad != NULL)
        violated(k, bad);
}

/* What is sent again is refused for some commands still, and has been mended for the others. */
static bool is_mended(const struct message *message)
{
    for (uint32_t i = 0; i < message->header_count; i++)
        if (span_equal_text(message->headers[i].name, "walferry-replay"))
            return number_in(message->headers[i].value, 0) % 4 != 1;
    return false;
}

static int refuse(struct model_publisher *p, const struct message *message, struct error *err)
{
    bool letter = message->dead_letter;
    if (letter && message->value.ptr != NULL && wrong_is_large(message->id.ordinal))
        return error_data(err, REASON_MESSAGE_TOO_LARGE, "a dead letter is too large");
    enum wrong wrong = letter || is_mended(message) ? WRONG_NOTHING : wrong_of(event_of(message));
    bool by_bytes = p->kafka->claims != NULL && !letter;
    bool large = by_bytes ? message->value.len > LARGE_LIMIT : wrong == WRONG_SIZE;
    p->base.excess = by_bytes && large ? message->value.len - LARGE_LIMIT : 0;
    if (large)
        return error_data(err, REASON_MESSAGE_TOO_LARGE, "an event is too large");
    if (wrong != WRONG_ANSWERED)
        return 0;
    /* What is open is lost, and another one begun that only learns. */
    p->base.refusals++;
    settle(p->kafka, &p->kafka->ids[p->turn], false);
    return error_data(err, REASON_RECORD_REFUSED, "the broker refuses an event");
}

static enum step put(struct publisher *base, struct batch *batch, const struct message *message,
                     struct error *err)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    struct kafka_id *id = &k->ids[p->turn];
    if (usable(p, p->turn, err) < 0)
        return -1;
    if (base->claim_due)
        violated(k, "I3: an event before the claim");
    if (p->ending)
        violated(k, "I7: an event while the transaction before it is not answered");
    if (check_age(p, id, err) < 0)
        return -1;
    if (p->unreported_count == UNREPORTED_MAX || fault(k, 50))
        return STEP_WAIT;
    enum step between = look_between(p, err);
    if (between != STEP_DONE)
        return between;
    if (fault(k, 2000)) {
        p->dead = true;
        return error_retry(err, REASON_KAFKA_ERROR, "produce failed");
    }
    p->begun = true;
    if (k->wrong && message_has_route(message->route) && refuse(p, message, err) < 0)
        return -1;
    k->txn += id->open_count == 0 ? 1 : 0;
    struct kafka_event *event = &id->open[id->open_count++];
    *event = (struct kafka_event){.event = event_of(message),
                                  .letter = message->dead_letter,
                                  .ordinal = message->id.ordinal,
                                  .key = number_in(message->key, 1),
                                  .final_lsn = message->id.final_lsn,
                                  .txn = k->txn};
    event->kept = kept_of(message);
    read_large(k, message, event);
    if (message->replayed)
        event->replay_of = kept_id(message, "id");
    if (span_equal_text(message->topic, "walferry.sim.control"))
        event->event = ANSWER_BASE + number_in(message->key, 0);
    else
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
 * settled either way when its id is initialised next. */
static int unknown_outcome(struct model_publisher *p, struct kafka_id *id, struct error *err)
{
    struct model_kafka *k = p->kafka;
    p->dead = true;
    p->ending = false;
    uint32_t kind = random_below(k->random, 3);
    if (kind == 0)
        settle(k, id, true);
    else
        id->end_sent = kind == 1;
    return error_retry(err, REASON_COMMIT_OUTCOME_UNKNOWN, "the outcome of a commit is not known");
}

/* A commit serves reports, too. */
static int report_slow(struct model_publisher *p, struct error *err)
{
    return p->kafka->pace.bytes_per_s > 0 ? report_due(p, err) : 0;
}

static void add_record(struct model_publisher *p, struct kafka_id *id, struct span record)
{
    struct model_kafka *k = p->kafka;
    if (id->pending.json != NULL)
        return;
    k->txn += id->open_count == 0 ? 1 : 0;
    id->pending = (struct kafka_record){.json = malloc(record.len), .len = record.len};
    memcpy(id->pending.json, record.ptr, record.len);
}

/* DONE: all is reported, and the EndTxn is under way; the next transaction is the other id's. */
static enum step begin_end(struct model_publisher *p, struct span record)
{
    struct model_kafka *k = p->kafka;
    if (p->base.claim_due && p->turn != 0)
        violated(k, "I3: a claim that is not on the first id");
    add_record(p, &k->ids[p->turn], record);
    if (k->pace.bytes_per_s == 0)
        report(p, UNREPORTED_MAX);
    if (p->unreported_count > 0)
        return STEP_WAIT;
    p->end_us = send_bytes(k, 70 + (int64_t)record.len) + k->pace.latency_us;
    p->slices = random_once_in(k->random, 4) ? (int)random_below(k->random, 4) : 0;
    p->turn = 1 - p->turn;
    p->ending = true;
    return STEP_DONE;
}

/* The answer to the EndTxn of the other id. */
static enum step outcome(struct model_publisher *p, struct kafka_id *id, struct error *err)
{
    struct model_kafka *k = p->kafka;
    if (p->slices > 0) {
        p->slices--;
        return STEP_WAIT;
    }
    if (!has_ended(p))
        return STEP_WAIT;
    if (fault(k, 25))
        return unknown_outcome(p, id, err);
    p->ending = false;
    if (fault(k, 40)) {
        p->dead = true;
        settle(k, id, false);
        return random_once_in(k->random, 2)
                   ? error_retry(err, REASON_TRANSACTION_ABORTED, "the transaction was aborted")
                   : error_retry(err, REASON_FENCED, "fenced");
    }
    settle(k, id, true);
    p->begun = false;
    p->base.claim_due = false;
    return STEP_DONE;
}

static enum step commit(struct publisher *base, struct span record, struct error *err)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    uint32_t index = p->ending ? 1 - p->turn : p->turn;
    struct kafka_id *id = &k->ids[index];
    if (usable(p, index, err) < 0 || check_age(p, id, err) < 0 || report_slow(p, err) < 0)
        return -1;
    if (base->refusals > 0) {
        p->dead = true;
        return error_retry(err, REASON_RECORD_REFUSED, "the broker refused some events");
    }
    if (!p->ending && begin_end(p, record) == STEP_WAIT)
        return STEP_WAIT;
    if (id->pending.len != record.len || memcmp(id->pending.json, record.ptr, record.len) != 0)
        violated(k, "I7: a record while the transaction before it is not answered");
    return outcome(p, id, err);
}

static void close_publisher(struct publisher *base, int abort_ms)
{
    struct model_publisher *p = (struct model_publisher *)base;
    struct model_kafka *k = p->kafka;
    if (p->ending) /* its EndTxn was sent, and nobody has heard what became of it */
        k->ids[1 - p->turn].end_sent = random_once_in(k->random, 2);
    else if (abort_ms > 0 && !p->dead && p->epochs[p->turn] == k->ids[p->turn].epoch)
        settle(k, &k->ids[p->turn], false);
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
    struct model_publisher *p = calloc(1, sizeof *p);
    p->base.ops = &ops;
    p->kafka = k;
    k->free_us = k->now_us; /* what was not sent yet went with the producer before */
    p->dead = !initialise(p);
    *publisher = &p->base;
    return 0;
}
