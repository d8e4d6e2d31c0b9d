/* route/route_event: see route_event.h. It asks the cage once for a row, filter and value together,
 * and keeps the answer until the row is done. What a row looks like in JSON is said in
 * route_event_json.c. */
#include "route/route_event.h"

#include "route/route_event_json.h"
#include "route/route_headers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Compiling ---- */

static uint32_t operations_of(const struct config_texts *names)
{
    static const struct {
        const char *name;
        enum change_op op;
    } ops[] = {{"insert", CHANGE_INSERT},
               {"update", CHANGE_UPDATE},
               {"delete", CHANGE_DELETE},
               {"read", CHANGE_READ}};
    uint32_t operations = 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        for (uint32_t k = 0; k < names->count; k++)
            if (strcmp(names->items[k].text, ops[i].name) == 0)
                operations |= change_bit(ops[i].op);
    if (names->count == 0)
        for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
            operations |= change_bit(ops[i].op);
    return operations;
}

/* Known only by relays with a program; the others start nothing. */
static struct jq_cage *cage_of(struct compilation *c)
{
    const struct router_options *o = c->options;
    struct jq_cage_options options = {.program = o->jq_worker,
                                      .cpu_ms = o->jq_cpu_ms > 0 ? o->jq_cpu_ms : 1000,
                                      .memory = o->jq_memory > 0 ? o->jq_memory : 16 << 20,
                                      .arena = c->arena};
    if (c->tools->cage == NULL)
        c->tools->cage = jq_cage_open(&options);
    return c->tools->cage;
}

static int compile_program(struct compilation *c, const struct config_text *source,
                           const char *what, uint32_t *number)
{
    struct error why = ERROR_INIT;
    *number = JQ_NONE;
    if (source->text == NULL)
        return 0;
    if (jq_cage_add(cage_of(c), span_of(source->text), number, &why) == 0) {
        jq_cage_reads(c->tools->cage, *number, &c->route->event.reads);
        return 0;
    }
    if (why.kind != ERROR_STOP) {
        *c->err = why;
        return error_wrap(c->err, "%s.%s", c->path, what);
    }
    config_error(c->err, source, why.reason, "%s.%s: %s", c->path, what, why.text);
    return why.hint[0] != '\0' ? error_hint(c->err, "%s", why.hint) : -1;
}

static int compile_changed(struct compilation *c)
{
    struct event_fields *e = &c->route->event;
    const struct config_texts *names = &e->config->changed;
    uint32_t *fields = arena_alloc(c->arena, names->count * sizeof *fields);
    for (uint32_t i = 0; i < names->count; i++)
        fields[i] = route_compile_column(c, &names->items[i]);
    e->changed_count = names->count;
    e->changed = fields;
    return 0;
}

/* Without headers in the file the type is one. */
static int compile_type(struct compilation *c)
{
    struct route *route = c->route;
    struct event_fields *e = &route->event;
    e->has_type = e->config->type.text != NULL;
    if (!e->has_type)
        return 0;
    if (route_compile_template(c, &e->config->type, "type", &e->type) < 0)
        return -1;
    if (c->config->has_headers || e->is_cloudevent)
        return 0;
    struct header_template *header = arena_alloc(c->arena, sizeof *header);
    *header = (struct header_template){SPAN_LITERAL("eventType"), e->type};
    route->header_templates = header;
    route->header_count = 1;
    return 0;
}

static int compile_map(struct compilation *c)
{
    struct event_fields *e = &c->route->event;
    const struct config_pairs *pairs = &e->config->value;
    e->has_map = pairs->items != NULL;
    e->map_count = pairs->count;
    e->map = arena_alloc(c->arena, pairs->count * sizeof *e->map);
    for (uint32_t i = 0; i < pairs->count; i++) {
        const char *what = arena_format(c->arena, "value.%s", pairs->items[i].name.text);
        e->map[i].name = span_of(pairs->items[i].name.text);
        if (route_compile_template(c, &pairs->items[i].value, what, &e->map[i].value) < 0)
            return -1;
    }
    return 0;
}

/* ---- Compiling: attributes of CloudEvents ---- */

static int add_attribute(struct compilation *c, const char *name, const struct config_text *source)
{
    struct event_fields *e = &c->route->event;
    if (source->text == NULL || source->text[0] == '\0')
        return 0;
    struct header_template *made = &e->attributes[e->attribute_count++];
    const char *what = arena_format(c->arena, "cloudevents.%s", name);
    made->name = span_of(name);
    return route_compile_template(c, source, what, &made->value);
}

static int compile_attributes(struct compilation *c)
{
    struct event_fields *e = &c->route->event;
    const struct config_cloudevents *config = &e->config->cloudevents;
    if (!e->is_cloudevent)
        return 0;
    struct config_text source = config->source;
    if (source.text == NULL)
        source.text = arena_format(c->arena, "/%s/{@schema}.{@table}", c->options->relay);
    const struct config_text *key = &c->config->key;
    const struct config_text *subject = config->subject.text != NULL ? &config->subject : key;
    const struct {
        const char *name;
        const struct config_text *source;
    } all[] = {{"source", &source},
               {"type", &e->config->type},
               {"subject", subject},
               {"partitionkey", key},
               {"correlationid", &config->correlationid},
               {"causationid", &config->causationid},
               {"traceparent", &config->traceparent}};
    e->attributes = arena_alloc(c->arena, sizeof all / sizeof all[0] * sizeof *e->attributes);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (add_attribute(c, all[i].name, all[i].source) < 0)
            return -1;
    return 0;
}

int route_event_compile(struct compilation *c)
{
    struct route *route = c->route;
    struct event_fields *e = &route->event;
    assert(c->tools != NULL);
    *e = (struct event_fields){.config = &c->config->event,
                               .relay = c->options->relay,
                               .tools = c->tools,
                               .is_debezium = c->config->format == FORMAT_DEBEZIUM,
                               .is_cloudevent = c->config->format == FORMAT_CLOUDEVENTS};
    route->operations = operations_of(&e->config->operations);
    if (route_compile_topic(c) < 0 || route_compile_key(c) < 0 || route_compile_headers(c) < 0 ||
        compile_changed(c) < 0 || compile_type(c) < 0 || compile_map(c) < 0 ||
        compile_attributes(c) < 0 ||
        compile_program(c, &e->config->filter, "when.jq", &e->filter) < 0 ||
        compile_program(c, &e->config->jq, "jq", &e->value) < 0)
        return -1;
    route->required_count = route->fields.count;
    route_compile_optional_headers(c);
    return 0;
}

static const bool *columns_read(const struct jq_reads *reads, enum jq_member member,
                                const struct relation *relation, struct arena *arena)
{
    if ((reads->whole & member) != 0)
        return NULL;
    bool *read = arena_alloc(arena, relation->column_count * sizeof *read);
    for (uint32_t i = 0; i < relation->column_count; i++)
        read[i] = jq_reads_column(reads, member, relation->columns[i].name);
    return read;
}

void route_event_columns(const struct route *route, const struct relation *relation,
                         struct arena *arena, struct route_columns *columns)
{
    assert(route->as == ROUTE_EVENT);
    const struct jq_reads *reads = &route->event.reads;
    columns->before = columns_read(reads, JQ_BEFORE, relation, arena);
    columns->after = columns_read(reads, JQ_AFTER, relation, arena);
}

bool route_event_wants_old(const struct route *route, bool *whole)
{
    assert(route->as == ROUTE_EVENT);
    const struct config_event *config = route->event.config;
    /* What is not sent of it cannot be told from a NULL. */
    *whole = config->shape != ROW_WHOLE || (route->event.reads.members & JQ_BEFORE) != 0;
    return (*whole || config->changed.count > 0) &&
           (route->operations & change_bit(CHANGE_UPDATE)) != 0;
}

/* ---- Which rows ---- */

/* 1: taken; 0: not. */
static int is_changed(const struct event_fields *e, const struct route_row *row, struct error *err)
{
    if (row->change->op != CHANGE_UPDATE || e->changed_count == 0)
        return 1;
    for (uint32_t i = 0; i < e->changed_count; i++) {
        int changes = event_json_changes(row, row->slots[e->changed[i]].column, err);
        if (changes != 0)
            return changes;
    }
    return 0;
}

/* A value that is no object has no members that anybody could read. */
static int check_values(const struct route_row *row, const struct jq_answer *answer,
                        struct error *err)
{
    char name[ROW_NAME_MAX];
    for (uint32_t i = 0; i < answer->count; i++) {
        struct span value = answer->values[i];
        if (value.ptr[0] == '{' || span_equal_text(value, "null"))
            continue;
        error_data(
            err, REASON_JQ_FAILED, "jq: it gives %.*s where an object is needed, of a row of %s",
            (int)(value.len < 40 ? value.len : 40), value.ptr, route_row_name(row->change, name));
        return error_hint(err, "have the program put it into an object, {name: …}, or give empty, "
                               "which leaves the row out");
    }
    return 0;
}

/* ---- What was not sent ---- */

static int refuse_before(const struct route_row *row, struct error *err)
{
    char name[ROW_NAME_MAX];
    error_data(
        err, REASON_OLD_NOT_SENT,
        "jq looks at before, and the server does not send the whole old row of %s: it is not "
        "in the replica identity",
        route_row_name(row->change, name));
    return route_row_whole(row->relation, err);
}

/* ---- Asking ---- */

static bool has_program(const struct event_fields *e)
{
    return e->filter != JQ_NONE || e->value != JQ_NONE;
}

static bool is_untold(const struct event_fields *e, const struct route_row *row)
{
    return (e->reads.members & JQ_BEFORE) != 0 && !event_json_tells_old(row);
}

/* The question about the row, which stands in the buffer of the tools. */
static int make_question(const struct route *route, const struct route_row *row,
                         struct arena *scratch, struct jq_question *question, struct error *err)
{
    const struct event_fields *e = &route->event;
    struct json_writer w = json_writer(&e->tools->out);
    buf_reset(&e->tools->out);
    if (event_json_input(route, row, &w, scratch, err) < 0)
        return -1;
    *question =
        (struct jq_question){.filter = e->filter,
                             .value = e->value,
                             .numbers_are_errors = e->config->jq_numbers == JQ_NUMBERS_ERROR,
                             .row = buf_span(&e->tools->out)};
    return 0;
}

static struct jq_ticket ticket_of(const struct route *route, const struct route_row *row)
{
    return (struct jq_ticket){.id = row->change->id, .route = route->index};
}

static int ask_cage(const struct route *route, const struct route_row *row, struct arena *scratch,
                    struct jq_answer *answer, struct error *err)
{
    struct jq_cage *cage = route->event.tools->cage;
    struct jq_question question;
    int got = jq_cage_take(cage, ticket_of(route, row), scratch, answer, err);
    if (got != 0)
        return got < 0 ? -1 : 0;
    if (make_question(route, row, scratch, &question, err) < 0)
        return -1;
    return jq_cage_ask(cage, &question, scratch, answer, err);
}

/* 1: taken; 0: not. */
static int ask(struct route *route, const struct route_row *row, struct arena *scratch,
               struct error *err)
{
    struct event_fields *e = &route->event;
    e->answer = (struct jq_answer){.taken = true, .count = 1};
    if (!has_program(e))
        return 1;
    if (is_untold(e, row))
        return refuse_before(row, err);
    if (ask_cage(route, row, scratch, &e->answer, err) < 0)
        return -1;
    if (e->value == JQ_NONE)
        e->answer.count = 1;
    if (!e->answer.taken || e->answer.count == 0)
        return 0;
    return e->value != JQ_NONE && check_values(row, &e->answer, err) < 0 ? -1 : 1;
}

/* The question of ask(). What fails here fails there again, where it is told. */
void route_event_expect(const struct route *route, const struct route_row *row,
                        struct arena *scratch)
{
    const struct event_fields *e = &route->event;
    struct error none; /* filled where something fails, and not read: to clear it costs as much */
    struct jq_question question;
    if (!has_program(e) || is_changed(e, row, &none) <= 0 || is_untold(e, row) ||
        make_question(route, row, scratch, &question, &none) < 0)
        return;
    jq_cage_expect(e->tools->cage, ticket_of(route, row), &question);
}

/* ---- What they become ---- */

/* In Debezium's envelope an event is something new, whatever happened to the row. */
static void wrap(const struct route_row *row, struct event *event)
{
    static const struct row NONE = {.count = 0};
    struct span made = event->value.json;
    event->value.kind = CONTENT_CHANGE;
    event->value.change = (struct content_change){.change = row->change,
                                                  .op = CHANGE_INSERT,
                                                  .relation = row->relation,
                                                  .before = &NONE,
                                                  .after = &NONE,
                                                  .made = made};
}

static int fill_value(struct route *route, const struct route_row *row, uint32_t nth,
                      struct arena *scratch, struct event *event, struct error *err)
{
    struct event_fields *e = &route->event;
    event->value.kind = CONTENT_JSON;
    if (e->value != JQ_NONE) {
        event->value.json = e->answer.values[nth];
        if (span_equal_text(event->value.json, "null"))
            content_set_text(&event->value, span_null());
        return 0;
    }
    struct buf *out = &e->tools->out;
    buf_reset(out);
    struct json_writer w = json_writer(out);
    if ((e->has_map ? event_json_map : event_json_row)(route, row, &w, scratch, err) < 0)
        return -1;
    event->value.json = arena_copy(scratch, buf_span(out));
    return 0;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* version-traceid-parentid-flags, in lower case (W3C Trace Context 1, 3.2.2). */
static bool is_traceparent(struct span text)
{
    static const size_t DASHES[] = {2, 35, 52};
    size_t dash = 0;
    if (text.len != 55 || strncmp(text.ptr, "ff", 2) == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool at_dash = dash < 3 && i == DASHES[dash];
        if (at_dash ? text.ptr[i] != '-' : !is_hex(text.ptr[i]))
            return false;
        dash += at_dash;
    }
    struct span trace = {text.ptr + 3, 32}, parent = {text.ptr + 36, 16};
    return !span_equal_text(trace, "00000000000000000000000000000000") &&
           !span_equal_text(parent, "0000000000000000");
}

/* What is empty is no attribute: none of CloudEvents' may be. */
static int fill_attributes(const struct event_fields *e, const struct route_row *row,
                           struct arena *scratch, struct event *event, struct error *err)
{
    struct header *made = arena_alloc(scratch, (e->attribute_count + 1) * sizeof *made);
    event->attributes = made;
    event->attribute_count = 0;
    for (uint32_t i = 0; i < e->attribute_count; i++) {
        struct span value;
        if (template_render(&e->attributes[i].value, row, scratch, &value, err) < 0)
            return -1;
        if (value.len == 0)
            continue;
        if (span_equal_text(e->attributes[i].name, "traceparent") && !is_traceparent(value))
            return error_data(err, REASON_BAD_TRACEPARENT, "\"%.*s\" is no traceparent",
                              (int)(value.len < 80 ? value.len : 80), value.ptr);
        made[event->attribute_count++] = (struct header){e->attributes[i].name, value};
    }
    return 0;
}

static int fill_key(const struct route *route, const struct route_row *row, struct arena *scratch,
                    struct event *event, struct error *err)
{
    struct span key = span_null();
    if (route->has_key && template_render(&route->key, row, scratch, &key, err) < 0)
        return -1;
    content_set_text(&event->key, key);
    return 0;
}

static int fill_texts(struct route *route, const struct route_row *row, struct arena *scratch,
                      struct event *event, struct error *err)
{
    event->id = event->type = span_null();
    if (fill_key(route, row, scratch, event, err) < 0)
        return -1;
    if (route->event.has_type &&
        template_render(&route->event.type, row, scratch, &event->type, err) < 0)
        return -1;
    return fill_attributes(&route->event, row, scratch, event, err);
}

/* The key is told all the same, where it can be. */
__attribute__((noinline)) static enum route_made failed(const struct route *route,
                                                        const struct route_row *row,
                                                        struct arena *scratch, struct event *event)
{
    struct error none = ERROR_INIT;
    (void)fill_key(route, row, scratch, event, &none);
    return ROUTE_FAILED;
}

enum route_made route_event_next(struct route *route, const struct route_row *row, uint32_t nth,
                                 struct arena *scratch, struct event *event, struct error *err)
{
    assert(row->relation != NULL);
    struct event_fields *e = &route->event;
    if (nth == 0) {
        int taken = is_changed(e, row, err);
        if (taken > 0)
            taken = ask(route, row, scratch, err);
        if (taken < 0)
            return failed(route, row, scratch, event);
        if (taken == 0)
            return ROUTE_NOTHING;
    }
    assert(nth < e->answer.count);
    event->topic_of_row = !route->topic.literal;
    event->partition = -1;
    event->timestamp_us = row->change->commit_time_us;
    if (route_topic_of(&route->topic, row, scratch, &event->topic, err) < 0)
        return failed(route, row, scratch, event);
    if (fill_texts(route, row, scratch, event, err) < 0 ||
        fill_value(route, row, nth, scratch, event, err) < 0 ||
        route_headers(route, row, FIELD_NONE, scratch, event, err) < 0)
        return ROUTE_FAILED;
    if (e->is_debezium && event->value.kind == CONTENT_JSON)
        wrap(row, event);
    return nth + 1 < e->answer.count ? ROUTE_MORE : ROUTE_LAST;
}
