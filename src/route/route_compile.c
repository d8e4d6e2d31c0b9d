/* route/route_compile: see route_compile.h. */
#include "route/route_compile.h"

#include <assert.h>
#include <stdio.h>

struct compilation {
    const struct router_options *options;
    const struct config_route *config;
    struct arena *arena;
    struct route *route;
    struct error *err;
    char path[32]; /* "routes[0]" */
};

static uint32_t add_column(struct compilation *c, const struct config_text *name)
{
    if (name->text == NULL)
        return FIELD_NONE;
    return field_list_add(&c->route->fields, c->arena, span_of(name->text));
}

static int compile_template(struct compilation *c, const struct config_text *source,
                            const char *what, struct template *out)
{
    char path[160];
    snprintf(path, sizeof path, "%s.%s", c->path, what);
    struct template_options options = {
        .path = path, .relay = c->options->relay, .of_message = c->route->match.of_message};
    out->what = what;
    return template_compile(source, &options, &c->route->fields, c->arena, out, c->err);
}

static int compile_topic(struct compilation *c)
{
    struct template template;
    if (compile_template(c, &c->config->topic, "topic", &template) < 0)
        return -1;
    route_topic_init(&c->route->topic, &template, c->options->progress_topic);
    struct span literal;
    struct error why = ERROR_INIT;
    int result = template_literal(&template, &literal)
                     ? route_topic_set_literal(&c->route->topic, literal, &why)
                     : route_topic_check_literals(&c->route->topic, c->arena, &why);
    if (result == 0)
        return 0;
    return config_error(c->err, &c->config->topic, why.reason, "%s.topic: %s", c->path, why.text);
}

/* key: "" means events without a key. */
static int compile_key(struct compilation *c)
{
    struct route *route = c->route;
    if (compile_template(c, &c->config->key, "key", &route->key) < 0)
        return -1;
    route->has_key = c->config->key.text[0] != '\0';
    return 0;
}

/* Without headers: in the file, id is the only one. */
static void default_headers(struct compilation *c)
{
    struct route *route = c->route;
    if (route->id == FIELD_NONE)
        return;
    struct part *part = arena_alloc_zero(c->arena, sizeof *part);
    *part = (struct part){.kind = PART_FIELD, .field = route->id};
    route->header_templates = arena_alloc(c->arena, sizeof *route->header_templates);
    route->header_templates[0] = (struct header_template){
        .name = SPAN_LITERAL("id"), .value = {.what = "header id", .count = 1, .parts = part}};
    route->header_count = 1;
}

static int compile_header(struct compilation *c, const struct config_pair *pair,
                          struct header_template *out)
{
    out->name = span_of(pair->name.text);
    if (out->name.len == 0)
        return config_error(c->err, &pair->name, REASON_BAD_HEADER,
                            "%s.headers: a header has no name", c->path);
    if (span_starts_with(out->name, SPAN_LITERAL("walferry-"))) {
        config_error(c->err, &pair->name, REASON_RESERVED_HEADER,
                     "%s.headers: names that begin with walferry- are walferry's own: %.64s",
                     c->path, pair->name.text);
        return error_hint(c->err, "give the header another name");
    }
    if (compile_template(c, &pair->value, "headers", &out->value) < 0)
        return -1;
    out->value.what = arena_format(c->arena, "header %s", pair->name.text);
    return 0;
}

static int compile_headers(struct compilation *c)
{
    const struct config_pairs *pairs = &c->config->headers;
    if (!c->config->has_headers) {
        default_headers(c);
        return 0;
    }
    c->route->header_templates =
        arena_alloc(c->arena, pairs->count * sizeof *c->route->header_templates);
    for (uint32_t i = 0; i < pairs->count; i++)
        if (compile_header(c, &pairs->items[i], &c->route->header_templates[i]) < 0)
            return -1;
    c->route->header_count = pairs->count;
    return 0;
}

static void add_required_columns(struct compilation *c)
{
    const struct config_columns *columns = &c->config->columns;
    c->route->id = add_column(c, &columns->id);
    c->route->payload = add_column(c, &columns->payload);
    c->route->headers = add_column(c, &columns->headers);
    c->route->timestamp = add_column(c, &columns->timestamp);
    c->route->partition = add_column(c, &columns->partition);
}

static void make_message_cells(struct route *route, struct arena *arena)
{
    uint32_t count = route->fields.count;
    route->message_cells = arena_alloc_zero(arena, count * sizeof *route->message_cells);
    route->message_slots = arena_alloc_zero(arena, count * sizeof *route->message_slots);
    for (uint32_t i = 0; i < count; i++)
        route->message_slots[i].column = i;
}

int route_compile(const struct router_options *options, uint32_t item, struct arena *arena,
                  struct route *route, struct error *err)
{
    assert(item < options->routes->count);
    assert(options->routes->items[item].as == ROUTE_OUTBOX);
    const struct config_route *config = &options->routes->items[item];
    assert(config->columns.payload.text != NULL);
    struct compilation c = {
        .options = options, .config = config, .arena = arena, .route = route, .err = err};
    snprintf(c.path, sizeof c.path, "routes[%u]", item);
    *route = (struct route){
        .index = item, .name = config->name.text, .continue_matching = config->continue_matching};
    char from[48];
    snprintf(from, sizeof from, "%s.from", c.path);
    if (route_match_compile(&config->from, from, arena, &route->match, err) < 0)
        return -1;
    add_required_columns(&c);
    if (compile_topic(&c) < 0 || compile_key(&c) < 0 || compile_headers(&c) < 0)
        return -1;
    route->required_count = route->fields.count;
    route->type = add_column(&c, &config->columns.type);
    if (route->match.of_message)
        make_message_cells(route, arena);
    return 0;
}
