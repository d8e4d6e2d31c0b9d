/* relay/fill: see fill.h. A batch is wider than its limit by one event of each route, so the last
 * change that it takes always fits. */
#include "relay/fill.h"

#include "relay/data_error.h"

#include <assert.h>
#include <stdio.h>

#define SCRATCH_BYTES (64 * 1024)

void filler_init(struct filler *filler, const struct filler_options *options)
{
    assert(options->router != NULL && options->encoders != NULL && options->routes != NULL);
    assert(options->metrics != NULL && options->log != NULL);
    *filler = (struct filler){.o = *options};
    arena_init(&filler->scratch, SCRATCH_BYTES, SCRATCH_BYTES);
}

void filler_fini(struct filler *filler)
{
    arena_fini(&filler->scratch);
}

/* ---- What is passed over ---- */

static bool is_skipped(const struct filler *f, const struct change *change)
{
    for (uint32_t i = 0; i < f->o.skip_count; i++)
        if (change_id_equal(f->o.skips[i].id, change->id))
            return true;
    return false;
}

static bool is_condemned(const struct filler *f, const struct change *change)
{
    for (uint32_t i = 0; i < f->o.verdict_count; i++)
        if (change_id_equal(f->o.verdicts[i], change->id))
            return true;
    return false;
}

/* A change that cannot be published: passed over and counted (*err is empty then), or the end. */
static int on_data_error(struct filler *f, const struct change *change, uint32_t route,
                         struct error *err)
{
    assert(route < f->o.routes->count);
    const struct data_error at = {.route = &f->o.routes->items[route],
                                  .route_index = route,
                                  .metrics = f->o.metrics,
                                  .system_identifier = f->o.system_identifier,
                                  .id = change->id};
    char id[CHANGE_ID_TEXT_MAX];
    if (!data_error_skips(&at, id, err))
        return -1;
    log_event(f->o.log, LOG_WARN, "event.skipped", "route", at.route->name.text, "id", id, "reason",
              reason_slug(err->reason), "error", err->text, NULL);
    *err = ERROR_INIT;
    return 0;
}

/* The command `skip` was given for it. It counts for the route that would have taken it. */
static void pass_over(struct filler *f, const struct change *change)
{
    char id[CHANGE_ID_TEXT_MAX];
    change_id_format(f->o.system_identifier, change->id, id);
    log_event(f->o.log, LOG_WARN, "change.passed_over", "id", id, NULL);
    struct event event = {.route = 0};
    struct error ignored = ERROR_INIT;
    arena_reset(&f->scratch);
    router_begin(f->o.router, change, &f->scratch);
    if (router_next(f->o.router, &event, &ignored) != 0)
        metrics_add_route(f->o.metrics, METRIC_SKIPPED, event.route, 1);
}

/* ---- Events ---- */

/* A message that was begun is gone on with. */
static int put_event(struct filler *f, struct batch *batch, struct error *err)
{
    struct message *message = f->holding ? &batch->messages[batch->count] : batch_next(batch);
    int got = encode_message(f->o.encoders, &f->event, &batch->arena, message, err);
    f->holding = got == ENCODE_AGAIN;
    if (got == 0)
        batch_add(batch);
    return got;
}

static enum fill publish(struct filler *f, const struct change *change, struct batch *batch,
                         struct error *err)
{
    for (;;) {
        int got = f->holding ? 1 : router_next(f->o.router, &f->event, err);
        if (got == 0)
            return FILL_DONE;
        if (got > 0 && is_condemned(f, change))
            got =
                error_data(err, REASON_RECORD_REFUSED, "the broker refuses this record by itself");
        if (got > 0)
            got = put_event(f, batch, err);
        if (got == ENCODE_AGAIN)
            return FILL_AGAIN;
        if (got < 0 && on_data_error(f, change, f->event.route, err) < 0)
            return FILL_FAILED;
    }
}

enum fill filler_take(struct filler *f, const struct change *change, struct batch *batch,
                      struct error *err)
{
    assert(!change_id_is_none(change->id));
    if (f->holding) {
        assert(change_id_equal(f->event.change->id, change->id));
        return publish(f, change, batch, err);
    }
    assert(batch->capacity - batch->count >= f->o.routes->count);
    if (is_skipped(f, change)) {
        pass_over(f, change);
        return FILL_DONE;
    }
    arena_reset(&f->scratch);
    switch (router_begin(f->o.router, change, &f->scratch)) {
    case ROUTER_TAKEN:
        return publish(f, change, batch, err);
    case ROUTER_NO_ROUTE:
        metrics_add(f->o.metrics, METRIC_IGNORED_UNROUTED, 1);
        return FILL_DONE;
    case ROUTER_NOT_THIS_OPERATION:
        metrics_add(f->o.metrics, METRIC_IGNORED_UPDATE, 1);
        return FILL_DONE;
    }
    return FILL_DONE;
}

void filler_ignore_message(struct filler *f, const struct change *change)
{
    assert(change->op == CHANGE_MESSAGE && !change->message.transactional);
    metrics_add(f->o.metrics, METRIC_IGNORED_MESSAGE, 1);
    if (f->warned_message)
        return;
    f->warned_message = true;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%.*s", SPAN_ARG(change->message.prefix));
    log_event(f->o.log, LOG_WARN, "message.non_transactional", "prefix", prefix, "hint",
              "such a message may come from a transaction that was rolled back and is never "
              "published; emit it with transactional = true",
              NULL);
}
