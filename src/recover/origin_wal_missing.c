/* recover/origin_wal_missing: can the slot be read through the publications, from where progress
 * stands on?
 *
 * Up to PostgreSQL 17 decoding looks a publication up as of the row's own time, and fails where it
 * was not there yet, or not any more: for ever, whatever there is by now. Only decoding tells, so
 * the server is asked to decode as far as the first change behind the position, which consumes
 * nothing. It takes hold of the slot for that time; where somebody else has it, nothing is told. */
#include "recover/origin_wal_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_AT_NOW                                                                               \
    180000 /* from this version on what is not there sends nothing, and that is all */
#define PEEK_TIMEOUT "5s"

/* ---- What is asked for ---- */

bool wal_takes_changes(const struct config_relay *config)
{
    for (uint32_t i = 0; i < config->routes.count; i++) {
        const struct config_route *route = &config->routes.items[i];
        if (route->as != ROUTE_OUTBOX &&
            !span_starts_with(span_of(route->from.text), SPAN_LITERAL(CONFIG_FROM_MESSAGE)))
            return true;
    }
    return false;
}

uint64_t wal_changes_from(const struct config_relay *config, const struct progress *p)
{
    const char *name = config->source.changes.text;
    assert(name != NULL && p != NULL);
    for (uint32_t i = 0; i < p->publication_count; i++)
        if (strcmp(p->publications[i].name, name) == 0)
            return p->publications[i].from;
    return UINT64_MAX;
}

static void add_names(const struct config_relay *config, const struct progress *p, struct buf *out)
{
    pg_quote_identifier(out, span_of(config->source.publication.text));
    if (!wal_takes_changes(config) || wal_changes_from(config, p) > p->position.lsn)
        return;
    buf_add_char(out, ',');
    pg_quote_identifier(out, span_of(config->source.changes.text));
}

/* ---- Asking ---- */

/* The server's text names it, in whatever language. One name begins as the other does. */
static const char *named_by(const struct config_relay *config, const struct error *err)
{
    if (err->reason != REASON_PUBLICATION_MISSING && err->reason != REASON_QUERY_REFUSED)
        return NULL;
    const char *const names[] = {config->source.changes.text, config->source.publication.text};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strstr(err->text, names[i]) != NULL)
            return names[i];
    return NULL;
}

/* A commit (C) behind the position, of a transaction with changes (D, I, T, U): on 14 one without
 * any begins and ends, too. */
#define PEEK_SQL                                                                                   \
    "WITH m AS MATERIALIZED (SELECT lsn, xid, pg_catalog.get_byte(data, 0) AS kind FROM "          \
    "pg_catalog.pg_logical_slot_peek_binary_changes($1, $5::pg_lsn, $2::int, "                     \
    "'proto_version', '1', 'publication_names', $3)) "                                             \
    "SELECT count(*), count(*) < $2::int OR EXISTS (SELECT FROM m c JOIN m d ON d.xid = c.xid "    \
    "WHERE c.kind = 67 AND c.lsn > $4::pg_lsn AND d.kind IN (68, 73, 84, 85)) FROM m"

struct peeked {
    uint32_t rows;
    bool beyond; /* a change behind the position was among them, or there is none */
};

/* Transactions until there are so many rows. until: no further than there; NULL: wherever it ends.
 */
static int peek(const struct origin_wal *o, const struct found *found, uint32_t rows,
                const char *until, struct peeked *out, const char **missing)
{
    char lsn[LSN_TEXT_MAX], count[16];
    struct buf names = BUF_EMPTY;
    struct pg_result *r = NULL;
    struct error err = ERROR_INIT;
    add_names(o->o.config, &found->progress, &names);
    snprintf(count, sizeof count, "%" PRIu32, rows);
    lsn_format(found->progress.position.lsn, lsn);
    const char *params[] = {o->base.label, count, buf_text(&names), lsn, until};
    int result = pg_query(o->base.sql, PEEK_SQL, 5, params, &r, &err);
    if (result == 0) {
        out->rows = (uint32_t)strtoul(pg_result_cell(r, 0, 0).ptr, NULL, 10);
        out->beyond = pg_result_true(r, 0, 1);
    } else {
        *missing = named_by(o->o.config, &err);
    }
    pg_result_free(r);
    buf_fini(&names);
    return result;
}

#define PEEK_ROWS_MAX 100000

/* What the slot holds from before the position comes first, and may be what cannot be read; it is
 * asked for no more. */
static void find(const struct origin_wal *o, const struct found *found, const char **missing)
{
    const uint64_t position_lsn = found->progress.position.lsn;
    char until[LSN_TEXT_MAX];
    struct peeked before = {.rows = 0}, behind;
    const char *earlier = NULL;
    lsn_format(position_lsn, until);
    if (found->origin.confirmed_lsn < position_lsn &&
        peek(o, found, PEEK_ROWS_MAX, until, &before, &earlier) < 0)
        return;
    if (peek(o, found, before.rows + 1, NULL, &behind, missing) == 0 && !behind.beyond)
        (void)peek(o, found, before.rows + PEEK_ROWS_MAX, NULL, &behind, missing);
}

int wal_missing(struct origin *base, const struct found *found, const char **missing,
                struct error *err)
{
    const struct origin_wal *o = (const struct origin_wal *)base;
    assert(base->sql != NULL && found->have_progress);
    *missing = NULL;
    if (found->system.server_version >= LOOKS_AT_NOW || found->origin.holder.present)
        return 0;
    if (pg_exec(base->sql, "SET statement_timeout = '" PEEK_TIMEOUT "'", err) < 0)
        return -1;
    find(o, found, missing);
    return pg_exec(base->sql, "SET statement_timeout = 0", err);
}
