/* relay/shorten: see shorten.h. The payload is in the table before the reference is in a message,
 * so that it cannot be handed over, and Kafka cannot commit it, before that. */
#include "relay/shorten.h"

#include "encode/encode.h"

#include <assert.h>

static enum shortened truncate(const struct shortener *s, struct message *message,
                               const struct config_route *route, struct arena *arena)
{
    size_t excess = s->publisher->excess;
    if (excess == 0 || !message_truncate(message, route, excess, arena))
        return SHORTENED_NOT;
    metrics_add_route(s->verdicts->metrics, METRIC_TRUNCATED, message->route, 1);
    return SHORTENED;
}

static enum shortened put_away(const struct shortener *s, struct message *message,
                               const struct config_route *route, struct arena *arena,
                               struct error *err)
{
    struct claim_receipt receipt;
    struct error failure = ERROR_INIT;
    if (s->claims == NULL || !message_may_refer(message))
        return SHORTENED_NOT;
    enum step result =
        s->claims->ops->put(s->claims, message->claim_id, message->value, route->oversize.keep.text,
                            s->now_us, &receipt, &failure);
    *err = failure;
    if (result != STEP_DONE)
        return result == STEP_WAIT ? SHORTENED_LATER : SHORTENED_FAILED;
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
