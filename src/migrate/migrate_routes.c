/* migrate_routes: which tables and messages, and what becomes of each. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static bool has_wildcard(const char *glob)
{
    return strpbrk(glob, "*?") != NULL;
}

/* Debezium matches the whole of schema.table, so a star may stand for the dot; from: has two
 * parts. NULL: it names no table. */
static const char *as_from(struct migrate *m, const char *glob)
{
    if (strchr(glob, '.') != NULL)
        return glob;
    const char *star = strchr(glob, '*');
    if (star == NULL)
        return NULL;
    return arena_format(&m->arena, "%.*s*.*%s", (int)(star - glob), glob, star + 1);
}

static void add_name(struct migrate *m, const char *from)
{
    char name[48];
    size_t n = 0;
    for (const char *c = from; *c != '\0' && n < sizeof name - 1; c++) {
        bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || strchr("._-", *c) != NULL;
        name[n++] = *c == '*' ? 'x' : fine ? *c : '_';
    }
    name[n] = '\0';
    m->route_count++;
    buf_add_text(&m->routes, "  - name: ");
    migrate_add_text(&m->routes, m->route_count == 1
                                     ? name
                                     : arena_format(&m->arena, "%s-%u", name, m->route_count));
    buf_add_char(&m->routes, '\n');
    migrate_add(&m->routes, 4, "from", from);
}

static void add_change(struct migrate *m, const char *from)
{
    add_name(m, from);
    m->change_count++;
    buf_add_text(&m->routes, "    as: change\n    debezium_compatible: true\n    debezium:\n");
    buf_add(&m->routes, buf_span(&m->envelope));
    if (m->skips_errors)
        buf_add_text(&m->routes, "    on_error: skip\n");
}

static void add_outbox(struct migrate *m, const char *from)
{
    add_name(m, from);
    buf_add_text(&m->routes, "    as: outbox\n");
    migrate_router(m, migrate_transform(m, TRANSFORM_ROUTER), &m->routes);
    if (m->skips_errors)
        buf_add_text(&m->routes, "    on_error: skip\n");
}

/* ---- Which of them are an outbox ---- */

/* Whether the router takes what comes from these tables; *unsure: some of them, perhaps. */
static bool is_routed(struct migrate *m, const struct transform *router, const char *from,
                      bool *unsure)
{
    struct globs globs;
    const char *offender = NULL;
    if (router == NULL || router->predicate == NULL)
        return router != NULL;
    if (!migrate_globs(m, router->predicate, &globs, &offender)) {
        *unsure = true;
        return false;
    }
    const char *topic = arena_format(&m->arena, "%s.%s", m->prefix, from);
    bool match = false;
    for (uint32_t i = 0; i < globs.count; i++) {
        match |= fnmatch(globs.items[i], topic, FNM_NOESCAPE) == 0;
        *unsure |= has_wildcard(from);
    }
    return match != router->negated;
}

/* Outbox routes come first, since the first that matches takes a change. */
static void add_tables(struct migrate *m, const struct globs *globs)
{
    const struct transform *router = migrate_transform(m, TRANSFORM_ROUTER);
    for (int outbox = 1; outbox >= 0; outbox--)
        for (uint32_t i = 0; i < globs->count; i++) {
            bool unsure = false;
            const char *from = globs->items[i];
            if (is_routed(m, router, from, &unsure) != (outbox == 1))
                continue;
            if (unsure)
                migrate_note(
                    m, WEIGHT_LOST,
                    "which of the tables %.100s are an outbox cannot be told: name them in "
                    "routes of their own, as: outbox before as: change",
                    from);
            if (outbox == 1)
                add_outbox(m, from);
            else
                add_change(m, from);
        }
}

static bool take_list(struct migrate *m, const char *key, struct globs *globs)
{
    const char *list = migrate_value(m, key), *offender = NULL;
    if (list == NULL)
        return false;
    bool good = migrate_globs(m, list, globs, &offender);
    for (uint32_t i = 0; good && i < globs->count; i++) {
        offender = globs->items[i];
        good = (globs->items[i] = as_from(m, offender)) != NULL;
    }
    if (good) {
        migrate_say(m, key, WEIGHT_TAKEN, "routes[].from; letters count as they are written");
        return true;
    }
    migrate_say(m, key, WEIGHT_LOST, "%.100s is no glob: write one route for each table", offender);
    globs->count = 0;
    return false;
}

static void exclude(struct migrate *m)
{
    static const char *const KEYS[] = {"table.exclude.list", "schema.exclude.list",
                                       "message.prefix.exclude.list"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        migrate_say(m, KEYS[i], WEIGHT_LOST, "routes name what is taken: write one for each table");
}

static bool take_schemas(struct migrate *m, struct globs *globs)
{
    const char *list = migrate_value(m, "schema.include.list"), *offender = NULL;
    if (list == NULL)
        return false;
    if (!migrate_globs(m, list, globs, &offender)) {
        migrate_say(m, "schema.include.list", WEIGHT_LOST, "%.100s is no glob", offender);
        return false;
    }
    for (uint32_t i = 0; i < globs->count; i++)
        globs->items[i] = arena_format(&m->arena, "%s.*", globs->items[i]);
    migrate_say(m, "schema.include.list", WEIGHT_TAKEN, "routes[].from");
    return true;
}

/* ---- Messages ---- */

static void take_messages(struct migrate *m)
{
    const char *key = "message.prefix.include.list", *list = migrate_value(m, key);
    const char *offender = NULL;
    bool decoded = migrate_transform(m, TRANSFORM_DECODE) != NULL;
    struct globs globs = {.count = 0};
    bool good = list != NULL && migrate_globs(m, list, &globs, &offender);
    for (uint32_t i = 0; good && i < globs.count; i++) {
        offender = globs.items[i];
        good = !has_wildcard(offender);
    }
    if (list != NULL && !good) {
        migrate_say(m, key, WEIGHT_LOST, "%.100s is no single prefix", offender);
        return;
    }
    if (list == NULL && (decoded || !m->only_outbox))
        migrate_note(m, decoded ? WEIGHT_LOST : WEIGHT_LOOK,
                     "no message.prefix.include.list: Debezium publishes all logical messages, "
                     "walferry those that a route names (from: message:PREFIX)");
    for (uint32_t i = 0; i < globs.count; i++) {
        const char *from = arena_format(&m->arena, "message:%s", globs.items[i]);
        if (decoded && migrate_transform(m, TRANSFORM_ROUTER) != NULL)
            add_outbox(m, from);
        else
            add_change(m, from);
    }
    migrate_say(m, key, WEIGHT_TAKEN, "routes[].from");
}

/* ---- All ---- */

int migrate_routes(struct migrate *m, struct error *err)
{
    assert(m->route_count == 0);
    struct globs globs = {.count = 0};
    bool tables = migrate_value(m, "table.include.list") != NULL;
    bool decoded = migrate_transform(m, TRANSFORM_DECODE) != NULL;
    bool known = tables ? take_list(m, "table.include.list", &globs) : take_schemas(m, &globs);
    if (tables)
        migrate_say(m, "schema.include.list", WEIGHT_LOOK, "table.include.list names the tables");
    exclude(m);
    if (!known && !tables && migrate_value(m, "schema.include.list") == NULL && !decoded) {
        globs = (struct globs){.count = 1, .items = {"*.*"}};
        migrate_note(
            m, WEIGHT_LOOK,
            "neither table.include.list nor schema.include.list: all tables are taken; name "
            "those that are wanted in routes[].from");
    }
    add_tables(m, &globs);
    take_messages(m);
    if (m->route_count > 0)
        return 0;
    error_stop(err, REASON_CONFIG_VALUE, "%s: no table or message can be told from it", m->file);
    return error_hint(err, "give table.include.list as names with commas between them");
}
