/* config: the walk over the tree. It follows the table and the file side by side, so that a key
 * that is not in the table is found where it stands. Nothing of it survives but struct config; it
 * knows no key by name but routes, and asks no server. */
#include "config/config.h"

#include "config/config_check.h"
#include "config/config_expand.h"
#include "config/config_table.h"
#include "config/config_tree.h"
#include "config/config_value.h"

#include "base/hash.h"
#include "base/slurp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int read_mapping(struct config_reader *reader, const char *parent, const struct node *node,
                        const struct config_target *target, struct error *err);

/* The text of what is no mapping is not shown: it may be a whole connection string. */
static int wrong_kind(const struct config_reader *reader, const char *path, const char *expected,
                      const struct node *node, struct error *err)
{
    const char *found = node->kind == NODE_MAPPING              ? "a mapping"
                        : node->kind == NODE_LIST               ? "a list"
                        : node_scalar_kind(node) == SCALAR_NULL ? "nothing"
                                                                : "a single value";
    config_fail(err, reader, node->line, path, REASON_CONFIG_TYPE, "expected %s, found %s",
                expected, found);
    return error_hint(err, "write %s below it, indented",
                      strcmp(expected, "a mapping") == 0 ? "keys, each with a colon and a value,"
                                                         : "items, each behind a -,");
}

static int refused_property(const struct config_reader *reader, const struct node *name,
                            struct error *err)
{
    const char *reason = config_refused_reason(name->text);
    if (reason == NULL)
        return 0;
    config_fail(err, reader, name->line, "kafka", REASON_CONFIG_REFUSED,
                "%.100s may not be set: %s", name->text.ptr, reason);
    return error_hint(err, "delete the line");
}

static bool names_secret(const char *name)
{
    static const char *const parts[] = {"password",           "secret", "key.pem", "passphrase",
                                        "oauthbearer.config", "jaas",   "token"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(name, parts[i]) != NULL)
            return true;
    return false;
}

static const struct node_child *find_child(const struct node *node, const char *name)
{
    for (const struct node_child *child = node->first; child != NULL; child = child->next)
        if (span_equal_text(child->key->text, name))
            return child;
    return NULL;
}

static int missing(const struct config_reader *reader, const struct node *node, const char *path,
                   const char *name, const char *sample, struct error *err)
{
    config_fail(err, reader, node->line, path, REASON_CONFIG_MISSING, "this key is missing");
    if (sample != NULL)
        return error_hint(err, "add a line such as %s: %s", name, sample);
    return error_hint(err, "add %s: with its %s below it", name,
                      strcmp(name, "routes") == 0 ? "items" : "keys");
}

/* Names that hold a secret are expanded as values are, and never printed. */
static int read_pair_name(const struct config_reader *reader, const struct config_key *key,
                          const struct node *node, struct config_text *name, struct error *err)
{
    bool secret = (key->flags & SECRET) != 0;
    struct span text = node->text;
    *name = (struct config_text){.file = reader->file, .line = node->line, .secret = secret};
    if (secret && config_expand(reader, node->line, key->path, node->text, false, &text,
                                &name->secret, err) < 0)
        return -1;
    name->secret = secret;
    name->text = text.ptr;
    if (key->rule == NULL || config_rule_holds(key->rule, text.ptr))
        return 0;
    return config_fail(err, reader, node->line, key->path, REASON_CONFIG_VALUE,
                       secret ? "expected names like %s"
                              : "expected names like %s, found \"%.60s\"",
                       key->expect, text.ptr);
}

static int read_pairs(struct config_reader *reader, const struct config_key *key,
                      const struct node *node, void *base, struct error *err)
{
    bool kafka = strcmp(key->path, "kafka") == 0;
    struct config_pair *items = arena_alloc_zero(reader->arena, (node->count + 1) * sizeof *items);
    uint32_t count = 0;
    for (const struct node_child *child = node->first; child != NULL; child = child->next) {
        struct config_pair *pair = &items[count++];
        char path[CONFIG_PATH_MAX];
        snprintf(path, sizeof path, "%s%s%.30s", key->path, key->rule != NULL ? "" : ".",
                 key->rule != NULL ? "" : child->key->text.ptr);
        if (kafka && refused_property(reader, child->key, err) < 0)
            return -1;
        if (config_value_pair(reader, path, child->value, &pair->value, err) < 0)
            return -1;
        if (read_pair_name(reader, key, child->key, &pair->name, err) < 0)
            return -1;
        if ((kafka && names_secret(pair->name.text)) || strcmp(key->path, "otlp.headers") == 0) {
            reader->secrets->inside |= !pair->value.secret;
            pair->value.secret = true;
        }
    }
    if (key->words != NULL && find_child(node, key->words) == NULL) {
        char path[CONFIG_PATH_MAX];
        snprintf(path, sizeof path, "%s.%s", key->path, key->words);
        return missing(reader, node, path, key->words, "\"127.0.0.1:9092\"", err);
    }
    *(struct config_pairs *)(void *)((char *)base + key->offset) =
        (struct config_pairs){count, items};
    return 0;
}

static int read_routes(struct config_reader *reader, const struct config_key *key,
                       const struct node *node, const struct config_target *target,
                       struct error *err)
{
    char below[CONFIG_PATH_MAX];
    config_key_below(key, below);
    if (node->count == 0) {
        config_fail(err, reader, node->line, key->path, REASON_CONFIG_MISSING, "there is no route");
        return error_hint(err, "add one, such as - {name: outbox, from: public.outbox}");
    }
    if (node->count > CONFIG_ROUTES_MAX) {
        config_fail(err, reader, node->line, key->path, REASON_CONFIG_VALUE,
                    "%u routes are more than %d", node->count, CONFIG_ROUTES_MAX);
        return error_hint(err, "use globs in routes[].from, or split the relay in two");
    }
    struct config_route *routes = arena_alloc_zero(reader->arena, node->count * sizeof *routes);
    reader->item = 0;
    for (const struct node_child *child = node->first; child != NULL; child = child->next) {
        struct config_route *route = &routes[reader->item];
        if (child->value->kind != NODE_MAPPING)
            return wrong_kind(reader, below, "a mapping", child->value, err);
        struct config_target inner = {target->config, target->relay, route};
        config_defaults(reader, &inner);
        if (read_mapping(reader, below, child->value, &inner, err) < 0)
            return -1;
        if (find_child(child->value, "format") == NULL)
            route->format = route->as == ROUTE_CHANGE  ? FORMAT_DEBEZIUM
                            : route->as == ROUTE_EVENT ? FORMAT_JSON
                                                       : FORMAT_RAW;
        route->has_headers = route->headers.items != NULL;
        reader->item++;
    }
    target->relay->routes = (struct config_routes){node->count, routes};
    return 0;
}

static int read_value(struct config_reader *reader, const struct config_key *key,
                      const struct node *node, const struct config_target *target,
                      struct error *err)
{
    char below[CONFIG_PATH_MAX];
    switch (key->kind) {
    case KEY_KIND_SECTION:
        if (node->kind != NODE_MAPPING)
            return wrong_kind(reader, key->path, "a mapping", node, err);
        config_key_below(key, below);
        return read_mapping(reader, below, node, target, err);
    case KEY_KIND_LIST:
        if (node->kind != NODE_LIST)
            return wrong_kind(reader, key->path, "a list", node, err);
        return read_routes(reader, key, node, target, err);
    case KEY_KIND_PAIRS:
        if (node->kind != NODE_MAPPING)
            return wrong_kind(reader, key->path, "a mapping", node, err);
        return read_pairs(reader, key, node, config_target_base(target, key), err);
    default:
        return config_value_set(reader, key, node, config_target_base(target, key), err);
    }
}

static int unknown_key(const struct config_reader *reader, const char *parent,
                       const struct node *name, struct error *err)
{
    struct buf quoted = BUF_EMPTY, hint = BUF_EMPTY;
    struct node shown = {.kind = NODE_SCALAR};
    config_found(&shown, name->text, false, &quoted);
    config_key_hint(parent, name->text, &hint);
    config_fail(err, reader, name->line, parent, REASON_CONFIG_UNKNOWN_KEY, "unknown key %s",
                buf_text(&quoted));
    error_hint(err, "%s", buf_text(&hint));
    buf_fini(&quoted);
    buf_fini(&hint);
    return -1;
}

/* Names of one mapping are compared as they are written; the tree bounds how many there are. */
static int no_duplicates(const struct config_reader *reader, const char *parent,
                         const struct node *node, struct error *err)
{
    for (const struct node_child *child = node->first; child != NULL; child = child->next) {
        const struct node_child *first = find_child(node, child->key->text.ptr);
        if (first == child)
            continue;
        config_fail(err, reader, child->key->line, parent, REASON_CONFIG_DUPLICATE_KEY,
                    "duplicate key \"%.80s\", first on line %u", child->key->text.ptr,
                    first->key->line);
        return error_hint(err, "delete one of the two");
    }
    return 0;
}

static int read_mapping(struct config_reader *reader, const char *parent, const struct node *node,
                        const struct config_target *target, struct error *err)
{
    if (no_duplicates(reader, parent, node, err) < 0)
        return -1;
    for (const struct node_child *child = node->first; child != NULL; child = child->next) {
        const struct config_key *key = config_key_find(parent, child->key->text);
        if (key == NULL)
            return unknown_key(reader, parent, child->key, err);
        if (key->kind == KEY_KIND_PAIRS && child->value->kind == NODE_MAPPING &&
            no_duplicates(reader, key->path, child->value, err) < 0)
            return -1;
        if (read_value(reader, key, child->value, target, err) < 0)
            return -1;
    }
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const char *name = config_key_name(&keys[i]);
        if ((keys[i].flags & REQUIRED) != 0 && config_key_in(&keys[i], parent) &&
            find_child(node, name) == NULL)
            return missing(reader, node, keys[i].path, name,
                           keys[i].kind == KEY_KIND_TEXT ? keys[i].sample : NULL, err);
    }
    return 0;
}

/* Behind all keys, because the relay's name may stand anywhere. */
static void derive_routes(struct config_reader *reader, struct config *config,
                          struct config_relay *relay)
{
    for (reader->item = 0; reader->item < relay->routes.count; reader->item++) {
        struct config_route *route = (struct config_route *)&relay->routes.items[reader->item];
        const struct config_target target = {config, relay, route};
        config_derive(reader, &target);
    }
}

static void note_secrets(struct config *config, const struct config_secrets *secrets)
{
    struct config_text *files =
        arena_alloc_zero(&config->arena, (secrets->count + 1) * sizeof *files);
    for (uint32_t i = 0; i < secrets->count; i++)
        files[i].text = secrets->files[i];
    config->secret_files = (struct config_texts){secrets->count, files};
    config->has_secret = secrets->inside;
}

static int read_tree(struct config *config, const struct node *root, struct error *err)
{
    struct config_secrets secrets = {.count = 0};
    struct config_reader reader = {
        .arena = &config->arena, .file = config->path, .secrets = &secrets};
    struct config_relay *relay = arena_alloc_zero(&config->arena, sizeof *relay);
    relay->process = config;
    config->relays = (struct config_relays){1, relay};
    struct config_target target = {.config = config, .relay = relay};
    config_defaults(&reader, &target);
    if (read_mapping(&reader, "", root, &target, err) < 0)
        return -1;
    config_derive(&reader, &target);
    derive_routes(&reader, config, relay);
    relay->source.changes = relay->source.publication;
    relay->source.changes.text =
        arena_format(&config->arena, "%s_changes", relay->source.publication.text);
    if (config_commands(&reader, relay, err) < 0 || config_check(&reader, config, root, err) < 0)
        return -1;
    config_hash(relay);
    note_secrets(config, &secrets);
    return 0;
}

int config_parse(struct span yaml, const char *name, struct config **config, struct error *err)
{
    assert(yaml.ptr != NULL && name != NULL);
    assert(config != NULL && err != NULL);
    *config = NULL;
    if (yaml.len > CONFIG_FILE_BYTES_MAX)
        return error_stop(err, REASON_CONFIG_FILE, "%s: larger than 1MB", name);
    struct config *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    arena_init(&made->arena, 8192, 8192);
    made->path = arena_text(&made->arena, span_of(name));
    snprintf(made->file_hash, sizeof made->file_hash, "%016" PRIx64,
             hash_add(HASH_INIT, yaml.ptr, yaml.len));
    const struct node *root = NULL;
    int result = tree_parse(yaml, made->path, &made->arena, &root, err);
    if (result == 0)
        result = read_tree(made, root, err);
    if (result == 0 && made->secret_files.count > 0)
        made->yaml = arena_copy(&made->arena, yaml);
    if (result < 0)
        config_close(made);
    else
        *config = made;
    return result;
}

static int cannot_read(const char *path, int code, struct error *err)
{
    error_stop(err, REASON_CONFIG_FILE, "%s: the configuration cannot be read: %s", path,
               code == EFBIG ? "larger than 1MB" : strerror(code));
    if (code == EACCES)
        return error_hint(err,
                          "let the user that walferry runs as read the file: it runs as uid %ld",
                          (long)geteuid());
    if (code == EFBIG)
        return -1;
    return error_hint(err, "name the file with -c FILE or in WALFERRY_CONFIG");
}

int config_open(const char *path, struct config **config, struct error *err)
{
    assert(config != NULL);
    assert(err != NULL);
    *config = NULL;
    if (path == NULL)
        path = getenv("WALFERRY_CONFIG");
    if (path == NULL || path[0] == '\0')
        path = "/etc/walferry/walferry.yaml";
    struct buf yaml = BUF_EMPTY;
    int result;
    if (slurp(path, CONFIG_FILE_BYTES_MAX, &yaml) < 0)
        result = cannot_read(path, errno, err);
    else
        result = config_parse(buf_span(&yaml), path, config, err);
    buf_fini(&yaml);
    return result;
}

void config_close(struct config *config)
{
    if (config == NULL)
        return;
    arena_fini(&config->arena);
    free(config);
}

int config_error(struct error *err, const struct config_text *at, enum reason reason,
                 const char *format, ...)
{
    assert(err != NULL);
    assert(at != NULL);
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (at->file == NULL)
        return error_stop(err, reason, "%s", text);
    if (at->line == 0)
        return error_stop(err, reason, "%s: %s", at->file, text);
    return error_stop(err, reason, "%s:%u: %s", at->file, at->line, text);
}
