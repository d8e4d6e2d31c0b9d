/* relay/fill: see fill.h. A batch is wider than its limit by one event of each route, so that the
 * last change that it takes nearly always fits; where it does not, the batch grows. */
#include "relay/fill.h"

#include "model/header_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SCRATCH_BYTES (64 * 1024)
/* Refusals often come in crowds, and a letter costs about as much as an event. */
#define SPARE_LETTERS 1000000

void filler_init(struct filler *filler, const struct filler_options *options)
{
    assert(options->router != NULL && options->encoders != NULL);
    assert(options->verdicts != NULL && options->verdicts->metrics != NULL);
    *filler = (struct filler){.o = *options};
    arena_init(&filler->scratch, SCRATCH_BYTES, SCRATCH_BYTES);
    txn_metadata_init(&filler->metadata, options->metadata);
    filler->o.metadata = NULL;
    if (options->expects_refusals)
        filler_expect_refusals(filler);
}

void filler_expect_refusals(struct filler *filler)
{
    assert(filler->o.encoders != NULL);
    filler->spare_letters = SPARE_LETTERS;
}

void filler_fini(struct filler *filler)
{
    txn_metadata_fini(&filler->metadata);
    arena_fini(&filler->scratch);
}

/* ---- Dead letters ---- */

/* In the place of what the batch holds of the change already, with the key of its first event. */
static void put_letter(struct filler *f, struct batch *batch, const struct error *why)
{
    struct filler_share *share = &f->share;
    struct span key = batch->count > share->first
                          ? batch->messages[share->first].key
                          : encode_letter_key(f->o.encoders, &f->event, &batch->arena);
    batch_truncate(batch, share->first);
    batch_widen(batch, 1);
    struct message *letter = batch_next(batch);
    encode_letter(f->o.encoders, f->event.change, share->unit.route, key, &batch->arena, letter);
    letter_blame(letter, why, f->event.topic, &batch->arena);
    batch_add(batch);
    share->lettered = true;
}

static bool holds_keys(const struct filler *f)
{
    return f->o.quarantine != NULL && f->o.quarantine->on;
}

/* Of what the batch holds of the change already, then of the event at hand. */
static struct span *keys_of(struct filler *f, const struct batch *batch, uint32_t *count)
{
    uint32_t first = f->share.lettered ? batch->count : f->share.first;
    struct span *keys = arena_alloc(&f->scratch, (batch->count - first + 1) * sizeof *keys);
    *count = 0;
    for (uint32_t i = first; i < batch->count; i++)
        keys[(*count)++] = batch->messages[i].key;
    keys[(*count)++] = encode_letter_key(f->o.encoders, &f->event, &f->scratch);
    return keys;
}

/* One letter for all of the share; where keys are held, those of all its events. */
static enum fill take_letter(struct filler *f, struct batch *batch, struct error *err)
{
    struct filler_share *share = &f->share;
    const char *route = f->o.verdicts->routes->items[share->unit.route].name.text;
    uint32_t count = 0;
    struct span *keys = holds_keys(f) ? keys_of(f, batch, &count) : NULL;
    if (!share->lettered)
        put_letter(f, batch, err);
    *err = ERROR_INIT;
    for (uint32_t i = 0; i < count; i++) {
        struct message *letter = &batch->messages[share->first];
        if (letter->key.ptr == NULL && keys[i].ptr != NULL)
            letter->key = arena_copy(&batch->arena, keys[i]);
        if (quarantine_hold(f->o.quarantine, &share->held, route, keys[i], f->event.change, batch,
                            err) < 0)
            return FILL_FAILED;
    }
    return FILL_DONE;
}

static enum verdict hold(struct filler *f, struct error *err)
{
    struct filler_share *share = &f->share;
    const char *route = f->o.verdicts->routes->items[share->unit.route].name.text;
    error_data(err, REASON_KEY_HELD, "an earlier event of its key, route %s, is a dead letter",
               route);
    metrics_add_route(f->o.verdicts->metrics, METRIC_EVENTS_HELD, share->unit.route, 1);
    return VERDICT_HOLD;
}

/* What the publisher refuses is seen by the writer, which has no change any more. All messages of a
 * share have the same letter, with the key of the first. Where keys are held only the reader makes
 * letters: what comes behind depends on them. */
static const struct message *spare_letter(struct filler *f, struct batch *batch,
                                          const struct message *message)
{
    struct filler_share *share = &f->share;
    if (batch->count > share->first || f->spare_letters == 0 || holds_keys(f) ||
        !verdict_wants_letters(f->o.verdicts, share->unit.route))
        return share->letter;
    f->spare_letters--;
    struct message *letter = arena_alloc(&batch->arena, sizeof *letter);
    encode_letter(f->o.encoders, f->event.change, share->unit.route, message->key, &batch->arena,
                  letter);
    share->letter = letter;
    return letter;
}

/* ---- Events ---- */

/* A message that was begun is gone on with. A change of the key is several events, and a TRUNCATE
 * one of each table, so the slack of a batch may not do. */
static int put_event(struct filler *f, struct batch *batch, struct error *err)
{
    if (!f->holding)
        batch_widen(batch, 1);
    struct message *message = f->holding ? &batch->messages[batch->count] : batch_next(batch);
    int got = encode_message(f->o.encoders, &f->event, &batch->arena, message, err);
    f->holding = got == ENCODE_AGAIN;
    if (got != 0)
        return got;
    message->letter = spare_letter(f, batch, message);
    message->measured = f->share.measured;
    batch_add(batch);
    return 0;
}

#define NO_ROUTE UINT32_MAX

/* routed: the router has given the event; else *err says why it could not. */
static void judge_event(struct filler *f, bool routed, struct batch *batch, struct error *err)
{
    struct filler_share *share = &f->share;
    if (f->event.route != share->unit.route) {
        share->unit.route = f->event.route;
        share->first = batch->count;
        share->lettered = false;
        share->letter = NULL;
        share->held = NULL;
        bool nothing = verdict_knows_nothing(f->o.verdicts);
        share->verdict =
            nothing ? VERDICT_PUBLISH : verdict_before(f->o.verdicts, share->unit, err);
        share->measured = !nothing && verdict_measures(f->o.verdicts, share->unit);
    }
    if (!routed && share->verdict == VERDICT_PUBLISH)
        share->verdict = verdict_on_event(f->o.verdicts, share->unit, err);
}

/* The event that was put last. */
static bool is_held(struct filler *f, const struct batch *batch)
{
    const char *route = f->o.verdicts->routes->items[f->share.unit.route].name.text;
    return holds_keys(f) &&
           quarantine_holds(f->o.quarantine, route, batch->messages[batch->count - 1].key);
}

static enum fill take_event(struct filler *f, struct batch *batch, struct error *err)
{
    struct filler_share *share = &f->share;
    if (share->verdict == VERDICT_PUBLISH) {
        int put = put_event(f, batch, err);
        if (put == ENCODE_AGAIN)
            return FILL_AGAIN;
        if (put < 0)
            share->verdict = verdict_on_event(f->o.verdicts, share->unit, err);
        else if (is_held(f, batch))
            share->verdict = hold(f, err);
    }
    switch (share->verdict) {
    case VERDICT_PUBLISH:
        return FILL_DONE;
    case VERDICT_PASS_OVER:
        batch_truncate(batch, share->first);
        *err = ERROR_INIT;
        return FILL_DONE;
    case VERDICT_DEAD_LETTER:
    case VERDICT_HOLD:
        return take_letter(f, batch, err);
    case VERDICT_END:
        break;
    }
    return FILL_FAILED;
}

static void count_event(struct filler *f, struct batch *batch)
{
    if (f->o.verdicts->routes->items[f->event.route].as == ROUTE_CHANGE)
        txn_metadata_event(&f->metadata, &f->event, batch);
}

static enum fill publish(struct filler *f, struct batch *batch, struct error *err)
{
    for (;;) {
        if (!f->holding) {
            int got = router_next(f->o.router, &f->event, err);
            if (got == 0)
                return FILL_DONE;
            if (got < 0 && err->kind == ERROR_RETRY)
                return FILL_FAILED; /* which says nothing about the change */
            if (got > 0)
                count_event(f, batch);
            judge_event(f, got > 0, batch, err);
        }
        enum fill filled = take_event(f, batch, err);
        if (filled != FILL_DONE)
            return filled;
    }
}

enum fill filler_take(struct filler *f, const struct change *change, struct batch *batch,
                      struct error *err)
{
    assert(!change_id_is_none(change->id));
    if (f->holding) {
        assert(change_id_equal(f->share.unit.id, change->id));
        return publish(f, batch, err);
    }
    assert(batch->capacity - batch->count >= f->o.verdicts->routes->count);
    f->share = (struct filler_share){.unit = {change->id, NO_ROUTE}};
    arena_reset(&f->scratch);
    switch (router_begin(f->o.router, change, &f->scratch)) {
    case ROUTER_TAKEN:
        return publish(f, batch, err);
    case ROUTER_NO_ROUTE:
        metrics_add(f->o.verdicts->metrics, METRIC_IGNORED_UNROUTED, 1);
        return FILL_DONE;
    case ROUTER_NOT_THIS_OPERATION:
        metrics_add(f->o.verdicts->metrics, METRIC_IGNORED_UPDATE, 1);
        return FILL_DONE;
    }
    return FILL_DONE;
}

enum fill filler_recount(struct filler *f, const struct change *change, struct error *err)
{
    assert(change->repeated && !f->holding);
    arena_reset(&f->scratch);
    if (router_begin(f->o.router, change, &f->scratch) != ROUTER_TAKEN)
        return FILL_DONE;
    for (;;) {
        int got = router_next(f->o.router, &f->event, err);
        if (got == 0)
            return FILL_DONE;
        if (got > 0)
            count_event(f, NULL);
        else if (err->kind == ERROR_RETRY)
            return FILL_FAILED;
        *err = ERROR_INIT; /* what could not be routed was judged when it went out */
    }
}

/* ---- Dead letters again ---- */

static int put_replayed(struct filler *f, const struct change *command, struct batch *batch,
                        struct error *err)
{
    batch_widen(batch, 1);
    struct message *message = batch_next(batch);
    int got = encode_message(f->o.encoders, &f->event, &batch->arena, message, err);
    if (got == ENCODE_AGAIN)
        return error_retry(err, REASON_STALLED, "an encoder is not ready for a dead letter");
    if (got < 0)
        return -1;
    uint32_t count = message->header_count;
    struct header *headers = arena_alloc(&batch->arena, (count + 1) * sizeof *headers);
    for (uint32_t i = 0; i < count; i++)
        headers[i] = message->headers[i];
    const char *number = arena_format(&batch->arena, "%" PRIu64, command->message.command->id);
    headers[count] = (struct header){SPAN_LITERAL(HEADER_REPLAY), span_of(number)};
    message->headers = headers;
    message->header_count = count + 1;
    message->id = command->id;
    message->position = command->position;
    message->replayed = true;
    message->measured =
        verdict_measures(f->o.verdicts, (struct verdict_unit){command->id, f->event.route});
    batch_add(batch);
    return 0;
}

static int replay(struct filler *f, uint32_t route, const struct change *command,
                  struct batch *batch, struct error *err)
{
    for (;;) {
        int got = router_next(f->o.router, &f->event, err);
        if (got == 0)
            return 0;
        if (got < 0 && err->kind == ERROR_RETRY)
            return -1;
        if (f->event.route != route) {
            *err = ERROR_INIT; /* another route's matter */
            continue;
        }
        if (got < 0 || put_replayed(f, command, batch, err) < 0)
            return -1;
    }
}

int filler_replay(struct filler *f, const struct change *change, uint32_t route,
                  const struct change *command, struct batch *batch, uint32_t *made,
                  struct error *err)
{
    assert(!f->holding && route < f->o.verdicts->routes->count);
    uint32_t before = batch->count;
    arena_reset(&f->scratch);
    int result;
    if (router_begin(f->o.router, change, &f->scratch) == ROUTER_TAKEN)
        result = replay(f, route, command, batch, err);
    else
        result = error_data(err, REASON_BAD_LETTER, "no route takes such a change any more");
    if (result < 0)
        batch_truncate(batch, before);
    *made = batch->count - before;
    return result;
}

void filler_ignore_message(struct filler *f, const struct change *change)
{
    assert(change->op == CHANGE_MESSAGE && !change->message.transactional);
    metrics_add(f->o.verdicts->metrics, METRIC_IGNORED_MESSAGE, 1);
    if (f->warned_message)
        return;
    f->warned_message = true;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%.*s", SPAN_ARG(change->message.prefix));
    log_event(f->o.verdicts->log, LOG_WARN, "message.non_transactional", "prefix", prefix, "hint",
              "such a message may come from a transaction that was rolled back and is never "
              "published; emit it with transactional = true",
              NULL);
}
