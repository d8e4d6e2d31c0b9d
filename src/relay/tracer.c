/* relay/tracer: see tracer.h. It reads headers as they go to Kafka, so how the application's
 * traceparent got there (a column, a member of the headers, a template) is the route's matter. */
#include "relay/tracer.h"

#include "base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Of one Kafka transaction. */
#define SPANS_MAX 1024

static struct span header(const struct message *message, struct span name)
{
    for (uint32_t i = 0; i < message->header_count; i++)
        if (span_equal(message->headers[i].name, name))
            return message->headers[i].value;
    return span_null();
}

/* Ours stands behind those of the route, which may bear its name. */
static struct span last_header(const struct message *message, struct span name)
{
    for (uint32_t i = message->header_count; i-- > 0;)
        if (name.len > 0 && span_equal(message->headers[i].name, name))
            return message->headers[i].value;
    return span_null();
}

static void copy_text(char to[TRACE_TEXT_MAX], struct span text)
{
    size_t length = text.len < TRACE_TEXT_MAX ? text.len : TRACE_TEXT_MAX - 1;
    if (length > 0)
        memcpy(to, text.ptr, length);
    to[length] = '\0';
}

/* Two events of one trace are two spans, also where what is kept of their ids is the same. */
static void identify(struct tracer *tracer, const struct message *message, struct trace_span *span)
{
    struct span id = last_header(message, tracer->id_header);
    copy_text(span->id, id);
    span->number = id.len > 0 ? hash_add(HASH_INIT, id.ptr, id.len) : tracer->count;
}

static int64_t start_of(const struct message *message)
{
    int64_t ms = message->timestamp_ms;
    return ms > 0 && ms <= INT64_MAX / 1000 ? ms * 1000 : 0;
}

void tracer_note(struct tracer *tracer, const struct message *message)
{
    assert(tracer->on && tracer->ring != NULL);
    struct trace_context context;
    struct span parent = header(message, SPAN_LITERAL("traceparent"));
    if (parent.ptr == NULL)
        parent = header(message, SPAN_LITERAL("ce_traceparent"));
    if (parent.ptr == NULL || !trace_context_parse(parent, &context) ||
        !trace_ring_wants(tracer->ring, &context))
        return;
    if (tracer->spans == NULL)
        tracer->spans = calloc(SPANS_MAX, sizeof *tracer->spans);
    if (tracer->spans == NULL)
        abort();
    if (tracer->count == SPANS_MAX) {
        tracer->lost++;
        return;
    }
    struct trace_span *span = &tracer->spans[tracer->count++];
    *span = (struct trace_span){
        .context = context, .start_us = start_of(message), .route = message->route};
    identify(tracer, message, span);
    copy_text(span->topic, message->topic);
}

void tracer_commit(struct tracer *tracer, int64_t wall_us)
{
    assert(tracer->count == 0 || tracer->ring != NULL);
    if (tracer->count == 0)
        return;
    for (uint32_t i = 0; i < tracer->count; i++) {
        struct trace_span *span = &tracer->spans[i];
        span->end_us = wall_us;
        if (span->start_us > wall_us || span->start_us <= 0)
            span->start_us = wall_us; /* another clock, or not known */
        if (span->id[0] == '\0')
            span->number = hash_add(hash_add(HASH_INIT, &wall_us, sizeof wall_us), &span->number,
                                    sizeof span->number);
    }
    trace_ring_put(tracer->ring, tracer->spans, tracer->count);
    if (tracer->lost > 0)
        trace_ring_lose(tracer->ring, tracer->lost);
    tracer->count = 0;
    tracer->lost = 0;
}

void tracer_fini(struct tracer *tracer)
{
    assert(tracer != NULL);
    free(tracer->spans);
    tracer->spans = NULL;
}
