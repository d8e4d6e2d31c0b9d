/* config_check: defaults that name other keys, and keys that depend on each other. Templates,
 * connection strings and librdkafka's properties are carried and not understood here: the modules
 * that use them check them, with the line. */
#include "config/config_check.h"

#include "config/config_event_check.h"
#include "config/config_poll_check.h"
#include "config/config_same.h"

#include "model/header_name.h"
#include "model/topic_name.h"

#include <assert.h>
#include <stdlib.h>

/* Is it one that goes into the target's innermost struct? */
static bool is_ours(const struct config_key *key, const struct config_target *target)
{
    return (key->scope == SCOPE_config_route) == (target->route != NULL);
}

void config_defaults(const struct config_reader *reader, const struct config_target *target)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const char *text = keys[i].fallback;
        if (text != NULL && strchr(text, '<') == NULL && is_ours(&keys[i], target))
            config_value_default(reader, &keys[i], text, config_target_base(target, &keys[i]));
    }
}

/* A column as a template names it: in quotes where it would be read as something else. */
static const char *name_in_template(struct arena *arena, const char *column)
{
    if (column[0] != '@' && strpbrk(column, ":{}\"") == NULL)
        return column;
    char *quoted = arena_alloc_bytes(arena, 2 * strlen(column) + 3), *at = quoted;
    *at++ = '"';
    for (; *column != '\0'; column++) {
        if (*column == '"')
            *at++ = '"';
        *at++ = *column;
    }
    *at++ = '"';
    *at = '\0';
    return quoted;
}

/* The value of the name between < and >. */
static const char *derived_name(struct span name, const struct config_target *target,
                                struct arena *arena)
{
    if (span_equal_text(name, "relay"))
        return target->relay->name.text;
    assert(target->route != NULL);
    if (span_equal_text(name, "topic_prefix"))
        return target->route->debezium.topic_prefix.text;
    if (span_equal_text(name, "aggregate_type"))
        return name_in_template(arena, target->route->columns.aggregate_type.text);
    assert(span_equal_text(name, "aggregate_id"));
    return name_in_template(arena, target->route->columns.aggregate_id.text);
}

/* The topic of a route depends on what it is; NULL: it has to be given. */
static const char *fallback_of(const struct config_key *key, const struct config_route *route)
{
    if (route != NULL && route->as == ROUTE_EVENT &&
        (strcmp(key->path, "routes[].topic") == 0 || strcmp(key->path, "routes[].key") == 0))
        return NULL;
    if (route == NULL || route->as != ROUTE_CHANGE || strcmp(key->path, "routes[].topic") != 0)
        return key->fallback;
    bool of_message =
        strncmp(route->from.text, CONFIG_FROM_MESSAGE, sizeof CONFIG_FROM_MESSAGE - 1) == 0;
    return of_message ? "<topic_prefix>.message" : "<topic_prefix>.{@schema}.{@table}";
}

static void derive(const struct config_reader *reader, const struct config_key *key,
                   const struct config_target *target)
{
    void *base = config_target_base(target, key);
    const struct config_text *text = (const void *)((char *)base + key->offset);
    if (text->text != NULL)
        return;
    const char *fallback = fallback_of(key, target->route);
    if (fallback == NULL)
        return;
    const char *open = strchr(fallback, '<'), *close = strchr(fallback, '>');
    assert(open != NULL && close != NULL && open < close);
    struct span name = {open + 1, (size_t)(close - open) - 1};
    char *made = arena_format(reader->arena, "%.*s%s%s", (int)(open - fallback), fallback,
                              derived_name(name, target, reader->arena), close + 1);
    config_value_default(reader, key, made, base);
}

void config_derive(const struct config_reader *reader, const struct config_target *target)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    /* Backwards: what others are derived from stands behind them. */
    for (size_t i = count; i-- > 0;)
        if (keys[i].kind == KEY_KIND_TEXT && keys[i].fallback != NULL && is_ours(&keys[i], target))
            derive(reader, &keys[i], target);
}

/* Where section.name stands; 1 where it does not, and the default is what disagrees. */
static uint32_t line_of(const struct node *root, const char *section, const char *name)
{
    for (const struct node_child *child = root->first; child != NULL; child = child->next) {
        if (!span_equal_text(child->key->text, section))
            continue;
        for (const struct node_child *c = child->value->first; c != NULL; c = c->next)
            if (span_equal_text(c->key->text, name))
                return c->value->line;
        return child->key->line;
    }
    return 1;
}

static int check_times(const struct config_reader *reader, const struct config_relay *relay,
                       const struct node *root, struct error *err)
{
    const struct config_retry *retry = &relay->retry;
    const struct config_delivery *delivery = &relay->delivery;
    if (retry->min_ms > retry->max_ms)
        return config_fail(err, reader, line_of(root, "retry", "min_ms"), "retry.min_ms",
                           REASON_CONFIG_VALUE, "%lld is more than retry.max_ms, %lld",
                           (long long)retry->min_ms, (long long)retry->max_ms);
    if (delivery->commit_interval_ms > delivery->transaction_timeout_ms / 4)
        return config_fail(err, reader, line_of(root, "delivery", "commit_interval_ms"),
                           "delivery.commit_interval_ms", REASON_CONFIG_VALUE,
                           "%lld is more than a quarter of delivery.transaction_timeout_ms, %lld",
                           (long long)delivery->commit_interval_ms,
                           (long long)delivery->transaction_timeout_ms);
    const struct config_poll *poll = &relay->source.poll;
    if (poll->interval_ms > poll->idle_interval_ms)
        return config_fail(err, reader, line_of(root, "source", "poll"), "source.poll.interval_ms",
                           REASON_CONFIG_VALUE,
                           "%lld is more than source.poll.idle_interval_ms, %lld",
                           (long long)poll->interval_ms, (long long)poll->idle_interval_ms);
    if (relay->source.mode == SOURCE_POLL && relay->dead_letter.quarantine != QUARANTINE_NONE) {
        config_fail(
            err, reader, line_of(root, "dead_letter", "quarantine"), "dead_letter.quarantine",
            REASON_CONFIG_VALUE,
            "under source.mode: poll a held key could never be let go of: no command reaches "
            "such a relay");
        return error_hint(err, "leave it out");
    }
    return 0;
}

static int check_own_topic(const struct config_reader *reader, const struct config_text *topic,
                           const char *path, const char *end, struct error *err)
{
    struct error why = ERROR_INIT;
    if (topic_name_check_own(span_of(topic->text), end, &why) == 0)
        return 0;
    config_fail(err, reader, topic->line, path, why.reason, "%s",
                topic->secret ? "the name is for another use" : why.text);
    return error_hint(err, "give it another name, or leave it out");
}

/* A number in a transaction is that of row changes, of which polling has none. */
static int check_metadata(const struct config_reader *reader, const struct config_relay *relay,
                          struct error *err)
{
    const struct config_text *topic = &relay->delivery.transaction_topic;
    struct error why = ERROR_INIT;
    bool changes = false;
    for (uint32_t i = 0; i < relay->routes.count; i++)
        changes |= relay->routes.items[i].as == ROUTE_CHANGE;
    if (!relay->delivery.transaction_metadata)
        return 0;
    if (!changes) {
        config_fail(err, reader, relay->name.line, "delivery.transaction_metadata",
                    REASON_CONFIG_VALUE, "it is for routes as: change, and there is none");
        return error_hint(err, "leave it out");
    }
    const struct config_text *letters = &relay->dead_letter.topic;
    if (topic_name_check_event(span_of(topic->text), relay->delivery.progress_topic.text, &why) ==
            0 &&
        strcmp(topic->text, letters->text) != 0)
        return 0;
    config_fail(err, reader, topic->line, "delivery.transaction_topic", REASON_RESERVED_TOPIC, "%s",
                topic->secret            ? "the name is for another use"
                : why.kind == ERROR_NONE ? "it is the dead-letter topic"
                                         : why.text);
    return error_hint(err, "give it another name, or leave it out");
}

/* One topic for two uses would lose the one by what is done for the other. */
static int check_topics(const struct config_reader *reader, const struct config_relay *relay,
                        struct error *err)
{
    const struct config_text *progress = &relay->delivery.progress_topic;
    const struct config_text *letters = &relay->dead_letter.topic;
    if (check_own_topic(reader, progress, "delivery.progress_topic", ".progress", err) < 0 ||
        check_own_topic(reader, letters, "dead_letter.topic", ".dead-letter", err) < 0)
        return -1;
    if (strcmp(progress->text, letters->text) != 0)
        return 0;
    config_fail(err, reader, letters->line, "dead_letter.topic", REASON_RESERVED_TOPIC,
                "topic %s is the progress topic", letters->secret ? "…" : letters->text);
    return error_hint(err, "give it another name, or leave it out");
}

static int check_admin(const struct config_reader *reader, const struct config_admin *admin,
                       struct error *err)
{
    const char *colon = strrchr(admin->listen.text, ':');
    if (colon != NULL && strtol(colon + 1, NULL, 10) > 65535)
        return config_fail(err, reader, admin->listen.line, "admin.listen", REASON_CONFIG_VALUE,
                           "there is no port above 65535");
    bool certified = admin->tls_cert.text != NULL;
    if (certified == (admin->tls_key.text != NULL))
        return 0;
    config_fail(err, reader, certified ? admin->tls_cert.line : admin->tls_key.line,
                certified ? "admin.tls_cert" : "admin.tls_key", REASON_CONFIG_VALUE,
                "a certificate and its key stand together, and one of them is missing");
    return error_hint(err, "add admin.tls_%s, or leave both out", certified ? "key" : "cert");
}

static int check_notify(const struct config_reader *reader, const struct config *config,
                        const struct node *root, struct error *err)
{
    const struct config_notify *notify = &config->notify;
    const struct config_relay *relay = config_only_relay(config);
    int64_t idle_ms = relay->delivery.idle_progress_interval_ms;
    if (notify->url.text == NULL)
        return 0;
    if (notify->secret.text == NULL) {
        config_fail(err, reader, notify->url.line, "notify.secret", REASON_CONFIG_MISSING,
                    "notify.url needs it");
        return error_hint(err, "make one (openssl rand -hex 32), give it to the receiver, and name "
                               "it here, as in secret: \"${file:/etc/walferry/webhook.key}\"");
    }
    if (notify->lag_limit_ms == 0 || relay->source.mode != SOURCE_WAL ||
        notify->lag_limit_ms >= 2 * idle_ms)
        return 0;
    config_fail(err, reader, line_of(root, "notify", "lag_limit_ms"), "notify.lag_limit_ms",
                REASON_CONFIG_VALUE,
                "%lld is less than twice delivery.idle_progress.interval_ms, %lld: an idle relay "
                "would be late",
                (long long)notify->lag_limit_ms, (long long)idle_ms);
    return error_hint(err, "raise it, or lower delivery.idle_progress.interval_ms");
}

static bool holds_control(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

/* Of a request (RFC 9110, section 5.5): a newline in one of them would begin another. */
static int check_otlp(const struct config_reader *reader, const struct config_otlp *otlp,
                      struct error *err)
{
    for (uint32_t i = 0; i < otlp->headers.count; i++) {
        const struct config_pair *header = &otlp->headers.items[i];
        const char *name = header->name.text;
        if (name[0] == '\0' || strpbrk(name, ": \t") != NULL || holds_control(name) ||
            holds_control(header->value.text))
            return config_fail(err, reader, header->name.line, "otlp.headers", REASON_CONFIG_VALUE,
                               "name or value holds what no HTTP header may, such as a newline");
    }
    return 0;
}

static int check_headers(const struct config_reader *reader, const struct config_route *route,
                         struct error *err)
{
    for (uint32_t i = 0; i < route->headers.count; i++) {
        const struct config_text *name = &route->headers.items[i].name;
        if (name->text[0] == '\0')
            return config_fail(err, reader, name->line, "routes[].headers", REASON_CONFIG_VALUE,
                               "a header without a name");
        if (header_name_is_ours(span_of(name->text))) {
            config_fail(err, reader, name->line, "routes[].headers", REASON_CONFIG_VALUE,
                        "%.100s: names that begin with " HEADER_PREFIX " are walferry's own",
                        name->text);
            return error_hint(err, "give the header another name");
        }
    }
    return 0;
}

/* What an outbox has and a whole row has not. */
static int check_of_outbox(const struct config_reader *reader, const struct config_route *route,
                           struct error *err)
{
    const struct config_columns *c = &route->columns;
    const struct {
        const struct config_text *text;
        const char *path;
    } keys[] = {
        {&route->key, "routes[].key"},
        {&c->id, "routes[].columns.id"},
        {&c->aggregate_type, "routes[].columns.aggregate_type"},
        {&c->aggregate_id, "routes[].columns.aggregate_id"},
        {&c->type, "routes[].columns.type"},
        {&c->payload, "routes[].columns.payload"},
        {&c->headers, "routes[].columns.headers"},
        {&c->headers_member, "routes[].columns.headers_member"},
        {&c->header_keys, "routes[].columns.header_keys"},
        {&c->header_values, "routes[].columns.header_values"},
        {&c->timestamp, "routes[].columns.timestamp"},
        {&c->partition, "routes[].columns.partition"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].text->text == NULL || keys[i].text->line == 0)
            continue;
        config_fail(err, reader, keys[i].text->line, keys[i].path, REASON_CONFIG_VALUE,
                    "as: change takes whole rows: it has no such key");
        return error_hint(err, "delete the line");
    }
    if (route->headers.count == 0)
        return 0;
    config_fail(err, reader, route->headers.items[0].name.line, "routes[].headers",
                REASON_CONFIG_VALUE, "as: change sets its headers itself");
    return error_hint(err, "delete the headers");
}

/* Two columns that say nothing without each other, and a member of what is not named. */
static int check_header_columns(const struct config_reader *reader,
                                const struct config_route *route, struct error *err)
{
    const struct config_columns *c = &route->columns;
    const struct config_text *keys = &c->header_keys, *values = &c->header_values;
    const struct config_text *member = &c->headers_member;
    if (member->text != NULL && c->headers.text == NULL)
        return config_fail(err, reader, member->line, "routes[].columns.headers_member",
                           REASON_CONFIG_VALUE,
                           "it is a member of columns.headers, which is missing");
    if ((keys->text == NULL) == (values->text == NULL))
        return 0;
    bool lone_keys = keys->text != NULL;
    return config_fail(err, reader, lone_keys ? keys->line : values->line,
                       lone_keys ? "routes[].columns.header_keys"
                                 : "routes[].columns.header_values",
                       REASON_CONFIG_VALUE, "header_keys and header_values go together");
}

/* The keys that say whose envelope it is, which an event may have, too. */
static bool says_who(const char *path)
{
    return strcmp(path, "routes[].debezium_compatible") == 0 ||
           strcmp(path, "routes[].debezium.topic_prefix") == 0;
}

/* The first key whose path begins so and that has another value than where nothing is said,
 * but_who: but for those of says_who; NULL: none. */
static const char *said_key(const struct config_reader *reader, const struct config_relay *relay,
                            const struct config_route *route, const char *prefix, bool but_who)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    struct config_route bare = {.from = route->from, .as = route->as};
    const struct config_target target = {.relay = (struct config_relay *)relay, .route = &bare};
    config_defaults(reader, &target);
    config_derive(reader, &target);
    for (size_t i = 0; i < count; i++)
        if (strncmp(keys[i].path, prefix, strlen(prefix)) == 0 && keys[i].kind >= KEY_KIND_TEXT &&
            !(but_who && says_who(keys[i].path)) && !config_same_value(&keys[i], route, &bare))
            return keys[i].path;
    for (size_t i = 0; i < count; i++)
        if (strncmp(keys[i].path, prefix, strlen(prefix)) == 0 && keys[i].kind == KEY_KIND_PAIRS &&
            ((const struct config_pairs *)(const void *)((const char *)route + keys[i].offset))
                    ->count > 0)
            return keys[i].path;
    return NULL;
}

static int check_list(const struct config_reader *reader, const struct config_text *list,
                      const char *path, struct error *err)
{
    char why[COLUMN_WHY_MAX];
    if (list->text == NULL || config_columns_check(list->text, why))
        return 0;
    return config_fail(err, reader, list->line, path, REASON_CONFIG_VALUE, "%s", why);
}

static int check_lists(const struct config_reader *reader, const struct config_pairs *pairs,
                       const char *path, struct error *err)
{
    for (uint32_t i = 0; i < pairs->count; i++)
        if (check_list(reader, &pairs->items[i].value, path, err) < 0)
            return -1;
    return 0;
}

static int check_treatments(const struct config_reader *reader, const struct config_debezium *d,
                            struct error *err)
{
    const struct config_text *key = &d->message_key_columns;
    char why[COLUMN_WHY_MAX];
    if (key->text != NULL && !config_key_columns_check(key->text, why))
        return config_fail(err, reader, key->line, "routes[].debezium.message_key_columns",
                           REASON_CONFIG_VALUE, "%s", why);
    if (check_lists(reader, &d->column_truncate,
                    "routes[].debezium.column_truncate_to_length_chars", err) < 0 ||
        check_lists(reader, &d->column_mask, "routes[].debezium.column_mask_with_length_chars",
                    err) < 0 ||
        check_lists(reader, &d->column_hash, "routes[].debezium.column_mask_hash", err) < 0)
        return -1;
    return check_lists(reader, &d->column_hash_v2, "routes[].debezium.column_mask_hash_v2", err);
}

static int check_columns(const struct config_reader *reader, const struct config_route *route,
                         struct error *err)
{
    if (check_treatments(reader, &route->debezium, err) < 0)
        return -1;
    const struct config_text *excluded = &route->debezium.column_exclude_list;
    const struct config_text *included = &route->debezium.column_include_list;
    if (check_list(reader, excluded, "routes[].debezium.column_exclude_list", err) < 0 ||
        check_list(reader, included, "routes[].debezium.column_include_list", err) < 0)
        return -1;
    if (excluded->text == NULL || included->text == NULL)
        return 0;
    config_fail(err, reader, included->line, "routes[].debezium.column_include_list",
                REASON_CONFIG_VALUE, "it does not stand beside column_exclude_list");
    return error_hint(err, "delete one of them");
}

/* How long, that is for who keeps them to say. */
static int check_keep(const struct config_reader *reader, const struct config_route *route,
                      struct error *err)
{
    const struct config_oversize *oversize = &route->oversize;
    bool claims = oversize->policy == OVERSIZE_CLAIM_CHECK;
    if (claims == (oversize->keep.text != NULL))
        return 0;
    if (claims) {
        config_fail(err, reader, route->name.line, "routes[].oversize.keep", REASON_CONFIG_MISSING,
                    "policy: claim_check needs it");
        return error_hint(err, "say how long values stay in the table, as in keep: 30d");
    }
    config_fail(err, reader, oversize->keep.line, "routes[].oversize.keep", REASON_CONFIG_VALUE,
                "it is for policy: claim_check");
    return error_hint(err, "delete it, or say policy: claim_check");
}

/* A field is what truncating wants, and nothing else. */
static int check_oversize(const struct config_reader *reader, const struct config_route *route,
                          struct error *err)
{
    const struct config_oversize *oversize = &route->oversize;
    bool truncates = oversize->policy == OVERSIZE_TRUNCATE;
    if (check_keep(reader, route, err) < 0)
        return -1;
    if (truncates == (oversize->field.text != NULL))
        return 0;
    if (truncates) {
        config_fail(err, reader, route->name.line, "routes[].oversize.field", REASON_CONFIG_MISSING,
                    "policy: truncate needs it");
        return error_hint(err, "name the text that may be cut, as in field: payload.note");
    }
    config_fail(err, reader, oversize->field.line, "routes[].oversize.field", REASON_CONFIG_VALUE,
                "it is for policy: truncate");
    return error_hint(err, "delete it, or say policy: truncate");
}

/* What goes together. The lines of words are not kept, so the name's is given. */
static int check_kind(const struct config_reader *reader, const struct config_relay *relay,
                      const struct config_route *route, struct error *err)
{
    uint32_t line = route->name.line;
    if (check_oversize(reader, route, err) < 0)
        return -1;
    bool change = route->as == ROUTE_CHANGE, enveloped = route->format == FORMAT_DEBEZIUM;
    if (change != enveloped && (change || route->as != ROUTE_EVENT)) {
        config_fail(err, reader, line, "routes[].format", REASON_CONFIG_VALUE,
                    change ? "as: change wants format: debezium"
                           : "format: debezium is for as: change and as: event");
        return error_hint(err, "delete the line with the format");
    }
    const char *of_change =
        change ? NULL : said_key(reader, relay, route, "routes[].debezium", enveloped);
    if (of_change != NULL) {
        config_fail(err, reader, line, of_change, REASON_CONFIG_VALUE, "it is for as: change");
        return error_hint(err, "delete it, or say as: change");
    }
    const char *of_router = route->as == ROUTE_OUTBOX
                                ? NULL
                                : said_key(reader, relay, route, "routes[].event_router", false);
    if (of_router != NULL) {
        config_fail(err, reader, line, of_router, REASON_CONFIG_VALUE, "it is for as: outbox");
        return error_hint(err, "delete it");
    }
    if (change && route->value_encoding == VALUE_BYTES) {
        config_fail(err, reader, line, "routes[].value_encoding", REASON_CONFIG_VALUE,
                    "as: change is JSON, which is UTF-8");
        return error_hint(err, "delete the line with the encoding");
    }
    if (change)
        return check_columns(reader, route, err) < 0 ? -1 : check_of_outbox(reader, route, err);
    if (check_header_columns(reader, route, err) < 0)
        return -1;
    struct config_route bare = {.from = route->from, .as = route->as};
    const struct config_target target = {.relay = (struct config_relay *)relay, .route = &bare};
    config_defaults(reader, &target);
    return config_check_event(reader, route, &bare, err);
}

static int check_route(const struct config_reader *reader, const struct config_relay *relay,
                       struct error *err)
{
    const struct config_routes *routes = &relay->routes;
    const struct config_route *route = &routes->items[reader->item];
    for (uint32_t i = 0; i < reader->item; i++) {
        const struct config_text *other = &routes->items[i].name;
        if (strcmp(other->text, route->name.text) != 0)
            continue;
        config_fail(err, reader, route->name.line, "routes[].name", REASON_CONFIG_DUPLICATE_ROUTE,
                    "two routes are named \"%s\", the first on line %u",
                    route->name.secret ? "…" : route->name.text, other->line);
        return error_hint(err, "give one of them another name");
    }
    if (check_kind(reader, relay, route, err) < 0 || check_headers(reader, route, err) < 0)
        return -1;
    const struct config_poll *poll = &relay->source.poll;
    bool polls = relay->source.mode == SOURCE_POLL;
    bool claims = polls && poll->strategy == POLL_CLAIM;
    const char *of_claim = claims ? NULL : said_key(reader, relay, route, "routes[].poll", false);
    if (of_claim != NULL) {
        config_fail(err, reader, route->name.line, of_claim, REASON_CONFIG_VALUE,
                    "it is for source.mode: poll with source.poll.strategy: claim");
        return error_hint(err, "delete it, or say so");
    }
    if (polls && config_check_polled(reader, route, err) < 0)
        return -1;
    return claims ? config_check_claimed(reader, route, poll->start, err) : 0;
}

int config_check(struct config_reader *reader, const struct config *config, const struct node *root,
                 struct error *err)
{
    const struct config_relay *relay = config_only_relay(config);
    assert(relay->name.text != NULL && relay->source.slot.text != NULL);
    assert(relay->routes.count > 0);
    if (check_times(reader, relay, root, err) < 0 || check_topics(reader, relay, err) < 0 ||
        check_metadata(reader, relay, err) < 0 || check_admin(reader, &config->admin, err) < 0 ||
        check_notify(reader, config, root, err) < 0 || check_otlp(reader, &config->otlp, err) < 0)
        return -1;
    for (reader->item = 0; reader->item < relay->routes.count; reader->item++)
        if (check_route(reader, relay, err) < 0)
            return -1;
    return config_check_retention(reader, relay, err);
}
