/* config_show: a configuration as it is in force: every key that has a value, given or by default,
 * in the order of the table. What does not go with a route's `as`, with source.mode or with its
 * section is left out, so that the text without secrets is a file that means the same. */
#include "config/config_show.h"

#include "base/address.h"
#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct shown {
    struct json_writer json;
    bool yaml; /* lines of YAML; else JSON */
    bool dash; /* the next key is the first of an item of a list */
    struct config_target target;
};

/* ---- What is shown ---- */

static const void *member(const struct shown *s, const struct config_key *key)
{
    return (const char *)config_target_base(&s->target, key) + key->offset;
}

static bool is_below(const struct config_key *key, const char *path)
{
    size_t length = strlen(path);
    return strncmp(key->path, path, length) == 0 &&
           (key->path[length] == '.' || key->path[length] == '\0');
}

/* Of keys with a default: what is not named is not there where it does not go. */
static bool goes_with_route(const struct config_route *route, bool claims,
                            const struct config_key *key)
{
    static const struct {
        const char *path;
        enum route_as as;
    } OF[] = {
        {"routes[].columns", ROUTE_OUTBOX},    {"routes[].event_router", ROUTE_OUTBOX},
        {"routes[].debezium", ROUTE_CHANGE},   {"routes[].value_encoding", ROUTE_OUTBOX},
        {"routes[].when", ROUTE_EVENT},        {"routes[].jq_numbers", ROUTE_EVENT},
        {"routes[].row", ROUTE_EVENT},         {"routes[].drop", ROUTE_EVENT},
        {"routes[].cloudevents", ROUTE_EVENT},
    };
    for (size_t i = 0; i < sizeof OF / sizeof OF[0]; i++)
        if (is_below(key, OF[i].path) && route->as != OF[i].as)
            return false;
    if (is_below(key, "routes[].key"))
        return route->as != ROUTE_CHANGE;
    if (is_below(key, "routes[].cloudevents"))
        return route->format == FORMAT_CLOUDEVENTS;
    if (is_below(key, "routes[].debezium_compatible"))
        return route->as == ROUTE_OUTBOX;
    return claims || !is_below(key, "routes[].poll");
}

static bool goes(const struct shown *s, const struct config_key *key)
{
    const struct config_source *source = &s->target.relay->source;
    bool polls = source->mode == SOURCE_POLL;
    if (s->target.route != NULL)
        return goes_with_route(s->target.route, polls && source->poll.strategy == POLL_CLAIM, key);
    if (is_below(key, "otlp"))
        return s->target.config->otlp.endpoint.text != NULL;
    if (is_below(key, "notify"))
        return s->target.config->notify.url.text != NULL;
    return polls || !is_below(key, "source.poll");
}

static bool has_value(const struct shown *s, const struct config_key *key)
{
    const struct config_route *route = s->target.route;
    switch (key->kind) {
    case KEY_KIND_PAIRS:
        if (route != NULL && route->has_headers && member(s, key) == &route->headers)
            return true;
        return ((const struct config_pairs *)member(s, key))->count > 0;
    case KEY_KIND_TEXT:
        return ((const struct config_text *)member(s, key))->text != NULL;
    default:
        return true;
    }
}

/* ---- Secrets ---- */

/* Behind "${…}"; NULL: that does not stand there. */
static const char *behind_reference(const char *at)
{
    const char *end = strncmp(at, "${", 2) == 0 ? strchr(at, '}') : NULL;
    return end != NULL ? end + 1 : NULL;
}

static bool is_reference(const char *text)
{
    const char *end = behind_reference(text);
    return end != NULL && *end == '\0';
}

/* Each parameter of that name, of a connection string or of a URI, is a reference and nothing else.
 */
static bool are_references(const char *text, const char *parameter)
{
    for (const char *at = text; (at = strcasestr(at, parameter)) != NULL;) {
        at += strlen(parameter);
        at += strspn(at, " ");
        at += *at == '=';
        at += strspn(at, " '");
        const char *end = behind_reference(at);
        if (end == NULL || strchr(" '&", *end) == NULL) /* the end of the text, too */
            return false;
        at = end;
    }
    return true;
}

/* libpq decodes the names of a URI's parameters, too. */
static bool has_encoded_name(const char *text)
{
    const char *at = strstr(text, "://");
    for (at = at != NULL ? strchr(at, '?') : NULL; at != NULL; at = strchr(at + 1, '&')) {
        size_t length = strcspn(at + 1, "=&");
        if (memchr(at + 1, '%', length) != NULL)
            return true;
    }
    return false;
}

/* sslpassword is one, too; the last three are of libpq 18. */
static bool passwords_are_references(const char *text)
{
    static const char *const parameters[] = {"password", "oauth_client_secret", "scram_client_key",
                                             "scram_server_key"};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        if (!are_references(text, parameters[i]))
            return false;
    return !has_encoded_name(text);
}

/* The one before the host of a URI, too. */
static bool user_has_no_password(const char *text)
{
    const char *user = strstr(text, "://"), *at = strrchr(text, '@');
    if (user == NULL || at == NULL || at < user)
        return true;
    const char *colon = memchr(user + 3, ':', (size_t)(at - user - 3));
    return colon == NULL || behind_reference(colon + 1) == at;
}

/* What stands in front of the host of an address, user:password@, where either may be the secret.
 */
static bool login_is_reference(const char *text)
{
    const char *user = strstr(text, "://"), *at = strrchr(text, '@');
    if (user == NULL || at == NULL || at < user)
        return at == NULL;
    const char *behind = behind_reference(user + 3);
    if (behind == NULL)
        behind = user + 3 + strcspn(user + 3, ":@");
    return (*behind == ':' && behind_reference(behind + 1) == at) ||
           behind_reference(user + 3) == at;
}

/* What may be shown of a secret: how it stands in the file, where that gives nothing away. */
static const char *secret_text(const struct config_key *key, const struct config_text *value)
{
    const char *written = value->written != NULL ? value->written : value->text;
    if ((key->flags & RESTART_DATABASE) != 0 && passwords_are_references(written) &&
        user_has_no_password(written))
        return written;
    if (value->written == NULL || ((key->flags & ADDRESS) != 0 && !login_is_reference(written)))
        return HIDDEN;
    bool named = (key->flags & SECRET) != 0 || key->kind == KEY_KIND_PAIRS;
    return !named || is_reference(written) ? written : HIDDEN;
}

/* ---- How ---- */

static struct buf *out(struct shown *s)
{
    return s->json.out;
}

static void line(struct shown *s, size_t indent)
{
    for (size_t i = s->dash ? 2 : 0; i < indent; i++)
        buf_add_char(out(s), ' ');
    buf_add_text(out(s), s->dash ? "- " : "");
    s->dash = false;
}

/* Text of JSON is text of YAML. */
static void text(struct shown *s, struct span value)
{
    struct json_writer apart = json_writer(out(s));
    json_write_string(s->yaml ? &apart : &s->json, value);
}

static void raw(struct shown *s, const char *value)
{
    if (s->yaml)
        buf_add_text(out(s), value);
    else
        json_write_raw(&s->json, span_of(value));
}

static void name(struct shown *s, size_t indent, struct span of, bool quoted)
{
    if (!s->yaml) {
        json_write_name_span(&s->json, of);
        return;
    }
    line(s, indent);
    if (quoted)
        text(s, of);
    else
        buf_add(out(s), of);
    buf_add_char(out(s), ':');
}

static void show_text(struct shown *s, const struct config_key *key,
                      const struct config_text *value)
{
    text(s, span_of(value->secret ? secret_text(key, value) : value->text));
}

static bool names_secret(struct span name)
{
    static const char *const words[] = {"pass", "pwd", "secret", "token", "key", "credential"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (size_t at = 0, length = strlen(words[i]); at + length <= name.len; at++)
            if (strncasecmp(name.ptr + at, words[i], length) == 0)
                return true;
    return false;
}

/* --token=…, TOKEN=…, --token …, and logins in addresses. What is a secret under no such name
 * nobody can tell. */
static void show_argument(struct shown *s, const struct config_texts *arguments, uint32_t i)
{
    const char *at = arguments->items[i].text;
    const char *before = i > 1 ? arguments->items[i - 1].text : "";
    const char *value = strchr(at, '=');
    struct buf argument = BUF_EMPTY;
    if (value != NULL && names_secret((struct span){at, (size_t)(value - at)}))
        buf_add_format(&argument, "%.*s=" HIDDEN, (int)(value - at), at);
    else if (before[0] == '-' && at[0] != '-' && strchr(before, '=') == NULL &&
             names_secret(span_of(before)))
        buf_add_text(&argument, HIDDEN);
    else
        address_hide_logins(span_of(at), &argument);
    text(s, buf_span(&argument));
    buf_fini(&argument);
}

static void show_texts(struct shown *s, const struct config_key *key,
                       const struct config_texts *texts)
{
    if (!s->yaml)
        json_write_begin_array(&s->json);
    else
        buf_add_char(out(s), '[');
    for (uint32_t i = 0; i < texts->count; i++) {
        if (s->yaml && i > 0)
            buf_add_text(out(s), ", ");
        if ((key->flags & COMMAND) != 0 && i > 0 && !texts->items[i].secret)
            show_argument(s, texts, i);
        else
            show_text(s, key, &texts->items[i]);
    }
    if (!s->yaml)
        json_write_end_array(&s->json);
    else
        buf_add_char(out(s), ']');
}

static void show_word(struct shown *s, const char *words, unsigned index)
{
    for (; index > 0; index--)
        words = strchr(words, '|') + 1;
    text(s, (struct span){words, strcspn(words, "|")});
}

static void show_value(struct shown *s, const struct config_key *key)
{
    char number[32];
    const void *value = member(s, key);
    unsigned word;
    switch (key->kind) {
    case KEY_KIND_CHOICE:
        memcpy(&word, value, sizeof word);
        show_word(s, key->words, word);
        return;
    case KEY_KIND_BOOL:
        raw(s, *(const bool *)value ? "true" : "false");
        return;
    case KEY_KIND_COUNT:
        snprintf(number, sizeof number, "%" PRId32, *(const int32_t *)value);
        break;
    case KEY_KIND_NUMBER:
        snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)value);
        break;
    case KEY_KIND_SIZE:
        snprintf(number, sizeof number, "%" PRIu64, *(const uint64_t *)value);
        break;
    case KEY_KIND_TEXTS:
        show_texts(s, key, value);
        return;
    default:
        assert(key->kind == KEY_KIND_TEXT);
        show_text(s, key, value);
        return;
    }
    raw(s, number);
}

/* ---- The tree ---- */

static void begin(struct shown *s, bool list)
{
    if (s->yaml)
        buf_add_char(out(s), '\n');
    else if (list)
        json_write_begin_array(&s->json);
    else
        json_write_begin_object(&s->json);
}

static void show_pairs(struct shown *s, const struct config_key *key, size_t indent)
{
    const struct config_pairs *pairs = member(s, key);
    if (s->yaml && pairs->count == 0) {
        buf_add_text(out(s), " {}\n");
        return;
    }
    begin(s, false);
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct config_pair *pair = &pairs->items[i];
        name(s, indent + 2, span_of(pair->name.secret ? HIDDEN : pair->name.text), true);
        if (s->yaml)
            buf_add_char(out(s), ' ');
        show_text(s, key, &pair->value);
        if (s->yaml)
            buf_add_char(out(s), '\n');
    }
    if (!s->yaml)
        json_write_end_object(&s->json);
}

static bool show_mapping(struct shown *s, const char *parent, size_t indent);

static void show_routes(struct shown *s, const char *below, size_t indent)
{
    const struct config_routes *routes = &s->target.relay->routes;
    for (uint32_t i = 0; i < routes->count; i++) {
        s->target.route = (struct config_route *)&routes->items[i];
        s->dash = s->yaml;
        if (!s->yaml)
            json_write_begin_object(&s->json);
        (void)show_mapping(s, below, indent);
        if (!s->yaml)
            json_write_end_object(&s->json);
    }
    s->target.route = NULL;
}

/* A section of which nothing goes is no section. */
static bool show_section(struct shown *s, const struct config_key *key, size_t indent)
{
    char below[CONFIG_PATH_MAX];
    const struct shown before = *s;
    size_t length = out(s)->len;
    bool list = key->kind == KEY_KIND_LIST, any = list;
    name(s, indent, span_of(config_key_name(key)), false);
    begin(s, list);
    config_key_below(key, below);
    if (list)
        show_routes(s, below, indent + 4);
    else
        any = show_mapping(s, below, indent + 2);
    if (!any) {
        *s = before;
        out(s)->len = length;
    } else if (!s->yaml && list) {
        json_write_end_array(&s->json);
    } else if (!s->yaml) {
        json_write_end_object(&s->json);
    }
    return any;
}

static bool show_key(struct shown *s, const struct config_key *key, size_t indent)
{
    if (key->kind < KEY_KIND_PAIRS)
        return show_section(s, key, indent);
    if (!has_value(s, key))
        return false;
    name(s, indent, span_of(config_key_name(key)), false);
    if (key->kind == KEY_KIND_PAIRS) {
        show_pairs(s, key, indent);
        return true;
    }
    if (s->yaml)
        buf_add_char(out(s), ' ');
    show_value(s, key);
    if (s->yaml)
        buf_add_char(out(s), '\n');
    return true;
}

static bool show_mapping(struct shown *s, const char *parent, size_t indent)
{
    size_t count;
    bool any = false;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (config_key_in(&keys[i], parent) && goes(s, &keys[i]))
            any |= show_key(s, &keys[i], indent);
    return any;
}

static void show(const struct config *config, bool yaml, struct buf *to)
{
    assert(config != NULL && to != NULL);
    struct shown s = {.json = json_writer(to), .yaml = yaml};
    s.target = (struct config_target){.config = (struct config *)config,
                                      .relay = (struct config_relay *)config_only_relay(config)};
    if (!yaml)
        json_write_begin_object(&s.json);
    (void)show_mapping(&s, "", 0);
    if (!yaml)
        json_write_end_object(&s.json);
}

void config_write_effective(const struct config *config, struct buf *to)
{
    assert(config != NULL && to != NULL);
    show(config, true, to);
}

void config_write_effective_json(const struct config *config, struct buf *to)
{
    assert(config != NULL && to != NULL);
    show(config, false, to);
}

/* ---- A value at a time ---- */

bool config_shows(const struct config_target *target, const struct config_key *key)
{
    assert(target != NULL && key != NULL);
    const struct shown s = {.target = *target};
    return key->kind >= KEY_KIND_PAIRS && goes(&s, key) && has_value(&s, key);
}

void config_show_value(const struct config_target *target, const struct config_key *key,
                       struct buf *to)
{
    assert(target != NULL && key != NULL);
    struct shown s = {.json = json_writer(to), .target = *target};
    show_value(&s, key);
}

void config_show_text(const struct config_key *key, const struct config_text *value, struct buf *to)
{
    struct shown s = {.json = json_writer(to)};
    show_text(&s, key, value);
}
