/* route/route_compile: see route_compile.h. It knows no kind of route. */
#include "route/route_compile.h"

#include "model/header_name.h"

#include <assert.h>
#include <stdio.h>

uint32_t route_compile_column(struct compilation *c, const struct config_text *name)
{
    if (name->text == NULL)
        return FIELD_NONE;
    return field_list_add(&c->route->fields, c->arena, span_of(name->text));
}

int route_compile_template(struct compilation *c, const struct config_text *source,
                           const char *what, struct template *out)
{
    char path[160];
    assert(what != NULL && out != NULL);
    snprintf(path, sizeof path, "%s.%s", c->path, what);
    struct template_options options = {.path = path,
                                       .relay = c->options->relay,
                                       .of_message = c->route->match.of_message,
                                       .of_header = strcmp(what, "headers") == 0};
    out->what = what;
    return template_compile(source, &options, &c->route->fields, c->arena, out, c->err);
}

int route_compile_topic(struct compilation *c)
{
    struct template template;
    if (route_compile_template(c, &c->config->topic, "topic", &template) < 0)
        return -1;
    route_topic_init(&c->route->topic, &template, c->options);
    struct span literal;
    struct error why = ERROR_INIT;
    int result = template_literal(&template, &literal)
                     ? route_topic_set_literal(&c->route->topic, literal, &why)
                     : route_topic_check_literals(&c->route->topic, c->arena, &why);
    if (result == 0)
        return 0;
    config_error(c->err, &c->config->topic, why.reason, "%s.topic: %s", c->path, why.text);
    return why.hint[0] != '\0' ? error_hint(c->err, "%s", why.hint) : -1;
}

/* key: "" means events without a key. */
int route_compile_key(struct compilation *c)
{
    struct route *route = c->route;
    if (route_compile_template(c, &c->config->key, "key", &route->key) < 0)
        return -1;
    route->has_key = c->config->key.text[0] != '\0';
    return 0;
}

struct template route_compile_field(struct compilation *c, const char *what, uint32_t field)
{
    assert(field < c->route->fields.count);
    struct part *part = arena_alloc_zero(c->arena, sizeof *part);
    *part = (struct part){.kind = PART_FIELD, .field = field};
    return (struct template){.what = what, .count = 1, .parts = part};
}

void route_compile_header_of(struct compilation *c, struct span name, const char *what,
                             uint32_t field)
{
    struct header_template *header = arena_alloc(c->arena, sizeof *header);
    *header = (struct header_template){.name = name, .value = route_compile_field(c, what, field)};
    c->route->header_templates = header;
    c->route->header_count = 1;
}

static int compile_header(struct compilation *c, const struct config_pair *pair,
                          struct header_template *out)
{
    out->name = span_of(pair->name.text);
    if (out->name.len == 0)
        return config_error(c->err, &pair->name, REASON_BAD_HEADER,
                            "%s.headers: a header has no name", c->path);
    if (header_name_is_ours(out->name)) {
        config_error(c->err, &pair->name, REASON_RESERVED_HEADER,
                     "%s.headers: names that begin with " HEADER_PREFIX
                     " are walferry's own: %.64s",
                     c->path, pair->name.text);
        return error_hint(c->err, "give the header another name");
    }
    if (route_compile_template(c, &pair->value, "headers", &out->value) < 0)
        return -1;
    out->value.what = arena_format(c->arena, "header %s", pair->name.text);
    return 0;
}

int route_compile_headers(struct compilation *c)
{
    const struct config_pairs *pairs = &c->config->headers;
    c->route->header_templates =
        arena_alloc(c->arena, pairs->count * sizeof *c->route->header_templates);
    for (uint32_t i = 0; i < pairs->count; i++)
        if (compile_header(c, &pairs->items[i], &c->route->header_templates[i]) < 0)
            return -1;
    c->route->header_count = pairs->count;
    return 0;
}

void route_compile_optional_headers(struct compilation *c)
{
    assert(c->route->required_count <= c->route->fields.count);
    for (uint32_t i = 0; i < c->route->header_count; i++)
        template_settle_optional(&c->route->header_templates[i].value, &c->route->fields, c->arena);
}
