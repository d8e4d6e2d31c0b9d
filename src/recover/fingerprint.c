/* recover/fingerprint: see fingerprint.h. One query makes the lines; what they mean is judged in
 * fingerprint_compare.c. It judges no publication by itself: whether one sends what the routes need
 * is the matter of tables.c. */
#include "recover/fingerprint.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "routed" are the tables that routes take ($2 and $3: patterns of schema and table), "near" those
 * with all that hangs above and below them. %s: the schemas of the publication (15 and later).
 *
 *   publication <oid> <xmin> <owner> <what it publishes> <name>
 *   member <oid> <xmin> <oid of the table>
 *   schema <oid> <xmin> <name>
 *   table <oid> <kind> <persistence> <replica identity> <oid of the root or 0> <sent> <name> */
#define NEAR_SQL                                                                                   \
    "WITH RECURSIVE pub AS (SELECT p.*, p.xmin AS version FROM pg_catalog.pg_publication p "       \
    "WHERE p.pubname IN ($1, $4)), "                                                               \
    "routed AS (SELECT DISTINCT c.oid FROM pg_catalog.pg_class c "                                 \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "                                    \
    "JOIN unnest($2::text[], $3::text[]) x(s, t) ON n.nspname LIKE x.s AND c.relname LIKE x.t "    \
    "WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%%' "                              \
    "AND n.nspname <> 'information_schema'), "                                                     \
    "below(id) AS (SELECT oid FROM routed UNION SELECT i.inhrelid FROM below "                     \
    "JOIN pg_catalog.pg_inherits i ON i.inhparent = id), "                                         \
    "above(id) AS (SELECT oid FROM routed UNION SELECT i.inhparent FROM above "                    \
    "JOIN pg_catalog.pg_inherits i ON i.inhrelid = id), "
/* Of a table without primary key another unique index may become the key without a word in the
 * stream, by its new name or by CLUSTER; see source_keys.c for the order. By columns, for REINDEX
 * makes another index of it. */
#define KEYS_SQL                                                                                   \
    "SELECT substr(encode(sha256(string_agg(k, ',' ORDER BY k)::bytea), 'hex'), 1, 32) FROM ("     \
    "SELECT DISTINCT ON (i.indrelid) format('%%s %%s %%s', i.indrelid, i.indnkeyatts, i.indkey) "  \
    "AS k FROM near JOIN pg_catalog.pg_index i ON i.indrelid = near.oid "                          \
    "JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "                                          \
    "WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL "           \
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_index p WHERE p.indrelid = near.oid "               \
    "AND p.indisprimary) "                                                                         \
    "ORDER BY i.indrelid, NOT i.indisclustered, c.relname) x"
#define LINES_SQL                                                                                  \
    NEAR_SQL                                                                                       \
    "spaces AS (%s), "                                                                             \
    "near AS (SELECT c.oid, c.relkind, c.relpersistence, c.relreplident, c.relname, n.nspname, "   \
    "ARRAY[c.oid] || CASE WHEN c.relispartition THEN "                                             \
    "ARRAY(SELECT a.relid::oid FROM pg_catalog.pg_partition_ancestors(c.oid) a "                   \
    "WHERE a.relid <> c.oid) ELSE '{}' END AS path "                                               \
    "FROM (SELECT id FROM below UNION SELECT id FROM above) x "                                    \
    "JOIN pg_catalog.pg_class c ON c.oid = x.id "                                                  \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace), "                                  \
    "members AS (SELECT r.oid, r.xmin AS version, r.prrelid FROM pub "                             \
    "JOIN pg_catalog.pg_publication_rel r ON r.prpubid = pub.oid "                                 \
    "WHERE r.prrelid IN (SELECT oid FROM near)), "                                                 \
    "sent(id) AS (SELECT n.oid FROM near n CROSS JOIN unnest(n.path) x(id) "                       \
    "JOIN members m ON m.prrelid = x.id), "                                                        \
    "lines(line) AS (SELECT format('publication %%s %%s %%s %%s%%s%%s%%s%%s%%s%%s %%I', oid, "     \
    "version, pubowner, CASE WHEN pubinsert THEN 'i' ELSE '-' END, "                               \
    "CASE WHEN pubupdate THEN 'u' ELSE '-' END, CASE WHEN pubdelete THEN 'd' ELSE '-' END, "       \
    "CASE WHEN pubtruncate THEN 't' ELSE '-' END, CASE WHEN pubviaroot THEN 'r' ELSE '-' END, "    \
    "CASE WHEN puballtables THEN 'a' ELSE '-' END, "                                               \
    "coalesce(to_jsonb(pub)->>'pubgencols', '-'), pubname) FROM pub "                              \
    "UNION ALL SELECT format('member %%s %%s %%s', oid, version, prrelid) FROM members "           \
    "UNION ALL SELECT format('schema %%s %%s %%I', oid, version, nspname) FROM spaces "            \
    "WHERE nspname IN (SELECT nspname FROM near) "                                                 \
    "UNION ALL SELECT format('table %%s %%s %%s %%s %%s %%s %%I.%%I', oid, relkind, "              \
    "relpersistence, relreplident, "                                                               \
    "CASE WHEN cardinality(path) > 1 THEN path[cardinality(path)] ELSE 0 END, "                    \
    "EXISTS (SELECT FROM pub WHERE puballtables) OR oid IN (SELECT id FROM sent) "                 \
    "OR EXISTS (SELECT FROM spaces s "                                                             \
    "JOIN pg_catalog.pg_class p ON p.relnamespace = s.space WHERE p.oid = ANY (path)), "           \
    "nspname, relname) FROM near) "                                                                \
    "SELECT text, substr(encode(sha256(convert_to(text, "                                          \
    "CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' "       \
    "END)), "                                                                                      \
    "'hex'), 1, 32), %s, (" KEYS_SQL ") FROM ("                                                    \
    "SELECT coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), '') AS text "           \
    "FROM (SELECT replace(line, E'\\n', '\\n') AS line FROM lines) x) y"
#define NO_SPACES_SQL                                                                              \
    "SELECT 0::oid AS oid, 0 AS version, 0::oid AS space, ''::name AS nspname WHERE false"
#define SPACES_SQL                                                                                 \
    "SELECT s.oid, s.xmin AS version, s.pnnspid AS space, n.nspname FROM pub "                     \
    "JOIN pg_catalog.pg_publication_namespace s ON s.pnpubid = pub.oid "                           \
    "JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid"

/* Where a command has written a row of the catalogue anew (most ALTER, GRANT; not CREATE INDEX,
 * ANALYZE and VACUUM), its xmin is that command's. Ids go round, and below 3 they are nobody's, so
 * it is new where it stands between the first and the next of this very snapshot. */
#define IS_NEW(row)                                                                                \
    "(" row ".xmin::text::bigint >= 3 AND (SELECT $7::bigint > x OR "                              \
    "((" row ".xmin::text::bigint - $7::bigint) & 4294967295) < x - $7::bigint FROM till))"
#define TOUCHED_SQL                                                                                \
    NEAR_SQL                                                                                       \
    "till(x) AS (SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())"             \
    "::text::bigint), "                                                                            \
    "new(id, name) AS (SELECT c.oid, format('table %%I.%%I', n.nspname, c.relname) "               \
    "FROM (SELECT id FROM below UNION SELECT id FROM above) x "                                    \
    "JOIN pg_catalog.pg_class c ON c.oid = x.id "                                                  \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "                                    \
    "WHERE " IS_NEW("c") " OR " IS_NEW(                                                            \
        "n") " OR EXISTS (SELECT FROM pg_catalog.pg_inherits i "                                   \
             "WHERE i.inhrelid = c.oid AND " IS_NEW(                                               \
                 "i") ") "                                                                         \
                      "UNION ALL SELECT 0, format('publication %%I', p.pubname) "                  \
                      "FROM pg_catalog.pg_publication p WHERE p.pubname IN ($1, $4) AND " IS_NEW(  \
                          "p") ") "                                                                \
                               "SELECT (SELECT count(*) FROM new), replace(string_agg(name, ', "   \
                               "'), E'\\n', '\\n') FROM ("                                         \
                               "SELECT name FROM new WHERE $5::bool OR id = ANY ($6::oid[]) "      \
                               "ORDER BY name LIMIT 3) x"

/* Nothing that is written later stands before, and nothing that was written before stands behind.
 * (pg_current_wal_lsn() is what was written, which is never beyond what was inserted.) */
#define BEFORE_SQL                                                                                 \
    "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() "           \
    "ELSE pg_catalog.pg_current_wal_lsn() END"
#define BEHIND_SQL                                                                                 \
    "CASE WHEN pg_catalog.pg_is_in_recovery() THEN greatest("                                      \
    "pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()) "                  \
    "ELSE pg_catalog.pg_current_wal_insert_lsn() END"

bool fingerprint_next_number(struct span *rest, uint64_t *number)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(rest->ptr[i] - '0');
    bool found = i > 0;
    i += i < rest->len ? 1 : 0;
    *rest = (struct span){rest->ptr + i, rest->len - i};
    *number = value;
    return found;
}

uint64_t fingerprint_oldest(struct span snapshot)
{
    uint64_t oldest;
    return fingerprint_next_number(&snapshot, &oldest) ? oldest : 0;
}

uint64_t fingerprint_next_xid(struct span snapshot, struct span age_of_3)
{
    uint64_t oldest, behind;
    int32_t age = (int32_t)strtol(age_of_3.ptr, NULL, 10);
    if (!fingerprint_next_number(&snapshot, &oldest) ||
        !fingerprint_next_number(&snapshot, &behind))
        return 0;
    int32_t ahead = (int32_t)((uint32_t)age + 3 - (uint32_t)behind);
    return ahead > 0 ? behind + (uint64_t)ahead : behind;
}

/* A standby's snapshot does not name those that are under way, so all from the oldest on may be. */
static struct span snapshot_of(struct arena *arena, struct span text, bool in_recovery)
{
    if (!in_recovery)
        return arena_copy(arena, text);
    uint64_t oldest = fingerprint_oldest(text);
    return span_of(arena_format(arena, "%" PRIu64 ":%" PRIu64 ":", oldest, oldest));
}

/* One statement after the other: a place, a snapshot, the place behind that, and then the look. A
 * statement's own snapshot is from before whatever it calls. */
static int ask_place(struct pg_connection *sql, struct arena *arena, struct fingerprint *out,
                     bool *schemas, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT " BEFORE_SQL ", "
                 "to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL",
                 0, NULL, &r, err) < 0)
        return -1;
    lsn_parse(pg_result_cell(r, 0, 0), &out->id.lsn);
    *schemas = pg_result_true(r, 0, 1);
    pg_result_free(r);
    if (pg_query(sql,
                 "SELECT pg_catalog.pg_current_snapshot()::text, " BEHIND_SQL ", "
                 "pg_catalog.age('3'::xid), pg_catalog.pg_is_in_recovery()",
                 0, NULL, &r, err) < 0)
        return -1;
    struct span snapshot = pg_result_cell(r, 0, 0);
    out->snapshot = snapshot_of(arena, snapshot, pg_result_true(r, 0, 3));
    out->next_xid = fingerprint_next_xid(snapshot, pg_result_cell(r, 0, 2));
    lsn_parse(pg_result_cell(r, 0, 1), &out->behind_lsn);
    out->id.xid = fingerprint_oldest(out->snapshot);
    pg_result_free(r);
    return 0;
}

/* As an element of an array's literal: a pattern of LIKE in double quotes. */
static void add_pattern(struct buf *out, struct span name, bool glob)
{
    buf_add_text(out, out->len > 1 ? ",\"" : "\"");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (glob && (c == '*' || c == '?')) {
            buf_add_char(out, c == '*' ? '%' : '_');
            continue;
        }
        if (c == '%' || c == '_')
            buf_add_text(out, "\\\\");
        else if (c == '\\')
            buf_add_text(out, "\\\\\\");
        else if (c == '"')
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

static void add_patterns(const struct router *router, struct buf *schemas, struct buf *tables)
{
    struct router_pattern p;
    buf_add_char(schemas, '{');
    buf_add_char(tables, '{');
    for (uint32_t i = 0; router_pattern_of_route(router, i, &p); i++) {
        if (p.table.ptr == NULL)
            continue;
        add_pattern(schemas, p.schema, p.schema_glob);
        add_pattern(tables, p.table, p.table_glob);
    }
    buf_add_char(schemas, '}');
    buf_add_char(tables, '}');
}

/* What no route takes from decides about nothing: the stream does not ask for it. NULL is no name.
 */
static const char *read_changes(const struct router *router, const char *changes)
{
    return router_has_share(router, ROUTER_CHANGES) ? changes : NULL;
}

int fingerprint_take(struct pg_connection *sql, const char *publication, const char *changes,
                     const struct router *router, struct arena *arena, struct fingerprint *out,
                     struct error *err)
{
    assert(sql != NULL && publication != NULL && router != NULL);
    bool has_schemas = false;
    *out = (struct fingerprint){.text = span_null()};
    if (ask_place(sql, arena, out, &has_schemas, err) < 0)
        return -1;
    struct buf schemas = BUF_EMPTY, tables = BUF_EMPTY;
    add_patterns(router, &schemas, &tables);
    char statement[6144];
    int len = snprintf(statement, sizeof statement, LINES_SQL,
                       has_schemas ? SPACES_SQL : NO_SPACES_SQL, BEHIND_SQL);
    assert(len > 0 && (size_t)len < sizeof statement);
    const char *params[] = {publication, buf_text(&schemas), buf_text(&tables),
                            read_changes(router, changes)};
    struct pg_result *r = NULL;
    int result = pg_query(sql, statement, 4, params, &r, err);
    if (result == 0) {
        out->text = arena_copy(arena, pg_result_cell(r, 0, 0));
        snprintf(out->id.hash, sizeof out->id.hash, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 1)));
        lsn_parse(pg_result_cell(r, 0, 2), &out->end_lsn);
        snprintf(out->keys, sizeof out->keys, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 3)));
    }
    pg_result_free(r);
    buf_fini(&schemas);
    buf_fini(&tables);
    return result;
}

static void add_oids(const struct fingerprint_suspects *suspects, struct buf *out)
{
    buf_add_char(out, '{');
    /* The publication stands among the tables as 0. */
    if (suspects->publication)
        buf_add_char(out, '0');
    for (uint32_t i = 0; i < suspects->count; i++)
        buf_add_format(out, "%s%" PRIu32, out->len > 1 ? "," : "", suspects->oids[i]);
    buf_add_char(out, '}');
}

int fingerprint_touched(struct pg_connection *sql, const char *publication, const char *changes,
                        const struct router *router, const struct fingerprint_suspects *suspects,
                        bool *any, struct buf *names, struct error *err)
{
    assert(sql != NULL && suspects->count <= FINGERPRINT_SUSPECTS_MAX);
    struct buf schemas = BUF_EMPTY, tables = BUF_EMPTY, oids = BUF_EMPTY;
    add_patterns(router, &schemas, &tables);
    add_oids(suspects, &oids);
    char statement[4096], xid[24];
    int len = snprintf(statement, sizeof statement, TOUCHED_SQL);
    assert(len > 0 && (size_t)len < sizeof statement);
    snprintf(xid, sizeof xid, "%" PRIu64, suspects->xid);
    const char *params[] = {publication,
                            buf_text(&schemas),
                            buf_text(&tables),
                            read_changes(router, changes),
                            suspects->all ? "t" : "f",
                            buf_text(&oids),
                            xid};
    struct pg_result *r = NULL;
    int result = pg_query(sql, statement, 7, params, &r, err);
    if (result == 0) {
        *any = !span_equal_text(pg_result_cell(r, 0, 0), "0");
        buf_add(names, pg_result_cell(r, 0, 1));
    }
    pg_result_free(r);
    buf_fini(&schemas);
    buf_fini(&tables);
    buf_fini(&oids);
    return result;
}

/* A partition that still exists has been detached: what is written into it by its own name was sent
 * before, and is not any more. */
static int judge_gone(struct pg_connection *sql, struct fingerprint_change *change,
                      struct error *err)
{
    struct buf list = BUF_EMPTY;
    buf_add_format(&list, "{%s}", buf_text(&change->gone));
    const char *param = buf_text(&list);
    struct pg_result *r = NULL;
    int result =
        pg_query(sql,
                 "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_catalog.pg_class c "
                 "WHERE c.oid = ANY ($1::oid[])",
                 1, &param, &r, err);
    if (result == 0 && pg_result_cell(r, 0, 0).len > 0) {
        change->verdict = FINGERPRINT_LOST;
        buf_add_format(&change->what, "; detached: %.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    }
    pg_result_free(r);
    buf_fini(&list);
    return result;
}

/* name: schema and table, quoted where they must be, as `from:` has them. */
static bool is_routed(const struct router *router, struct span name, struct arena *arena)
{
    struct config_from from;
    struct error unreadable = ERROR_INIT;
    struct config_text text = {.text = arena_format(arena, "%.*s", SPAN_ARG(name))};
    return config_from_parse(&text, "fingerprint", arena, &from, &unreadable) == 0 &&
           router_route_of_table(router, from.schema, from.table) >= 0;
}

/* Without the tables that no route takes any more. */
static void keep_routed(const struct router *router, struct span text, struct buf *kept)
{
    struct arena arena;
    struct fingerprint_line line;
    struct span rest = text;
    arena_init(&arena, 1024, 1024);
    while (fingerprint_next(&rest, &line)) {
        struct span root = fingerprint_name_of(text, line.root);
        arena_reset(&arena);
        if (line.table_name.ptr == NULL || !line.is_sent ||
            is_routed(router, line.table_name, &arena) ||
            (root.ptr != NULL && is_routed(router, root, &arena)))
            buf_add_format(kept, "%s%.*s", kept->len > 0 ? "\n" : "", SPAN_ARG(line.whole));
    }
    arena_fini(&arena);
}

int fingerprint_judge(struct pg_connection *sql, const struct router *router, const char *changes,
                      struct span before, struct span now, struct fingerprint_change *change,
                      struct error *err)
{
    struct buf read = BUF_EMPTY, kept = BUF_EMPTY;
    bool reads_both = read_changes(router, changes) != NULL;
    if (!reads_both)
        fingerprint_without(before, now, changes, &read);
    keep_routed(router, reads_both ? before : buf_span(&read), &kept);
    fingerprint_compare(buf_span(&kept), now, change);
    if (change->verdict == FINGERPRINT_SAME && !span_equal(before, now)) {
        change->verdict = FINGERPRINT_GREW;
        buf_add_text(&change->what, "fewer tables are routed");
    }
    buf_fini(&read);
    buf_fini(&kept);
    return change->gone.len > 0 ? judge_gone(sql, change, err) : 0;
}
