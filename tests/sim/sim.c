/* sim: the reader and the writer, with the real stream source, decoder, router, encoder and
 * progress, between a model PostgreSQL and a model Kafka, in model time, on one thread, driven by a
 * seed.
 *
 *   sim [--seeds N] [--first S] [--seed S] [--failures N] [--dump FILE | --digest FILE]
 *
 * runs N seeds from S on, or one, ends after so many failures, and writes what Kafka committed
 * (dump.h): all of it, or a line for each seed.
 *
 * At every step anything may happen: a step of either loop, work in the database, a status update,
 * a server or relay crash, a time-out, an unknown commit outcome. Work in the database follows from
 * the seed alone (workload.h), so that --dump of two programs can be compared (dump.h). Checked all
 * the way: I1 on the status bytes, I2 and I5 in the model Kafka, I3 over the progress records, I4
 * and the order by the oracle at the end, I6 by construction. A seed that fails prints itself;
 * --seed replays it. */
#include "dump.h"
#include "model_kafka.h"
#include "model_pg.h"
#include "pgoutput_encoder.h"

#include "recover/origin_wal_internal.h"
#include "relay/reader.h"
#include "relay/writer.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEPS 3000
#define DRAIN_STEPS 200000
#define SYSTEM_IDENTIFIER UINT64_C(7000000000000000001)
#define QUEUE_MAX 8

struct world;

struct sim_source {
    struct source base;
    struct world *world;
    struct stream *stream;
    struct buf current;
    struct position confirmed;
};

struct world {
    struct random random;
    struct model_pg pg;
    struct model_kafka kafka;
    int64_t now_us;
    bool faults;
    char failure[400];
    struct dump dump;

    struct log log;
    struct metrics *metrics;
    struct config_routes routes;
    struct config_route route;

    bool open;
    struct arena arena;
    struct progress progress;
    struct publisher *publisher;
    struct source *source;
    struct router *router;
    struct encoders *encoders;
    struct circuit circuit;
    struct reader reader;
    struct writer writer;
    bool writer_done;
    uint32_t opens;
};

static void fail(struct world *w, const char *text)
{
    if (w->failure[0] == '\0')
        snprintf(w->failure, sizeof w->failure, "%s", text);
}

/* ---- The source: the real stream core over the model server ---- */

static void send_status(struct sim_source *s, bool due_only)
{
    struct world *w = s->world;
    struct buf out = BUF_EMPTY;
    int64_t wall_us = INT64_C(1700000000000000) + w->now_us;
    if (!due_only)
        stream_status_now(s->stream, w->now_us, wall_us, &out);
    else if (!stream_status(s->stream, w->now_us, wall_us, &out)) {
        buf_fini(&out);
        return;
    }
    struct standby_status status;
    if (!read_status(buf_span(&out), &status))
        fail(w, "a status update cannot be read");
    struct position progress = model_kafka_progress(&w->kafka);
    if (status.flush_lsn > progress.lsn || status.apply_lsn > progress.lsn)
        fail(w, "I1: a status update confirms more than committed progress");
    model_pg_confirm(&w->pg, status.flush_lsn);
    buf_fini(&out);
}

static int sim_next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct sim_source *s = (struct sim_source *)base;
    for (int i = 0; i < 100; i++) {
        if (stream_next(s->stream, change) == 1)
            return 1;
        buf_reset(&s->current);
        if (random_once_in(&s->world->random, 6) || !model_pg_send(&s->world->pg, &s->current))
            return 0;
        if (s->current.ptr[0] == 'w')
            s->base.data_us = now_us;
        if (stream_feed(s->stream, buf_span(&s->current), now_us, err) < 0)
            return -1;
    }
    return 0;
}

static void sim_wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct sim_source *s = (struct sim_source *)base;
    *fd = -1;
    *deadline_us = stream_deadline(s->stream);
}

static int sim_tick(struct source *base, int64_t now_us, struct error *err)
{
    struct sim_source *s = (struct sim_source *)base;
    stream_heard(s->stream, now_us); /* the model server is never silent, only slow */
    send_status(s, true);
    if (!s->world->pg.connected)
        return error_retry(err, REASON_CONNECTION_LOST, "the connection was lost");
    return stream_tick(s->stream, now_us, err);
}

static void sim_confirm(struct source *base, struct position committed, struct span resume)
{
    struct sim_source *s = (struct sim_source *)base;
    (void)resume;
    s->confirmed = committed;
    stream_confirm(s->stream, committed);
}

static void sim_report(const struct source *base, struct source_status *status)
{
    status->received_lsn = stream_received_lsn(((const struct sim_source *)base)->stream);
    status->confirmed = ((const struct sim_source *)base)->confirmed;
}

static void sim_close(struct source *base, int64_t deadline_us)
{
    struct sim_source *s = (struct sim_source *)base;
    if (deadline_us > 0 && s->world->pg.connected)
        send_status(s, false);
    stream_close(s->stream);
    buf_fini(&s->current);
    free(s);
}

static const struct source_ops sim_ops = {.name = "sim",
                                          .next = sim_next,
                                          .wait = sim_wait,
                                          .tick = sim_tick,
                                          .confirm = sim_confirm,
                                          .report = sim_report,
                                          .close = sim_close};

static struct source *open_source(struct world *w)
{
    struct sim_source *s = calloc(1, sizeof *s);
    s->base.ops = &sim_ops;
    s->world = w;
    s->confirmed = w->progress.position;
    struct stream_options options = {.start = w->progress.position,
                                     .partial = w->progress.partial,
                                     .server_timeout_us = 60000000,
                                     .now_us = w->now_us};
    s->stream = stream_open(&options);
    model_pg_start(&w->pg, w->progress.position.lsn);
    return &s->base;
}

/* ---- An epoch, as relay/open makes one ---- */

static int recover(struct world *w, struct error *err)
{
    struct buf json = BUF_EMPTY;
    int result = publisher_recover(w->publisher, &json, err);
    if (result == 0 && json.len == 0) { /* the first run: what setup would have written */
        w->progress = (struct progress){.system_identifier = SYSTEM_IDENTIFIER,
                                        .timeline = 1,
                                        .mode = PROGRESS_WAL,
                                        .position = {w->pg.confirmed_lsn, 0}};
        snprintf(w->progress.relay, sizeof w->progress.relay, "sim");
        snprintf(w->progress.slot, sizeof w->progress.slot, "walferry_sim");
        snprintf(w->progress.config_hash, sizeof w->progress.config_hash, "0123456789abcdef");
    } else if (result == 0) {
        result = progress_decode(buf_span(&json), &w->arena, &w->progress, err);
    }
    buf_fini(&json);
    return result;
}

static int judge(struct world *w, struct error *err)
{
    struct found found = {
        .topic_exists = true,
        .have_progress = true,
        .progress = w->progress,
        .system = {.system_identifier = SYSTEM_IDENTIFIER, .timeline = 1, .database = "sim"},
        .origin = {.present = true,
                   .kind = "pgoutput",
                   .database = "sim",
                   .confirmed_lsn = w->pg.confirmed_lsn,
                   .current_lsn = w->pg.work.wal_lsn}};
    struct wal_facts facts = {.relay = "sim",
                              .slot_name = "walferry_sim",
                              .topic = "walferry.sim.progress",
                              .config_hash = "0123456789abcdef",
                              .found = &found};
    return wal_judge_start(&facts, err);
}

static int claim(struct world *w, struct error *err)
{
    w->progress.generation++;
    snprintf(w->progress.instance, sizeof w->progress.instance, "instance-%u", w->opens);
    struct buf json = BUF_EMPTY;
    progress_encode(&w->progress, &json);
    int result;
    while ((result = publisher_commit(w->publisher, buf_span(&json), err)) == PUBLISH_AGAIN)
        ;
    buf_fini(&json);
    return result;
}

static void make_loops(struct world *w, struct error *err)
{
    struct router_options router = {
        .routes = &w->routes, .relay = "sim", .progress_topic = "walferry.sim.progress"};
    struct encoders_options encoding = {
        .routes = &w->routes, .system_identifier = SYSTEM_IDENTIFIER, .id_header = "id"};
    if (router_open(&router, &w->router, err) < 0 ||
        encoders_open(&encoding, &w->encoders, err) < 0 ||
        circuit_open(&w->circuit, 4 + random_below(&w->random, 12), 1, 4 * 65536, err) < 0)
        abort();
    w->source = open_source(w);
    struct filler_options fill = {.router = w->router,
                                  .encoders = w->encoders,
                                  .routes = &w->routes,
                                  .metrics = w->metrics,
                                  .log = &w->log,
                                  .system_identifier = SYSTEM_IDENTIFIER};
    struct reader_options reader = {
        .source = w->source,
        .circuit = &w->circuit,
        .fill = fill,
        .seal = {.commit_interval_us = 10000, .idle_bytes = 2000, .idle_interval_us = 1000000},
        .start = w->progress.position,
        .stall_us = 15000000,
        .now_us = w->now_us};
    reader_init(&w->reader, &reader);
    struct writer_options writer = {.publisher = w->publisher,
                                    .circuit = &w->circuit,
                                    .routes = &w->routes,
                                    .metrics = w->metrics,
                                    .log = &w->log,
                                    .claim = &w->progress,
                                    .split_us = 1000 + random_below(&w->random, 200000)};
    writer_init(&w->writer, &writer);
}

static void open_epoch(struct world *w)
{
    struct error err = ERROR_INIT;
    arena_init(&w->arena, 1024, 1024);
    w->opens++;
    model_publisher_open(&w->kafka, &w->publisher);
    if (recover(w, &err) == 0 && judge(w, &err) == 0 && claim(w, &err) == 0) {
        make_loops(w, &err);
        w->writer_done = false;
        w->open = true;
        return;
    }
    if (err.kind == ERROR_STOP)
        fail(w, err.text);
    publisher_close(w->publisher, 0);
    arena_fini(&w->arena);
}

/* source_deadline as for source_close(); abort_ms as for publisher_close(). */
static void close_epoch(struct world *w, int64_t source_deadline, int abort_ms)
{
    publisher_close(w->publisher, abort_ms);
    source_close(w->source, source_deadline);
    reader_fini(&w->reader);
    writer_fini(&w->writer);
    circuit_close(&w->circuit);
    router_close(w->router);
    encoders_close(w->encoders);
    arena_fini(&w->arena);
    model_pg_disconnect(&w->pg);
    w->open = false;
}

/* ---- Steps ---- */

static void on_error(struct world *w, const struct error *err)
{
    if (err->kind != ERROR_RETRY)
        fail(w, err->text);
    close_epoch(w, 0, random_once_in(&w->random, 2) ? 1000 : 0);
}

static void step_reader(struct world *w)
{
    struct wait wait;
    struct error err = ERROR_INIT;
    int result = reader_step(&w->reader, w->now_us, &wait, &err);
    if (result < 0)
        on_error(w, &err);
    else if (result > 0)
        close_epoch(w, 1, 1000);
}

static void step_writer(struct world *w)
{
    if (w->writer_done)
        return;
    struct wait wait;
    struct error err = ERROR_INIT;
    w->writer.wall_us = INT64_C(1700000000000000) + w->now_us;
    int result = writer_step(&w->writer, w->now_us, &wait, &err);
    if (result == 0)
        return;
    w->writer_done = true;
    channel_finish(w->circuit.empty, result < 0 ? &err : NULL);
}

static void step_faults(struct world *w)
{
    if (!w->faults)
        return;
    if (w->open && random_once_in(&w->random, 150))
        close_epoch(w, 0, 0); /* kill -9 */
    if (w->open && random_once_in(&w->random, 300))
        reader_stop(&w->reader, random_once_in(&w->random, 2) ? READER_STOP : READER_STOP_WHOLE);
    if (random_once_in(&w->random, 300))
        model_pg_crash(&w->pg);
    if (w->open && random_once_in(&w->random, 300))
        model_pg_disconnect(&w->pg);
}

static void step(struct world *w)
{
    w->now_us += random_below(&w->random, 4000);
    if (random_once_in(&w->random, 200))
        w->now_us += random_below(&w->random, 3000000);
    w->pg.now_us = INT64_C(1700000000000000) + w->now_us;
    if (w->faults)
        workload_tick(&w->pg.work);
    step_faults(w);
    if (!w->open) {
        open_epoch(w);
        return;
    }
    if (random_once_in(&w->random, 2))
        step_reader(w);
    else
        step_writer(w);
}

/* ---- The oracle ---- */

static void check_records(struct world *w)
{
    struct arena arena;
    arena_init(&arena, 1024, 1024);
    struct progress before = {0};
    for (uint32_t i = 0; i < w->kafka.record_count; i++) {
        struct progress now;
        struct error err = ERROR_INIT;
        struct span json = {w->kafka.records[i].json, w->kafka.records[i].len};
        if (progress_decode(json, &arena, &now, &err) < 0)
            fail(w, err.text);
        else if (i > 0 && !progress_follows(&before, &now))
            fail(w, "I3: progress does not increase");
        before = now;
    }
    arena_fini(&arena);
}

/* Events of one PostgreSQL transaction in more than one Kafka transaction only where flagged. */
static void check_atomic(struct world *w, const struct pg_record *record, uint32_t first,
                         uint32_t count)
{
    const struct kafka_event *log = w->kafka.log;
    for (uint32_t i = first + 1; i < first + count; i++)
        if (log[i].txn != log[first].txn && !log[i].part)
            fail(w, "I4: a transaction is spread over two Kafka transactions");
    for (uint32_t i = first; i < first + count; i++)
        if (log[i].final_lsn != record->lsn)
            fail(w, "an event names another transaction");
}

/* Everything in commit order, nothing lost, nothing twice: the model's log is one sequence. */
static void check_events(struct world *w)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->pg.work.record_count; i++) {
        const struct pg_record *record = &w->pg.work.records[i];
        uint32_t first = at;
        for (uint32_t c = 0; c < record->change_count; c++) {
            if (record->changes[c].event == 0)
                continue;
            if (at >= w->kafka.log_count || w->kafka.log[at].event != record->changes[c].event ||
                w->kafka.log[at].key != record->changes[c].key) {
                char text[200];
                snprintf(text, sizeof text,
                         "event %u of transaction %u is lost, repeated or out of "
                         "order: at %u of %u stands %u",
                         record->changes[c].event, i, at, w->kafka.log_count,
                         at < w->kafka.log_count ? w->kafka.log[at].event : 0);
                fail(w, text);
                return;
            }
            at++;
        }
        if (at > first)
            check_atomic(w, record, first, at - first);
    }
    if (at != w->kafka.log_count)
        fail(w, "there are more events in Kafka than were committed");
}

/* One commit record at a time, each behind the events that it made visible. */
static void write_dump(struct world *w, uint64_t seed)
{
    struct dump *dump = &w->dump;
    struct arena arena;
    arena_init(&arena, 1024, 1024);
    dump_begin(dump, &w->pg.work);
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->kafka.record_count; i++) {
        const struct kafka_record *record = &w->kafka.records[i];
        for (; at < record->events; at++)
            dump_event(dump, w->kafka.log[at].line, w->kafka.log[at].part);
        struct progress progress;
        struct error err = ERROR_INIT;
        if (progress_decode((struct span){record->json, record->len}, &arena, &progress, &err) == 0)
            dump_commit(dump, &progress);
    }
    dump_end(dump, seed);
    arena_fini(&arena);
}

/* ---- A run ---- */

static struct config_text text_of(const char *text)
{
    return (struct config_text){.text = text, .file = "sim", .line = 1};
}

static void make_route(struct world *w)
{
    w->route = (struct config_route){.name = text_of("outbox"),
                                     .from = text_of("public.outbox"),
                                     .columns = {.id = text_of("id"),
                                                 .aggregate_type = text_of("aggregatetype"),
                                                 .aggregate_id = text_of("aggregateid"),
                                                 .type = text_of("type"),
                                                 .payload = text_of("payload")},
                                     .topic = text_of("outbox.event.{aggregatetype}"),
                                     .key = text_of("{aggregateid}")};
    w->routes = (struct config_routes){.count = 1, .items = &w->route};
}

static bool drained(const struct world *w)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < w->pg.work.record_count; i++)
        if (w->pg.work.records[i].kind == RECORD_TXN)
            last = w->pg.work.records[i].end_lsn;
    return model_kafka_progress(&w->kafka).lsn >= last;
}

static bool run(uint64_t seed, bool verbose, const struct dump *dump)
{
    struct world *w = calloc(1, sizeof *w);
    w->dump = *dump;
    w->random = random_seeded(seed);
    w->now_us = 1000000;
    w->faults = true;
    w->log = (struct log){.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    w->metrics = metrics_open("orders", 0, NULL);
    make_route(w);
    model_pg_init(&w->pg, &w->random, seed);
    model_kafka_init(&w->kafka, &w->random);
    for (int i = 0; i < STEPS && w->failure[0] == '\0'; i++)
        step(w);
    w->faults = false;
    w->kafka.faults = false;
    int steps = 0;
    while (w->failure[0] == '\0' && !drained(w) && steps < DRAIN_STEPS) {
        step(w);
        steps++;
    }
    if (steps == DRAIN_STEPS)
        fail(w, "it does not drain once the faults have ended");
    if (w->open)
        close_epoch(w, 1, 1000);
    if (w->kafka.violation[0] != '\0')
        fail(w, w->kafka.violation);
    if (w->failure[0] == '\0') {
        check_records(w);
        check_events(w);
    }
    write_dump(w, seed);
    bool ok = w->failure[0] == '\0';
    if (!ok || verbose)
        printf("seed %" PRIu64
               ": %s (%u transactions, %u events, %u opens, %u Kafka transactions)\n",
               seed, ok ? "ok" : w->failure, w->pg.work.record_count, w->kafka.log_count, w->opens,
               w->kafka.txn);
    close(w->log.fd);
    model_pg_fini(&w->pg);
    model_kafka_fini(&w->kafka);
    metrics_close(w->metrics);
    free(w);
    return ok;
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 2000;
    uint64_t first = 1;
    uint64_t failures_max = UINT64_MAX;
    bool verbose = false;
    struct dump dump = {.file = NULL};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = number(argv[i + 1]);
        else if (strcmp(argv[i], "--first") == 0)
            first = number(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0) {
            first = number(argv[i + 1]);
            seeds = 1;
            verbose = true;
        } else if (strcmp(argv[i], "--failures") == 0) {
            failures_max = number(argv[i + 1]);
        } else if (strcmp(argv[i], "--dump") == 0 || strcmp(argv[i], "--digest") == 0) {
            dump.whole = strcmp(argv[i], "--dump") == 0;
            dump.file = fopen(argv[i + 1], "w");
            if (dump.file == NULL) {
                perror(argv[i + 1]);
                return 2;
            }
        }
    }
    uint64_t failed = 0;
    uint64_t passed = 0;
    for (uint64_t i = 0; i < seeds && failed < failures_max; i++) {
        bool ok = run(first + i, verbose, &dump);
        passed += ok ? 1 : 0;
        failed += ok ? 0 : 1;
    }
    if (dump.file != NULL && fclose(dump.file) != 0) {
        perror("dump");
        return 2;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
