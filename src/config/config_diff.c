/* config_diff: which values of a file differ from those in force, and when each change counts.
 *
 * Both configurations are laid out as lists of paths and values, in the order of the table; a route
 * is known by its name. Values are compared as they are and shown without their secrets. */
#include "config/config_same.h"
#include "config/config_show.h"

#include "json/json_write.h"

#include <assert.h>
#include <stdlib.h>

struct leaf {
    const struct config_key *key;
    struct span route; /* absent: the key is of no route */
    struct span path;  /* as it is shown */
    struct span name;  /* the same with what is hidden */
    struct span shown; /* JSON */
    struct span exact; /* NUL-terminated where the value is one text */
};

struct leaves {
    struct arena *arena;
    struct leaf *items;
    size_t count, room;
    struct config_target target;
    struct buf scratch;
};

/* ---- Laying out ---- */

static struct leaf *add(struct leaves *l, const struct config_key *key)
{
    if (l->count == l->room) {
        l->room = l->room * 2 + 64;
        l->items = realloc(l->items, l->room * sizeof *l->items);
        if (l->items == NULL)
            abort();
    }
    const struct config_route *route = l->target.route;
    struct leaf *leaf = &l->items[l->count++];
    *leaf =
        (struct leaf){.key = key, .route = route != NULL ? span_of(route->name.text) : span_null()};
    return leaf;
}

/* "routes[orders].topic", "kafka.compression.type". */
static struct span path_of(struct leaves *l, const struct config_key *key, const char *pair)
{
    const struct config_route *route = l->target.route;
    const char *behind = route != NULL ? strstr(key->path, "[]") : NULL;
    buf_reset(&l->scratch);
    if (behind != NULL)
        buf_add_format(&l->scratch, "%.*s[%s]%s", (int)(behind - key->path), key->path,
                       route->name.text, behind + 2);
    else
        buf_add_text(&l->scratch, key->path);
    if (pair != NULL)
        buf_add_format(&l->scratch, ".%s", pair);
    return arena_copy(l->arena, buf_span(&l->scratch));
}

static void add_pairs(struct leaves *l, const struct config_key *key,
                      const struct config_pairs *pairs)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct config_pair *pair = &pairs->items[i];
        struct leaf *leaf = add(l, key);
        leaf->name = path_of(l, key, pair->name.text);
        leaf->path = pair->name.secret ? path_of(l, key, HIDDEN) : leaf->name;
        leaf->exact = span_of(arena_format(l->arena, "%s=%s", pair->name.text, pair->value.text));
        buf_reset(&l->scratch);
        config_show_text(key, &pair->value, &l->scratch);
        leaf->shown = arena_copy(l->arena, buf_span(&l->scratch));
    }
}

/* What is exact of a list with secrets: its texts, each behind the one before. */
static struct span exact_texts(struct leaves *l, const struct config_texts *texts)
{
    buf_reset(&l->scratch);
    for (uint32_t i = 0; i < texts->count; i++)
        buf_add(&l->scratch, (struct span){texts->items[i].text, strlen(texts->items[i].text) + 1});
    return arena_copy(l->arena, buf_span(&l->scratch));
}

static void add_value(struct leaves *l, const struct config_key *key)
{
    const void *value = (const char *)config_target_base(&l->target, key) + key->offset;
    if (key->kind == KEY_KIND_PAIRS) {
        add_pairs(l, key, value);
        return;
    }
    struct leaf *leaf = add(l, key);
    leaf->name = leaf->path = path_of(l, key, NULL);
    buf_reset(&l->scratch);
    config_show_value(&l->target, key, &l->scratch);
    leaf->shown = arena_copy(l->arena, buf_span(&l->scratch));
    if (key->kind == KEY_KIND_TEXT)
        leaf->exact = span_of(((const struct config_text *)value)->text);
    else
        leaf->exact = key->kind == KEY_KIND_TEXTS ? exact_texts(l, value) : leaf->shown;
}

static void lay_out(struct leaves *l, bool of_routes)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (keys[i].kind >= KEY_KIND_PAIRS && (keys[i].scope == SCOPE_config_route) == of_routes &&
            config_shows(&l->target, &keys[i]))
            add_value(l, &keys[i]);
}

static struct leaves leaves_of(const struct config *config, struct arena *arena)
{
    struct config_relay *relay = (struct config_relay *)config_only_relay(config);
    struct leaves l = {.arena = arena,
                       .target = {.config = (struct config *)config, .relay = relay}};
    lay_out(&l, false);
    for (uint32_t i = 0; i < relay->routes.count; i++) {
        l.target.route = (struct config_route *)&relay->routes.items[i];
        lay_out(&l, true);
    }
    buf_fini(&l.scratch);
    return l;
}

/* ---- Comparing ---- */

static const struct leaf *find(const struct leaves *in, const struct leaf *wanted)
{
    for (size_t i = 0; i < in->count; i++)
        if (span_equal(in->items[i].name, wanted->name))
            return &in->items[i];
    return NULL;
}

static bool has_route(const struct leaves *in, struct span name)
{
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].route.ptr != NULL && span_equal(in->items[i].route, name))
            return true;
    return false;
}

static const char *when(const struct leaf *before, const struct leaf *after)
{
    const struct config_key *key = after != NULL ? after->key : before->key;
    bool elsewhere = (key->flags & RESTART_DATABASE) != 0 && before != NULL && after != NULL &&
                     !config_same_database(before->exact.ptr, after->exact.ptr);
    if (elsewhere || (key->flags & RESTART) != 0)
        return "restart";
    return (key->flags & AT_ONCE) != 0 ? "at_once" : "next_epoch";
}

static void write_shown(struct json_writer *w, const char *name, struct span shown)
{
    if (shown.ptr != NULL)
        json_write_member_raw(w, name, shown);
    else
        json_write_member_null(w, name);
}

static void write_change(struct json_writer *w, const struct leaf *before, const struct leaf *after)
{
    json_write_begin_object(w);
    json_write_member_string(w, "key", after != NULL ? after->path : before->path);
    write_shown(w, "before", before != NULL ? before->shown : span_null());
    write_shown(w, "after", after != NULL ? after->shown : span_null());
    json_write_member_text(w, "when", when(before, after));
    json_write_end_object(w);
}

/* What a new route does not say by itself is not told of. */
static bool is_default(const struct leaf *leaf)
{
    const char *fallback = leaf->key->fallback;
    struct span shown = leaf->shown;
    if (fallback == NULL || shown.len == 0)
        return false;
    if (shown.ptr[0] == '"')
        shown = (struct span){shown.ptr + 1, shown.len - 2};
    return span_equal_text(shown, fallback);
}

static void write_new(struct json_writer *w, const struct leaves *before,
                      const struct leaves *after)
{
    for (size_t i = 0; i < after->count; i++) {
        const struct leaf *now = &after->items[i], *then = find(before, now);
        bool fresh = now->route.ptr != NULL && !has_route(before, now->route);
        if (then != NULL ? !span_equal(then->exact, now->exact) : !fresh || !is_default(now))
            write_change(w, then, now);
    }
}

/* Of a route that is gone, its name. */
static void write_gone(struct json_writer *w, const struct leaves *before,
                       const struct leaves *after)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct leaf *then = &before->items[i];
        bool gone = then->route.ptr != NULL && !has_route(after, then->route);
        if (find(after, then) == NULL &&
            (!gone || span_equal_text(span_of(then->key->path), "routes[].name")))
            write_change(w, then, NULL);
    }
}

/* ---- The order of routes ---- */

static bool names_route(const struct config_routes *routes, const char *name)
{
    for (uint32_t i = 0; i < routes->count; i++)
        if (strcmp(routes->items[i].name.text, name) == 0)
            return true;
    return false;
}

/* The next one that is in both; count: there is none. */
static uint32_t common(const struct config_routes *in, const struct config_routes *other,
                       uint32_t from)
{
    while (from < in->count && !names_route(other, in->items[from].name.text))
        from++;
    return from;
}

static bool same_order(const struct config_routes *a, const struct config_routes *b)
{
    uint32_t i = common(a, b, 0), j = common(b, a, 0);
    while (i < a->count && j < b->count &&
           strcmp(a->items[i].name.text, b->items[j].name.text) == 0) {
        i = common(a, b, i + 1);
        j = common(b, a, j + 1);
    }
    return i == a->count && j == b->count;
}

static void write_names(struct json_writer *w, const char *member,
                        const struct config_routes *routes)
{
    json_write_name(w, member);
    json_write_begin_array(w);
    for (uint32_t i = 0; i < routes->count; i++)
        json_write_text(w, routes->items[i].name.text);
    json_write_end_array(w);
}

static void write_order(struct json_writer *w, const struct config_routes *before,
                        const struct config_routes *after)
{
    if (same_order(before, after))
        return;
    json_write_begin_object(w);
    json_write_member_text(w, "key", "routes");
    write_names(w, "before", before);
    write_names(w, "after", after);
    json_write_member_text(w, "when", "next_epoch");
    json_write_end_object(w);
}

void config_write_changes(const struct config *running, const struct config *next, struct buf *out)
{
    assert(running != NULL && next != NULL && out != NULL);
    struct arena arena;
    arena_init(&arena, 16384, 16384);
    struct leaves before = leaves_of(running, &arena), after = leaves_of(next, &arena);
    struct json_writer w = json_writer(out);
    json_write_begin_array(&w);
    write_new(&w, &before, &after);
    write_gone(&w, &before, &after);
    write_order(&w, &config_only_relay(running)->routes, &config_only_relay(next)->routes);
    json_write_end_array(&w);
    free(before.items);
    free(after.items);
    arena_fini(&arena);
}
