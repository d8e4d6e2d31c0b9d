/* sim/sim_epoch: an epoch, opened and closed as relay/open and relay/epoch do (I6). */
#include "world.h"

#include "recover/origin_wal_internal.h"
#include "relay/ahead.h"

#include <stdio.h>
#include <stdlib.h>

static int recover(struct world *w, struct error *err)
{
    struct buf json = BUF_EMPTY;
    int result = publisher_recover(w->publisher, &json, err);
    if (result == 0 && json.len == 0) { /* the first run: what setup would have written */
        w->progress = (struct progress){.system_identifier = SYSTEM_IDENTIFIER,
                                        .timeline = 1,
                                        .mode = PROGRESS_WAL,
                                        .position = {w->pg.confirmed_lsn, 0},
                                        .last = {.lsn = w->pg.confirmed_lsn}};
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
    enum step result;
    while ((result = publisher_commit(w->publisher, buf_span(&json), err)) == STEP_WAIT)
        if (w->slow.kind != SLOW_NONE)
            world_pass_time(w, 10000);
    buf_fini(&json);
    return result == STEP_DONE ? 0 : -1;
}

/* Small batches and early splits, so that little work has many places; where something is slow,
 * what a default configuration gives, scaled. */
static int open_circuit(struct world *w, struct error *err)
{
    if (w->slow.kind != SLOW_NONE)
        return circuit_open(&w->circuit, w->slow.batch_events, 1, w->slow.memory_limit, err);
    return circuit_open(&w->circuit, 4 + random_below(&w->random, 12), 1, 4 * 65536, err);
}

/* ---- What was refused ---- */

static bool is_behind(struct change_id id, const void *of)
{
    const struct progress *progress = of;
    return id.final_lsn < progress->position.lsn ||
           (id.final_lsn == progress->partial.final_lsn && id.ordinal <= progress->partial.done);
}

static void keep_refusals(struct world *w)
{
    refusals_drop(&w->refused, is_behind, &w->progress);
    for (uint32_t i = 0; i < w->learnt.count; i++)
        if (refusals_find(&w->refused, w->learnt.items[i].unit) != NULL)
            world_fail(w, "what was refused is sent again");
    refusals_take(&w->refused, &w->learnt);
}

/* ---- The loops ---- */

static void make_loops(struct world *w, struct error *err)
{
    bool slow = w->slow.kind != SLOW_NONE;
    struct router_options router = {
        .routes = &w->routes, .relay = "sim", .progress_topic = "walferry.sim.progress"};
    struct encoders_options encoding = {.routes = &w->routes,
                                        .system_identifier = SYSTEM_IDENTIFIER,
                                        .id_header = "id",
                                        .letter_topic = "walferry.sim.dead-letter"};
    if (router_open(&router, &w->router, err) < 0 ||
        encoders_open(&encoding, &w->encoders, err) < 0 || open_circuit(w, err) < 0)
        abort();
    w->source = sim_source_open(w);
    if (w->opens % 2 == 0) /* nothing may depend on how far a source is read ahead */
        w->source = ahead_open(w->source, w->router);
    keep_refusals(w);
    w->verdicts = (struct verdict_facts){.routes = &w->routes,
                                         .metrics = w->metrics,
                                         .log = &w->log,
                                         .system_identifier = SYSTEM_IDENTIFIER,
                                         .refused = &w->refused};
    struct filler_options fill = {.router = w->router,
                                  .encoders = w->encoders,
                                  .verdicts = &w->verdicts,
                                  .quarantine = &w->quarantine,
                                  .expects_refusals = w->refused.count > 0};
    struct reader_options reader = {.source = w->source,
                                    .circuit = &w->circuit,
                                    .fill = fill,
                                    .seal = {.commit_interval_us = 10000,
                                             .part_age_us = slow ? w->slow.timeout_us / 2 : 1000000,
                                             .idle_bytes = 2000,
                                             .idle_interval_us = 1000000},
                                    .relay = "sim",
                                    .retry = {.quarantine = &w->quarantine,
                                              .replay = &w->replay,
                                              .letters = w->letters,
                                              .letter_topic = LETTER_TOPIC},
                                    .cut_behind = refusals_full_at(&w->refused),
                                    .start = w->progress.position,
                                    .stall_us = slow ? w->slow.timeout_us / 4 : 15000000,
                                    .patient = w->lessons.patient,
                                    .now_us = w->now_us};
    reader_init(&w->reader, &reader);
    pace_begin(&w->pace, slow ? w->slow.memory_limit : 4 * 65536,
               slow ? w->slow.timeout_us : 60000000, w->now_us);
    struct writer_options writer = {.publisher = w->publisher,
                                    .circuit = &w->circuit,
                                    .pace = &w->pace,
                                    .verdicts = &w->verdicts,
                                    .claim = &w->progress,
                                    .learnt = &w->learnt,
                                    .claims = &w->claims.base,
                                    .trouble = &w->claim_trouble,
                                    .split_us =
                                        slow ? w->slow.timeout_us / 2
                                             : 1000 + (int64_t)random_below(&w->random, 200000)};
    writer_init(&w->writer, &writer);
}

void sim_epoch_open(struct world *w)
{
    struct error err = ERROR_INIT;
    arena_init(&w->arena, 1024, 1024);
    w->opens++;
    model_publisher_open(&w->kafka, &w->publisher);
    bool claimed = recover(w, &err) == 0 && judge(w, &err) == 0 && claim(w, &err) == 0;
    if (claimed && sim_errand_read(w, &err) == 0) {
        make_loops(w, &err);
        w->writer_done = false;
        w->open = true;
        return;
    }
    snprintf(w->last_end, sizeof w->last_end, "%s: %.150s", reason_slug(err.reason), err.text);
    if (err.kind == ERROR_STOP)
        world_fail(w, err.text);
    if (claimed)
        sim_errand_close(w);
    w->errand = 0;
    publisher_close(w->publisher, 0);
    arena_fini(&w->arena);
}

void sim_epoch_close(struct world *w, int64_t source_deadline_us, int abort_ms)
{
    sim_errand_note(w);
    publisher_close(w->publisher, abort_ms);
    source_close(w->source, source_deadline_us);
    reader_fini(&w->reader);
    writer_fini(&w->writer);
    circuit_close(&w->circuit);
    router_close(w->router);
    encoders_close(w->encoders);
    sim_errand_close(w);
    arena_fini(&w->arena);
    model_pg_disconnect(&w->pg);
    w->open = false;
}
