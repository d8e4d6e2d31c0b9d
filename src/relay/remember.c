/* relay/remember: see remember.h. A commit may hold ten thousand events or none: it is looked at
 * from its end, so that what it costs does not depend on that. */
#include "relay/remember.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Messages looked at in one commit: most may have been passed over. */
#define LOOKED_AT_MAX 200

/* ---- Events ---- */

/* The header that its route fills with the type; else one of those that are commonly called so. */
static struct span type_of(const struct config_route *route, const struct message *message)
{
    static const char *const usual[] = {"ce_type", "eventType", "type"};
    char column[80];
    struct span found = span_null();
    snprintf(column, sizeof column, "{%s}", route->columns.type.text);
    for (uint32_t h = 0; h < message->header_count; h++) {
        const struct header *header = &message->headers[h];
        for (uint32_t i = 0; i < route->headers.count; i++) {
            const struct config_pair *pair = &route->headers.items[i];
            bool is_type = strcmp(pair->value.text, column) == 0 ||
                           (route->event.type.text != NULL &&
                            strcmp(pair->value.text, route->event.type.text) == 0);
            if (is_type && span_equal_text(header->name, pair->name.text))
                return header->value;
        }
        for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
            if (found.ptr == NULL && span_equal_text(header->name, usual[i]))
                found = header->value;
    }
    return found;
}

static void describe(const struct remember *how, const struct message *message, int64_t wall_us,
                     struct recent_event *event)
{
    const struct config_route *route = &how->routes->items[message->route];
    *event = (struct recent_event){
        .partition = message->placed,
        .offset = message->next_offset > 0 ? message->next_offset - 1 : -1,
        .position = message->position,
        .dead_letter = message->dead_letter,
        .committed_wall_us = wall_us,
    };
    snprintf(event->topic, sizeof event->topic, "%.*s", SPAN_ARG(message->topic));
    snprintf(event->route, sizeof event->route, "%s", route->name.text);
    recent_text_set(&event->key, message->key);
    recent_text_set(&event->type, type_of(route, message));
    if (how->payloads)
        recent_payload_set(event, message->value);
}

static bool is_told(const struct remember *how, const struct message *message)
{
    return message->next_offset != 0 && message_has_route(message->route) && !message->own_state &&
           message->route < how->routes->count;
}

void remember_events(const struct remember *how, struct position after, int64_t wall_us,
                     struct batch *const *held, uint32_t count)
{
    if (how->recent == NULL)
        return;
    assert(how->routes != NULL && (held != NULL || count == 0));
    struct recent_event events[RECENT_EVENTS];
    uint32_t first = RECENT_EVENTS; /* they are found newest first */
    uint32_t looked_at = 0;
    for (uint32_t b = count; b > 0 && first > 0; b--) {
        const struct batch *batch = held[b - 1];
        for (uint32_t i = batch->count; i > 0 && first > 0; i--) {
            const struct message *message = &batch->messages[i - 1];
            if (position_compare(message->position, after) <= 0 || looked_at++ >= LOOKED_AT_MAX)
                break;
            if (is_told(how, message))
                describe(how, message, wall_us, &events[--first]);
        }
    }
    recent_add_events(how->recent, events + first, RECENT_EVENTS - first);
}

/* ---- The rest ---- */

void remember_config(struct recent *recent, const struct config *config)
{
    if (recent == NULL)
        return;
    assert(config != NULL);
    struct buf text = BUF_EMPTY;
    config_write_effective(config, &text);
    recent_set_config(recent, buf_span(&text));
    buf_fini(&text);
    if (!config->admin.show_payloads)
        recent_forget_payloads(recent);
}

void remember_sample(struct recent *recent, const struct status *status,
                     const struct metrics *metrics, int64_t wall_us)
{
    if (!recent_wants_sample(recent, wall_us))
        return;
    assert(status != NULL);
    struct recent_sample sample = {
        .wall_us = wall_us,
        .lag_bytes = status->origin_known ? (int64_t)status->lag_bytes : -1,
        .retained_bytes = status->origin_known ? (int64_t)status->retained_bytes : -1,
        .events = metrics_sum_routes(metrics, METRIC_EVENTS)};
    metrics_get_histogram(metrics, METRIC_VISIBLE_SECONDS, &sample.visible_count,
                          &sample.visible_us);
    recent_add_sample(recent, &sample);
}
