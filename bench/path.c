/* bench/path: the relay's reader over a stream that a server really sent, without database and
 * broker: stream, decoder, routes, encoders, batches. What a row costs by kind of route.
 *
 *   path KIND ROWS       KIND as in KINDS below; prints CPU time a row, ours and the jq worker's
 *
 * The frames of tests/golden/pg15_outbox.frames (10-row transactions, payloads of 253 bytes) come
 * again and again, their LSNs moved on, so that each pass is new to the stream; batches return as
 * soon as they are sealed. It judges nothing: `bench/instructions` counts what it executes. */
#include "base/bigendian.h"
#include "decode/decode.h"
#include "relay/ahead.h"
#include "relay/reader.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FRAMES "tests/golden/pg15_outbox.frames"
#define MEMORY (64 * 1024 * 1024)
#define XLOGDATA 25 /* bytes of header before pgoutput's message */

/* Beside the route, delivery.id_header. */
static const struct {
    const char *name, *id_header, *route;
} KINDS[] = {
    {"outbox", "walferry-id", "as: outbox, headers: {id: '{id}', eventType: '{type}'}"},
    {"outbox_one_header", "walferry-id", "as: outbox, headers: {}"},
    {"outbox_no_headers", "", "as: outbox, headers: {}"},
    {"change", "walferry-id", "as: change, topic: bench.change"},
    {"event", "walferry-id",
     "as: event, topic: bench.event, key: '{aggregateid}', type: '{type}',"
     " value: {seq: '{seq}', id: '{id}', order: '{aggregateid}', what: '{type|upper}',"
     " payload: '{payload}'}"},
    {"jq", "walferry-id",
     "as: event, topic: bench.jq, key: '{aggregateid}', type: '{type}',"
     " when: {jq: '.after.type == \"OrderPlaced\"'},"
     " jq: '.after | {seq, order: .aggregateid, number: .payload.order, pad: .payload.pad}'"},
};

/* First: the ops find it through the base. */
struct frames {
    struct source base;
    struct stream *stream;
    struct buf bytes;
    size_t at;
    uint64_t span; /* how far one pass moves the LSNs */
    uint64_t rows, rows_max;
    bool again; /* relations are described and keepalives are dropped */
};

static void fail(const char *what, const struct error *err)
{
    fprintf(stderr, "path: %s: %s\n", what, err->text);
    exit(1);
}

/* ---- The source ---- */

static void move_on(char *at, uint64_t by)
{
    uint64_t moved = htobe64(bigendian_u64(at) + by);
    memcpy(at, &moved, sizeof moved);
}

/* Begin and Commit name the LSNs that have an order. */
static void move_frame(char *frame, uint64_t by)
{
    char *message = frame + XLOGDATA;
    move_on(frame + 1, by);
    move_on(frame + 9, by);
    if (*message == 'B')
        move_on(message + 1, by);
    if (*message != 'C')
        return;
    move_on(message + 2, by);
    move_on(message + 10, by);
}

/* The next frame that is worth feeding; absent where a pass ends. */
static struct span next_frame(struct frames *f)
{
    while (f->at < f->bytes.len) {
        char *frame = f->bytes.ptr + f->at + 4;
        struct span found = {frame, bigendian_u32(f->bytes.ptr + f->at)};
        f->at += 4 + found.len;
        if (*frame != 'w' || frame[XLOGDATA] == 'M' || (f->again && frame[XLOGDATA] == 'R'))
            continue;
        if (f->again)
            move_frame(frame, f->span);
        return found;
    }
    return span_null();
}

/* Ends behind a COMMIT, once all rows are given. */
static enum step frames_next(struct source *s, int64_t now_us, struct change *change,
                             struct error *err)
{
    struct frames *f = (struct frames *)s;
    for (;;) {
        if (f->rows >= f->rows_max && !stream_in_transaction(f->stream))
            return STEP_WAIT;
        struct span frame = next_frame(f);
        if (frame.ptr == NULL) {
            f->at = 8;
            f->again = true;
            continue;
        }
        if (stream_feed(f->stream, frame, now_us, err) < 0)
            return STEP_FAILED;
        if (stream_next(f->stream, change) == 0)
            continue;
        f->rows += change->op == CHANGE_INSERT ? 1 : 0;
        return STEP_DONE;
    }
}

static void frames_wait(struct source *s, int *fd, int64_t *deadline_us)
{
    (void)s;
    *fd = -1;
    (void)deadline_us;
}

static int frames_tick(struct source *s, int64_t now_us, struct error *err)
{
    (void)s;
    (void)now_us;
    (void)err;
    return 0;
}

static void frames_confirm(struct source *s, struct position committed, struct span resume)
{
    (void)resume;
    stream_confirm(((struct frames *)s)->stream, committed);
}

static void frames_report(const struct source *s, struct source_status *status)
{
    (void)s;
    (void)status;
}

static void frames_close(struct source *s, int64_t deadline_us)
{
    struct frames *f = (struct frames *)s;
    (void)deadline_us;
    stream_close(f->stream);
    buf_fini(&f->bytes);
}

static void frames_open(struct frames *f, uint64_t rows)
{
    static const struct source_ops OPS = {.name = "frames",
                                          .next = frames_next,
                                          .wait = frames_wait,
                                          .tick = frames_tick,
                                          .confirm = frames_confirm,
                                          .report = frames_report,
                                          .close = frames_close};
    FILE *file = fopen(FRAMES, "rb");
    *f = (struct frames){.base = {.ops = &OPS}, .bytes = BUF_EMPTY, .at = 8, .rows_max = rows};
    for (size_t got = file == NULL ? 0 : 1; got > 0; f->bytes.len += got)
        got = fread(buf_reserve(&f->bytes, 4096), 1, 4096, file);
    if (f->bytes.len < 8) {
        fputs("path: " FRAMES " cannot be read; run it in the source directory\n", stderr);
        exit(1);
    }
    fclose(file);
    f->span = 1 << 20; /* more than what the file goes over */
    f->stream = stream_open(
        &(struct stream_options){.start = {bigendian_u64(f->bytes.ptr), 0}, .now_us = 1});
}

/* ---- The relay ---- */

static const struct config_relay *configure(const char *route)
{
    struct buf yaml = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct config *config;
    buf_add_format(&yaml,
                   "relay: bench\nsource: {connection: 'host=none dbname=shop'}\n"
                   "kafka: {bootstrap.servers: 'none:9092'}\n"
                   "routes: [{name: all, from: public.outbox, %s}]\n",
                   route);
    if (config_parse(buf_span(&yaml), "bench", &config, &err) < 0)
        fail("config", &err);
    return config_only_relay(config);
}

/* The writer's part: what is sealed is committed at once. */
static uint64_t take_sealed(struct circuit *circuit)
{
    uint64_t events = 0;
    for (struct batch *batch; (batch = channel_take(circuit->full)) != NULL;) {
        events += batch->count;
        batch->committed = batch->end;
        channel_send(circuit->empty, batch);
    }
    return events;
}

static void read_all(struct reader *reader, struct circuit *circuit, uint64_t rows)
{
    static struct error err;
    struct wait wait;
    uint64_t events = 0;
    for (int64_t now_us = 1000; events < rows; now_us += 100) {
        if (reader_step(reader, now_us, &wait, &err) < 0)
            fail("reader", &err);
        events += take_sealed(circuit);
    }
}

static double seconds(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void run(size_t kind, uint64_t rows)
{
    const struct config_relay *config = configure(KINDS[kind].route);
    struct frames frames;
    struct circuit circuit;
    struct log log = {.level = LOG_ERROR, .fd = 2};
    struct error err = ERROR_INIT;
    const char *const name = "all";
    struct metrics *metrics = metrics_open("bench", 1, &name);
    struct verdict_facts verdicts = {.routes = &config->routes, .metrics = metrics, .log = &log};
    struct encoders_options encoding = {.routes = &config->routes,
                                        .system_identifier = 7318349394477056000,
                                        .id_header = KINDS[kind].id_header,
                                        .database = "shop",
                                        .metrics = metrics};
    struct router_options routing = {.routes = &config->routes,
                                     .relay = "bench",
                                     .progress_topic = "walferry.bench.progress",
                                     .jq_worker = "build/walferry"};
    struct reader_options options = {
        .circuit = &circuit,
        .fill = {.verdicts = &verdicts},
        .seal = {.commit_interval_us = 10000, .part_age_us = 30000000, .idle_bytes = MEMORY},
        .relay = "bench",
        .stall_us = 15000000};
    if (circuit_open(&circuit, 10000, 1, MEMORY, &err) < 0 ||
        router_open(&routing, &options.fill.router, &err) < 0 ||
        encoders_open(&encoding, &options.fill.encoders, &err) < 0)
        fail("open", &err);
    frames_open(&frames, rows);
    bool ahead = router_looks_ahead(options.fill.router);
    options.source = ahead ? ahead_open(&frames.base, options.fill.router) : &frames.base;
    options.start.lsn = bigendian_u64(frames.bytes.ptr);
    struct reader reader;
    reader_init(&reader, &options);
    double ours = seconds(RUSAGE_SELF), theirs = seconds(RUSAGE_CHILDREN);
    read_all(&reader, &circuit, rows);
    ours = seconds(RUSAGE_SELF) - ours;
    reader_fini(&reader);
    source_close(options.source, 0);
    router_close(options.fill.router); /* the worker is waited for, and so counted */
    theirs = seconds(RUSAGE_CHILDREN) - theirs;
    printf("%-18s %7.3f us a row, jq worker %7.3f us\n", KINDS[kind].name,
           ours * 1e6 / (double)rows, theirs * 1e6 / (double)rows);
    encoders_close(options.fill.encoders);
    circuit_close(&circuit);
    metrics_close(metrics);
}

int main(int argc, char **argv)
{
    uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
    bool found = false;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (argc > 1 && strcmp(argv[1], KINDS[i].name) != 0 && strcmp(argv[1], "all") != 0)
            continue;
        found = true;
        run(i, rows / 10 * 10 + (rows < 10 ? 10 : 0));
    }
    return found ? 0 : 2;
}
