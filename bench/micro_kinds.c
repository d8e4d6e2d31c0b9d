/* bench/micro_kinds: what a row costs from decoding to the message, by kind of route, without
 * database and broker: the rows and routes of `bench/run --parts changes`.
 *
 * pgoutput's Insert is decoded, routed and encoded, again and again, into batches of 10,000. Of jq
 * the rows are looked at 128 ahead, as relay/ahead does, and the worker's time is told beside ours.
 * It prints CPU time a row; it judges nothing. `callgrind` tells instructions of one kind.
 *
 *   make && cc -O2 -D_GNU_SOURCE -Isrc -Itests/lib bench/micro_kinds.c tests/lib/pgoutput_encoder.c
 * \
 *       build/release/libwalferry.a -ljansson -lyaml -lpcre2-8 -lcrypto -ljq -lpthread -lm \
 *       -o build/micro_kinds && build/micro_kinds [rows [kind]] */
#include "base/bigendian.h"
#include "decode/decode.h"
#include "encode/encode.h"
#include "model/batch.h"
#include "route/route.h"
#include "types/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH_MESSAGES 10000
#define AHEAD 128

static const struct {
    const char *name, *route;
} KINDS[] = {
    {"outbox", "as: outbox, headers: {id: '{id}', eventType: '{type}'}"},
    {"change", "as: change, topic: bench.change"},
    {"event", "as: event, topic: bench.event, key: '{aggregateid}', type: '{type}',"
              " value: {seq: '{seq}', id: '{id}', order: '{aggregateid}', what: '{type|upper}',"
              " payload: '{payload}'}"},
    {"jq", "as: event, topic: bench.jq, key: '{aggregateid}', type: '{type}',"
           " when: {jq: '.after.type == \"OrderPlaced\"'},"
           " jq: '.after | {seq, order: .aggregateid, number: .payload.order, pad: .payload.pad}'"},
};

struct bench {
    struct router *router;
    struct encoders *encoders;
    struct decoder *decoder;
    struct batch batch;
    struct arena scratch, epoch, ahead;
    struct buf begin, relation, insert;
    struct change change;
    bool looks_ahead;
};

static void fail(const char *what, const struct error *err)
{
    fprintf(stderr, "micro_kinds: %s: %s\n", what, err->text);
    exit(1);
}

static void add_string(struct buf *b, const char *text)
{
    buf_add(b, (struct span){text, strlen(text) + 1});
}

static void make_messages(struct bench *b)
{
    static const struct {
        const char *name;
        uint32_t type;
        const char *value;
    } COLUMNS[] = {{"seq", TYPE_INT8, "1234567"},
                   {"id", TYPE_UUID, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f"},
                   {"aggregatetype", TYPE_TEXT, "order"},
                   {"aggregateid", TYPE_TEXT, "711"},
                   {"type", TYPE_TEXT, "OrderPlaced"},
                   {"payload", TYPE_JSONB, NULL},
                   {"headers", TYPE_JSONB, ""},
                   {"xid", 5069, "731"},
                   {"created_at", TYPE_TIMESTAMPTZ, "2026-11-30 01:02:03.456789+00"}};
    char payload[300];
    uint16_t count = sizeof COLUMNS / sizeof COLUMNS[0];
    memset(payload, 'x', sizeof payload);
    memcpy(payload, "{\"pad\": \"", 9);
    memcpy(payload + 231, "\", \"order\": 1234567}", 21);
    buf_add_char(&b->begin, 'B');
    buf_add_u64(&b->begin, 0x16B374D848);
    buf_add_u64(&b->begin, 849229323456789);
    buf_add_u32(&b->begin, 731);
    buf_add_char(&b->relation, 'R');
    buf_add_u32(&b->relation, 16400);
    add_string(&b->relation, "public");
    add_string(&b->relation, "outbox");
    buf_add_char(&b->relation, 'd');
    buf_add_u16(&b->relation, count);
    buf_add_char(&b->insert, 'I');
    buf_add_u32(&b->insert, 16400);
    buf_add_char(&b->insert, 'N');
    buf_add_u16(&b->insert, count);
    for (uint16_t i = 0; i < count; i++) {
        const char *value = COLUMNS[i].value != NULL ? COLUMNS[i].value : payload;
        buf_add_u8(&b->relation, i == 0);
        add_string(&b->relation, COLUMNS[i].name);
        buf_add_u32(&b->relation, COLUMNS[i].type);
        buf_add_u32(&b->relation, UINT32_MAX);
        buf_add_char(&b->insert, *value == '\0' ? 'n' : 't');
        if (*value == '\0')
            continue;
        buf_add_u32(&b->insert, (uint32_t)strlen(value));
        buf_add_text(&b->insert, value);
    }
}

static void decode(struct bench *b, const struct buf *message, struct change *change)
{
    struct error err = ERROR_INIT;
    if (decoder_next(b->decoder, buf_span(message), change, &err) < 0)
        fail("decode", &err);
}

static void put_row(struct bench *b, uint64_t ordinal)
{
    struct error err = ERROR_INIT;
    struct event event;
    if (b->batch.count == BATCH_MESSAGES)
        batch_reset(&b->batch);
    arena_reset(&b->scratch);
    if (!b->looks_ahead)
        decode(b, &b->insert, &b->change);
    b->change.id = change_id_wal(0x16B374D848, ordinal);
    b->change.position = (struct position){0x1000, ordinal};
    router_begin(b->router, &b->change, &b->scratch);
    int got;
    while ((got = router_next(b->router, &event, &err)) > 0) {
        struct message *message = batch_next(&b->batch);
        if (encode_message(b->encoders, &event, &b->batch.arena, message, &err) < 0)
            fail("encode", &err);
        batch_add(&b->batch);
    }
    if (got < 0)
        fail("route", &err);
}

static void expect_row(struct bench *b, uint64_t ordinal)
{
    decode(b, &b->insert, &b->change);
    b->change.id = change_id_wal(0x16B374D848, ordinal);
    arena_reset(&b->ahead);
    router_expect(b->router, &b->change, &b->ahead);
}

static double seconds(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

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

static void run(const char *name, const char *route, uint64_t rows)
{
    const struct config_relay *config = configure(route);
    struct router_options options = {.routes = &config->routes,
                                     .relay = "bench",
                                     .progress_topic = "walferry.bench.progress",
                                     .jq_worker = "build/walferry"};
    struct encoders_options encoding = {.routes = &config->routes,
                                        .system_identifier = 7318349394477056000,
                                        .id_header = "walferry-id",
                                        .database = "shop"};
    struct bench b = {.begin = BUF_EMPTY};
    struct error err = ERROR_INIT;
    arena_init(&b.scratch, 64 * 1024, 64 * 1024);
    arena_init(&b.epoch, 64 * 1024, 64 * 1024);
    arena_init(&b.ahead, 64 * 1024, 64 * 1024);
    batch_init(&b.batch, BATCH_MESSAGES, 16 * 1024 * 1024);
    b.decoder = decoder_open(&b.epoch, NULL);
    make_messages(&b);
    if (router_open(&options, &b.router, &err) < 0 ||
        encoders_open(&encoding, &b.encoders, &err) < 0)
        fail("open", &err);
    b.looks_ahead = router_looks_ahead(b.router);
    decode(&b, &b.begin, &b.change);
    decode(&b, &b.relation, &b.change);
    double began = now(), ours = seconds(RUSAGE_SELF), theirs = seconds(RUSAGE_CHILDREN);
    uint64_t expected = 0;
    for (uint64_t i = 1; i <= rows; i++) {
        while (b.looks_ahead && expected < rows && expected < i + AHEAD - 1)
            expect_row(&b, ++expected);
        put_row(&b, i);
    }
    ours = seconds(RUSAGE_SELF) - ours;
    double took = now() - began;
    router_close(b.router); /* the worker is waited for, and so counted */
    theirs = seconds(RUSAGE_CHILDREN) - theirs;
    printf("%-8s %8.3f us a row, worker %8.3f us, by the clock %8.3f us\n", name,
           ours * 1e6 / (double)rows, theirs * 1e6 / (double)rows, took * 1e6 / (double)rows);
    encoders_close(b.encoders);
    batch_fini(&b.batch);
}

int main(int argc, char **argv)
{
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (argc < 3 || strcmp(argv[2], KINDS[i].name) == 0)
            run(KINDS[i].name, KINDS[i].route, rows > 0 ? rows : 1);
    return 0;
}
