/* config_check: defaults that name other keys, and keys that depend on each other. Templates,
 * connection strings and librdkafka's properties are carried and not understood here: the modules
 * that use them check them, with the line. */
#include "config/config_check.h"

#include "model/header_name.h"

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
    if (span_equal_text(name, "aggregate_type"))
        return name_in_template(arena, target->route->columns.aggregate_type.text);
    assert(span_equal_text(name, "aggregate_id"));
    return name_in_template(arena, target->route->columns.aggregate_id.text);
}

static void derive(const struct config_reader *reader, const struct config_key *key,
                   const struct config_target *target)
{
    void *base = config_target_base(target, key);
    const struct config_text *text = (const void *)((char *)base + key->offset);
    if (text->text != NULL)
        return;
    const char *open = strchr(key->fallback, '<'), *close = strchr(key->fallback, '>');
    assert(open != NULL && close != NULL && open < close);
    struct span name = {open + 1, (size_t)(close - open) - 1};
    char *made = arena_format(reader->arena, "%.*s%s%s", (int)(open - key->fallback), key->fallback,
                              derived_name(name, target, reader->arena), close + 1);
    config_value_default(reader, key, made, base);
}

void config_derive(const struct config_reader *reader, const struct config_target *target)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
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
    return 0;
}

static int check_listen(const struct config_reader *reader, const struct config_text *listen,
                        struct error *err)
{
    const char *colon = strrchr(listen->text, ':');
    if (colon == NULL || strtol(colon + 1, NULL, 10) <= 65535)
        return 0;
    return config_fail(err, reader, listen->line, "admin.listen", REASON_CONFIG_VALUE,
                       "there is no port above 65535");
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

static int check_route(const struct config_reader *reader, const struct config_routes *routes,
                       struct error *err)
{
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
    return check_headers(reader, route, err);
}

int config_check(struct config_reader *reader, const struct config *config, const struct node *root,
                 struct error *err)
{
    const struct config_relay *relay = config_only_relay(config);
    assert(relay->name.text != NULL && relay->source.slot.text != NULL);
    assert(relay->routes.count > 0);
    if (check_times(reader, relay, root, err) < 0 ||
        check_listen(reader, &config->admin.listen, err) < 0)
        return -1;
    for (reader->item = 0; reader->item < relay->routes.count; reader->item++)
        if (check_route(reader, &relay->routes, err) < 0)
            return -1;
    return 0;
}
