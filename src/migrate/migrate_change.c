/* migrate_change: the section debezium of routes as: change, which has the connector's own options
 * under its own names, and what the converters do to all that. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* key of the connector; what it is by default there; words that walferry takes, NULL: any text. */
static const struct {
    const char *key, *name, *otherwise, *words;
} OPTIONS[] = {
    {"decimal.handling.mode", "decimal_handling_mode", "precise", "precise|double|string"},
    {"money.fraction.digits", "money_fraction_digits", "2", NULL},
    {"time.precision.mode", "time_precision_mode", "adaptive",
     "adaptive|adaptive_time_microseconds|connect|isostring|microseconds|nanoseconds"},
    {"interval.handling.mode", "interval_handling_mode", "numeric", "numeric|string"},
    {"binary.handling.mode", "binary_handling_mode", "bytes", "bytes|base64|base64-url-safe|hex"},
    {"hstore.handling.mode", "hstore_handling_mode", "json", "json|map"},
    {"tombstones.on.delete", "tombstones_on_delete", "true", "true|false"},
    {"skipped.operations", "skipped_operations", "t", NULL},
    {"unavailable.value.placeholder", "unavailable_value_placeholder",
     "__debezium_unavailable_value", NULL},
    {"column.exclude.list", "column_exclude_list", NULL, NULL},
    {"column.include.list", "column_include_list", NULL, NULL},
    {"message.key.columns", "message_key_columns", NULL, NULL},
};

static bool is_word(const char *words, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = words;; at = strchr(at, '|') + 1) {
        size_t word = strcspn(at, "|");
        if (word == length && strncasecmp(at, value, length) == 0)
            return true;
        if (strchr(at, '|') == NULL)
            return false;
    }
}

static bool is_bare(const char *value)
{
    return value[strspn(value, "0123456789")] == '\0' || strcmp(value, "true") == 0 ||
           strcmp(value, "false") == 0;
}

static void add_option(struct migrate *m, size_t i, const char *value)
{
    char lower[64];
    size_t length = strlen(value);
    if (OPTIONS[i].words != NULL && length < sizeof lower) {
        for (size_t k = 0; k <= length; k++)
            lower[k] = (char)(value[k] >= 'A' && value[k] <= 'Z' ? value[k] + 32 : value[k]);
        value = lower;
    }
    if (is_bare(value))
        buf_add_format(&m->envelope, "      %s: %s\n", OPTIONS[i].name, value);
    else
        migrate_add(&m->envelope, 6, OPTIONS[i].name, value);
}

static const char *const NO_ROW = "an event of an outbox is not the row";

static void pass_options(struct migrate *m)
{
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        const char *key = OPTIONS[i].key, *value = migrate_value(m, key);
        if (value == NULL || OPTIONS[i].otherwise == NULL)
            migrate_say(m, key, WEIGHT_LOOK, "%s: nothing but what the route names leaves", NO_ROW);
        else
            migrate_say(m, key,
                        strcasecmp(value, OPTIONS[i].otherwise) == 0 ? WEIGHT_SAME : WEIGHT_LOOK,
                        "%s; columns that are placed are PostgreSQL's text", NO_ROW);
    }
}

static void take_options(struct migrate *m)
{
    if (m->only_outbox) {
        pass_options(m);
        return;
    }
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        const char *key = OPTIONS[i].key, *value = migrate_value(m, key);
        if (value == NULL)
            continue;
        if (OPTIONS[i].otherwise != NULL && strcasecmp(value, OPTIONS[i].otherwise) == 0) {
            migrate_say(m, key, WEIGHT_SAME, "the same by default");
        } else if (OPTIONS[i].words != NULL && !is_word(OPTIONS[i].words, value)) {
            migrate_say(m, key, WEIGHT_LOST, "%.60s is not supported, but %s", value,
                        OPTIONS[i].words);
        } else {
            add_option(m, i, value);
            migrate_say(m, key, WEIGHT_TAKEN, "routes[].debezium.%s", OPTIONS[i].name);
        }
    }
}

/* ---- Columns that are cut, hidden or hashed ---- */

static const struct {
    const char *begin, *end, *name;
} MASKS[] = {
    {"column.truncate.to.", ".chars", "column_truncate_to_length_chars"},
    {"column.mask.with.", ".chars", "column_mask_with_length_chars"},
    {"column.mask.hash.v2.", "", "column_mask_hash_v2"},
    {"column.mask.hash.", "", "column_mask_hash"},
};
#define MASK_COUNT (sizeof MASKS / sizeof MASKS[0])

/* What stands between; absent: it is no such key. */
static struct span between(const char *key, size_t mask)
{
    size_t begin = strlen(MASKS[mask].begin), end = strlen(MASKS[mask].end), length = strlen(key);
    if (length <= begin + end || strncmp(key, MASKS[mask].begin, begin) != 0 ||
        strcmp(key + length - end, MASKS[mask].end) != 0)
        return span_null();
    return (struct span){key + begin, length - begin - end};
}

static void take_masks(struct migrate *m)
{
    for (size_t mask = 0; mask < MASK_COUNT; mask++) {
        bool first = true;
        for (uint32_t i = 0; i < m->count; i++) {
            struct property *p = &m->items[i];
            struct span what = between(p->key, mask);
            if (what.ptr == NULL || p->weight != WEIGHT_NONE)
                continue;
            if (m->only_outbox) {
                migrate_say(m, p->key, WEIGHT_LOST, "the columns of an outbox are not altered");
                continue;
            }
            if (first)
                buf_add_format(&m->envelope, "      %s:\n", MASKS[mask].name);
            first = false;
            buf_add_text(&m->envelope, "        ");
            migrate_add_text(&m->envelope, arena_text(&m->arena, what));
            buf_add_text(&m->envelope, ": ");
            migrate_add_text(&m->envelope, p->value);
            buf_add_char(&m->envelope, '\n');
            migrate_say(m, p->key, mask >= 2 ? WEIGHT_LOOK : WEIGHT_TAKEN, "routes[].debezium.%s%s",
                        MASKS[mask].name,
                        mask >= 2 ? ", with the salt as it stands: ${file:PATH} or ${env:NAME} is "
                                    "better"
                                  : "");
        }
    }
}

/* ---- Converters ---- */

static const struct {
    const char *class;
    enum converter converter;
} CLASSES[] = {
    {"org.apache.kafka.connect.json.JsonConverter", CONVERTER_JSON},
    {"json", CONVERTER_JSON},
    {"org.apache.kafka.connect.storage.StringConverter", CONVERTER_STRING},
    {"simplestring", CONVERTER_STRING},
    {"org.apache.kafka.connect.converters.ByteArrayConverter", CONVERTER_BYTES},
    {"io.debezium.converters.BinaryDataConverter", CONVERTER_BYTES},
    {"io.debezium.converters.ByteBufferConverter", CONVERTER_BYTES},
    {"binary", CONVERTER_BYTES},
};

/* which: "key" or "value". */
static enum converter take_converter(struct migrate *m, const char *which)
{
    const char *key = arena_format(&m->arena, m->server ? "format.%s" : "%s.converter", which);
    const char *schemas = arena_format(&m->arena, "%s.schemas.enable", key);
    const char *class = migrate_value(m, key);
    if (class == NULL && m->server)
        class = "json";
    enum converter converter = class == NULL ? CONVERTER_UNKNOWN : CONVERTER_OTHER;
    for (size_t i = 0; class != NULL && i < sizeof CLASSES / sizeof CLASSES[0]; i++)
        if (strcmp(CLASSES[i].class, class) == 0)
            converter = CLASSES[i].converter;
    bool plain = migrate_is(m, schemas, "false", "true");
    if (converter == CONVERTER_JSON && !plain)
        converter = CONVERTER_JSON_SCHEMAS;
    if (converter == CONVERTER_UNKNOWN)
        migrate_note(m, WEIGHT_LOOK,
                     "%s is not given, so it is the worker's: what is made of it here is for "
                     "JsonConverter without schemas in changes and StringConverter in an outbox",
                     key);
    else if (converter == CONVERTER_JSON_SCHEMAS && migrate_find(m, schemas) == NULL)
        migrate_note(m, WEIGHT_LOST, "%s is true by default: records here have no schemas",
                     schemas);
    migrate_say(m, schemas, plain ? WEIGHT_SAME : WEIGHT_LOST, "%s",
                plain ? "the same by default" : "records have no schemas");
    migrate_say(m, key, converter == CONVERTER_OTHER ? WEIGHT_LOST : WEIGHT_TAKEN, "%s",
                converter == CONVERTER_OTHER ? "not JSON, text or bytes" : "routes[].format");
    return converter;
}

/* JsonConverter, "replace.null.with.default": true unless it is said. */
static void take_null(struct migrate *m)
{
    const char *key = "value.converter.replace.null.with.default";
    if (!migrate_is(m, key, "false", "true")) {
        migrate_say(m, key, WEIGHT_SAME, "the same by default");
        return;
    }
    migrate_say(m, key, m->only_outbox ? WEIGHT_MOOT : WEIGHT_TAKEN, "%s",
                m->only_outbox ? NO_ROW : "routes[].debezium.replace_null_with_default");
}

static void check_numbers(struct migrate *m)
{
    const char *key = "value.converter.decimal.format";
    bool same = migrate_is(m, key, "BASE64", "BASE64");
    migrate_say(m, key, same ? WEIGHT_SAME : WEIGHT_LOST, "%s",
                same ? "the same by default"
                     : "decimals are base64; decimal.handling.mode may be double or string");
}

/* Debezium Server writes headers as JSON, with a schema, unless it is told not to. */
static void check_headers(struct migrate *m)
{
    if (m->server && m->transform_count > 0 && !migrate_is(m, "format.header", "simple", "json"))
        migrate_note(
            m, WEIGHT_LOOK,
            "headers: Debezium Server writes them as JSON by default, walferry as plain text");
    migrate_say(m, "format.header", WEIGHT_LOOK, "headers are plain text");
    migrate_say(m, "format.header.schemas.enable", WEIGHT_MOOT, "headers are plain text");
}

void migrate_change_options(struct migrate *m)
{
    assert(m->envelope.len == 0 && m->prefix != NULL);
    m->key_converter = take_converter(m, "key");
    m->value_converter = take_converter(m, "value");
    migrate_add(&m->envelope, 6, "topic_prefix", m->prefix);
    take_options(m);
    take_masks(m);
    if (migrate_is(m, "extended.headers.enabled", "true", "true"))
        buf_add_text(&m->envelope, "      extended_headers_enabled: true\n");
    migrate_say(m, "extended.headers.enabled", m->only_outbox ? WEIGHT_MOOT : WEIGHT_TAKEN, "%s",
                m->only_outbox ? "events of an outbox have no headers __debezium.context"
                               : "routes[].debezium.extended_headers_enabled");
    if (migrate_is(m, "value.converter.replace.null.with.default", "true", "true"))
        buf_add_text(&m->envelope, "      replace_null_with_default: true\n");
    take_null(m);
    check_numbers(m);
    check_headers(m);
    m->skips_errors = migrate_is(m, "event.processing.failure.handling.mode", "warn", "fail") ||
                      migrate_is(m, "event.processing.failure.handling.mode", "skip", "fail") ||
                      migrate_is(m, "event.processing.failure.handling.mode", "ignore", "fail");
    migrate_say(m, "event.processing.failure.handling.mode",
                m->skips_errors ? WEIGHT_TAKEN : WEIGHT_SAME, "%s",
                m->skips_errors ? "routes[].on_error: skip" : "the same by default");
}
