/* config_schema: the JSON Schema (draft 2020-12) of the configuration file, for editors and checks
 * in CI. Where the parser knows better (keys that depend on each other, what an expansion yields)
 * the schema takes more than the parser, never less. */
#include "config/config.h"

#include "config/config_table.h"
#include "json/json_write.h"
#include "model/header_name.h"

#include <assert.h>
#include <stdio.h>

static void write_mapping(struct json_writer *w, const char *parent);

static void write_expanded(struct json_writer *w)
{
    json_write_begin_object(w);
    json_write_member_text(w, "$ref", "#/$defs/expanded");
    json_write_end_object(w);
}

static void write_pattern(struct json_writer *w, const char *rule)
{
    char whole[128];
    int length = snprintf(whole, sizeof whole, "^(%s)$", rule);
    assert(length > 0 && (size_t)length < sizeof whole);
    (void)length;
    json_write_begin_object(w);
    json_write_member_text(w, "type", "string");
    json_write_member_text(w, "pattern", whole);
    json_write_end_object(w);
}

static void write_expanded_or(struct json_writer *w, const char *rule)
{
    json_write_begin_object(w);
    json_write_name(w, "anyOf");
    json_write_begin_array(w);
    write_pattern(w, rule);
    write_expanded(w);
    json_write_end_array(w);
    json_write_end_object(w);
}

static void write_integer(struct json_writer *w, const struct config_key *key)
{
    json_write_begin_object(w);
    json_write_member_text(w, "type", "integer");
    json_write_member_i64(w, "minimum", key->min);
    json_write_member_i64(w, "maximum", key->max);
    if (key->kind == KEY_KIND_COUNT)
        json_write_member_raw(w, "not", SPAN_LITERAL("{\"const\":0}"));
    json_write_end_object(w);
}

static void write_words(struct json_writer *w, const char *words)
{
    json_write_begin_object(w);
    json_write_name(w, "enum");
    json_write_begin_array(w);
    for (const char *word = words; word != NULL;) {
        const char *bar = strchr(word, '|');
        json_write_string(w,
                          (struct span){word, bar != NULL ? (size_t)(bar - word) : strlen(word)});
        word = bar != NULL ? bar + 1 : NULL;
    }
    json_write_end_array(w);
    json_write_end_object(w);
}

static void write_forms(struct json_writer *w, const struct config_key *key)
{
    if (key->kind == KEY_KIND_TEXT && key->rule == NULL) {
        json_write_member_text(w, "type", "string");
        return;
    }
    if (key->kind == KEY_KIND_TEXTS) {
        json_write_member_text(w, "type", "array");
        json_write_name(w, "items");
        write_expanded_or(w, key->rule);
        return;
    }
    json_write_name(w, "anyOf");
    json_write_begin_array(w);
    if (key->kind == KEY_KIND_TEXT)
        write_pattern(w, key->rule);
    else if (key->kind == KEY_KIND_CHOICE)
        write_words(w, key->words);
    else if (key->kind == KEY_KIND_BOOL)
        json_write_raw(w, SPAN_LITERAL("{\"type\":\"boolean\"}"));
    else
        write_integer(w, key);
    if (key->kind == KEY_KIND_SIZE)
        write_pattern(w, "[0-9]+(B|KB|MB|GB)?");
    write_expanded(w);
    json_write_end_array(w);
}

/* A default that names other keys is told in words. */
static void write_default(struct json_writer *w, const struct config_key *key)
{
    if (key->fallback == NULL || strchr(key->fallback, '<') != NULL)
        return;
    bool bare = key->kind == KEY_KIND_BOOL || key->kind == KEY_KIND_NUMBER ||
                key->kind == KEY_KIND_COUNT || key->kind == KEY_KIND_TEXTS;
    if (bare)
        json_write_member_raw(w, "default", span_of(key->fallback));
    else
        json_write_member_text(w, "default", key->fallback);
}

static void write_description(struct json_writer *w, const struct config_key *key)
{
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, key->help);
    if (key->fallback != NULL && strchr(key->fallback, '<') != NULL)
        buf_add_format(&text, " Default: %s.", key->fallback);
    if ((key->flags & RESTART) != 0)
        buf_add_text(&text, " A change needs a restart.");
    json_write_member_string(w, "description", buf_span(&text));
    buf_fini(&text);
}

/* "^(a[.]b|c[.].*)$" of the properties that are refused. */
static void write_refused(struct json_writer *w)
{
    struct buf pattern = BUF_EMPTY;
    size_t count;
    const struct config_refused *list = config_refused_list(&count);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&pattern, i == 0 ? "^(" : "|");
        for (const char *c = list[i].name; *c != '\0'; c++) {
            if (*c == '.' || *c == '*')
                buf_add_text(&pattern, *c == '.' ? "[.]" : ".*");
            else
                buf_add_char(&pattern, *c);
        }
    }
    buf_add_text(&pattern, ")$");
    json_write_member_string(w, "pattern", buf_span(&pattern));
    buf_fini(&pattern);
}

static void write_pairs(struct json_writer *w, const struct config_key *key)
{
    json_write_member_text(w, "type", "object");
    json_write_member_raw(w, "additionalProperties",
                          SPAN_LITERAL("{\"type\":[\"string\",\"number\",\"boolean\"]}"));
    json_write_name(w, "propertyNames");
    if (key->rule != NULL) {
        write_pattern(w, key->rule);
        return;
    }
    json_write_begin_object(w);
    json_write_name(w, "not");
    json_write_begin_object(w);
    if (key->words != NULL)
        write_refused(w);
    else
        json_write_member_text(w, "pattern", "^($|" HEADER_PREFIX ")");
    json_write_end_object(w);
    json_write_end_object(w);
    if (key->words == NULL)
        return;
    json_write_name(w, "required");
    json_write_begin_array(w);
    json_write_text(w, key->words);
    json_write_end_array(w);
}

static void write_key(struct json_writer *w, const struct config_key *key)
{
    char below[CONFIG_PATH_MAX];
    json_write_name(w, config_key_name(key));
    json_write_begin_object(w);
    write_description(w, key);
    switch (key->kind) {
    case KEY_KIND_SECTION:
        config_key_below(key, below);
        write_mapping(w, below);
        break;
    case KEY_KIND_LIST:
        json_write_member_text(w, "type", "array");
        json_write_member_u64(w, "minItems", 1);
        json_write_name(w, "items");
        json_write_begin_object(w);
        config_key_below(key, below);
        write_mapping(w, below);
        json_write_end_object(w);
        break;
    case KEY_KIND_PAIRS:
        write_pairs(w, key);
        break;
    default:
        write_forms(w, key);
        write_default(w, key);
        break;
    }
    json_write_end_object(w);
}

/* The members of the object that describes the mapping at `parent`. */
static void write_mapping(struct json_writer *w, const char *parent)
{
    size_t count, required = 0;
    const struct config_key *keys = config_keys(&count);
    json_write_member_text(w, "type", "object");
    json_write_member_bool(w, "additionalProperties", false);
    json_write_name(w, "properties");
    json_write_begin_object(w);
    for (size_t i = 0; i < count; i++)
        if (config_key_in(&keys[i], parent))
            write_key(w, &keys[i]);
    json_write_end_object(w);
    for (size_t i = 0; i < count; i++) {
        if (!config_key_in(&keys[i], parent) || (keys[i].flags & REQUIRED) == 0)
            continue;
        if (required++ == 0) {
            json_write_name(w, "required");
            json_write_begin_array(w);
        }
        json_write_text(w, config_key_name(&keys[i]));
    }
    if (required > 0)
        json_write_end_array(w);
}

static void line_break(struct buf *out, int depth)
{
    buf_add_char(out, '\n');
    for (int i = 0; i < depth; i++)
        buf_add_text(out, "  ");
}

/* One member a line, so that a change of the table is a readable change of the file. */
static void add_indented(struct buf *out, struct span json)
{
    bool quoted = false;
    int depth = 0;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i];
        if (c == '\\' && i + 1 < json.len) {
            buf_add_char(out, c);
            buf_add_char(out, json.ptr[++i]);
            continue;
        }
        if (c == '"')
            quoted = !quoted;
        if (!quoted && (c == '}' || c == ']'))
            line_break(out, --depth);
        buf_add_char(out, c);
        if (quoted)
            continue;
        if (c == '{' || c == '[')
            line_break(out, ++depth);
        else if (c == ',')
            line_break(out, depth);
        else if (c == ':')
            buf_add_char(out, ' ');
    }
    buf_add_char(out, '\n');
}

void config_write_schema(struct buf *out)
{
    assert(out != NULL);
    struct buf compact = BUF_EMPTY;
    struct json_writer w = json_writer(&compact);
    json_write_begin_object(&w);
    json_write_member_text(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_write_member_text(&w, "title", "walferry.yaml");
    write_mapping(&w, "");
    json_write_name(&w, "$defs");
    json_write_begin_object(&w);
    json_write_name(&w, "expanded");
    json_write_begin_object(&w);
    json_write_member_text(&w, "description",
                           "Text with ${env:NAME} or ${file:PATH} in it, checked once expanded.");
    json_write_member_text(&w, "type", "string");
    json_write_member_text(&w, "pattern", "[$][{](env|file):[^}]*[}]");
    json_write_end_object(&w);
    json_write_end_object(&w);
    json_write_end_object(&w);
    add_indented(out, buf_span(&compact));
    buf_fini(&compact);
    assert(out->len > 0);
}
