/* reader_bench: a reader with everything around it but the writer, whose part the test plays:
 * a scripted source, the real router and encoders, a circuit, metrics, and a log in memory. Time is
 * the test's. */
#ifndef WALFERRY_TESTS_READER_BENCH_H
#define WALFERRY_TESTS_READER_BENCH_H

#include "relay/reader.h"
#include "scripted_source.h"

#define BENCH_START 0x1000
#define BENCH_SYSTEM UINT64_C(7000)
#define BENCH_EVENTS 8
#define BENCH_BYTES (64 * 1024)
#define BENCH_INTERVAL_US 10000
#define BENCH_IDLE_BYTES 0x10000
#define BENCH_IDLE_US 10000000
#define BENCH_STALL_US 15000000
#define BENCH_PART_AGE_US 30000000
#define BENCH_ROUTES 3
#define BENCH_LETTERS "walferry.bench.dead-letter"

struct reader_bench {
    struct scripted_source source;
    /* outbox: public.outbox; lax: on_error skip, from public.outbox, off; messages. See bench_open.
     */
    struct config_route items[BENCH_ROUTES];
    struct config_routes routes;
    struct router *router;
    struct encoders *encoders;
    struct circuit circuit;
    struct metrics *metrics;
    struct log log;
    uint32_t events; /* of one batch; BENCH_EVENTS */
    struct refusals refused;
    struct verdict_facts verdicts;
    struct reader_options options;
    struct reader reader;
    struct wait wait;
    struct error err;
    int64_t now_us;
    char journal[1024]; /* of bench_show() */
};

/* routes: how many of these, in this order: "outbox" (public.outbox, on_error: stop, continue where
 * there are more), "messages" (message:outbox, skip), "again" (public.outbox, skip). */
struct reader_bench *bench_open(uint32_t routes);
void bench_close(struct reader_bench *b);
/* The broker has refused what the route makes of the change. */
void bench_refuse(struct reader_bench *b, struct change_id id, uint32_t route);
/* Opens router and reader with b->items and b->options, which a test may change before. */
void bench_start(struct reader_bench *b);

int bench_step(struct reader_bench *b);
/* Takes what the reader has sealed, or NULL. */
struct batch *bench_take(struct reader_bench *b);
/* Returns it with the position that is committed by then. */
void bench_return(struct reader_bench *b, struct batch *batch, uint64_t lsn, uint64_t seq);
/* The writer has committed the whole batch. */
void bench_commit(struct reader_bench *b, struct batch *batch);
/* One line for a batch: "[payloads] end lsn/seq", with " open" where it ends in mid-transaction and
 * " mark". Valid until the next call. "none" for NULL. */
const char *bench_show(struct reader_bench *b, const struct batch *batch);
bool bench_logged(const struct reader_bench *b, const char *part);
uint32_t bench_log_count(const struct reader_bench *b, const char *part);

#endif
