/* config_check: see config_check.h. Templates, connection strings and librdkafka's properties are
 * carried and not understood here: the rooms that use them check them, with the line. */
#include "config/config_check.h"

#include <assert.h>
#include <stdlib.h>

static bool of_route(const struct config_key *key)
{
    return strncmp(key->path, "routes[]", 8) == 0;
}

void config_defaults(const struct config_reader *reader, struct config *config,
                     struct config_route *route)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const char *text = keys[i].fallback;
        if (of_route(&keys[i]) == (route != NULL) && text != NULL && strchr(text, '<') == NULL)
            config_value_default(reader, &keys[i], text,
                                 route != NULL ? (void *)route : (void *)config);
    }
}

/* The value of the name between < and >. */
static const char *derived_name(struct span name, const struct config *config,
                                const struct config_route *route)
{
    if (span_equal_text(name, "relay"))
        return config->relay.text;
    assert(route != NULL);
    if (span_equal_text(name, "aggregate_type"))
        return route->columns.aggregate_type.text;
    assert(span_equal_text(name, "aggregate_id"));
    return route->columns.aggregate_id.text;
}

static void derive(const struct config_reader *reader, const struct config_key *key,
                   const struct config *config, const struct config_route *route, void *base)
{
    const struct config_text *text = (const void *)((char *)base + key->offset);
    if (key->kind != KEY_KIND_TEXT || text->text != NULL || key->fallback == NULL)
        return;
    const char *open = strchr(key->fallback, '<'), *close = strchr(key->fallback, '>');
    assert(open != NULL && close != NULL && open < close);
    struct span name = {open + 1, (size_t)(close - open) - 1};
    char *made = arena_format(reader->arena, "%.*s%s%s", (int)(open - key->fallback), key->fallback,
                              derived_name(name, config, route), close + 1);
    config_value_default(reader, key, made, base);
}

void config_derive(const struct config_reader *reader, struct config *config,
                   struct config_route *routes)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        if (routes == NULL && !of_route(&keys[i]))
            derive(reader, &keys[i], config, NULL, config);
        for (uint32_t r = 0; routes != NULL && of_route(&keys[i]) && r < config->routes.count; r++)
            derive(reader, &keys[i], config, &routes[r], &routes[r]);
    }
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

static int check_times(const struct config_reader *reader, const struct config *config,
                       const struct node *root, struct error *err)
{
    const struct config_retry *retry = &config->retry;
    const struct config_delivery *delivery = &config->delivery;
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
        if (strncmp(name->text, "walferry-", 9) == 0) {
            config_fail(err, reader, name->line, "routes[].headers", REASON_CONFIG_VALUE,
                        "%.100s: names that begin with walferry- are walferry's own", name->text);
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
    assert(config->relay.text != NULL && config->source.slot.text != NULL);
    assert(config->routes.count > 0);
    if (check_times(reader, config, root, err) < 0 ||
        check_listen(reader, &config->admin.listen, err) < 0)
        return -1;
    for (reader->item = 0; reader->item < config->routes.count; reader->item++)
        if (check_route(reader, &config->routes, err) < 0)
            return -1;
    return 0;
}
