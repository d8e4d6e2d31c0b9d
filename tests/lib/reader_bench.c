/* reader_bench: see the header. */
#include "reader_bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const route_names[BENCH_ROUTES] = {"outbox", "messages", "again"};

static void must(int result, const struct error *err)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s\n", err->text);
    abort();
}

static void make_routes(struct reader_bench *b, uint32_t count)
{
    for (uint32_t i = 0; i < BENCH_ROUTES; i++) {
        b->items[i] = script_route();
        b->items[i].name = script_text(route_names[i]);
    }
    b->items[0].continue_matching = count > 1;
    b->items[1].from = script_text("message:outbox");
    b->items[1].on_error = ON_ERROR_SKIP;
    b->items[2].on_error = ON_ERROR_SKIP;
    b->routes = (struct config_routes){count, b->items};
}

struct reader_bench *bench_open(uint32_t routes)
{
    assert(routes >= 1 && routes <= BENCH_ROUTES);
    struct reader_bench *b = calloc(1, sizeof *b);
    if (b == NULL)
        abort();
    script_init(&b->source, BENCH_START);
    make_routes(b, routes);
    b->log = (struct log){.level = LOG_DEBUG, .fd = memfd_create("log", MFD_CLOEXEC)};
    b->metrics = metrics_open("orders", routes, route_names);
    b->now_us = 1000000000;
    b->events = BENCH_EVENTS;
    b->verdicts = (struct verdict_facts){.routes = &b->routes,
                                         .metrics = b->metrics,
                                         .log = &b->log,
                                         .system_identifier = BENCH_SYSTEM,
                                         .refused = &b->refused};
    refusals_init(&b->refused, REFUSALS_MAX);
    b->options = (struct reader_options){
        .source = &b->source.base,
        .circuit = &b->circuit,
        .fill = {.verdicts = &b->verdicts},
        .seal = {.commit_interval_us = BENCH_INTERVAL_US,
                 .part_age_us = BENCH_PART_AGE_US,
                 .idle_bytes = BENCH_IDLE_BYTES,
                 .idle_interval_us = BENCH_IDLE_US},
        .relay = "bench",
        .start = {BENCH_START, 0},
        .stall_us = BENCH_STALL_US,
    };
    struct encoders_options encoding = {.routes = &b->routes,
                                        .system_identifier = BENCH_SYSTEM,
                                        .id_header = "walferry-id",
                                        .letter_topic = BENCH_LETTERS};
    must(encoders_open(&encoding, &b->encoders, &b->err), &b->err);
    b->options.fill.encoders = b->encoders;
    return b;
}

void bench_refuse(struct reader_bench *b, struct change_id id, uint32_t route)
{
    struct verdict_refusal refusal = {.unit = {id, route},
                                      .reason = REASON_RECORD_REFUSED,
                                      .text = "the broker refuses this record by itself"};
    refusals_add(&b->refused, &refusal);
}

void bench_start(struct reader_bench *b)
{
    must(circuit_open(&b->circuit, b->events, b->routes.count, BENCH_BYTES * CIRCUIT_BATCHES,
                      &b->err),
         &b->err);
    struct router_options routing = {
        .routes = &b->routes, .relay = "orders", .progress_topic = "walferry.orders.progress"};
    must(router_open(&routing, &b->router, &b->err), &b->err);
    b->options.fill.router = b->router;
    b->options.now_us = b->now_us;
    reader_init(&b->reader, &b->options);
}

void bench_close(struct reader_bench *b)
{
    reader_fini(&b->reader);
    circuit_close(&b->circuit);
    encoders_close(b->encoders);
    router_close(b->router);
    metrics_close(b->metrics);
    close(b->log.fd);
    script_fini(&b->source);
    refusals_fini(&b->refused);
    free(b);
}

int bench_step(struct reader_bench *b)
{
    return reader_step(&b->reader, b->now_us, &b->wait, &b->err);
}

/* ---- The writer's part ---- */

struct batch *bench_take(struct reader_bench *b)
{
    return channel_take(b->circuit.full);
}

void bench_return(struct reader_bench *b, struct batch *batch, uint64_t lsn, uint64_t seq)
{
    assert(batch != NULL);
    batch->committed = (struct position){lsn, seq};
    channel_send(b->circuit.empty, batch);
}

void bench_commit(struct reader_bench *b, struct batch *batch)
{
    assert(batch != NULL);
    bench_return(b, batch, batch->end.lsn, batch->end.seq);
}

const char *bench_show(struct reader_bench *b, const struct batch *batch)
{
    size_t size = sizeof b->journal;
    if (batch == NULL)
        return "none";
    size_t len = (size_t)snprintf(b->journal, size, "[");
    for (uint32_t i = 0; i < batch->count; i++)
        len += (size_t)snprintf(b->journal + len, size - len, "%s%.*s", i > 0 ? " " : "",
                                SPAN_ARG(batch->messages[i].value));
    len += (size_t)snprintf(b->journal + len, size - len, "] %llx/%llu",
                            (unsigned long long)batch->end.lsn, (unsigned long long)batch->end.seq);
    if (!batch->ends_txn)
        snprintf(b->journal + len, size - len, " open %llx",
                 (unsigned long long)batch->partial.final_lsn);
    else if (batch->mark)
        snprintf(b->journal + len, size - len, " mark");
    return b->journal;
}

/* ---- The log ---- */

uint32_t bench_log_count(const struct reader_bench *b, const char *part)
{
    char text[8192] = "";
    uint32_t count = 0;
    if (pread(b->log.fd, text, sizeof text - 1, 0) < 0)
        return 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

bool bench_logged(const struct reader_bench *b, const char *part)
{
    return bench_log_count(b, part) > 0;
}
