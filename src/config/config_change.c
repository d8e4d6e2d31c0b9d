/* config_change: what a changed file means for a relay that runs or has a position. Which keys need
 * a restart is said in the table; which of them decide about events is said here, in config_hash.
 */
#include "config/config_check.h"
#include "config/config_same.h"

#include "base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Lengths are hashed too, so that no two lists of texts run together to the same bytes. */
static void hash_text(uint64_t *hash, const char *text)
{
    uint32_t len = text != NULL ? (uint32_t)strlen(text) : UINT32_MAX;
    unsigned char prefix[4] = {(unsigned char)len, (unsigned char)(len >> 8),
                               (unsigned char)(len >> 16), (unsigned char)(len >> 24)};
    *hash = hash_add(*hash, prefix, sizeof prefix);
    if (text != NULL)
        *hash = hash_add(*hash, text, len);
}

static void hash_number(uint64_t *hash, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    hash_text(hash, text);
}

static void hash_texts(uint64_t *hash, const struct config_texts *texts)
{
    hash_number(hash, texts->count);
    for (uint32_t i = 0; i < texts->count; i++)
        hash_text(hash, texts->items[i].text);
}

static void hash_pairs(uint64_t *hash, const struct config_pairs *pairs)
{
    hash_number(hash, pairs->count);
    for (uint32_t i = 0; i < pairs->count; i++) {
        hash_text(hash, pairs->items[i].name.text);
        hash_text(hash, pairs->items[i].value.text);
    }
}

/* Nothing where nothing is said: such a file keeps its hash. */
static void hash_treatments(uint64_t *hash, const struct config_debezium *d)
{
    if (d->money_fraction_digits != 2) {
        hash_text(hash, "money_fraction_digits");
        hash_number(hash, (uint64_t)d->money_fraction_digits);
    }
    const struct config_pairs *all[] = {&d->column_truncate, &d->column_mask, &d->column_hash,
                                        &d->column_hash_v2};
    for (uint32_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->count == 0)
            continue;
        hash_number(hash, i);
        hash_pairs(hash, all[i]);
    }
    if (d->extended_headers)
        hash_text(hash, "extended_headers_enabled");
    if (d->replace_null)
        hash_text(hash, "replace_null_with_default");
    if (d->message_key_columns.text != NULL) {
        hash_text(hash, "message_key_columns");
        hash_text(hash, d->message_key_columns.text);
    }
}

static void hash_debezium(uint64_t *hash, const struct config_route *route)
{
    const struct config_debezium *d = &route->debezium;
    hash_number(hash, route->debezium_compatible);
    hash_text(hash, d->topic_prefix.text);
    hash_number(hash, d->decimal_handling);
    hash_number(hash, d->time_precision);
    hash_number(hash, d->interval_handling);
    hash_number(hash, d->binary_handling);
    hash_number(hash, d->hstore_handling);
    hash_number(hash, d->tombstones_on_delete);
    hash_text(hash, d->skipped_operations.text);
    hash_text(hash, d->unavailable_value_placeholder.text);
    hash_text(hash, d->column_exclude_list.text);
    hash_text(hash, d->column_include_list.text);
    hash_treatments(hash, d);
}

static void hash_event(uint64_t *hash, const struct config_event *e)
{
    const struct config_cloudevents *ce = &e->cloudevents;
    const struct config_text *texts[] = {&e->filter,       &e->type,        &e->jq,
                                         &ce->source,      &ce->subject,    &ce->correlationid,
                                         &ce->causationid, &ce->traceparent};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash_text(hash, texts[i]->text);
    hash_texts(hash, &e->operations);
    hash_texts(hash, &e->changed);
    hash_texts(hash, &e->drop);
    hash_number(hash, e->value.items != NULL);
    hash_pairs(hash, &e->value);
    hash_pairs(hash, &e->rename);
    hash_pairs(hash, &e->constants);
    hash_number(hash, e->jq_numbers);
    hash_number(hash, e->shape);
    hash_number(hash, ce->mode);
}

/* Nothing where nothing is said: such a file has the hash of older versions. */
static void hash_router(uint64_t *hash, const struct config_event_router *r)
{
    const struct config_text *texts[] = {&r->route_topic_regex, &r->additional_placement,
                                         &r->tracing_field};
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i]->text == NULL)
            continue;
        hash_number(hash, i);
        hash_text(hash, texts[i]->text);
    }
    if (r->route_topic_regex.text != NULL)
        hash_text(hash, r->route_topic_replacement.text);
    if (r->additional_placement.text != NULL)
        hash_number(hash, r->additional_missing);
    if (r->invalid_operation != INVALID_OPERATION_WARN)
        hash_text(hash, "table_op_invalid_behavior");
    if (r->tombstone_on_empty_payload)
        hash_text(hash, "route_tombstone_on_empty_payload");
    if (r->expand_json_payload)
        hash_text(hash, "table_expand_json_payload");
}

static void hash_header_columns(uint64_t *hash, const struct config_columns *c)
{
    const struct config_text *texts[] = {&c->headers_member, &c->header_keys, &c->header_values};
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i]->text == NULL)
            continue;
        hash_number(hash, i);
        hash_text(hash, texts[i]->text);
    }
}

/* The name of a route and its on_error are left out: they change no event. */
static void hash_route(uint64_t *hash, const struct config_route *route)
{
    const struct config_columns *c = &route->columns;
    const struct config_text *texts[] = {
        &route->from, &c->id,        &c->aggregate_type, &c->aggregate_id, &c->type,   &c->payload,
        &c->headers,  &c->timestamp, &c->partition,      &route->topic,    &route->key};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash_text(hash, texts[i]->text);
    hash_header_columns(hash, c);
    hash_number(hash, route->as);
    hash_number(hash, route->format);
    if (route->format == FORMAT_DEBEZIUM)
        hash_debezium(hash, route);
    if (route->as == ROUTE_EVENT)
        hash_event(hash, &route->event);
    if (route->as == ROUTE_OUTBOX)
        hash_router(hash, &route->router);
    if (route->value_encoding != VALUE_UTF8)
        hash_text(hash, "value_encoding: bytes"); /* the default has the hash of older versions */
    hash_number(hash, route->continue_matching);
    hash_number(hash, route->has_headers);
    hash_pairs(hash, &route->headers);
}

void config_hash(struct config_relay *relay)
{
    uint64_t hash = HASH_INIT;
    assert(relay->source.slot.text != NULL);
    assert(relay->routes.count > 0);
    hash_text(&hash, "events of a change, version 1");
    hash_text(&hash, "pgoutput proto_version 1, messages, no streaming");
    hash_text(&hash, relay->source.slot.text);
    hash_text(&hash, relay->source.publication.text);
    hash_text(&hash, relay->delivery.id_header.text);
    if (relay->delivery.transaction_metadata) /* else the hash of older versions */
        hash_text(&hash, relay->delivery.transaction_topic.text);
    hash_number(&hash, relay->routes.count);
    for (uint32_t i = 0; i < relay->routes.count; i++)
        hash_route(&hash, &relay->routes.items[i]);
    snprintf(relay->hash, sizeof relay->hash, "%016" PRIx64, hash);
}

/* The first key of the scope that differs and may not. */
static const char *restart_key(enum config_scope scope, const void *running, const void *next)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if ((keys[i].flags & (RESTART | RESTART_DATABASE)) != 0 && keys[i].scope == scope &&
            !config_same_value(&keys[i], running, next))
            return keys[i].path;
    return NULL;
}

const char *config_needs_restart(const struct config *running, const struct config *next)
{
    assert(running != NULL);
    assert(next != NULL);
    for (uint32_t i = 0; i < running->relays.count; i++) {
        const struct config_relay *relay = &running->relays.items[i];
        const struct config_relay *after = config_relay_find(next, relay->name.text);
        if (after == NULL)
            return "relay";
        const char *key = restart_key(SCOPE_config_relay, relay, after);
        if (key != NULL)
            return key;
    }
    return restart_key(SCOPE_config, running, next);
}
