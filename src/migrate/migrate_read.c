/* migrate_read: a connector's configuration as a list of properties, from JSON (Kafka Connect's
 * REST interface) or from a file of properties (Java, class Properties, "load").
 *
 * References are made walferry's here, so that nobody behind knows how Connect or Quarkus write
 * them: ${env:NAME} and ${dir:PATH:FILE} say the same, one key out of a file of many has no
 * counterpart and becomes a variable of the environment. */
#include "migrate/migrate_internal.h"

#include "json/json_read.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define PROPERTIES_MAX 2000

static int fail(const struct migrate *m, struct error *err, enum reason reason, const char *what)
{
    error_stop(err, reason, "%s: %s", m->file, what);
    return error_hint(err,
                      "give a connector's JSON as Kafka Connect's GET /connectors/NAME answers, "
                      "or Debezium Server's application.properties");
}

/* ---- References ---- */

static bool is_named(struct span provider, const char *name)
{
    return span_equal_text(provider, name);
}

static void add_variable(struct buf *out, struct span key)
{
    buf_add_text(out, "${env:");
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        buf_add_char(out, isalnum(c) ? (char)toupper(c) : '_');
    }
    buf_add_char(out, '}');
}

/* Kafka Connect, "Configuration providers": ${provider:[path:]key}. */
static bool add_provided(struct buf *out, struct span inner)
{
    const char *colon = memchr(inner.ptr, ':', inner.len);
    if (colon == NULL)
        return false;
    struct span provider = {inner.ptr, (size_t)(colon - inner.ptr)};
    struct span rest = {colon + 1, inner.len - provider.len - 1};
    const char *last = memrchr(rest.ptr, ':', rest.len);
    struct span path = {rest.ptr, last != NULL ? (size_t)(last - rest.ptr) : 0};
    struct span key = last != NULL ? (struct span){last + 1, rest.len - path.len - 1} : rest;
    if (is_named(provider, "env")) {
        buf_add_format(out, "${env:%.*s}", SPAN_ARG(key));
    } else if ((is_named(provider, "dir") || is_named(provider, "directory")) && path.len > 0) {
        buf_add_format(out, "${file:%.*s/%.*s}", SPAN_ARG(path), SPAN_ARG(key));
    } else {
        add_variable(out, key);
    }
    return true;
}

/* Quarkus, "Configuration reference", property expressions: ${NAME} and ${NAME:default}. */
static bool add_expression(struct buf *out, struct span inner)
{
    size_t length = 0;
    while (length < inner.len && inner.ptr[length] != ':')
        length++;
    add_variable(out, (struct span){inner.ptr, length});
    return true;
}

/* A replacement has groups that look like references. */
static bool may_refer(const struct property *p)
{
    const char *dot = strrchr(p->key, '.');
    return dot == NULL || strcmp(dot, ".replacement") != 0;
}

static void refer(struct migrate *m, struct property *p)
{
    struct buf out = BUF_EMPTY;
    const char *at = p->value, *found;
    struct buf refers = BUF_EMPTY;
    bool any = false;
    while (may_refer(p) && (found = strstr(at, "${")) != NULL) {
        const char *end = strchr(found, '}');
        if (end == NULL)
            break;
        buf_add(&out, (struct span){at, (size_t)(found - at)});
        struct span inner = {found + 2, (size_t)(end - found - 2)};
        size_t before = out.len;
        bool done =
            inner.len > 0 && (m->server ? add_expression(&out, inner) : add_provided(&out, inner));
        if (!done)
            buf_add(&out, (struct span){found, (size_t)(end - found + 1)});
        struct span made = {buf_text(&out) + before, out.len - before};
        if (done && !span_equal(made, (struct span){found, (size_t)(end - found + 1)}))
            buf_add_format(&refers, "%s%.*s", refers.len > 0 ? ", " : "", SPAN_ARG(made));
        any = any || done;
        at = end + 1;
    }
    buf_add_text(&out, at);
    if (any)
        p->value = arena_text(&m->arena, buf_span(&out));
    if (refers.len > 0)
        p->refers = arena_text(&m->arena, buf_span(&refers));
    buf_fini(&refers);
    buf_fini(&out);
}

/* ---- The list ---- */

/* Blanks around a value mean nothing to Kafka's ConfigDef but for passwords, which have none. */
static struct span trimmed(struct span text)
{
    while (text.len > 0 && isspace((unsigned char)text.ptr[0]))
        text = (struct span){text.ptr + 1, text.len - 1};
    while (text.len > 0 && isspace((unsigned char)text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static void put(struct migrate *m, struct span name, struct span value)
{
    const char *text = arena_text(&m->arena, name);
    for (uint32_t i = 0; i < m->count; i++)
        if (strcmp(m->items[i].name, text) == 0) { /* a file of properties: the last one counts */
            m->items[i].value = arena_text(&m->arena, trimmed(value));
            return;
        }
    m->items = arena_grow(&m->arena, m->items, m->count, &m->size, sizeof m->items[0]);
    m->items[m->count++] = (struct property){
        .name = text, .key = text, .value = arena_text(&m->arena, trimmed(value))};
}

static const struct {
    const char *written, *key;
} SERVER_NAMES[] = {{"debezium.source.", ""},
                    {"debezium.sink.", "sink."},
                    {"debezium.format.", "format."},
                    {"debezium.transforms", "transforms"},
                    {"debezium.predicates", "predicates"}};

static void name_server(struct property *p)
{
    for (size_t i = 0; i < sizeof SERVER_NAMES / sizeof SERVER_NAMES[0]; i++) {
        size_t length = strlen(SERVER_NAMES[i].written);
        if (strncmp(p->name, SERVER_NAMES[i].written, length) != 0)
            continue;
        /* What is put before the rest is as long as the end of what is taken off. */
        p->key = p->name + length - strlen(SERVER_NAMES[i].key);
        return;
    }
}

/* ---- JSON ---- */

static int read_members(struct migrate *m, const struct json_tree *config, struct error *err)
{
    for (size_t i = 0; i < json_tree_count(config); i++) {
        const char *name = json_tree_name_at(config, i);
        const struct json_tree *value = json_tree_member(config, name);
        enum json_tree_kind kind = json_tree_kind(value);
        struct span text;
        struct buf written = BUF_EMPTY;
        if (kind == JSON_TREE_OBJECT || kind == JSON_TREE_ARRAY) {
            error_stop(err, REASON_CONFIG_VALUE, "%s: %.200s is no text, number or boolean",
                       m->file, name);
            return error_hint(err, "a connector's properties are texts");
        }
        if (m->count == PROPERTIES_MAX)
            return fail(m, err, REASON_CONFIG_VALUE, "more properties than any connector has");
        if (!json_tree_string(value, &text)) {
            if (kind != JSON_TREE_NULL)
                json_tree_write(value, &written);
            text = buf_span(&written);
        }
        put(m, span_of(name), text);
        buf_fini(&written);
    }
    return 0;
}

static int read_json(struct migrate *m, struct span text, struct error *err)
{
    struct json_tree *tree = NULL;
    struct error why = ERROR_INIT;
    if (json_tree_parse(text, &tree, &why) < 0) {
        char what[ERROR_TEXT_MAX];
        memcpy(what, why.text, sizeof what);
        return fail(m, err, REASON_CONFIG_SYNTAX, what);
    }
    const struct json_tree *config = json_tree_member(tree, "config");
    struct span name;
    int result = 0;
    if (json_tree_kind(tree) != JSON_TREE_OBJECT ||
        (config != NULL && json_tree_kind(config) != JSON_TREE_OBJECT))
        result = fail(m, err, REASON_CONFIG_VALUE, "no JSON object with a connector's properties");
    else if (read_members(m, config != NULL ? config : tree, err) < 0)
        result = -1;
    else if (config != NULL && migrate_find(m, "name") == NULL &&
             json_tree_member_string(tree, "name", &name))
        put(m, SPAN_LITERAL("name"), name);
    json_tree_free(tree);
    return result;
}

/* ---- Properties ---- */

struct lines {
    struct span rest;
    uint32_t number; /* of the line that comes next */
};

/* A natural line without its end. */
static struct span take_line(struct lines *l)
{
    size_t length = 0;
    while (length < l->rest.len && l->rest.ptr[length] != '\n' && l->rest.ptr[length] != '\r')
        length++;
    struct span line = {l->rest.ptr, length};
    size_t end = length;
    if (end < l->rest.len && l->rest.ptr[end] == '\r')
        end++;
    if (end < l->rest.len && l->rest.ptr[end] == '\n')
        end++;
    l->rest = (struct span){l->rest.ptr + end, l->rest.len - end};
    l->number++;
    return line;
}

static struct span without_lead(struct span line)
{
    while (line.len > 0 && strchr(" \t\f", line.ptr[0]) != NULL)
        line = (struct span){line.ptr + 1, line.len - 1};
    return line;
}

static bool goes_on(struct span line)
{
    size_t backslashes = 0;
    while (backslashes < line.len && line.ptr[line.len - 1 - backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1;
}

/* A logical line: false at the end of the file. */
static bool take_logical(struct lines *l, struct buf *line)
{
    buf_reset(line);
    while (l->rest.len > 0) {
        struct span one = without_lead(take_line(l));
        if (line->len == 0 && (one.len == 0 || one.ptr[0] == '#' || one.ptr[0] == '!'))
            continue;
        bool more = goes_on(one);
        buf_add(line, (struct span){one.ptr, one.len - more});
        if (!more)
            return true;
    }
    return line->len > 0;
}

static unsigned hex_value(const char *digits)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)digits[i];
        if (!isxdigit(c))
            return 0;
        value = value * 16 + (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
    }
    return value;
}

/* One of the Basic Multilingual Plane, as UTF-8. */
static void add_character(struct buf *out, unsigned c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_add_char(out, (char)(0xC0 | c >> 6));
    } else {
        buf_add_char(out, (char)(0xE0 | c >> 12));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
    }
    buf_add_char(out, (char)(0x80 | (c & 0x3F)));
}

static void unescape(struct span text, struct buf *out)
{
    static const char FROM[] = "tnrf", TO[] = "\t\n\r\f";
    buf_reset(out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\\' || i + 1 == text.len) {
            buf_add_char(out, text.ptr[i]);
            continue;
        }
        char c = text.ptr[++i];
        const char *known = strchr(FROM, c);
        if (c == 'u' && i + 4 < text.len && hex_value(text.ptr + i + 1) != 0) {
            add_character(out, hex_value(text.ptr + i + 1));
            i += 4;
        } else {
            buf_add_char(out, c != '\0' && known != NULL ? TO[known - FROM] : c);
        }
    }
}

static size_t name_length(struct span line)
{
    size_t i = 0;
    while (i < line.len && strchr("=: \t\f", line.ptr[i]) == NULL)
        i += line.ptr[i] == '\\' && i + 1 < line.len ? 2 : 1;
    return i;
}

static int read_properties(struct migrate *m, struct span text, struct error *err)
{
    struct lines lines = {.rest = text, .number = 1};
    struct buf line = BUF_EMPTY, name = BUF_EMPTY, value = BUF_EMPTY;
    int result = 0;
    while (result == 0 && take_logical(&lines, &line)) {
        struct span rest = buf_span(&line);
        size_t length = name_length(rest);
        unescape((struct span){rest.ptr, length}, &name);
        rest = without_lead((struct span){rest.ptr + length, rest.len - length});
        if (rest.len == 0 || (rest.ptr[0] != '=' && rest.ptr[0] != ':')) {
            error_stop(err, REASON_CONFIG_SYNTAX, "%s:%u: expected name=value", m->file,
                       lines.number - 1);
            result = error_hint(err, "what is read is JSON, or a file of Java properties");
            break;
        }
        unescape(without_lead((struct span){rest.ptr + 1, rest.len - 1}), &value);
        if (m->count == PROPERTIES_MAX)
            result = fail(m, err, REASON_CONFIG_VALUE, "more properties than any connector has");
        else
            put(m, buf_span(&name), buf_span(&value));
    }
    buf_fini(&line);
    buf_fini(&name);
    buf_fini(&value);
    return result;
}

/* ---- Both ---- */

static int check_connector(struct migrate *m, struct error *err)
{
    const char *class = migrate_value(m, "connector.class");
    if (class == NULL)
        return fail(m, err, REASON_CONFIG_VALUE,
                    "no connector.class, so this is no Debezium connector");
    if (strcmp(class, "io.debezium.connector.postgresql.PostgresConnector") == 0 ||
        strcmp(class, "PostgresConnector") == 0 || strcmp(class, "PostgresSourceConnector") == 0)
        return 0;
    error_stop(err, REASON_CONFIG_VALUE,
               "%s: connector.class is %.200s, not Debezium's for PostgreSQL", m->file, class);
    return error_hint(err, "walferry reads PostgreSQL only; the class it takes over is "
                           "io.debezium.connector.postgresql.PostgresConnector");
}

int migrate_read(struct migrate *m, struct span text, struct error *err)
{
    assert(m->file != NULL && m->count == 0);
    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
        text = (struct span){text.ptr + 3, text.len - 3};
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return fail(m, err, REASON_CONFIG_SYNTAX, "a zero byte, so this is no text");
    struct span begin = trimmed(text);
    if (begin.len == 0)
        return fail(m, err, REASON_CONFIG_VALUE, "an empty file");
    bool json = begin.ptr[0] == '{' || begin.ptr[0] == '[';
    if ((json ? read_json(m, text, err) : read_properties(m, text, err)) < 0)
        return -1;
    for (uint32_t i = 0; i < m->count; i++)
        m->server |= strncmp(m->items[i].name, "debezium.", strlen("debezium.")) == 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->server)
            name_server(&m->items[i]);
        refer(m, &m->items[i]);
    }
    return check_connector(m, err);
}
