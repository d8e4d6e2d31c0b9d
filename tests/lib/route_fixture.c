/* route_fixture: see route_fixture.h. */
#include "route_fixture.h"

#include <assert.h>

struct config_text route_fixture_text(const char *text)
{
    return (struct config_text){.text = text, .file = "shop.yaml", .line = 7};
}

static void init_route(struct config_route *route)
{
    *route = (struct config_route){.name = route_fixture_text("outbox"),
                                   .from = route_fixture_text("public.outbox"),
                                   .as = ROUTE_OUTBOX,
                                   .topic = route_fixture_text("outbox.event.{aggregatetype}"),
                                   .key = route_fixture_text("{aggregateid}"),
                                   .format = FORMAT_RAW,
                                   .on_error = ON_ERROR_STOP};
    route->columns.id = route_fixture_text("id");
    route->columns.aggregate_type = route_fixture_text("aggregatetype");
    route->columns.aggregate_id = route_fixture_text("aggregateid");
    route->columns.type = route_fixture_text("type");
    route->columns.payload = route_fixture_text("payload");
}

void route_fixture_init(struct route_fixture *f)
{
    *f = (struct route_fixture){.routes = {.count = 1, .items = f->configs}, .err = ERROR_INIT};
    init_route(&f->configs[0]);
    arena_init(&f->scratch, 4096, 16384);
    f->relation = (struct relation){.oid = 16400,
                                    .schema = SPAN_LITERAL("public"),
                                    .name = SPAN_LITERAL("outbox"),
                                    .identity = 'd',
                                    .columns = f->columns,
                                    .version = 1};
    f->change = (struct change){.op = CHANGE_INSERT,
                                .position = {.lsn = 0x1000, .seq = 3},
                                .id = change_id_wal(0x16B374D848, 3),
                                .xid = 731,
                                .commit_time_us = 1700000000123456,
                                .relation = &f->relation,
                                .after = {.cells = f->cells}};
    route_fixture_set(f, "id", "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
    route_fixture_set(f, "aggregatetype", "order");
    route_fixture_set(f, "aggregateid", "4711");
    route_fixture_set(f, "type", "OrderPlaced");
    route_fixture_set(f, "payload", "{\"total\": 12.50}");
}

struct config_route *route_fixture_add_route(struct route_fixture *f, const char *name,
                                             const char *from)
{
    assert(f->routes.count < FIXTURE_ROUTES_MAX);
    struct config_route *route = &f->configs[f->routes.count++];
    *route = f->configs[0];
    route->name = route_fixture_text(name);
    route->from = route_fixture_text(from);
    return route;
}

int route_fixture_open(struct route_fixture *f)
{
    struct router_options options = {.routes = &f->routes,
                                     .relay = "orders",
                                     .progress_topic = "walferry.orders.progress",
                                     .topics_allowed = f->topics_allowed,
                                     .jq_worker = "build/asan/walferry"};
    return router_open(&options, &f->router, &f->err);
}

void route_fixture_fini(struct route_fixture *f)
{
    router_close(f->router);
    arena_fini(&f->scratch);
}

static uint32_t find(struct route_fixture *f, const char *name)
{
    uint32_t i = 0;
    while (i < f->relation.column_count && !span_equal_text(f->columns[i].name, name))
        i++;
    return i;
}

void route_fixture_set(struct route_fixture *f, const char *column, const char *value)
{
    uint32_t i = find(f, column);
    if (i == f->relation.column_count) {
        assert(i < FIXTURE_COLUMNS_MAX);
        f->columns[i] =
            (struct column){.name = span_of(column), .type_oid = TYPE_TEXT, .type_modifier = -1};
        f->relation.column_count++;
        f->change.after.count++;
    }
    f->cells[i] = value == NULL ? (struct cell){.kind = CELL_NULL}
                                : (struct cell){.kind = CELL_TEXT, .bytes = span_of(value)};
}

struct column *route_fixture_column(struct route_fixture *f, const char *name)
{
    uint32_t i = find(f, name);
    assert(i < f->relation.column_count);
    return &f->columns[i];
}

struct cell *route_fixture_cell(struct route_fixture *f, const char *name)
{
    return &f->cells[route_fixture_column(f, name) - f->columns];
}

void route_fixture_message(struct route_fixture *f, const char *prefix, const char *content)
{
    f->change.op = CHANGE_MESSAGE;
    f->change.relation = NULL;
    f->change.after = (struct row){.count = 0};
    f->change.message.prefix = span_of(prefix);
    f->change.message.content = span_of(content);
    f->change.message.transactional = true;
}

int route_fixture_route(struct route_fixture *f)
{
    f->answer = router_begin(f->router, &f->change, &f->scratch);
    return route_fixture_next(f);
}

int route_fixture_next(struct route_fixture *f)
{
    f->err = ERROR_INIT;
    return router_next(f->router, &f->event, &f->err);
}
