/* relay/retention: rows of the routed outbox tables go once they are published and old enough
 * (retention: {keep}). A thread with a session of its own, so that whoever waits for the watch
 * never waits for a DELETE; whatever fails there is said, counted and tried again, and ends no
 * epoch. It looks where the server is, asks the rule (retention_rule.h) what is published, and
 * deletes of one table after the other so many rows at a time. Rows that somebody has locked are
 * passed over, and each statement waits for the table's lock for a moment only. */
#include "relay/relay_internal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "pg/pg.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 250
#define BATCH_ROWS 1000
#define LOOK_US (INT64_C(2) * 1000000)
#define FIRST_LOOK_US (INT64_C(500) * 1000) /* until something is known to be published */
#define RETRY_US (INT64_C(10) * 1000000)
#define ANSWER_US (INT64_C(600) * 1000000)
#define PAUSE_MIN_US (INT64_C(50) * 1000)
#define PAUSE_MAX_US (INT64_C(600) * 1000000)
/* What the tables have and who needs their rows is looked at so often, with a new session. */
#define RECHECK_US (INT64_C(60) * 1000000)
/* Where nothing is left to be deleted it rests for so many times what it took to find that out:
 * without an index the whole table is read for it. */
#define REST 20

struct keeper {
    struct relay *relay;
    const struct config_relay *config; /* NULL: none is used yet */
    struct pg_asker *asker;            /* NULL: not connected */
    struct arena arena;
    struct retention_basis basis; /* a copy */
    struct retention_rule rule;
    struct buf sql;
    uint32_t route;     /* whose table is next */
    int64_t next_us;    /* when it is to work again */
    int64_t checked_us; /* when the session was opened */
    int64_t tables_us;  /* what the tables have cost since the first of them */
    bool failed;        /* and that was said */
};

/* ---- What the epoch tells ---- */

static void set_snapshot(struct retention_basis *basis, struct span resume)
{
    uint64_t xmax;
    buf_reset(&basis->snapshot);
    if (basis->polls && !poll_resume_read(resume, &basis->snapshot, &xmax))
        buf_reset(&basis->snapshot);
}

void retention_begin(struct epoch *epoch)
{
    struct relay *relay = epoch->relay;
    const struct found *found = &epoch->opening.found;
    struct retention_basis *basis = &relay->retention.basis;
    pthread_mutex_lock(&relay->mutex);
    basis->open = config_retains(&epoch->config->retention);
    basis->epoch++;
    basis->config = epoch->config;
    basis->system_identifier = found->system.system_identifier;
    basis->timeline = found->system.timeline;
    basis->committed = found->progress.position;
    basis->polls = epoch->config->source.mode == SOURCE_POLL;
    set_snapshot(basis, found->progress.resume);
    pthread_mutex_unlock(&relay->mutex);
}

void retention_note(struct epoch *epoch)
{
    struct relay *relay = epoch->relay;
    struct retention_basis *basis = &relay->retention.basis;
    struct position committed = reader_committed(&epoch->reader);
    pthread_mutex_lock(&relay->mutex);
    if (basis->open && position_compare(committed, basis->committed) > 0) {
        basis->committed = committed;
        set_snapshot(basis, buf_span(&epoch->reader.committed_resume));
    }
    pthread_mutex_unlock(&relay->mutex);
}

void retention_end(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    relay->retention.basis.open = false;
    pthread_mutex_unlock(&relay->mutex);
}

static void copy_basis(struct keeper *k)
{
    struct relay *relay = k->relay;
    struct buf snapshot = k->basis.snapshot;
    buf_reset(&snapshot);
    pthread_mutex_lock(&relay->mutex);
    k->basis = relay->retention.basis;
    buf_add(&snapshot, buf_span(&relay->retention.basis.snapshot));
    pthread_mutex_unlock(&relay->mutex);
    k->basis.snapshot = snapshot;
}

/* ---- The session ---- */

static void disconnect(struct keeper *k)
{
    pg_asker_close(k->asker);
    k->asker = NULL;
}

/* A pooler may stand between. What is missing is found out here, so that it has its mend. */
static int connect_server(struct keeper *k, struct error *err)
{
    int64_t now_us = clock_monotonic_us();
    char application[sizeof k->relay->application + 12];
    snprintf(application, sizeof application, "%s:retention", k->relay->application);
    const struct pg_options options = {.connection = k->config->source.connection.text,
                                       .password_command =
                                           k->config->source.password_command.arguments,
                                       .application_name = application,
                                       .stop = &k->relay->stop,
                                       .shared = true};
    struct pg_connection *connection = NULL;
    if (k->asker != NULL && now_us - k->checked_us < RECHECK_US)
        return 0;
    disconnect(k);
    if (pg_open(&options, &connection, err) < 0)
        return -1;
    if (relay_check_retention(connection, k->config, err) < 0) {
        pg_close(connection);
        return -1;
    }
    k->asker = pg_asker_open(connection);
    k->checked_us = now_us;
    return 0;
}

static int wait_for_more(struct keeper *k, int64_t until_us, struct error *err)
{
    short events = pg_asker_is_sending(k->asker) ? POLLIN | POLLOUT : POLLIN;
    struct pollfd fds[] = {{.fd = k->relay->stop_fd, .events = POLLIN},
                           {.fd = pg_asker_fd(k->asker), .events = events}};
    poll(fds, 2, TICK_MS);
    if (atomic_load(&k->relay->stop))
        return error_retry(err, REASON_STOPPING, "stopping");
    if (clock_monotonic_us() < until_us)
        return 0;
    return error_retry(err, REASON_TIMEOUT, "PostgreSQL has not answered for %d s",
                       (int)(ANSWER_US / US_PER_S));
}

/* 1: a row is at hand. 0: the answer has ended. */
static int answer(struct keeper *k, struct error *err)
{
    int64_t until_us = clock_monotonic_us() + ANSWER_US;
    for (;;) {
        switch (pg_answer(k->asker, err)) {
        case PG_ANSWER_FAILED:
            return -1;
        case PG_ANSWER_ROW:
            return 1;
        case PG_ANSWER_END:
            return 0;
        case PG_ANSWER_WAIT:
            if (wait_for_more(k, until_us, err) < 0)
                return -1;
            break;
        }
    }
}

/* To the end of the answer, in which the guard's row is; its snapshot is copied into the arena. */
static int take_guard(struct keeper *k, struct poll_guard *guard, struct error *err)
{
    struct span cells[POLL_GUARD_CELLS];
    bool good = false;
    int got;
    while ((got = answer(k, err)) > 0) {
        if (pg_answer_count(k->asker) != POLL_GUARD_CELLS)
            continue;
        for (uint32_t i = 0; i < POLL_GUARD_CELLS; i++)
            cells[i] = pg_answer_cell(k->asker, i);
        good = poll_read_guard(cells, guard);
        guard->snapshot = arena_copy(&k->arena, guard->snapshot);
    }
    if (got < 0 || good)
        return got;
    return error_retry(err, REASON_DATABASE, "the server does not say where it is");
}

/* ---- Deleting ---- */

static bool next_table(struct keeper *k, struct config_from *from)
{
    const struct config_routes *routes = &k->config->routes;
    for (; k->route < routes->count; k->route++) {
        const struct config_route *route = &routes->items[k->route];
        struct error ignored = ERROR_INIT;
        if (route->as == ROUTE_OUTBOX &&
            config_from_parse(&route->from, "routes[].from", &k->arena, from, &ignored) == 0 &&
            !from->of_message)
            return true;
    }
    return false;
}

/* A server that was put back to an earlier time hands out ids anew that the snapshot has seen. */
static void add_condition(struct keeper *k)
{
    buf_add_format(&k->sql, "created_at < now() - interval '%s' AND pg_visible_in_snapshot(xid, ",
                   k->config->retention.keep.text);
    pg_quote_literal(&k->sql, buf_span(&k->rule.seen));
    buf_add_text(&k->sql, "::pg_snapshot) AND pg_snapshot_xmax(pg_current_snapshot()) >= "
                          "pg_snapshot_xmax(");
    pg_quote_literal(&k->sql, buf_span(&k->rule.seen));
    buf_add_text(&k->sql, "::pg_snapshot)");
}

static void add_table(struct buf *out, const struct config_from *from)
{
    pg_quote_identifier(out, from->schema);
    buf_add_char(out, '.');
    pg_quote_identifier(out, from->table);
}

static void add_regclass(struct buf *out, const struct config_from *from)
{
    struct buf table = BUF_EMPTY;
    add_table(&table, from);
    pg_quote_literal(out, buf_span(&table));
    buf_add_text(out, "::regclass");
    buf_fini(&table);
}

/* Whole partitions go by the function of sql/013_retention.sql, one at a time. */
static const char *drop_sql(struct keeper *k, const struct config_from *from)
{
    buf_reset(&k->sql);
    buf_add_text(&k->sql, "SELECT walferry.drop_published_partition(");
    add_regclass(&k->sql, from);
    buf_add_format(&k->sql, ", now() - interval '%s', ", k->config->retention.keep.text);
    pg_quote_literal(&k->sql, buf_span(&k->rule.seen));
    buf_add_text(&k->sql, "::pg_snapshot)::int; COMMIT");
    return buf_text(&k->sql);
}

/* Where partitions are dropped only what no partition was made for is deleted. */
static void add_place(struct keeper *k, const struct config_from *from)
{
    if (k->config->retention.strategy != RETENTION_DROP_PARTITION)
        return;
    buf_add_text(&k->sql, "tableoid = (SELECT partdefid FROM pg_partitioned_table "
                          "WHERE partrelid = ");
    add_regclass(&k->sql, from);
    buf_add_text(&k->sql, ") AND ");
}

/* A ctid is of one partition, so it is compared together with the partition; alone it stands there
 * because it alone finds the rows without a scan. */
static const char *delete_sql(struct keeper *k, const struct config_from *from)
{
    struct buf table = BUF_EMPTY;
    add_table(&table, from);
    buf_reset(&k->sql);
    buf_add_format(
        &k->sql, "WITH old AS MATERIALIZED (SELECT tableoid AS part, ctid AS place FROM %s WHERE ",
        buf_text(&table));
    add_place(k, from);
    add_condition(k);
    buf_add_format(&k->sql,
                   " LIMIT %d FOR UPDATE SKIP LOCKED), gone AS (DELETE FROM %s WHERE "
                   "ctid = ANY (ARRAY(SELECT place FROM old)) AND (tableoid, ctid) IN "
                   "(SELECT part, place FROM old) AND ",
                   BATCH_ROWS, buf_text(&table));
    add_condition(k);
    buf_add_text(&k->sql, " RETURNING 1) SELECT count(*) FROM gone; COMMIT");
    buf_fini(&table);
    return buf_text(&k->sql);
}

/* walferry.published is what the trigger of 007_poll.sql wants to know. */
static const char *begin_sql(struct keeper *k)
{
    buf_reset(&k->sql);
    buf_add_text(&k->sql, "SET LOCAL lock_timeout = '250ms'; SET LOCAL synchronous_commit = off; "
                          "SET LOCAL walferry.published = ");
    pg_quote_literal(&k->sql, buf_span(&k->rule.seen));
    buf_add_format(&k->sql, "; %sNULL", poll_guard_sql);
    return buf_text(&k->sql);
}

static int drain(struct keeper *k, struct error *err)
{
    int got;
    while ((got = answer(k, err)) > 0)
        continue;
    return got;
}

/* In one transaction: is this the server still, then what is to be done. *done: what it says. */
static int act(struct keeper *k, const struct config_from *from,
               const char *(*text)(struct keeper *, const struct config_from *), uint64_t *done,
               struct error *err)
{
    struct poll_guard now;
    *done = 0;
    if (pg_ask_begin(k->asker, begin_sql(k), err) < 0 || take_guard(k, &now, err) < 0)
        return -1;
    if (!retention_is_there(&k->basis, &now))
        return pg_ask_on(k->asker, "ROLLBACK", err) < 0 ? -1 : drain(k, err);
    CRASH_POINT("P4");
    if (pg_ask_on(k->asker, text(k, from), err) < 0)
        return -1;
    uint64_t said = 0;
    int got;
    while ((got = answer(k, err)) > 0)
        said = strtoull(pg_answer_cell(k->asker, 0).ptr, NULL, 10);
    if (got < 0)
        return -1;
    CRASH_POINT("P4");
    *done = said;
    return 0;
}

/* *more: there may be more of that table to be deleted at once. */
static int clean_table(struct keeper *k, const struct config_from *from, bool *more,
                       struct error *err)
{
    struct metrics *metrics = k->relay->o.metrics;
    uint64_t done;
    *more = true;
    if (k->config->retention.strategy == RETENTION_DROP_PARTITION) {
        if (act(k, from, drop_sql, &done, err) < 0)
            return -1;
        metrics_add(metrics, METRIC_RETENTION_DROPPED, done);
        if (done > 0)
            return 0;
    }
    if (act(k, from, delete_sql, &done, err) < 0)
        return -1;
    metrics_add(metrics, METRIC_RETENTION_DELETED, done);
    *more = done >= BATCH_ROWS;
    return 0;
}

/* *all: every table was looked at, and less than a batch of it was old. */
static int work(struct keeper *k, bool *all, struct error *err)
{
    struct poll_guard now;
    struct config_from from;
    bool more;
    *all = true;
    if (connect_server(k, err) < 0)
        return -1;
    buf_reset(&k->sql);
    buf_add_format(&k->sql, "%sNULL", poll_guard_sql);
    if (pg_ask(k->asker, buf_text(&k->sql), err) < 0 || take_guard(k, &now, err) < 0)
        return -1;
    retention_look(&k->rule, &k->basis, &now);
    if (k->rule.seen.len == 0)
        return 0;
    for (; next_table(k, &from); k->route++) {
        int64_t began_us = clock_monotonic_us();
        if (clean_table(k, &from, &more, err) < 0)
            return -1;
        k->tables_us += clock_monotonic_us() - began_us;
        if (!more)
            continue;
        *all = false;
        return 0;
    }
    k->route = 0;
    return 0;
}

/* ---- The thread ---- */

static int64_t at_least(int64_t us, int64_t least_us)
{
    return us > least_us ? us : least_us;
}

/* The table that failed is passed over once, so that it does not keep the others from their turn.
 */
static void fail(struct keeper *k, const struct error *err)
{
    struct relay *relay = k->relay;
    disconnect(k);
    k->route = k->route + 1 < k->config->routes.count ? k->route + 1 : 0;
    k->next_us = clock_monotonic_us() + RETRY_US;
    if (atomic_load(&relay->stop))
        return;
    metrics_add(relay->o.metrics, METRIC_RETENTION_FAILURES, 1);
    if (!k->failed)
        log_error(relay->o.log, LOG_WARN, "retention.failed", err);
    k->failed = true;
}

/* Each table was looked at, and none has failed. */
static void succeed(struct keeper *k)
{
    struct relay *relay = k->relay;
    if (k->rule.seen.len == 0)
        return;
    metrics_set(relay->o.metrics, METRIC_RETENTION_LAST, (uint64_t)(clock_wall_us() / US_PER_S));
    if (k->failed)
        log_event(relay->o.log, LOG_INFO, "retention.resumed", NULL);
    k->failed = false;
}

static void work_if_due(struct keeper *k)
{
    struct error err = ERROR_INIT;
    bool all, from_first;
    int64_t began_us = clock_monotonic_us();
    if (k->config == NULL || configs_moved(k->relay, CONFIG_RETENTION)) {
        disconnect(k);
        k->config = configs_use(k->relay, CONFIG_RETENTION);
        k->route = 0;
        k->next_us = 0;
    }
    copy_basis(k);
    if (!k->basis.open || k->basis.config != k->config || began_us < k->next_us)
        return;
    arena_reset(&k->arena);
    from_first = k->route == 0;
    k->tables_us = from_first ? 0 : k->tables_us;
    if (work(k, &all, &err) < 0) {
        fail(k, &err);
        return;
    }
    if (all && from_first)
        succeed(k);
    int64_t now_us = clock_monotonic_us();
    int64_t look_us = k->rule.seen.len > 0 ? LOOK_US : FIRST_LOOK_US;
    int64_t pause_us =
        all ? at_least(k->tables_us * REST, look_us) : at_least(now_us - began_us, PAUSE_MIN_US);
    k->next_us = now_us + (pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US);
}

static void sleep_until_due(const struct keeper *k)
{
    int64_t left_ms = (k->next_us - clock_monotonic_us()) / 1000 + 1;
    struct pollfd stop = {.fd = k->relay->stop_fd, .events = POLLIN};
    poll(&stop, 1, k->basis.open && left_ms > 0 && left_ms < TICK_MS ? (int)left_ms : TICK_MS);
}

void *retention_main(void *argument)
{
    struct keeper k = {.relay = argument};
    arena_init(&k.arena, 4096, 4096);
    while (!atomic_load(&k.relay->stop)) {
        work_if_due(&k);
        sleep_until_due(&k);
    }
    disconnect(&k);
    retention_rule_fini(&k.rule);
    buf_fini(&k.basis.snapshot);
    buf_fini(&k.sql);
    arena_fini(&k.arena);
    return NULL;
}
