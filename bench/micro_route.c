/* bench/micro_route: what routing and encoding cost a row, without database and broker.
 *
 * One outbox row of 256 bytes again and again, into batches of 10,000, in five shapes. It prints
 * nanoseconds a row; it judges nothing.
 *
 *   make && cc -O2 -D_GNU_SOURCE -Isrc bench/micro_route.c build/release/libwalferry.a -ljansson \
 *       -lyaml -lpcre2-8 -lcrypto -ljq -lpthread -lm -o build/micro_route && build/micro_route
 * [rows] */
#include "encode/encode.h"
#include "model/batch.h"
#include "route/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH_MESSAGES 10000
#define COLUMNS 8

struct shape {
    const char *name;
    const char *id_header;
    uint32_t topics; /* how many values the topic's column takes in turn */
    uint32_t headers;
    bool json_headers;
};

struct bench {
    struct router *router;
    struct encoders *encoders;
    struct batch batch;
    struct arena scratch;
    struct relation relation;
    struct column columns[COLUMNS];
    struct cell cells[COLUMNS];
    struct change change;
};

static const char *const names[COLUMNS] = {"seq",  "id",      "aggregatetype", "aggregateid",
                                           "type", "payload", "headers",       "xid"};

static struct config_text text(const char *value)
{
    return (struct config_text){.text = value};
}

static void fail(const char *what, const struct error *err)
{
    fprintf(stderr, "micro_route: %s: %s\n", what, err->text);
    exit(1);
}

static struct config_route make_route(const struct shape *shape, const struct config_pair *headers)
{
    struct config_route route = {.name = text("outbox"),
                                 .from = text("public.outbox"),
                                 .topic = text("outbox.event.{aggregatetype}"),
                                 .key = text("{aggregateid}"),
                                 .has_headers = true,
                                 .headers = {shape->headers, headers}};
    route.columns.id = text("id");
    route.columns.type = text("type");
    route.columns.payload = text("payload");
    if (shape->json_headers)
        route.columns.headers = text("headers");
    return route;
}

static void make_row(struct bench *b, char payload[256])
{
    const char *const values[COLUMNS] = {"1234567",
                                         "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f",
                                         "order",
                                         "order-4711",
                                         "OrderPlaced",
                                         NULL,
                                         "{\"trace\": \"4bf92f3577b34da6\", \"n\": 2}",
                                         "731"};
    for (uint32_t i = 0; i < COLUMNS; i++) {
        b->columns[i] = (struct column){.name = span_of(names[i]), .type_oid = TYPE_TEXT};
        b->cells[i] = (struct cell){CELL_TEXT, span_of(values[i])};
    }
    memset(payload, 'x', 256);
    b->columns[5].type_oid = TYPE_JSONB;
    b->cells[5] = (struct cell){CELL_TEXT, {payload, 256}};
    b->relation = (struct relation){.schema = SPAN_LITERAL("public"),
                                    .name = SPAN_LITERAL("outbox"),
                                    .columns = b->columns,
                                    .column_count = COLUMNS,
                                    .version = 1};
    b->change = (struct change){.op = CHANGE_INSERT,
                                .id = change_id_wal(0x16B374D848, 0),
                                .xid = 731,
                                .commit_time_us = 1700000000123456,
                                .relation = &b->relation,
                                .after = {.count = COLUMNS, .cells = b->cells}};
}

static void put_row(struct bench *b)
{
    struct error err = ERROR_INIT;
    struct event event;
    if (b->batch.count == b->batch.capacity)
        batch_reset(&b->batch);
    arena_reset(&b->scratch);
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

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run(const struct shape *shape, uint64_t rows)
{
    static const char *const topics[] = {"order", "customer"};
    const struct config_pair headers[] = {{text("id"), text("{id}")},
                                          {text("eventType"), text("{type}")}};
    struct config_route route = make_route(shape, headers);
    struct config_routes routes = {1, &route};
    struct router_options options = {
        .routes = &routes, .relay = "orders", .progress_topic = "walferry.orders.progress"};
    struct encoders_options encoding = {
        .routes = &routes, .system_identifier = 7318349394477056000, .id_header = shape->id_header};
    struct bench b = {.encoders = NULL};
    struct error err = ERROR_INIT;
    char payload[256];
    make_row(&b, payload);
    arena_init(&b.scratch, 64 * 1024, 64 * 1024);
    batch_init(&b.batch, BATCH_MESSAGES, 16 * 1024 * 1024);
    if (router_open(&options, &b.router, &err) < 0 ||
        encoders_open(&encoding, &b.encoders, &err) < 0)
        fail("open", &err);
    double start = 0;
    for (uint64_t i = 0; i < rows + BATCH_MESSAGES; i++) {
        if (i == BATCH_MESSAGES)
            start = seconds();
        b.cells[2].bytes = span_of(topics[i % shape->topics]);
        b.change.id.ordinal = i % 10 + 1;
        put_row(&b);
    }
    printf("%-44s %7.1f ns a row\n", shape->name, (seconds() - start) * 1e9 / (double)rows);
    router_close(b.router);
    encoders_close(b.encoders);
    batch_fini(&b.batch);
    arena_fini(&b.scratch);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {
        {"no headers, one topic", "", 1, 0, false},
        {"no headers, topics in turn", "", 2, 0, false},
        {"walferry-id, one topic", "walferry-id", 1, 0, false},
        {"id, eventType, walferry-id", "walferry-id", 1, 2, false},
        {"id, eventType, headers column, walferry-id", "walferry-id", 1, 2, true},
    };
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        run(&shapes[i], rows > 0 ? rows : 1);
    return 0;
}
