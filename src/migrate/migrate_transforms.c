/* migrate_transforms: the chain of transforms. Two of them are understood, and become routes as:
 * outbox; what the others do to a record is not done here, and is said. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *type, *instead;
} OTHERS[] = {
    {"io.debezium.transforms.ExtractNewRecordState",
     "values are whole envelopes; bare rows in JSON are as: event with row: whole"},
    {"io.debezium.transforms.ByLogicalTableRouter", "say the topics in routes[].topic"},
    {"io.debezium.transforms.ContentBasedRouter", "say the topics in routes[].topic"},
    {"org.apache.kafka.connect.transforms.RegexRouter", "say the topics in routes[].topic"},
    {"org.apache.kafka.connect.transforms.TimestampRouter", "say the topics in routes[].topic"},
    {"io.debezium.transforms.Filter", "as: event has when"},
    {"org.apache.kafka.connect.transforms.Filter", "as: event has when"},
    {"org.apache.kafka.connect.transforms.InsertHeader", "as: outbox and as: event have headers"},
    {"io.debezium.transforms.ExtractChangedRecordState", "as: event has row: changed"},
    {"io.debezium.transforms.partitions.PartitionRouting",
     "debezium.message_key_columns makes another key; columns.partition is of an outbox"},
    {"io.debezium.transforms.HeaderToValue", "as: outbox and as: event make their values"},
    {"io.debezium.transforms.TimezoneConverter", "times are as the envelope has them"},
};

const struct transform *migrate_transform(const struct migrate *m, const char *type)
{
    for (uint32_t i = 0; i < m->transform_count; i++)
        if (m->transforms[i].type != NULL && strcmp(m->transforms[i].type, type) == 0)
            return &m->transforms[i];
    return NULL;
}

static const char *option(struct migrate *m, const struct transform *t, const char *name)
{
    return arena_format(&m->arena, "transforms.%s.%s", t->name, name);
}

/* Nothing of it is done, so nothing that it is told counts. */
static void pass_over(struct migrate *m, const struct transform *t, const char *instead)
{
    const char *type = option(m, t, "type"), *begin = option(m, t, "");
    migrate_say(m, type, WEIGHT_LOST, "this transform is not done%s%s", instead != NULL ? ": " : "",
                instead != NULL ? instead : "");
    for (uint32_t i = 0; i < m->count; i++)
        if (strncmp(m->items[i].key, begin, strlen(begin)) == 0)
            migrate_say(m, m->items[i].key, WEIGHT_MOOT, "of a transform that is not done");
}

static void take_predicate(struct migrate *m, struct transform *t)
{
    const char *key = option(m, t, "predicate"), *name = migrate_value(m, key);
    t->negated = migrate_is(m, option(m, t, "negate"), "true", "false");
    if (name == NULL)
        return;
    const char *type = migrate_value(m, arena_format(&m->arena, "predicates.%s.type", name));
    t->predicate = migrate_value(m, arena_format(&m->arena, "predicates.%s.pattern", name));
    if (type == NULL || t->predicate == NULL ||
        strcmp(type, "org.apache.kafka.connect.transforms.predicates.TopicNameMatches") != 0) {
        t->predicate = NULL;
        migrate_say(m, key, WEIGHT_LOST,
                    "only TopicNameMatches is understood: the route takes all");
    }
    migrate_say(m, key, WEIGHT_TAKEN, "which routes are as: outbox");
    migrate_say(m, option(m, t, "negate"), WEIGHT_TAKEN, "which routes are as: outbox");
}

static void take(struct migrate *m, struct span name)
{
    struct transform *t = &m->transforms[m->transform_count++];
    *t = (struct transform){.name = arena_text(&m->arena, name)};
    const char *type = option(m, t, "type"), *instead = NULL;
    t->type = migrate_value(m, type);
    if (t->type == NULL) {
        migrate_note(m, WEIGHT_LOST, "transform %.100s has no type", t->name);
        return;
    }
    if (strcmp(t->type, TRANSFORM_ROUTER) == 0 || strcmp(t->type, TRANSFORM_DECODE) == 0) {
        take_predicate(m, t);
        migrate_say(m, type, WEIGHT_TAKEN, "routes[].as: outbox");
        return;
    }
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        size_t length = strlen(OTHERS[i].type); /* Connect's own have $Key or $Value behind them */
        if (strncmp(t->type, OTHERS[i].type, length) == 0 && strchr("$", t->type[length]) != NULL)
            instead = OTHERS[i].instead;
    }
    pass_over(m, t, instead);
}

void migrate_transforms(struct migrate *m)
{
    assert(m->transform_count == 0);
    const char *at = migrate_value(m, "transforms");
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ",");
        struct span name = {at, length};
        while (name.len > 0 && name.ptr[0] == ' ')
            name = (struct span){name.ptr + 1, name.len - 1};
        while (name.len > 0 && name.ptr[name.len - 1] == ' ')
            name.len--;
        if (m->transform_count == TRANSFORMS_MAX) {
            migrate_note(m, WEIGHT_LOST, "transforms: only the first %d are looked at",
                         TRANSFORMS_MAX);
            break;
        }
        if (name.len > 0)
            take(m, name);
        at += length + (at[length] == ',');
    }
    migrate_say(m, "transforms", WEIGHT_TAKEN, "each of them as said");
    const struct transform *router = migrate_transform(m, TRANSFORM_ROUTER);
    if (router == NULL && migrate_transform(m, TRANSFORM_DECODE) != NULL)
        migrate_note(m, WEIGHT_LOST, "messages are decoded for an EventRouter, but there is none");
    m->only_outbox = router != NULL && router->predicate == NULL;
}

/* ---- The EventRouter's options ---- */

/* Columns, each with a name by default. */
static const struct {
    const char *option, *name, *otherwise;
} COLUMNS[] = {
    {"table.field.event.id", "id", "id"},
    {"route.by.field", "aggregate_type", "aggregatetype"},
    {"table.field.event.key", "aggregate_id", "aggregateid"},
    {"table.field.event.type", "type", "type"},
    {"table.field.event.payload", "payload", "payload"},
    {"table.field.event.timestamp", "timestamp", NULL},
};

static void add_columns(struct migrate *m, const struct transform *router, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; i < sizeof COLUMNS / sizeof COLUMNS[0]; i++) {
        const char *key = option(m, router, COLUMNS[i].option), *value = migrate_value(m, key);
        bool same = value == NULL ||
                    (COLUMNS[i].otherwise != NULL && strcmp(value, COLUMNS[i].otherwise) == 0);
        migrate_say(m, key, same ? WEIGHT_SAME : WEIGHT_TAKEN,
                    same ? "the same by default%s" : "routes[].columns.%s",
                    same ? "" : COLUMNS[i].name);
        if (same)
            continue;
        if (first)
            buf_add_text(out, "    columns:\n");
        first = false;
        migrate_add(out, 6, COLUMNS[i].name, value);
    }
}

static const char *column(struct migrate *m, const struct transform *router, const char *name,
                          const char *otherwise)
{
    const char *value = migrate_value(m, option(m, router, name));
    return value != NULL ? value : otherwise;
}

/* A column in a template: SQL's quotes where the name has characters of the template's own. */
static const char *in_template(struct migrate *m, const char *name)
{
    struct buf out = BUF_EMPTY;
    bool plain = name[strcspn(name, "\"{}:|@")] == '\0';
    buf_add_text(&out, plain ? "{" : "{\"");
    for (const char *c = name; *c != '\0'; c++) {
        if (!plain && *c == '"')
            buf_add_char(&out, '"');
        buf_add_char(&out, *c);
    }
    buf_add_text(&out, plain ? "}" : "\"}");
    const char *text = arena_text(&m->arena, buf_span(&out));
    buf_fini(&out);
    return text;
}

/* outbox.event.${routedByValue} is a template; anything else is the router's own expression. */
static bool add_template(struct migrate *m, const struct transform *router, const char *replacement,
                         struct buf *out)
{
    static const char GROUP[] = "${routedByValue}";
    const char *group = strstr(replacement, GROUP);
    if (group == NULL || strpbrk(group + strlen(GROUP), "${}\\") != NULL ||
        strcspn(replacement, "${}\\") != (size_t)(group - replacement))
        return false;
    const char *by = in_template(m, column(m, router, "route.by.field", "aggregatetype"));
    migrate_add(out, 4, "topic",
                arena_format(&m->arena, "%.*s%s%s", (int)(group - replacement), replacement, by,
                             group + strlen(GROUP)));
    return true;
}

static void add_topic(struct migrate *m, const struct transform *router, struct buf *own,
                      struct buf *out)
{
    const char *regex_key = option(m, router, "route.topic.regex");
    const char *replacement_key = option(m, router, "route.topic.replacement");
    const char *regex = migrate_value(m, regex_key),
               *replacement = migrate_value(m, replacement_key);
    bool all = regex == NULL || strcmp(regex, "(?<routedByValue>.*)") == 0;
    if (replacement == NULL)
        replacement = "outbox.event.${routedByValue}";
    if (all && add_template(m, router, replacement, out)) {
        migrate_say(m, regex_key, WEIGHT_SAME, "the same by default");
        migrate_say(m, replacement_key, WEIGHT_TAKEN, "routes[].topic");
        return;
    }
    migrate_add(own, 6, "route_topic_regex", regex != NULL ? regex : "(?<routedByValue>.*)");
    migrate_add(own, 6, "route_topic_replacement", replacement);
    migrate_say(m, regex_key, WEIGHT_TAKEN,
                "routes[].event_router.route_topic_regex, read by PCRE2 instead of Java");
    migrate_say(m, replacement_key, WEIGHT_TAKEN, "routes[].event_router.route_topic_replacement");
}

static const struct {
    const char *option, *name, *otherwise;
} OWN[] = {
    {"route.tombstone.on.empty.payload", "route_tombstone_on_empty_payload", "false"},
    {"table.fields.additional.placement", "table_fields_additional_placement", NULL},
    {"table.field.additional.missing", "table_field_additional_missing", "error"},
    {"table.op.invalid.behavior", "table_op_invalid_behavior", "warn"},
    {"tracing.span.context.field", "tracing_span_context_field", NULL},
};

static void add_own(struct migrate *m, const struct transform *router, struct buf *own)
{
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
        const char *key = option(m, router, OWN[i].option), *value = migrate_value(m, key);
        if (value == NULL)
            continue;
        if (OWN[i].otherwise != NULL && strcasecmp(value, OWN[i].otherwise) == 0) {
            migrate_say(m, key, WEIGHT_SAME, "the same by default");
            continue;
        }
        if (strcmp(value, "true") == 0)
            buf_add_format(own, "      %s: true\n", OWN[i].name);
        else
            migrate_add(own, 6, OWN[i].name, value);
        migrate_say(m, key, WEIGHT_TAKEN, "routes[].event_router.%s", OWN[i].name);
    }
}

/* What stands beside the payload makes the value an object. */
static bool has_envelope(struct migrate *m, const struct transform *router)
{
    const char *placed = migrate_value(m, option(m, router, "table.fields.additional.placement"));
    return placed != NULL && strstr(placed, ":envelope") != NULL;
}

static void add_value(struct migrate *m, const struct transform *router, struct buf *own,
                      struct buf *out)
{
    const char *expand = option(m, router, "table.expand.json.payload");
    bool expands = migrate_is(m, expand, "true", "false");
    bool json = m->value_converter == CONVERTER_JSON;
    if (json) {
        buf_add_format(out, "    format: %s\n", expands ? "json" : "json_string");
        if (expands)
            buf_add_text(own, "      table_expand_json_payload: true\n");
        migrate_note(
            m, WEIGHT_LOOK,
            "routes[].format: JsonConverter writes a payload %s; a payload that is NULL is "
            "null there and no value here",
            expands ? "as JSON, without nulls and empty arrays, which walferry leaves in"
                    : "of type json or jsonb as a string of JSON (json_string); of a text "
                      "column say json");
    } else if (expands || has_envelope(m, router)) {
        migrate_note(m, WEIGHT_LOST,
                     "the EventRouter makes %s of the payload, and the value converter no JSON of "
                     "that: say routes[].format",
                     expands ? "a structure" : "an envelope");
    }
    migrate_say(m, expand, expands ? WEIGHT_TAKEN : WEIGHT_SAME, "%s",
                expands ? "routes[].format: json" : "the same by default");
}

static void add_key(struct migrate *m, const struct transform *router, struct buf *out)
{
    const char *id = in_template(m, column(m, router, "table.field.event.key", "aggregateid"));
    if (m->key_converter != CONVERTER_JSON)
        return;
    migrate_add(out, 4, "key", arena_format(&m->arena, "\"%s\"", id));
    migrate_note(
        m, WEIGHT_LOOK,
        "routes[].key: JsonConverter puts a text key into quotes, so the same key goes to the "
        "same partition as before; without quotes where the column is a number");
}

void migrate_router(struct migrate *m, const struct transform *router, struct buf *out)
{
    struct buf own = BUF_EMPTY;
    add_columns(m, router, out);
    add_topic(m, router, &own, out);
    add_key(m, router, out);
    add_value(m, router, &own, out);
    add_own(m, router, &own);
    if (own.len > 0) {
        buf_add_text(out, "    event_router:\n");
        buf_add(out, buf_span(&own));
    }
    buf_fini(&own);
    migrate_say(m, option(m, router, "table.json.payload.null.behavior"), WEIGHT_MOOT,
                "JSON goes out as it stands");
    migrate_say(m, option(m, router, "table.json.payload.empty.array.behavior"), WEIGHT_MOOT,
                "JSON goes out as it stands");
    migrate_say(m, option(m, router, "tracing.operation.name"), WEIGHT_MOOT,
                "the row's context goes on as it stands; no span is made");
    migrate_say(m, option(m, router, "tracing.with.context.field.only"), WEIGHT_MOOT,
                "the row's context goes on as it stands; no span is made");
    migrate_say(m, option(m, router, "table.field.event.schema.version"), WEIGHT_LOST,
                "records have no schemas");
}
