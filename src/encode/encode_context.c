/* encode/encode_context: see encode_context.h. A relay is one task, so its number is 0, as that of
 * the only task of a connector for PostgreSQL is. */
#include "encode/encode_context.h"

#include <assert.h>

#define PREFIX "__debezium.context."

bool context_is_wanted(const struct config_route *route, const struct event *event)
{
    return route->as == ROUTE_CHANGE && route->debezium.extended_headers &&
           event->change->op != CHANGE_MESSAGE;
}

/* 32 hexadecimal digits as a UUID. */
static const char *uuid_of(const char *run, struct arena *arena)
{
    if (run == NULL || strlen(run) != 32)
        return "00000000-0000-0000-0000-000000000000";
    return arena_format(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", run, run + 8, run + 12, run + 16,
                        run + 20);
}

void context_headers(const struct encoders_options *options, const struct config_route *route,
                     struct arena *arena, struct header headers[CONTEXT_HEADERS])
{
    const char *prefix = route->debezium.topic_prefix.text;
    const char *const texts[CONTEXT_HEADERS][2] = {
        {PREFIX "connectorLogicalName", prefix != NULL ? prefix : ""},
        {PREFIX "taskId", "0"},
        {PREFIX "connectorName", route->debezium_compatible ? "postgresql" : "walferry"},
        {PREFIX "runId", uuid_of(options->run, arena)},
    };
    assert(headers != NULL && options != NULL);
    assert(route->as == ROUTE_CHANGE && route->debezium.extended_headers);
    for (int i = 0; i < CONTEXT_HEADERS; i++)
        headers[i] = (struct header){arena_copy(arena, span_of(texts[i][0])),
                                     arena_copy(arena, span_of(texts[i][1]))};
}
