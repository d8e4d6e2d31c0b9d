/* route/: a change becomes events: which topic, key, type, headers and contents; or nothing.
 *
 * Routes are compiled once; for each (relation, version) the columns that they name are looked up
 * once, and in steady state a row allocates nothing but from the scratch arena. A template names
 * columns by {name}, {name:default} or {"SQL's quotes"}, and facts: {@schema} {@table} {@relay},
 * {@op} (insert, read, message), {@lsn} (final LSN of BEGIN, "16/B374D848"), {@xid}, {@commit_ms}.
 * A key template that is "" gives events without a key. A topic may not be the progress topic, nor
 * begin with two underscores. Of a message (`from: message:<prefix>`) the members of its JSON
 * object are its columns: a string counts as its text, null and an absent member as NULL (id and
 * payload must be there), any other value as its JSON text, byte for byte. */
#ifndef WALFERRY_ROUTE_ROUTE_H
#define WALFERRY_ROUTE_ROUTE_H

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "model/event.h"

struct router;

/* Facts about the relay that templates may name. */
struct router_options {
    const struct config_routes *routes;
    const char *relay;
    const char *progress_topic; /* an event for it is ERROR_DATA */
    const char *letter_topic;   /* the same; NULL: there is none */
    /* One for a topic that none of these globs matches, too; NULL or none: all are allowed. */
    const struct config_texts *topics_allowed;
    int64_t jq_cpu_ms;     /* what jq may take for a row; 0: a second */
    uint64_t jq_memory;    /* bytes; 0: 16 MB */
    const char *jq_worker; /* the program that is started for jq; NULL: this one */
};

/* Every template error is ERROR_STOP, EXIT_USAGE, with file and line. The router points into the
 * options' texts, and remembers relations by address: it must be closed before either goes. */
int router_open(const struct router_options *options, struct router **router, struct error *err);
void router_close(struct router *router); /* NULL is legal */

enum router_answer {
    ROUTER_TAKEN,    /* by one route at least, although it may fail or make nothing of it */
    ROUTER_NO_ROUTE, /* no route names the table, or the message */
    ROUTER_NOT_THIS_OPERATION /* no route takes such a change: of this table, or of any */
};

/* Begins with a change. What the events point to lives in `scratch`, in the change and in the
 * router, until the next begin. A message outside a transaction is never taken, nor is what is no
 * row, truncate or message. */
enum router_answer router_begin(struct router *router, const struct change *change,
                                struct arena *scratch);
/* 1: *event filled. 0: no more. -1: ERROR_DATA; event->route tells whose on_error decides, and the
 * next call goes on with the next event; topic and key of *event are what could be told of them,
 * else absent and NULL. Reasons: column_missing, null_in_template, illegal_topic,
 * reserved_topic, topic_not_allowed, bad_headers, reserved_header, bad_partition, bad_message_json,
 * bad_value, value_unchanged, key_not_sent, key_unknown, old_not_sent, jq_failed, jq_limit,
 * bad_traceparent. Or ERROR_RETRY: jq cannot be asked now; begin anew. */
int router_next(struct router *router, struct event *event, struct error *err);

/* ---- Ahead of the need ----
 * jq answers many questions together at a fraction of what each costs alone. So a row may be looked
 * at before its turn comes, in the order in which the turns will come; that changes no event. */

/* Does any route ask jq? */
bool router_looks_ahead(const struct router *router);
/* May another change be looked at now? */
bool router_has_room(const struct router *router);
/* While jq is waited for, `meanwhile` is called several times a second; it may not ask the router.
 * NULL: nobody is, as at first. */
void router_meanwhile(struct router *router, void (*meanwhile)(void *with), void *with);
/* Looks at a change that router_begin() is given later. Only of rows there is anything to ask. The
 * change may be another copy then, and the scratch arena is only used meanwhile. */
void router_expect(struct router *router, const struct change *change, struct arena *scratch);

/* There are two publications, because a table whose updates and deletes are sent must say how its
 * old rows are told, and an outbox need not. */
enum router_share {
    ROUTER_INSERTS, /* of routes as: outbox, which take inserts alone */
    ROUTER_CHANGES, /* of all others */
    ROUTER_SHARES
};
/* What the routes take of tables, a set of change_bit(): the server need not send anything else. */
uint32_t router_operations(const struct router *router, enum router_share share);
/* Is there a route that takes tables for it? */
bool router_has_share(const struct router *router, enum router_share share);
/* The topics that are plain text, each once, one a call: index from 0; NULL at the end. */
const char *router_literal_topic(const struct router *router, uint32_t index);
/* The first route that takes rows of this table, or -1. */
int router_route_of_table(const struct router *router, struct span schema, struct span table);
/* The same, of routes of the share alone. */
int router_route_of_share(const struct router *router, enum router_share share, struct span schema,
                          struct span table);
/* What the route takes of this table, a set of change_bit(); 0: nothing. */
uint32_t router_operations_of_table(const struct router *router, uint32_t route, struct span schema,
                                    struct span table);
enum router_share router_share_of_route(const struct router *router, uint32_t route);
/* The one table that the route names; false where it names a glob or messages. */
bool router_table_of_route(const struct router *router, uint32_t route, struct span *schema,
                           struct span *table);
/* What a route's `from:` says of tables. In a glob * is any run of characters, ? is one. */
struct router_pattern {
    struct span schema; /* absent, like table: the route takes messages */
    struct span table;
    bool schema_glob;
    bool table_glob;
};
/* False behind the last route. Points into the router. */
bool router_pattern_of_route(const struct router *router, uint32_t route,
                             struct router_pattern *pattern);
/* What a route would find wrong with every row of a relation. */
struct router_lack {
    uint32_t route;
    struct span column;
    const char
        *must_be; /* NULL: the column is not there; else what its type can never be read as */
};
/* Looks at name and columns of the relation only, which may come from the catalogue. True: *lack is
 * filled. */
bool router_lacks(const struct router *router, const struct relation *relation,
                  struct router_lack *lack);

/* Does the route take rows of the table and ask for old values of updated ones? *whole: of all
 * columns; else of those that its when.changed names. */
bool router_asks_for_old(const struct router *router, uint32_t route, struct span schema,
                         struct span table, bool *whole);

/* jq runs in a process of its own, which is this program started with this first argument: main()
 * does nothing but this then. Returns its exit code. */
#define ROUTER_WORKER "jq-worker"
int router_worker(int argc, char **argv);

#endif
