/* encode/encode_letter: a change that cannot be published, as the message that takes its place.
 *
 * The value holds what the stream said of the change and its table, cells as texts, so that nothing
 * but the types' catalogue is needed to run a route on it again (docs/MESSAGES.md, "Dead letters").
 * Nothing here can fail, because nothing stands behind it: a cell that has no text is base64. */
#include "encode/encode.h"

#include "json/json_write.h"
#include "model/header_name.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define LETTER_VERSION 1
/* Of each cell beside its bytes, at least: name, quotes, colon and comma. */
#define CELL_LEAST_BYTES 6

struct letter_writer {
    struct json_writer json;
    struct arena *arena;
};

/* ---- Cells ---- */

static void write_bytes(struct letter_writer *w, struct span bytes)
{
    types_write_bytes(&w->json, bytes, w->arena);
}

static void write_binary(struct letter_writer *w, struct span bytes)
{
    json_write_begin_object(&w->json);
    json_write_member_string(&w->json, "binary", types_base64(bytes, BASE64_STANDARD, w->arena));
    json_write_end_object(&w->json);
}

static void write_cell(struct letter_writer *w, const struct cell *cell, const struct type *type)
{
    struct rendering text;
    struct error none = ERROR_INIT;
    switch (cell->kind) {
    case CELL_NULL:
        json_write_null(&w->json);
        return;
    case CELL_UNCHANGED:
        json_write_begin_object(&w->json);
        json_write_member_bool(&w->json, "unchanged", true);
        json_write_end_object(&w->json);
        return;
    case CELL_TEXT:
    case CELL_BYTES:
        write_bytes(w, cell->bytes);
        return;
    case CELL_BINARY:
        break;
    }
    if (types_render_text(cell, type != NULL ? type : types_plain_text(), w->arena, &text, &none) ==
        0)
        write_bytes(w, text.bytes);
    else
        write_binary(w, cell->bytes);
}

/* ---- Tables and rows ---- */

static void write_column(struct letter_writer *w, const struct relation *relation, uint32_t i)
{
    struct json_writer *json = &w->json;
    const struct column *column = &relation->columns[i];
    const struct type *type = column->type;
    json_write_begin_object(json);
    json_write_member_string(json, "name", column->name);
    if (type != NULL && type->name.len > 0) {
        if (column->type_oid >= TYPES_OID_OWN && type->schema.len > 0)
            json_write_member_string(json, "type_schema", type->schema);
        json_write_member_string(json, "type", type->name);
    }
    json_write_member_u64(json, "type_oid", column->type_oid);
    if (column->type_modifier != -1)
        json_write_member_i64(json, "type_modifier", column->type_modifier);
    if (column->key)
        json_write_member_bool(json, "identity", true);
    if (relation->key.not_null != NULL && relation->key.not_null[i])
        json_write_member_bool(json, "not_null", true);
    json_write_end_object(json);
}

static const char *const type_kinds[] = {[TYPE_KIND_UNKNOWN] = NULL,
                                         [TYPE_KIND_BASE] = "base",
                                         [TYPE_KIND_ARRAY] = "array",
                                         [TYPE_KIND_ENUM] = "enum",
                                         [TYPE_KIND_DOMAIN] = "domain",
                                         [TYPE_KIND_RANGE] = "range",
                                         [TYPE_KIND_MULTIRANGE] = "multirange",
                                         [TYPE_KIND_COMPOSITE] = "composite"};

/* What it is made of comes before it. */
static void write_type(struct letter_writer *w, const struct type *type)
{
    struct json_writer *json = &w->json;
    const struct type *of = type->base != type ? type->base : type->element;
    if (type->kind == TYPE_KIND_UNKNOWN || types_builtin(type->oid) != NULL)
        return;
    if (of != NULL)
        write_type(w, of);
    json_write_begin_object(json);
    json_write_member_u64(json, "oid", type->oid);
    json_write_member_text(json, "kind", type_kinds[type->kind]);
    if (of != NULL)
        json_write_member_u64(json, "of", of->oid);
    if (type->modifier != -1)
        json_write_member_i64(json, "modifier", type->modifier);
    json_write_member_string(json, "schema", type->schema);
    json_write_member_string(json, "name", type->name);
    if (type->label_count > 0) {
        json_write_name(json, "labels");
        json_write_begin_array(json);
        for (uint32_t i = 0; i < type->label_count; i++)
            json_write_string(json, type->labels[i]);
        json_write_end_array(json);
    }
    json_write_end_object(json);
}

/* Those that people have made, as far as the catalogue told of them. */
static void write_types(struct letter_writer *w, const struct relation *relation)
{
    bool begun = false;
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct type *type = relation->columns[i].type;
        if (type == NULL || type->kind == TYPE_KIND_UNKNOWN || types_builtin(type->oid) != NULL)
            continue;
        if (!begun) {
            json_write_name(&w->json, "types");
            json_write_begin_array(&w->json);
            begun = true;
        }
        write_type(w, type);
    }
    if (begun)
        json_write_end_array(&w->json);
}

static void write_relation(struct letter_writer *w, const struct relation *relation)
{
    struct json_writer *json = &w->json;
    const char identity[] = {relation->identity, '\0'};
    json_write_member_string(json, "schema", relation->schema);
    json_write_member_string(json, "table", relation->name);
    json_write_member_u64(json, "table_oid", relation->oid);
    json_write_member_text(json, "replica_identity", identity);
    json_write_name(json, "columns");
    json_write_begin_array(json);
    for (uint32_t i = 0; i < relation->column_count; i++)
        write_column(w, relation, i);
    json_write_end_array(json);
    write_types(w, relation);
    if (relation->key.count == 0)
        return;
    json_write_name(json, "primary_key");
    json_write_begin_array(json);
    for (uint32_t i = 0; i < relation->key.count; i++)
        json_write_string(json, relation->columns[relation->key.columns[i]].name);
    json_write_end_array(json);
}

/* Of the old row only what the replica identity tells: all else is no NULL. */
static void write_row(struct letter_writer *w, const char *name, const struct relation *relation,
                      const struct row *row, bool old)
{
    if (row->count == 0)
        return;
    json_write_name(&w->json, name);
    json_write_begin_object(&w->json);
    for (uint32_t i = 0; i < row->count; i++) {
        if (old && !relation_tells_old(relation, i))
            continue;
        json_write_name_span(&w->json, relation->columns[i].name);
        write_cell(w, &row->cells[i], relation->columns[i].type);
    }
    json_write_end_object(&w->json);
}

/* A route with value_encoding: bytes sends a value as the database has it. */
static void write_raw(struct letter_writer *w, const struct relation *relation,
                      const struct row *row)
{
    bool begun = false;
    for (uint32_t i = 0; i < row->count && row->raw != NULL; i++) {
        if (row->raw[i].kind != CELL_TEXT || span_equal(row->raw[i].bytes, row->cells[i].bytes))
            continue;
        if (!begun) {
            json_write_name(&w->json, "after_raw");
            json_write_begin_object(&w->json);
            begun = true;
        }
        json_write_name_span(&w->json, relation->columns[i].name);
        json_write_string(&w->json, types_base64(row->raw[i].bytes, BASE64_STANDARD, w->arena));
    }
    if (begun)
        json_write_end_object(&w->json);
}

static void write_truncate(struct letter_writer *w, const struct change *change)
{
    json_write_name(&w->json, "tables");
    json_write_begin_array(&w->json);
    for (uint32_t i = 0; i < change->truncate.count; i++) {
        json_write_begin_object(&w->json);
        write_relation(w, change->truncate.relations[i]);
        json_write_end_object(&w->json);
    }
    json_write_end_array(&w->json);
    json_write_member_bool(&w->json, "cascade", change->truncate.cascade);
    json_write_member_bool(&w->json, "restart_identity", change->truncate.restart_identity);
}

/* ---- The value ---- */

static const char *name_of(enum change_op op)
{
    switch (op) {
    case CHANGE_INSERT:
        return "insert";
    case CHANGE_UPDATE:
        return "update";
    case CHANGE_DELETE:
        return "delete";
    case CHANGE_TRUNCATE:
        return "truncate";
    case CHANGE_MESSAGE:
        return "message";
    case CHANGE_READ:
        return "read";
    case CHANGE_BEGIN:
    case CHANGE_COMMIT:
    case CHANGE_MARK:
        break;
    }
    assert(false);
    return "";
}

static void write_what(struct letter_writer *w, const struct change *change)
{
    if (change->op == CHANGE_MESSAGE) {
        json_write_name(&w->json, "prefix");
        write_bytes(w, change->message.prefix);
        json_write_name(&w->json, "content");
        write_bytes(w, change->message.content);
        return;
    }
    if (change->op == CHANGE_TRUNCATE) {
        write_truncate(w, change);
        return;
    }
    write_relation(w, change->relation);
    write_row(w, "before", change->relation, &change->before, true);
    write_row(w, "after", change->relation, &change->after, false);
    write_raw(w, change->relation, &change->after);
}

static void write_value(struct letter_writer *w, const struct change *change, const char *id,
                        struct span key)
{
    struct json_writer *json = &w->json;
    char lsn[LSN_TEXT_MAX];
    json_write_begin_object(json);
    json_write_member_u64(json, "v", LETTER_VERSION);
    json_write_member_text(json, "id", id);
    json_write_member_text(json, "op", name_of(change->op));
    json_write_member_u64(json, "xid", change->xid);
    json_write_member_text(json, "lsn", lsn_format(change->lsn, lsn));
    json_write_member_i64(json, "commit_time_us", change->commit_time_us);
    json_write_member_i64(json, "sent_time_us", change->sent_time_us);
    if (change->origin.ptr != NULL) {
        json_write_member_string(json, "origin", change->origin);
        json_write_member_text(json, "origin_lsn", lsn_format(change->origin_lsn, lsn));
    }
    json_write_name(json, "key");
    write_bytes(w, key);
    write_what(w, change);
    json_write_end_object(json);
}

/* ---- Headers ---- */

static void add_headers(struct message *letter, const struct header *more, uint32_t count,
                        struct arena *arena)
{
    struct header *headers = arena_alloc(arena, (letter->header_count + count) * sizeof *headers);
    for (uint32_t i = 0; i < letter->header_count; i++)
        headers[i] = letter->headers[i];
    for (uint32_t i = 0; i < count; i++)
        headers[letter->header_count + i] =
            (struct header){more[i].name, arena_copy(arena, more[i].value)};
    letter->headers = headers;
    letter->header_count += count;
}

static struct span table_of(const struct change *change, struct arena *arena)
{
    char *text;
    if (change->op == CHANGE_MESSAGE)
        text = arena_format(arena, CONFIG_FROM_MESSAGE "%.*s", SPAN_ARG(change->message.prefix));
    else
        text = arena_format(arena, "%.*s.%.*s", SPAN_ARG(change->relation->schema),
                            SPAN_ARG(change->relation->name));
    return span_of(text);
}

static void say_origin(struct encoders *encoders, const struct change *change, uint32_t route,
                       const char *id, struct arena *arena, struct message *letter)
{
    char lsn[LSN_TEXT_MAX], xid[16];
    snprintf(xid, sizeof xid, "%" PRIu32, change->xid);
    const struct header headers[] = {
        {SPAN_LITERAL(HEADER_ID), span_of(id)},
        {SPAN_LITERAL(HEADER_ERROR_ROUTE), span_of(encoders->o.routes->items[route].name.text)},
        {SPAN_LITERAL(HEADER_ERROR_TABLE), table_of(change, arena)},
        {SPAN_LITERAL(HEADER_ERROR_LSN), span_of(lsn_format(change->id.final_lsn, lsn))},
        {SPAN_LITERAL(HEADER_ERROR_XID), span_of(xid)}};
    add_headers(letter, headers, sizeof headers / sizeof headers[0], arena);
}

void letter_blame(struct message *letter, const struct error *why, struct span topic,
                  struct arena *arena)
{
    assert(letter->dead_letter);
    assert(why->kind != ERROR_NONE);
    const struct header headers[] = {
        {SPAN_LITERAL(HEADER_ERROR_REASON), span_of(reason_slug(why->reason))},
        {SPAN_LITERAL(HEADER_ERROR_MESSAGE), span_of(why->text)},
        {SPAN_LITERAL(HEADER_ERROR_TOPIC), topic}};
    add_headers(letter, headers, topic.ptr != NULL ? 3 : 2, arena);
}

static void say_truncated(struct message *letter, size_t bytes, struct arena *arena)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", bytes);
    const struct header header = {SPAN_LITERAL(HEADER_ERROR_TRUNCATED), span_of(text)};
    add_headers(letter, &header, 1, arena);
}

bool letter_truncate(struct message *letter, struct arena *arena)
{
    assert(letter->dead_letter);
    if (letter->value.ptr == NULL)
        return false;
    say_truncated(letter, letter->value.len, arena);
    letter->value = span_null();
    return true;
}

/* ---- The letter ---- */

struct span encode_letter_key(const struct encoders *encoders, const struct event *event,
                              struct arena *arena)
{
    struct span key = span_null();
    struct error none = ERROR_INIT;
    const struct encoder *of = encoders->of_route[event->route].key;
    if (of->ops->encode((struct encoder *)of, &event->key, arena, &key, &none) != 0)
        return span_null();
    return key;
}

/* So that a huge row is not made larger for nothing. */
static size_t least_bytes(const struct change *change)
{
    size_t bytes = change->op == CHANGE_MESSAGE ? change->message.content.len : 0;
    const struct row *rows[] = {&change->before, &change->after};
    for (size_t r = 0; r < 2; r++)
        for (uint32_t i = 0; i < rows[r]->count; i++) {
            const struct cell *cell = &rows[r]->cells[i];
            bool sent = cell->kind != CELL_NULL && cell->kind != CELL_UNCHANGED;
            bytes += CELL_LEAST_BYTES + (sent ? cell->bytes.len : 0);
        }
    return bytes;
}

static void put_value(struct encoders *encoders, const struct change *change, const char *id,
                      struct arena *arena, struct message *letter)
{
    size_t max = encoders->o.letter_bytes_max, bytes = least_bytes(change);
    buf_reset(&encoders->letter);
    if (max == 0 || bytes <= max) {
        struct letter_writer w = {.json = json_writer(&encoders->letter), .arena = arena};
        write_value(&w, change, id, letter->key);
        bytes = encoders->letter.len;
    }
    if (max == 0 || bytes <= max)
        letter->value = arena_copy(arena, buf_span(&encoders->letter));
    else
        say_truncated(letter, bytes, arena);
}

void encode_letter(struct encoders *encoders, const struct change *change, uint32_t route,
                   struct span key, struct arena *arena, struct message *letter)
{
    assert(encoders->o.letter_topic != NULL);
    assert(route < encoders->o.routes->count);
    char id[CHANGE_ID_TEXT_MAX];
    change_id_format(encoders->o.system_identifier, change->id, id);
    struct span topic = span_of(encoders->o.letter_topic);
    *letter = (struct message){.dead_letter = true,
                               .topic = {arena_text(arena, topic), topic.len},
                               .key = key,
                               .partition = -1,
                               .route = route,
                               .timestamp_ms = change->commit_time_us / 1000,
                               .id = change->id,
                               .position = change->position};
    say_origin(encoders, change, route, id, arena, letter);
    put_value(encoders, change, id, arena, letter);
}
