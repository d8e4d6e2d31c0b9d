/* otlp/otlp_body: see otlp_body.h. Ids are hex and not base64, which is the one place where OTLP's
 * JSON differs from protobuf's. The id of a span is made of its trace and of the event's id, so
 * the same event has the same one whoever sends it. */
#include "otlp/otlp_body.h"

#include "base/hash.h"
#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* SpanKind. */
#define SPAN_KIND_PRODUCER 4

/* {"<resources>":[{"resource":{…},"<scopes>":[{"scope":{…}, — open for a member with the items. */
static void begin(struct json_writer *w, const char *resources, const char *scopes,
                  const char *relay)
{
    json_write_begin_object(w);
    json_write_name(w, resources);
    json_write_begin_array(w);
    json_write_begin_object(w);
    json_write_name(w, "resource");
    json_write_begin_object(w);
    json_write_name(w, "attributes");
    json_write_begin_array(w);
    metrics_write_otlp_attribute(w, "service.name", "walferry");
    metrics_write_otlp_attribute(w, "service.version", WALFERRY_VERSION);
    metrics_write_otlp_attribute(w, "service.instance.id", relay);
    json_write_end_array(w);
    json_write_end_object(w);
    json_write_name(w, scopes);
    json_write_begin_array(w);
    json_write_begin_object(w);
    json_write_name(w, "scope");
    json_write_begin_object(w);
    json_write_member_text(w, "name", "walferry");
    json_write_member_text(w, "version", WALFERRY_VERSION);
    json_write_end_object(w);
}

static void end(struct json_writer *w)
{
    json_write_end_object(w);
    json_write_end_array(w);
    json_write_end_object(w);
    json_write_end_array(w);
    json_write_end_object(w);
}

void otlp_body_metrics(const struct metrics *metrics, const char *relay, int64_t start_us,
                       int64_t now_us, struct buf *out)
{
    assert(metrics != NULL && relay != NULL && out != NULL);
    struct buf values = BUF_EMPTY;
    struct json_writer w = json_writer(out);
    metrics_write_otlp(metrics, start_us, now_us, &values);
    begin(&w, "resourceMetrics", "scopeMetrics", relay);
    json_write_member_raw(&w, "metrics", buf_span(&values));
    end(&w);
    buf_fini(&values);
}

static void write_hex(struct json_writer *w, const char *name, const unsigned char *bytes,
                      size_t count)
{
    char text[2 * 16 + 1];
    assert(count <= 16);
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    json_write_member_text(w, name, text);
}

static void write_time(struct json_writer *w, const char *name, int64_t us)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64 "000", us);
    json_write_member_text(w, name, text);
}

static void write_span_id(struct json_writer *w, const struct trace_span *span)
{
    unsigned char bytes[8];
    uint64_t hash = hash_add(HASH_INIT, span->context.trace_id, sizeof span->context.trace_id);
    hash = hash_add(hash, span->context.parent_id, sizeof span->context.parent_id);
    hash = hash_add(hash, span->topic, strlen(span->topic));
    hash = hash_add(hash, &span->number, sizeof span->number);
    if (hash == 0)
        hash = 1;
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(hash >> (56 - 8 * i));
    write_hex(w, "spanId", bytes, sizeof bytes);
}

/* Names of attributes are those of OpenTelemetry's conventions for messaging. */
static void write_span(struct json_writer *w, const struct trace_span *span, const char *relay)
{
    char name[TRACE_TEXT_MAX + 8];
    snprintf(name, sizeof name, "send %s", span->topic);
    json_write_begin_object(w);
    write_hex(w, "traceId", span->context.trace_id, sizeof span->context.trace_id);
    write_span_id(w, span);
    write_hex(w, "parentSpanId", span->context.parent_id, sizeof span->context.parent_id);
    json_write_member_u64(w, "flags", 1); /* sampled */
    json_write_member_text(w, "name", name);
    json_write_member_u64(w, "kind", SPAN_KIND_PRODUCER);
    write_time(w, "startTimeUnixNano", span->start_us);
    write_time(w, "endTimeUnixNano", span->end_us);
    json_write_name(w, "attributes");
    json_write_begin_array(w);
    metrics_write_otlp_attribute(w, "messaging.system", "kafka");
    metrics_write_otlp_attribute(w, "messaging.operation.name", "send");
    metrics_write_otlp_attribute(w, "messaging.operation.type", "send");
    metrics_write_otlp_attribute(w, "messaging.destination.name", span->topic);
    metrics_write_otlp_attribute(w, "walferry.relay", relay);
    if (span->id[0] != '\0')
        metrics_write_otlp_attribute(w, "walferry.id", span->id);
    json_write_end_array(w);
    json_write_end_object(w);
}

void otlp_body_spans(const struct trace_span *spans, uint32_t count, const char *relay,
                     struct buf *out)
{
    assert(spans != NULL && count > 0 && relay != NULL && out != NULL);
    struct json_writer w = json_writer(out);
    begin(&w, "resourceSpans", "scopeSpans", relay);
    json_write_name(&w, "spans");
    json_write_begin_array(&w);
    for (uint32_t i = 0; i < count; i++)
        write_span(&w, &spans[i], relay);
    json_write_end_array(&w);
    end(&w);
}
