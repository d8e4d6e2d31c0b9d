/* recover/origin_wal_inherit: a slot that another program has read until now, gone on with from
 * where that program says that it has stopped (`setup --from-debezium`).
 *
 * Nothing is lost where the slot still holds that place, and the publications are older than what
 * the slot holds: decoding looks them up as of each row's own time. The slot tells: what was still
 * running when a transaction with an id below its catalog_xmin ended is behind confirmed_flush_lsn
 * (PostgreSQL, snapbuild.c, SnapBuildProcessRunningXacts; slot.c, LogicalConfirmReceivedLocation).
 *
 * Nothing comes twice that the program has surely sent: of the first transaction behind the place,
 * changes up to the one that it names. A change that may have made several events (a delete with
 * its tombstone, an update that may have moved the key), or that shares its LSN with others, is not
 * sure, because the program may have stopped in between; it comes again. So does all that the
 * program has sent of a transaction with a change before that one which no other publication than
 * ours sends, or behind a transaction of such changes: to pass them over would lose them. */
#include "recover/origin_wal_internal.h"
#include "recover/recover.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INHERIT_TIMEOUT "60s"

/* ---- May it be done? ---- */

static int refuse_missing(const struct origin *o, struct error *err)
{
    error_stop(err, REASON_SLOT_MISSING, "slot %s does not exist: there is nothing to go on with",
               o->label);
    return error_hint(err, "source.slot must name the slot of the connector (slot.name, by default "
                           "debezium)");
}

static int judge_slot(const struct origin *o, const struct found *found, struct error *err)
{
    const struct found_origin *slot = &found->origin;
    const struct wal_facts facts = {.slot_name = o->label, .found = found};
    if (!slot->present)
        return refuse_missing(o, err);
    if (wal_judge_place(&facts, err) < 0)
        return -1;
    if (found->system.in_recovery) {
        error_stop(err, REASON_IN_RECOVERY, "source.connection leads to a standby");
        return error_hint(err, "name the primary (target_session_attrs=read-write)");
    }
    if (slot->holder.present) {
        error_stop(err, REASON_SLOT_ACTIVE, "slot %s is in use by process %" PRId32 " (%s)",
                   o->label, slot->holder.pid, slot->holder.application);
        return error_hint(err, "stop the connector first, and let nobody start it again");
    }
    if (slot->lost) {
        error_stop(err, REASON_SLOT_LOST, "slot %s is lost: the server has removed what it needs",
                   o->label);
        return error_mend(err, "rebase --to new-slot --accept-loss");
    }
    if (slot->confirmed_lsn == 0)
        return error_retry(err, REASON_SLOT_IN_CREATION, "slot %s is still being created",
                           o->label);
    return 0;
}

static int judge_place(const struct origin *o, const struct found_origin *slot, uint64_t place_lsn,
                       struct error *err)
{
    char place[LSN_TEXT_MAX], other[LSN_TEXT_MAX];
    lsn_format(place_lsn, place);
    if (slot->confirmed_lsn > place_lsn) {
        error_stop(
            err, REASON_SLOT_AHEAD,
            "slot %s is confirmed to %s, but the offset ends at %s: what lies between cannot "
            "be had any more",
            o->label, lsn_format(slot->confirmed_lsn, other), place);
        error_hint(err, "give the newest offset; where it is that, and the connector confirms by "
                        "itself what has no events (lsn.flush.mode: connector_and_driver), go on "
                        "from the slot");
        return error_mend(err, "rebase --to slot --accept-loss");
    }
    if (place_lsn <= slot->current_lsn)
        return 0;
    error_stop(
        err, REASON_POSITION_IN_FUTURE,
        "the offset ends at %s, but the write-ahead log of the server at %s: it is of another "
        "server",
        place, lsn_format(slot->current_lsn, other));
    return error_hint(err, "name the server that the connector has read");
}

/* What of the publications was written by a transaction that the slot may not be past: names, with
 * commas between them. Schemas of a publication are there from 15 on. */
#define YOUNGER_SQL(more)                                                                          \
    "WITH s AS (SELECT pg_catalog.age(catalog_xmin) AS age FROM pg_catalog.pg_replication_slots "  \
    "WHERE slot_name = $1), p AS (SELECT oid, pubname, xmin FROM pg_catalog.pg_publication WHERE " \
    "pubname IN ($2, $3)), x AS (SELECT pubname, xmin FROM p UNION ALL SELECT p.pubname, r.xmin "  \
    "FROM p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid" more                        \
    ") SELECT string_agg(DISTINCT pubname, ', ') FROM x, s WHERE pg_catalog.age(x.xmin) <= s.age"
#define SCHEMAS                                                                                    \
    " UNION ALL SELECT p.pubname, n.xmin FROM p JOIN pg_catalog.pg_publication_namespace n ON "    \
    "n.pnpubid = p.oid"

static int judge_publications(const struct origin_wal *o, const struct found *found,
                              struct error *err)
{
    const struct config_source *source = &o->o.config->source;
    const char *params[] = {o->base.label, source->publication.text, source->changes.text};
    struct pg_result *r = NULL;
    const char *sql =
        found->system.server_version >= 150000 ? YOUNGER_SQL(SCHEMAS) : YOUNGER_SQL("");
    if (pg_query(o->base.sql, sql, 3, params, &r, err) < 0)
        return -1;
    struct span younger = pg_result_cell(r, 0, 0);
    int result = 0;
    if (younger.ptr != NULL && younger.len > 0) {
        error_stop(
            err, REASON_PUBLICATION_GONE,
            "publication %.*s may be younger than what slot %s holds: the server could not read "
            "rows from before it",
            SPAN_ARG(younger), o->base.label);
        result =
            error_hint(err, "start the connector once more, let it publish something, let the "
                            "server make a CHECKPOINT, let it publish again, stop it, and give "
                            "the new offset");
    }
    pg_result_free(r);
    return result;
}

/* ---- What is done behind the place ---- */

/* The first transaction with changes: B its final LSN (Int64 behind the kind), C its end; D, I, T,
 * U and transactional M are counted, as the stream counts them. An update without an old tuple has
 * N where others have K or O; the relation is an Int32 behind the kind, in T all that
 * comes behind a count and a byte (PostgreSQL documentation, "Logical Replication Message
 * Formats"). The last three columns are the end of what comes before without a change; and whether
 * some changes, up to the event or at all, are OURS_ONLY. */
#define FIRST_SQL                                                                                  \
    "WITH m AS MATERIALIZED (SELECT row_number() OVER () AS n, lsn, xid, data, "                   \
    "pg_catalog.get_byte(data, 0) AS kind FROM "                                                   \
    "pg_catalog.pg_logical_slot_peek_binary_changes($1, "                                          \
    "NULL, $2::int, 'proto_version', '1', 'messages', 'true', 'publication_names', $3)), "         \
    "d AS (SELECT n, lsn, xid, kind, CASE WHEN kind <> 77 THEN ARRAY(SELECT "                      \
    "('x' || i[1])::bit(32)::bigint::oid FROM pg_catalog.regexp_matches(pg_catalog.encode("        \
    "CASE kind WHEN 84 THEN pg_catalog.substr(data, 7) ELSE pg_catalog.substr(data, 2, 4) END, "   \
    "'hex'), '.{8}', 'g') i) END AS rels, NOT (kind IN (73, 77) OR kind = 85 AND "                 \
    "pg_catalog.get_byte(data, 5) = 78) AS several FROM m WHERE kind IN (68, 73, 84, 85) OR "      \
    "kind = 77 AND pg_catalog.get_byte(data, 1) = 1), "                                            \
    "t AS (SELECT xid FROM d ORDER BY n LIMIT 1), " OURS_ONLY "SELECT (SELECT count(*) FROM m), "  \
    "(SELECT pg_catalog.encode(pg_catalog.substr(data, 2, 8), 'hex') FROM m JOIN t USING (xid) "   \
    "WHERE kind = 66), (SELECT lsn FROM m JOIN t USING (xid) WHERE kind = 67), count(*), "         \
    "count(*) FILTER (WHERE lsn < $4::pg_lsn), count(*) FILTER (WHERE lsn = $4::pg_lsn), "         \
    "coalesce(bool_or(several) FILTER (WHERE lsn = $4::pg_lsn), true), "                           \
    "(SELECT max(lsn) FROM m WHERE kind = 67 AND n < (SELECT min(n) FROM d)), "                    \
    "bool_or(" IS_OURS_ONLY ") FILTER (WHERE lsn <= $4::pg_lsn), bool_or(" IS_OURS_ONLY ") "       \
    "FROM d JOIN t USING (xid)"
/* What no publication sends but ours, whole: the program has surely not sent that. A table may be
 * in another one as its root or as a partition, and from 15 on with a filter of its rows. */
#define OURS_ONLY                                                                                  \
    "r AS (SELECT DISTINCT kind, pg_catalog.unnest(rels) AS rel FROM d JOIN t USING (xid)), "      \
    "o AS (SELECT kind, rel FROM r WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication p "     \
    "JOIN pg_catalog.pg_publication_tables l USING (pubname) "                                     \
    "JOIN pg_catalog.pg_namespace s ON s.nspname = l.schemaname "                                  \
    "JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = l.tablename "            \
    "WHERE p.pubname NOT IN ($5, $6) AND CASE kind WHEN 73 THEN pubinsert WHEN 85 THEN pubupdate " \
    "WHEN 68 THEN pubdelete ELSE pubtruncate END AND (c.oid = rel "                                \
    "OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(rel)) "                           \
    "OR c.oid IN (SELECT pg_catalog.pg_partition_ancestors(rel))) "                                \
    "AND pg_catalog.to_jsonb(l) ->> 'rowfilter' IS NULL)) "
#define IS_OURS_ONLY "EXISTS (SELECT FROM o WHERE o.kind = d.kind AND o.rel = ANY (d.rels))"

static uint64_t number(const struct pg_result *r, int column, int base)
{
    struct span cell = pg_result_cell(r, 0, column);
    return cell.ptr != NULL ? strtoull(cell.ptr, NULL, base) : 0;
}

/* ends: the end of the transaction is an event, too, which is not known to be sent. */
static void read_first(const struct pg_result *r, bool ends, struct inheritance *in)
{
    uint64_t total = number(r, 3, 10), below = number(r, 4, 10), at = number(r, 5, 10);
    struct span end = pg_result_cell(r, 0, 2);
    uint64_t end_lsn = 0, final_lsn = number(r, 1, 16);
    /* It is another transaction. One that the program was not sent may stand before that which it
     * has sent in part. */
    bool other = at == 0 || final_lsn == 0 || end.ptr == NULL || !lsn_parse(end, &end_lsn);
    if (pg_result_true(r, 0, other ? 9 : 8)) {
        in->sure = false;
        return;
    }
    if (other)
        return;
    uint64_t done = below + (at == 1 && !pg_result_true(r, 0, 6) ? 1 : 0);
    in->sure = done == below + at;
    in->done = done;
    in->of = total;
    if (done == total && !ends)
        in->place_lsn = end_lsn;
    else if (done > 0)
        in->partial = (struct partial){.final_lsn = final_lsn, .done = done, .part = 1};
    /* What is done in part must be the first transaction behind the place, empty ones, too. */
    struct span empty = pg_result_cell(r, 0, 7);
    if (in->partial.final_lsn != 0 && empty.ptr != NULL && lsn_parse(empty, &end_lsn) &&
        end_lsn > in->place_lsn)
        in->place_lsn = end_lsn;
}

#define ROWS_MAX 1000000

static int find_first(const struct origin_wal *o, struct inheritance *in, struct error *err)
{
    const struct config_source *source = &o->o.config->source;
    char event[LSN_TEXT_MAX], rows[16];
    struct buf names = BUF_EMPTY;
    pg_quote_identifier(&names, span_of(source->publication.text));
    if (wal_takes_changes(o->o.config)) {
        buf_add_char(&names, ',');
        pg_quote_identifier(&names, span_of(source->changes.text));
    }
    lsn_format(in->event_lsn, event);
    /* On 14 transactions without a change come, too, and fill the answer. */
    uint64_t wanted = 1, asked = 0, got = 0, total = 0;
    int result = 0;
    while (result == 0 && total == 0 && wanted <= ROWS_MAX && got >= asked) {
        struct pg_result *r = NULL;
        snprintf(rows, sizeof rows, "%" PRIu64, wanted);
        const char *params[] = {
            o->base.label,       rows, buf_text(&names), event, source->publication.text,
            source->changes.text};
        result = pg_query(o->base.sql, FIRST_SQL, 6, params, &r, err);
        if (result == 0) {
            got = number(r, 0, 10);
            total = number(r, 3, 10);
            read_first(r, o->o.config->delivery.transaction_metadata, in);
        }
        pg_result_free(r);
        asked = wanted;
        wanted = (got > wanted ? got : wanted) * 10;
    }
    buf_fini(&names);
    return result;
}

/* The slot at the place itself, so that what is asked for begins there. */
static int advance(const struct origin_wal *o, uint64_t place_lsn, struct error *err)
{
    char place[LSN_TEXT_MAX];
    const char *params[] = {o->base.label, lsn_format(place_lsn, place)};
    struct pg_result *r = NULL;
    if (pg_query(o->base.sql, "SELECT pg_catalog.pg_replication_slot_advance($1, $2::pg_lsn)", 2,
                 params, &r, err) < 0)
        return error_wrap(err, "advancing slot %s to %s", o->base.label, place);
    pg_result_free(r);
    return 0;
}

int relay_inherit(struct origin *base, const struct found *found, bool apply,
                  struct inheritance *in, struct error *err)
{
    struct origin_wal *o = (struct origin_wal *)base;
    assert(base->sql != NULL && base->ops->mode == PROGRESS_WAL && in != NULL);
    if (judge_slot(base, found, err) < 0)
        return -1;
    in->place_lsn = in->commit_lsn != 0 ? in->commit_lsn : found->origin.confirmed_lsn;
    in->partial = (struct partial){.final_lsn = 0};
    in->done = in->of = 0;
    /* A change is named by where its record begins, which may be just where a commit ends. One that
     * stands before the place may still be of a transaction that ends behind it. */
    in->sure = in->event_lsn != 0 && in->event_lsn < in->place_lsn;
    if (judge_place(base, &found->origin, in->place_lsn, err) < 0 ||
        judge_publications(o, found, err) < 0)
        return -1;
    o->changes.of_slot = true;
    if (!apply || in->event_lsn == 0)
        return 0;
    if (pg_exec(base->sql, "SET statement_timeout = '" INHERIT_TIMEOUT "'", err) < 0)
        return -1;
    int result = 0;
    if (found->origin.confirmed_lsn < in->place_lsn)
        result = advance(o, in->place_lsn, err);
    if (result == 0)
        result = find_first(o, in, err);
    if (result < 0)
        return -1;
    return pg_exec(base->sql, "SET statement_timeout = 0", err);
}
