/* route_fixture: a router, an outbox table with one row, and a place for what comes out, so that a
 * test of route/ or encode/ says only what is special about it. */
#ifndef WALFERRY_TESTS_ROUTE_FIXTURE_H
#define WALFERRY_TESTS_ROUTE_FIXTURE_H

#include "route/route.h"

#define FIXTURE_COLUMNS_MAX 16
#define FIXTURE_ROUTES_MAX 8

struct route_fixture {
    struct config_route configs[FIXTURE_ROUTES_MAX];
    struct config_routes routes;
    const struct config_texts *topics_allowed; /* NULL: all */
    struct router *router;
    struct arena scratch;
    struct column columns[FIXTURE_COLUMNS_MAX];
    struct relation relation;
    struct cell cells[FIXTURE_COLUMNS_MAX];
    struct change change;
    enum router_answer answer; /* of the last begin */
    struct event event;
    struct error err;
};

/* A string of the file shop.yaml, on line 7. */
struct config_text route_fixture_text(const char *text);

/* One route "outbox" with everything that the configuration fills in by default; public.outbox with
 * the five columns and a row for order 4711. Not opened yet, so that the test can change it. */
void route_fixture_init(struct route_fixture *f);
/* Another route, a copy of the first but for its name and from. */
struct config_route *route_fixture_add_route(struct route_fixture *f, const char *name,
                                             const char *from);
/* Relay "orders", progress topic "walferry.orders.progress". 0 or -1 with f->err. */
int route_fixture_open(struct route_fixture *f);
void route_fixture_fini(struct route_fixture *f);

/* Sets the cell of the named column, adding the column (text) where the table lacks it. NULL: SQL
 * NULL. */
void route_fixture_set(struct route_fixture *f, const char *column, const char *value);
struct column *route_fixture_column(struct route_fixture *f, const char *name);
struct cell *route_fixture_cell(struct route_fixture *f, const char *name);
/* The change becomes a transactional message. */
void route_fixture_message(struct route_fixture *f, const char *prefix, const char *content);

/* Begins with the change and takes the first event: what router_next gave. */
int route_fixture_route(struct route_fixture *f);
/* The next one. */
int route_fixture_next(struct route_fixture *f);

#endif
