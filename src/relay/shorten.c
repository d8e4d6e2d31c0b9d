/* relay/shorten: see shorten.h. The payload is in the table before the reference is in a message,
 * so that it cannot be handed over, and Kafka cannot commit it, before that. */
#include "relay/shorten.h"

#include "base/clock.h"
#include "encode/encode.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIM_TRIES 5
#define KNOWN_US (60 * US_PER_S)

static enum shortened truncate(const struct shortener *s, struct message *message,
                               const struct config_route *route, struct arena *arena)
{
    size_t excess = s->publisher->excess;
    if (excess == 0 || !message_truncate(message, route, excess, arena))
        return SHORTENED_NOT;
    metrics_add_route(s->verdicts->metrics, METRIC_TRUNCATED, message->route, 1);
    return SHORTENED;
}

/* ---- Claim check ---- */

/* keep: a count of hours or days, as the file has it. */
static int64_t keep_us(const char *keep)
{
    int64_t hours = strtoll(keep, NULL, 10);
    assert(hours > 0);
    return (strchr(keep, 'd') != NULL ? 24 * hours : hours) * 3600 * US_PER_S;
}

static void note_life(struct shortener *s, const char *keep)
{
    int64_t fresh_us = keep_us(keep) / 4 * 3;
    if (s->fresh_until_us == 0 || s->asked_us + fresh_us < s->fresh_until_us)
        s->fresh_until_us = s->asked_us + fresh_us;
    if (s->fresh_until_wall_us == 0 || s->asked_wall_us + fresh_us < s->fresh_until_wall_us)
        s->fresh_until_wall_us = s->asked_wall_us + fresh_us;
}

int shortener_check_fresh(const struct shortener *s, struct error *err)
{
    assert(shortener_refers(s));
    if (s->now_us < s->fresh_until_us && s->wall_us < s->fresh_until_wall_us)
        return 0;
    return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                       "what events refer to in walferry.claim is about to be deleted by its age: "
                       "they are sent again, with a new one");
}

/* That the server refuses a value is believed once it has done so in several epochs: somebody may
 * be at work on the table. From then on it is believed of all that are refused so. */
static bool is_believed(const struct shortener *s, struct verdict_unit unit)
{
    struct claim_trouble *t = s->trouble;
    bool same = strcmp(t->sqlstate, s->claims->refused_by) == 0;
    if (!same || (!verdict_unit_equal(t->unit, unit) && s->now_us >= t->known_until_us))
        *t = (struct claim_trouble){.unit = unit};
    snprintf(t->sqlstate, sizeof t->sqlstate, "%s", s->claims->refused_by);
    t->tries += t->tries < CLAIM_TRIES ? 1 : 0;
    if (t->tries < CLAIM_TRIES)
        return false;
    t->known_until_us = s->now_us + KNOWN_US;
    return true;
}

static enum shortened on_refused_row(const struct shortener *s, const struct message *message,
                                     struct error *err)
{
    struct error cause = *err;
    if (is_believed(s, (struct verdict_unit){message->id, message->route}))
        return SHORTENED_NOT;
    error_retry(err, REASON_CLAIM_REFUSED, "%s", cause.text);
    error_hint(err, "%s", cause.hint);
    return SHORTENED_FAILED;
}

static enum shortened put_away(struct shortener *s, struct message *message,
                               const struct config_route *route, struct arena *arena,
                               struct error *err)
{
    struct claim_receipt receipt;
    struct error failure = ERROR_INIT;
    if (s->claims == NULL || !message_may_refer(message))
        return SHORTENED_NOT;
    if (s->asking != message) {
        s->asking = message;
        s->asked_us = s->now_us;
        s->asked_wall_us = s->wall_us;
    }
    enum step result =
        s->claims->ops->put(s->claims, message->claim_id, message->value, route->oversize.keep.text,
                            s->now_us, &receipt, &failure);
    *err = failure;
    if (result == STEP_WAIT)
        return SHORTENED_LATER;
    s->asking = NULL;
    if (result == STEP_FAILED)
        return failure.kind == ERROR_DATA ? on_refused_row(s, message, err) : SHORTENED_FAILED;
    note_life(s, route->oversize.keep.text);
    message_refer(message, receipt.id, receipt.sha256, arena);
    metrics_add_route(s->verdicts->metrics, METRIC_CLAIMS, message->route, 1);
    return SHORTENED;
}

enum shortened shorten(struct shortener *s, struct message *message, struct arena *arena,
                       struct error *err)
{
    assert(err->kind == ERROR_DATA && message->route < s->verdicts->routes->count);
    const struct config_route *route = &s->verdicts->routes->items[message->route];
    if (err->reason != REASON_MESSAGE_TOO_LARGE)
        return SHORTENED_NOT;
    if (route->oversize.policy == OVERSIZE_CLAIM_CHECK)
        return put_away(s, message, route, arena, err);
    if (route->oversize.policy != OVERSIZE_TRUNCATE)
        return SHORTENED_NOT;
    enum shortened result = truncate(s, message, route, arena);
    if (result == SHORTENED)
        *err = ERROR_INIT;
    return result;
}
