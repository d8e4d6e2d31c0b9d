/* migrate: the order in which a connector's properties are gone through, and the file around it. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <string.h>

#define RELAY_NAME_MAX 40

/* A letter, then letters, digits and _. */
static const char *relay_name(struct migrate *m, const char *from)
{
    char name[RELAY_NAME_MAX + 1];
    size_t n = 0;
    for (const char *c = from; *c != '\0' && n < RELAY_NAME_MAX; c++) {
        char lower = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        bool letter = lower >= 'a' && lower <= 'z', digit = lower >= '0' && lower <= '9';
        if (n == 0 && !letter)
            continue;
        name[n++] = letter || digit ? lower : '_';
    }
    return n > 0 ? arena_text(&m->arena, (struct span){name, n}) : "debezium";
}

/* What a topic may have in its name. */
static const char *prefix_of(struct migrate *m, const char *from)
{
    char *name = arena_text(&m->arena, span_of(from));
    for (char *c = name; *c != '\0'; c++)
        if (strchr("._-", *c) == NULL && (*c < '0' || *c > '9') && (*c < 'A' || *c > 'Z') &&
            (*c < 'a' || *c > 'z'))
            *c = '_';
    return name;
}

static void take_names(struct migrate *m)
{
    const char *prefix = migrate_value(m, "topic.prefix");
    const char *before = migrate_value(m, "database.server.name"); /* until Debezium 1.9 */
    const char *name = migrate_value(m, "name");
    const char *given = prefix != NULL ? prefix : before != NULL ? before : name;
    m->prefix = prefix_of(m, given != NULL ? given : "debezium");
    m->relay = relay_name(m, m->prefix);
    if (prefix == NULL && before == NULL)
        migrate_note(m, WEIGHT_LOOK, "no topic.prefix: %s is taken", m->prefix);
    migrate_say(m, "topic.prefix", WEIGHT_TAKEN, "relay, and routes[].debezium.topic_prefix");
    migrate_say(m, "database.server.name", WEIGHT_TAKEN,
                "relay, and routes[].debezium.topic_prefix");
}

static void write_file(struct migrate *m, const struct buf *source, struct buf *out)
{
    buf_add_text(out, "# A walferry.yaml, made from a Debezium connector by\n"
                      "# walferry config migrate-from-debezium. Its properties, and what became of "
                      "each:\n");
    migrate_write_remarks(m, out);
    if (m->general.len > 0) {
        buf_add_text(out, "#\n# Besides:\n");
        buf_add(out, buf_span(&m->general));
    }
    buf_add_text(
        out,
        "#\n# To go on where the connector has stopped, without a gap: docs/TASKS.md, \"Taking "
        "over\n# from Debezium\".\n\n");
    migrate_add(out, 0, "relay", m->relay);
    buf_add(out, buf_span(source));
    buf_add_text(out, "kafka:\n");
    buf_add(out, buf_span(&m->kafka));
    if (m->delivery.len > 0) {
        buf_add_text(out, "delivery:\n");
        buf_add(out, buf_span(&m->delivery));
    }
    buf_add_text(out, "routes:\n");
    buf_add(out, buf_span(&m->routes));
}

static int migrate(struct migrate *m, struct span text, struct buf *source, struct error *err)
{
    if (migrate_read(m, text, err) < 0)
        return -1;
    take_names(m);
    migrate_transforms(m);
    migrate_source(m, source);
    migrate_change_options(m);
    migrate_kafka(m);
    if (migrate_routes(m, err) < 0)
        return -1;
    migrate_judge_rest(m);
    return 0;
}

int migrate_debezium(struct span text, const char *name, struct migrated *out, struct error *err)
{
    assert(name != NULL && out != NULL && err != NULL);
    struct migrate m = {.file = name, .out = out};
    struct buf source = BUF_EMPTY;
    arena_init(&m.arena, (size_t)16 * 1024, (size_t)16 * 1024);
    out->lost = out->look = 0;
    int result = migrate(&m, text, &source, err);
    if (result == 0)
        write_file(&m, &source, &out->yaml);
    buf_fini(&source);
    buf_fini(&m.general);
    buf_fini(&m.kafka);
    buf_fini(&m.delivery);
    buf_fini(&m.routes);
    buf_fini(&m.envelope);
    arena_fini(&m.arena);
    return result;
}
