/* config_poll_check: see config_poll_check.h. Rows are all that polling sees: no update or delete,
 * no message, and of a table that a glob comes to match later not those from before. */
#include "config/config_poll_check.h"

#include <assert.h>
#include <string.h>

static int refuse(const struct config_reader *reader, uint32_t line, const char *path,
                  const char *what, const char *hint, struct error *err)
{
    config_fail(err, reader, line, path, REASON_CONFIG_VALUE, "%s", what);
    return error_hint(err, "%s", hint);
}

static bool names_lsn(const struct config_text *template)
{
    return template->text != NULL && strstr(template->text, "{@lsn") != NULL;
}

/* Between double quotes * and ? are themselves. */
static bool is_glob(const char *from)
{
    bool quoted = false;
    for (; *from != '\0'; from++) {
        if (!quoted && (*from == '*' || *from == '?'))
            return true;
        quoted = quoted != (*from == '"');
    }
    return false;
}

static int check_from(const struct config_reader *reader, const struct config_route *route,
                      struct error *err)
{
    const char *from = route->from.text;
    if (strncmp(from, CONFIG_FROM_MESSAGE, strlen(CONFIG_FROM_MESSAGE)) == 0)
        return refuse(reader, route->from.line, "routes[].from",
                      "source.mode: poll sees rows of tables and no messages",
                      "name a table, or read messages under source.mode: wal", err);
    if (is_glob(from))
        return refuse(reader, route->from.line, "routes[].from",
                      "source.mode: poll reads the tables that are named, and this is a glob",
                      "write a route for each table", err);
    return 0;
}

int config_check_polled(const struct config_reader *reader, const struct config_route *route,
                        struct error *err)
{
    assert(reader != NULL && err != NULL);
    assert(route->from.text != NULL && route->name.text != NULL);
    if (route->as != ROUTE_OUTBOX)
        return refuse(reader, route->name.line, "routes[].as",
                      "source.mode: poll takes outbox routes alone: it sees no updates or deletes",
                      "say as: outbox, or source.mode: wal", err);
    if (check_from(reader, route, err) < 0)
        return -1;
    bool lsn = names_lsn(&route->topic) || names_lsn(&route->key);
    for (uint32_t i = 0; i < route->headers.count; i++)
        lsn = lsn || names_lsn(&route->headers.items[i].value);
    if (!lsn)
        return 0;
    return refuse(reader, route->name.line, "routes[]",
                  "source.mode: poll knows no place in the write-ahead log, so {@lsn} is nothing",
                  "use {@xid}, or a column", err);
}

/* ---- strategy: claim ---- */

static int check_update(const struct config_reader *reader, const struct config_route *route,
                        struct error *err)
{
    const struct config_claim *c = &route->claim;
    uint32_t line = route->name.line;
    if (c->done == POLL_DONE_DELETE &&
        (c->column.text != NULL || c->value.text != NULL || c->pending.text != NULL))
        return refuse(reader, line, "routes[].poll.done",
                      "done: delete sets no column: column, value and pending are for done: update",
                      "say done: update, or delete those lines", err);
    if (c->done == POLL_DONE_DELETE)
        return 0;
    if (c->column.text == NULL || c->value.text == NULL)
        return refuse(reader, line, "routes[].poll.done", "done: update needs column and value",
                      "name the column that says whether a row is published, and what it is then",
                      err);
    if (c->pending.text == NULL || strcmp(c->pending.text, c->value.text) != 0)
        return 0;
    return refuse(reader, c->value.line, "routes[].poll.value",
                  "value and pending are the same: a row would be published again and again",
                  "say what a row has that is published, and what one has that is not", err);
}

int config_check_claimed(const struct config_reader *reader, const struct config_route *route,
                         enum poll_start start, struct error *err)
{
    assert(reader != NULL && route != NULL && err != NULL);
    if (start == POLL_START_NOW)
        return refuse(reader, route->name.line, "source.poll.start",
                      "strategy: claim publishes what is pending, whenever it was written",
                      "leave source.poll.start out, and finish the rows that are not to be "
                      "published before setup",
                      err);
    return check_update(reader, route, err);
}

/* ---- retention ---- */

static int check_retained(const struct config_reader *reader, const struct config_route *route,
                          bool *any, struct error *err)
{
    const char *from = route->from.text;
    if (route->as != ROUTE_OUTBOX ||
        strncmp(from, CONFIG_FROM_MESSAGE, strlen(CONFIG_FROM_MESSAGE)) == 0)
        return 0;
    *any = true;
    if (!is_glob(from))
        return 0;
    return refuse(reader, route->from.line, "routes[].from",
                  "retention deletes from the tables that are named, and this is a glob",
                  "write a route for each table, or leave retention out", err);
}

int config_check_retention(const struct config_reader *reader, const struct config_relay *relay,
                           struct error *err)
{
    assert(reader != NULL && relay != NULL && err != NULL);
    struct config_reader at = *reader;
    uint32_t line = relay->retention.keep.line;
    bool any = false;
    if (!config_retains(&relay->retention))
        return 0;
    if (relay->source.mode == SOURCE_POLL && relay->source.poll.strategy == POLL_CLAIM)
        return refuse(reader, line, "retention.keep",
                      "under source.poll.strategy: claim rows are finished as routes[].poll says",
                      "leave retention out: poll: {done: delete} deletes a row once it is "
                      "published, and what done: update has marked anybody may delete",
                      err);
    for (at.item = 0; at.item < relay->routes.count; at.item++)
        if (check_retained(&at, &relay->routes.items[at.item], &any, err) < 0)
            return -1;
    if (any)
        return 0;
    return refuse(reader, line, "retention.keep",
                  "no route as: outbox names a table, so there are no rows to delete",
                  "leave it out", err);
}
