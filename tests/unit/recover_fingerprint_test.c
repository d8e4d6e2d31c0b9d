/* recover/fingerprint: DDL against a server of the test's own, and what each means: nothing, more
 * than before, or rows that may be missing. Each case begins with the same tables and publication
 * and says which words a person reads. */
#include "base/clock.h"
#include "private_postgres.h"
#include "recover/fingerprint.h"
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct private_postgres server;
static struct pg_connection *sql;
static struct route_fixture routes;
static struct arena arena;

#define PUBLICATION                                                                                \
    "CREATE PUBLICATION p FOR TABLE shop.outbox, shop.part, shop.\"glob_1%\" "                     \
    "WITH (publish = 'insert', publish_via_partition_root = true)"

static const char *const world[] = {
    "DROP SCHEMA IF EXISTS shop CASCADE",
    "DROP PUBLICATION IF EXISTS p",
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.outbox (id int)",
    "CREATE TABLE shop.other (id int)",
    "CREATE TABLE shop.part (id int) PARTITION BY RANGE (id)",
    "CREATE TABLE shop.part_1 PARTITION OF shop.part FOR VALUES FROM (1) TO (10)",
    "CREATE TABLE shop.\"glob_1%\" (id int)",
    PUBLICATION,
};

static int start(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, "wal_level = logical\n", NULL))
        exit(77);
    struct error err = ERROR_INIT;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:test"};
    if (pg_open(&options, &sql, &err) < 0)
        fail_msg("%s", err.text);
    arena_init(&arena, 65536, 65536);
    route_fixture_init(&routes);
    routes.configs[0].from = route_fixture_text("shop.outbox");
    route_fixture_add_route(&routes, "part", "shop.part");
    route_fixture_add_route(&routes, "glob", "shop.glob?1%*");
    route_fixture_add_route(&routes, "messages", "message:orders");
    if (route_fixture_open(&routes) < 0)
        fail_msg("%s", routes.err.text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pg_close(sql);
    route_fixture_fini(&routes);
    arena_fini(&arena);
    private_postgres_stop(&server);
    return 0;
}

static int new_world(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof world / sizeof world[0]; i++)
        private_postgres_sql(&server, world[i]);
    return 0;
}

static struct fingerprint take_by(const struct router *router)
{
    struct fingerprint f;
    struct error err = ERROR_INIT;
    if (fingerprint_take(sql, "p", "p_changes", router, &arena, &f, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(strlen(f.id.hash), 32);
    assert_true(f.id.lsn > 0);
    return f;
}

static struct fingerprint take(void)
{
    return take_by(routes.router);
}

static void expect(const char *const *statements, enum fingerprint_verdict verdict,
                   const char *words)
{
    struct fingerprint before = take();
    for (int i = 0; statements[i] != NULL; i++)
        private_postgres_sql(&server, statements[i]);
    struct fingerprint now = take();
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct error err = ERROR_INIT;
    if (fingerprint_judge(sql, routes.router, "p_changes", before.text, now.text, &change, &err) <
        0)
        fail_msg("%s", err.text);
    if (change.verdict != verdict || (words != NULL && !strstr(buf_text(&change.what), words)))
        fail_msg("%s: verdict %d, \"%s\"", statements[0], (int)change.verdict,
                 buf_text(&change.what));
    assert_int_equal(verdict == FINGERPRINT_SAME, strcmp(before.id.hash, now.id.hash) == 0);
    buf_fini(&change.what);
    buf_fini(&change.gone);
}

#define EXPECT(verdict, words, ...)                                                                \
    do {                                                                                           \
        new_world(NULL);                                                                           \
        const char *const statements[] = {__VA_ARGS__, NULL};                                      \
        expect(statements, verdict, words);                                                        \
    } while (0)
#define SAME(...) EXPECT(FINGERPRINT_SAME, NULL, __VA_ARGS__)
#define GREW(words, ...) EXPECT(FINGERPRINT_GREW, words, __VA_ARGS__)
#define LOST(words, ...) EXPECT(FINGERPRINT_LOST, words, __VA_ARGS__)

/* ---- Tests ---- */

static void what_does_not_matter(void **state)
{
    (void)state;
    SAME("SELECT 1");
    SAME("INSERT INTO shop.outbox VALUES (1)", "ANALYZE", "VACUUM FULL shop.outbox");
    SAME("CREATE TABLE shop.unrelated (id int)", "DROP TABLE shop.other");
    SAME("CREATE INDEX ON shop.outbox (id)", "GRANT SELECT ON shop.outbox TO PUBLIC");
    SAME("ALTER TABLE shop.outbox ADD COLUMN note text");
    SAME("ALTER PUBLICATION p ADD TABLE shop.other", "ALTER PUBLICATION p DROP TABLE shop.other");
    SAME("VACUUM FREEZE pg_publication", "VACUUM FREEZE pg_publication_rel",
         "VACUUM FULL pg_publication", "VACUUM FULL pg_publication_rel");
    SAME("COMMENT ON PUBLICATION p IS 'x'");
    SAME("TRUNCATE shop.outbox");
}

static void what_only_adds(void **state)
{
    (void)state;
    GREW("partition shop.part_1 is gone", "DROP TABLE shop.part_1");
    GREW("table shop.part_2 is new",
         "CREATE TABLE shop.part_2 PARTITION OF shop.part FOR VALUES FROM (10) TO (20)");
    GREW("table shop.\"globx1%x\" is new", "CREATE TABLE shop.\"globx1%x\" (id int)");
    SAME("CREATE TABLE shop.\"glob_1x\" (id int)");
    GREW("has another owner", "CREATE ROLE heir SUPERUSER", "ALTER PUBLICATION p OWNER TO heir");
    GREW("has another replica identity", "ALTER TABLE shop.outbox REPLICA IDENTITY FULL");
    GREW("schema shop is new in the publication", "ALTER PUBLICATION p ADD TABLES IN SCHEMA shop");
}

static void what_takes_rows_away(void **state)
{
    (void)state;
    LOST("publication p was altered", "ALTER PUBLICATION p SET (publish = 'update')");
    LOST("publication p was dropped", "DROP PUBLICATION p");
    LOST("outbox was taken out of the publication", "ALTER PUBLICATION p DROP TABLE shop.outbox");
    LOST("put back, or its row filter or column list was changed",
         "ALTER PUBLICATION p SET TABLE shop.outbox WHERE (id > 5), shop.part, shop.\"glob_1%\"");
    LOST("table shop.outbox was dropped or renamed", "DROP TABLE shop.outbox");
    LOST("table shop.outbox was dropped or renamed", "ALTER TABLE shop.outbox RENAME TO old");
    LOST("dropped or renamed", "ALTER TABLE shop.outbox SET SCHEMA public",
         "DROP TABLE public.outbox");
    LOST("was renamed to", "ALTER TABLE shop.\"glob_1%\" RENAME TO \"glob_1%2\"");
    LOST("detached: shop.part_1", "ALTER TABLE shop.part DETACH PARTITION shop.part_1");
    LOST("rows of shop.part are no longer sent", "ALTER PUBLICATION p DROP TABLE shop.part");
}

static void what_was_put_back(void **state)
{
    (void)state;
    LOST("publication p was altered", "ALTER PUBLICATION p SET (publish = 'update')",
         "ALTER PUBLICATION p SET (publish = 'insert')");
    LOST("publication p was dropped and made again", "DROP PUBLICATION p", PUBLICATION);
    LOST("shop.outbox was taken out of the publication and put back",
         "ALTER PUBLICATION p DROP TABLE shop.outbox", "ALTER PUBLICATION p ADD TABLE shop.outbox");
    LOST("and there is another one", "DROP TABLE shop.outbox", "CREATE TABLE shop.outbox (id int)",
         "ALTER PUBLICATION p ADD TABLE shop.outbox");
    LOST("and there is another one", "ALTER TABLE shop.outbox RENAME TO old",
         "CREATE TABLE shop.outbox (id int)", "DROP TABLE shop.old",
         "ALTER PUBLICATION p ADD TABLE shop.outbox");
}

/* ---- What was touched since ---- */

static char *touched(struct fingerprint_suspects suspects, uint64_t xid, bool *any)
{
    struct buf names = BUF_EMPTY;
    struct error err = ERROR_INIT;
    suspects.xid = xid;
    if (fingerprint_touched(sql, "p", "p_changes", routes.router, &suspects, any, &names, &err) < 0)
        fail_msg("%s", err.text);
    char *text = arena_text(&arena, buf_span(&names));
    buf_fini(&names);
    return text;
}

static uint32_t oid_of(const char *table)
{
    struct pg_result *r = NULL;
    struct error err = ERROR_INIT;
    if (pg_query(sql, "SELECT $1::regclass::oid", 1, &table, &r, &err) < 0)
        fail_msg("%s", err.text);
    uint32_t oid = (uint32_t)strtoul(arena_text(&arena, pg_result_cell(r, 0, 0)), NULL, 10);
    pg_result_free(r);
    return oid;
}

/* With nothing different before and after, what a guard that names all, or the table, is told. */
static void expect_touched(const char *const *statements, const char *table, const char *all,
                           const char *named)
{
    new_world(NULL);
    struct fingerprint before = take();
    struct fingerprint_suspects everything = {.all = true};
    struct fingerprint_suspects one = {.count = 1, .oids = {oid_of(table)}};
    bool any;
    for (int i = 0; statements[i] != NULL; i++)
        private_postgres_sql(&server, statements[i]);
    struct fingerprint now = take();
    assert_string_equal(before.id.hash, now.id.hash);
    assert_true(before.id.xid > 0 && before.id.lsn <= before.behind_lsn &&
                before.behind_lsn <= before.end_lsn && before.end_lsn <= now.end_lsn);
    assert_string_equal(touched(everything, before.id.xid, &any), all);
    assert_int_equal(any, all[0] != '\0');
    assert_string_equal(touched(one, before.id.xid, &any), named);
    assert_int_equal(any, all[0] != '\0');
    assert_string_equal(touched(everything, now.id.xid, &any), ""); /* not since then */
    assert_false(any);
    /* Of another server, or longer ago than ids go round: of no row it is known. */
    touched(everything, now.id.xid + 1000000, &any);
    assert_true(any);
}

#define TOUCHED(table, all, named, ...)                                                            \
    do {                                                                                           \
        const char *const statements[] = {__VA_ARGS__, NULL};                                      \
        expect_touched(statements, table, all, named);                                             \
    } while (0)

static void what_was_put_back_is_touched(void **state)
{
    (void)state;
    TOUCHED("shop.outbox", "table shop.outbox", "table shop.outbox",
            "ALTER TABLE shop.outbox RENAME TO old", "ALTER TABLE shop.old RENAME TO outbox");
    TOUCHED("shop.part_1", "table shop.part_1", "table shop.part_1",
            "ALTER TABLE shop.part DETACH PARTITION shop.part_1",
            "ALTER TABLE shop.part ATTACH PARTITION shop.part_1 FOR VALUES FROM (1) TO (10)");
    TOUCHED("shop.outbox", "table shop.outbox", "table shop.outbox",
            "ALTER TABLE shop.outbox SET SCHEMA public",
            "ALTER TABLE public.outbox SET SCHEMA shop");
    TOUCHED("shop.outbox", "table shop.\"glob_1%\", table shop.outbox, table shop.part",
            "table shop.outbox", "ALTER SCHEMA shop RENAME TO mall",
            "ALTER SCHEMA mall RENAME TO shop");
    TOUCHED("shop.part", "table shop.part", "table shop.part", "CREATE TABLE shop.heir (id int)",
            "ALTER TABLE shop.part RENAME TO whole", "ALTER TABLE shop.whole RENAME TO part");
}

/* Nothing of which a guard tells; so a guard that names another table lets it pass. */
static void what_does_no_harm_is_touched_and_not_named(void **state)
{
    (void)state;
    TOUCHED("shop.part", "table shop.outbox", "", "ALTER TABLE shop.outbox ADD COLUMN note text");
    TOUCHED("shop.part", "table shop.outbox", "", "GRANT SELECT ON shop.outbox TO PUBLIC");
    TOUCHED("shop.outbox", "", "", "ANALYZE", "VACUUM FREEZE", "VACUUM FREEZE pg_class",
            "VACUUM FREEZE pg_namespace", "INSERT INTO shop.outbox VALUES (1)");
    TOUCHED("shop.outbox", "", "", "CREATE TABLE shop.unrelated (id int)",
            "ALTER TABLE shop.unrelated RENAME TO stranger", "DROP TABLE shop.other");
}

/* The publication stands in the fingerprint with its version, which a new owner explains. */
static void a_publication_is_touched(void **state)
{
    (void)state;
    bool any;
    struct fingerprint_suspects it = {.publication = true}, outbox = {.count = 1};
    new_world(NULL);
    outbox.oids[0] = oid_of("shop.outbox");
    struct fingerprint before = take();
    private_postgres_sql(&server, "ALTER PUBLICATION p SET (publish = 'insert')");
    assert_string_equal(touched(it, before.id.xid, &any), "publication p");
    assert_true(any);
    assert_string_equal(touched(outbox, before.id.xid, &any), "");
    assert_true(any);
}

static void run(struct pg_connection *session, const char *statement)
{
    struct pg_result *r = NULL;
    struct error err = ERROR_INIT;
    if (pg_query(session, statement, 0, NULL, &r, &err) < 0)
        fail_msg("%s", err.text);
    pg_result_free(r);
}

/* Its id is behind the snapshot's end, as that of a commit that waits for a standby. */
static void what_is_under_way_is_before_the_next(void **state)
{
    (void)state;
    struct pg_connection *other = NULL;
    struct error err = ERROR_INIT;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:other"};
    if (pg_open(&options, &other, &err) < 0)
        fail_msg("%s", err.text);
    struct fingerprint before = take();
    run(other, "BEGIN");
    run(other, "SELECT pg_current_xact_id()");
    struct fingerprint now = take();
    assert_int_equal(now.id.xid, before.next_xid);
    assert_int_equal(now.next_xid, before.next_xid + 1);
    pg_close(other);
}

static void what_a_snapshot_begins_with(void **state)
{
    (void)state;
    struct span text = SPAN_LITERAL("4294967301:4294967303:4294967302");
    assert_int_equal(fingerprint_oldest(text), UINT64_C(4294967301));
    assert_int_equal(fingerprint_next_xid(text, span_of("4")), UINT64_C(4294967303));
    assert_int_equal(fingerprint_next_xid(text, span_of("7")), UINT64_C(4294967306));
    assert_int_equal(fingerprint_next_xid(text, span_of("-4")), UINT64_C(4294967303));
    struct span old = SPAN_LITERAL("2147483660:2147483660:"); /* an age has 31 bits and a sign */
    assert_int_equal(fingerprint_next_xid(old, span_of("-2147483637")), UINT64_C(2147483662));
    struct span end = SPAN_LITERAL("4294967294:4294967294:");
    assert_int_equal(fingerprint_next_xid(end, span_of("1")), UINT64_C(4294967300));
    assert_int_equal(fingerprint_oldest(SPAN_LITERAL("nonsense")), 0);
    assert_int_equal(fingerprint_next_xid(SPAN_LITERAL("5"), span_of("4")), 0);
}

/* What was lost before stays lost, whatever there is now. */
static void a_loss_that_was_recorded(void **state)
{
    (void)state;
    struct fingerprint now = take();
    const char *text = arena_format(&arena, "lost table x was renamed\n%.*s", SPAN_ARG(now.text));
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct error err = ERROR_INIT;
    assert_int_equal(
        fingerprint_judge(sql, routes.router, "p_changes", span_of(text), now.text, &change, &err),
        0);
    assert_int_equal(change.verdict, FINGERPRINT_LOST);
    assert_string_equal(buf_text(&change.what), "table x was renamed");
    buf_reset(&change.what);
    /* A look that has judged says nothing but that. */
    assert_int_equal(fingerprint_judge(sql, routes.router, "p_changes", now.text,
                                       SPAN_LITERAL("lost detached: shop.part_1"), &change, &err),
                     0);
    assert_int_equal(change.verdict, FINGERPRINT_LOST);
    assert_string_equal(buf_text(&change.what), "detached: shop.part_1");
    assert_int_equal(change.gone.len, 0);
    buf_fini(&change.what);
    buf_fini(&change.gone);
}

static void a_publication_of_all_tables(void **state)
{
    (void)state;
    new_world(NULL);
    private_postgres_sql(&server, "DROP PUBLICATION p");
    private_postgres_sql(
        &server, "CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true)");
    const char *const unrelated[] = {"CREATE TABLE shop.unrelated (id int)", NULL};
    expect(unrelated, FINGERPRINT_SAME, NULL);
    const char *const anew[] = {"DROP TABLE shop.outbox", "CREATE TABLE shop.outbox (id int)",
                                NULL};
    expect(anew, FINGERPRINT_LOST, "and there is another one");
    /* Of one by table it is refused by the server. */
    struct fingerprint before = take();
    struct fingerprint_suspects outbox = {.count = 1, .oids = {oid_of("shop.outbox")}};
    bool any;
    private_postgres_sql(&server, "ALTER TABLE shop.outbox SET UNLOGGED");
    private_postgres_sql(&server, "ALTER TABLE shop.outbox SET LOGGED");
    assert_string_equal(take().id.hash, before.id.hash);
    assert_string_equal(touched(outbox, before.id.xid, &any), "table shop.outbox");
}

/* A table that a changed file no longer routes is no loss, whatever became of it. */
static void what_is_no_longer_routed(void **state)
{
    (void)state;
    new_world(NULL);
    struct fingerprint before = take();
    private_postgres_sql(&server, "DROP TABLE shop.part");
    struct route_fixture fewer;
    route_fixture_init(&fewer);
    fewer.configs[0].from = route_fixture_text("shop.outbox");
    if (route_fixture_open(&fewer) < 0)
        fail_msg("%s", fewer.err.text);
    struct fingerprint now = take_by(fewer.router);
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct error err = ERROR_INIT;
    assert_int_equal(
        fingerprint_judge(sql, fewer.router, "p_changes", before.text, now.text, &change, &err), 0);
    assert_int_equal(change.verdict, FINGERPRINT_GREW);
    assert_non_null(strstr(buf_text(&change.what), "other tables are routed"));
    buf_reset(&change.what);
    buf_reset(&change.gone);
    now = take();
    assert_int_equal(
        fingerprint_judge(sql, routes.router, "p_changes", before.text, now.text, &change, &err),
        0);
    assert_int_equal(change.verdict, FINGERPRINT_LOST);
    buf_fini(&change.what);
    buf_fini(&change.gone);
    route_fixture_fini(&fewer);
}

/* Nor is the schema of such tables, where the publication names schemas. */
static void schemas_of_what_is_no_longer_routed(void **state)
{
    (void)state;
    new_world(NULL);
    private_postgres_sql(&server, "DROP SCHEMA IF EXISTS \"far away\" CASCADE");
    private_postgres_sql(&server, "CREATE SCHEMA \"far away\"");
    private_postgres_sql(&server, "CREATE TABLE \"far away\".outbox (id int)");
    private_postgres_sql(&server, "DROP PUBLICATION p");
    private_postgres_sql(&server, "CREATE PUBLICATION p FOR TABLES IN SCHEMA shop, \"far away\"");
    struct route_fixture more;
    route_fixture_init(&more);
    more.configs[0].from = route_fixture_text("shop.outbox");
    route_fixture_add_route(&more, "far", "far away.outbox");
    if (route_fixture_open(&more) < 0)
        fail_msg("%s", more.err.text);
    struct fingerprint before = take_by(more.router);
    struct fingerprint now = take();
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct error err = ERROR_INIT;
    assert_non_null(strstr(arena_text(&arena, before.text), "far away"));
    assert_int_equal(
        fingerprint_judge(sql, routes.router, "p_changes", before.text, now.text, &change, &err),
        0);
    assert_int_equal(change.verdict, FINGERPRINT_GREW);
    buf_reset(&change.what);
    /* One whose tables are routed still is a loss. */
    private_postgres_sql(&server, "ALTER PUBLICATION p DROP TABLES IN SCHEMA shop");
    now = take();
    assert_int_equal(
        fingerprint_judge(sql, routes.router, "p_changes", before.text, now.text, &change, &err),
        0);
    assert_int_equal(change.verdict, FINGERPRINT_LOST);
    assert_non_null(strstr(buf_text(&change.what), "schema shop was taken out"));
    buf_fini(&change.what);
    buf_fini(&change.gone);
    route_fixture_fini(&more);
    private_postgres_sql(&server, "DROP SCHEMA \"far away\" CASCADE");
}

/* ---- The publication of change routes ---- */

static void open_with_changes(struct route_fixture *f, const char *from)
{
    route_fixture_init(f);
    f->configs[0].from = route_fixture_text("shop.outbox");
    struct config_route *route = route_fixture_add_route(f, "changes", from);
    route->as = ROUTE_CHANGE;
    route->topic = route_fixture_text("changes");
    route->key = (struct config_text){.text = NULL};
    route->format = FORMAT_DEBEZIUM;
    route->debezium.skipped_operations = route_fixture_text("t");
    if (route_fixture_open(f) < 0)
        fail_msg("%s", f->err.text);
}

static enum fingerprint_verdict judged(const struct router *router, const struct fingerprint *then,
                                       const struct fingerprint *now, char words[512])
{
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct error err = ERROR_INIT;
    if (fingerprint_judge(sql, router, "p_changes", then->text, now->text, &change, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(words, 512, "%s", buf_text(&change.what));
    enum fingerprint_verdict verdict = change.verdict;
    buf_fini(&change.what);
    buf_fini(&change.gone);
    return verdict;
}

#define WITH_CHANGES(tables) "CREATE PUBLICATION p_changes FOR TABLE " tables

/* It sends nothing that anybody takes. */
static void what_no_route_takes_from(void **state)
{
    (void)state;
    private_postgres_sql(&server, WITH_CHANGES("shop.outbox"));
    const char *const changes[] = {"ALTER PUBLICATION p_changes SET (publish = 'delete')",
                                   "ALTER PUBLICATION p_changes DROP TABLE shop.outbox",
                                   "DROP PUBLICATION p_changes",
                                   "CREATE PUBLICATION p_changes FOR TABLE shop.part", NULL};
    struct fingerprint before = take();
    for (int i = 0; changes[i] != NULL; i++) {
        private_postgres_sql(&server, changes[i]);
        assert_string_equal(take().id.hash, before.id.hash);
    }
    const struct fingerprint_suspects publications = {.publication = true};
    bool any;
    assert_string_equal(touched(publications, before.id.xid, &any), "");
    assert_false(any);
    private_postgres_sql(&server, "DROP PUBLICATION p_changes");
}

/* A file loses its change routes, or gains some: the fingerprint of one with the other. */
static void change_routes_come_and_go(void **state)
{
    (void)state;
    struct route_fixture with, without;
    char words[512];
    open_with_changes(&with, "shop.o*");
    route_fixture_init(&without);
    without.configs[0].from = route_fixture_text("shop.outbox");
    if (route_fixture_open(&without) < 0)
        fail_msg("%s", without.err.text);
    private_postgres_sql(&server, WITH_CHANGES("shop.outbox, shop.other"));
    struct fingerprint then = take_by(with.router), now = take_by(without.router);
    assert_int_equal(judged(without.router, &then, &now, words), FINGERPRINT_GREW);
    assert_int_equal(judged(with.router, &now, &then, words), FINGERPRINT_GREW);
    assert_non_null(strstr(words, "publication p_changes is new"));
    assert_true(fingerprint_has_new_publication(now.text, then.text));
    assert_false(fingerprint_has_new_publication(then.text, now.text));
    assert_false(fingerprint_has_new_publication(span_null(), now.text));
    /* Whatever became of it meanwhile. */
    private_postgres_sql(&server, "DROP PUBLICATION p_changes");
    now = take_by(without.router);
    assert_int_equal(judged(without.router, &then, &now, words), FINGERPRINT_GREW);
    /* But not of the other one, which held the same table. */
    private_postgres_sql(&server, "ALTER PUBLICATION p DROP TABLE shop.outbox");
    private_postgres_sql(&server, "ALTER PUBLICATION p ADD TABLE shop.outbox");
    now = take_by(without.router);
    assert_int_equal(judged(without.router, &then, &now, words), FINGERPRINT_LOST);
    assert_non_null(strstr(words, "shop.outbox was taken out of the publication and put back"));
    private_postgres_sql(&server, "DROP PUBLICATION p");
    now = take_by(without.router);
    assert_int_equal(judged(without.router, &then, &now, words), FINGERPRINT_LOST);
    assert_non_null(strstr(words, "publication p was dropped"));
    /* As long as a route takes from it, all of it is a loss. */
    new_world(NULL);
    private_postgres_sql(&server, WITH_CHANGES("shop.outbox, shop.other"));
    then = take_by(with.router);
    private_postgres_sql(&server, "ALTER PUBLICATION p_changes DROP TABLE shop.outbox");
    now = take_by(with.router);
    assert_int_equal(judged(with.router, &then, &now, words), FINGERPRINT_LOST);
    private_postgres_sql(&server, "DROP PUBLICATION p_changes");
    route_fixture_fini(&with);
    route_fixture_fini(&without);
}

/* The outbox is sent because all is, or its schema; a table of it stood in the other one by name.
 */
static void what_is_sent_without_its_name(void **state)
{
    (void)state;
    static const char *const whole[] = {"FOR ALL TABLES", "FOR TABLES IN SCHEMA shop"};
    struct route_fixture with;
    char words[512], statement[128];
    open_with_changes(&with, "shop.o*");
    for (size_t i = 0; i < 2; i++) {
        private_postgres_sql(&server, "DROP PUBLICATION p");
        snprintf(statement, sizeof statement, "CREATE PUBLICATION p %s", whole[i]);
        private_postgres_sql(&server, statement);
        private_postgres_sql(&server, WITH_CHANGES("shop.outbox"));
        struct fingerprint then = take_by(with.router);
        private_postgres_sql(&server, "DROP PUBLICATION p_changes");
        struct fingerprint now = take();
        assert_int_equal(judged(routes.router, &then, &now, words), FINGERPRINT_GREW);
    }
    private_postgres_sql(&server, "CREATE PUBLICATION p_changes FOR TABLES IN SCHEMA shop");
    struct fingerprint then = take_by(with.router), now = take();
    assert_int_equal(judged(routes.router, &then, &now, words), FINGERPRINT_GREW);
    private_postgres_sql(&server, "ALTER PUBLICATION p SET TABLES IN SCHEMA public");
    private_postgres_sql(&server, "ALTER PUBLICATION p SET TABLES IN SCHEMA shop");
    now = take();
    assert_int_equal(judged(routes.router, &then, &now, words), FINGERPRINT_LOST);
    private_postgres_sql(&server, "DROP PUBLICATION p_changes");
    route_fixture_fini(&with);
}

static void a_text_that_is_no_fingerprint_is_a_loss(void **state)
{
    (void)state;
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    fingerprint_compare(SPAN_LITERAL("nonsense"), SPAN_LITERAL("publication 1 2 3 i p"), &change);
    assert_int_equal(change.verdict, FINGERPRINT_LOST);
    buf_fini(&change.what);
    buf_fini(&change.gone);
}

/* As many tables as the number says, each a partition of the first, none of which is there now. */
static int64_t shortest_comparison_us(int tables)
{
    struct buf before = BUF_EMPTY, now = BUF_EMPTY;
    int64_t shortest_us = INT64_MAX;
    for (int i = 0; i < tables; i++)
        buf_add_format(&before, "%smember %d 5 %d", i > 0 ? "\n" : "", 100000 + i, 200000 + i);
    for (int i = 0; i < tables; i++) {
        buf_add_format(&before, "\ntable %d r p d %d t shop.t%d", 200000 + i, i > 0 ? 200000 : 0,
                       i);
        buf_add_format(&now, "%stable %d r p d %d t shop.n%d", i > 0 ? "\n" : "", 400000 + i,
                       i > 0 ? 400000 : 0, i);
    }
    for (int i = 0; i < 3; i++) {
        struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
        int64_t began_us = clock_monotonic_us();
        fingerprint_compare(buf_span(&before), buf_span(&now), &change);
        for (struct span rest = buf_span(&before); rest.len > 0;) {
            struct fingerprint_line line;
            assert_true(fingerprint_next(&rest, &line));
            if (line.root.ptr != NULL)
                assert_non_null(fingerprint_name_of(buf_span(&before), line.root).ptr);
        }
        int64_t took_us = clock_monotonic_us() - began_us;
        shortest_us = took_us < shortest_us ? took_us : shortest_us;
        assert_int_equal(change.verdict, FINGERPRINT_LOST);
        assert_non_null(strstr(buf_text(&change.what), "table shop.t0 was dropped or renamed"));
        assert_non_null(strstr(buf_text(&change.what), "table shop.n1 is new"));
        buf_fini(&change.what);
        buf_fini(&change.gone);
    }
    buf_fini(&before);
    buf_fini(&now);
    return shortest_us;
}

static void a_comparison_costs_what_the_tables_are(void **state)
{
    (void)state;
    int64_t few_us = shortest_comparison_us(1000);
    int64_t many_us = shortest_comparison_us(16000);
    print_message("1,000 tables: %.1f ms, 16,000: %.1f ms\n", (double)few_us / 1e3,
                  (double)many_us / 1e3);
    assert_true(many_us < 64 * few_us);
}

static void publish_tables(int from, int to)
{
    char text[512];
    snprintf(text, sizeof text,
             "DO $$ BEGIN FOR i IN %d..%d LOOP "
             "EXECUTE format('CREATE TABLE shop.%%I (id int)', 'glob_1%%' || i); END LOOP; "
             "EXECUTE 'ALTER PUBLICATION p ADD TABLE ' || (SELECT string_agg(format('shop.%%I', "
             "'glob_1%%' || i), ',') FROM generate_series(%d, %d) i); END $$",
             from, to, from, to);
    private_postgres_sql(&server, text);
    private_postgres_sql(&server, "ANALYZE pg_catalog.pg_class, pg_catalog.pg_publication_rel");
}

static int64_t shortest_look_us(void)
{
    int64_t shortest_us = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t began_us = clock_monotonic_us();
        take();
        int64_t took_us = clock_monotonic_us() - began_us;
        shortest_us = took_us < shortest_us ? took_us : shortest_us;
    }
    return shortest_us;
}

/* It is repeated every two seconds: with the square of the number of tables a thousand of them
 * were enough to keep a server busy. */
static void a_look_costs_what_the_tables_are(void **state)
{
    (void)state;
    publish_tables(1, 400);
    int64_t few_us = shortest_look_us();
    publish_tables(401, 1600);
    int64_t many_us = shortest_look_us();
    print_message("400 tables: %.1f ms, 1,600: %.1f ms\n", (double)few_us / 1e3,
                  (double)many_us / 1e3);
    assert_true(many_us < 8 * few_us);
}

/* The record says what was lost, and the same is found again: a person reads it once. */
static void nothing_is_said_twice(void **state)
{
    (void)state;
    struct fingerprint before = take();
    private_postgres_sql(&server, "ALTER PUBLICATION p DROP TABLE shop.outbox");
    struct fingerprint now = take();
    const char *said = "shop.outbox was taken out of the publication; rows of shop.outbox are no "
                       "longer sent";
    const char *recorded =
        arena_format(&arena, FINGERPRINT_LOST_WORD " %s\n%.*s", said, SPAN_ARG(before.text));
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct error err = ERROR_INIT;
    assert_int_equal(fingerprint_judge(sql, routes.router, "p_changes", span_of(recorded), now.text,
                                       &change, &err),
                     0);
    assert_int_equal(change.verdict, FINGERPRINT_LOST);
    assert_string_equal(buf_text(&change.what), said);
    buf_fini(&change.what);
    buf_fini(&change.gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_does_not_matter, new_world),
        cmocka_unit_test_setup(nothing_is_said_twice, new_world),
        cmocka_unit_test_setup(what_only_adds, new_world),
        cmocka_unit_test_setup(what_takes_rows_away, new_world),
        cmocka_unit_test_setup(what_was_put_back, new_world),
        cmocka_unit_test(what_was_put_back_is_touched),
        cmocka_unit_test(what_does_no_harm_is_touched_and_not_named),
        cmocka_unit_test(a_publication_is_touched),
        cmocka_unit_test(what_is_under_way_is_before_the_next),
        cmocka_unit_test(what_a_snapshot_begins_with),
        cmocka_unit_test_setup(a_loss_that_was_recorded, new_world),
        cmocka_unit_test_setup(what_no_route_takes_from, new_world),
        cmocka_unit_test_setup(change_routes_come_and_go, new_world),
        cmocka_unit_test_setup(what_is_sent_without_its_name, new_world),
        cmocka_unit_test(a_publication_of_all_tables),
        cmocka_unit_test(what_is_no_longer_routed),
        cmocka_unit_test(schemas_of_what_is_no_longer_routed),
        cmocka_unit_test(a_text_that_is_no_fingerprint_is_a_loss),
        cmocka_unit_test(a_comparison_costs_what_the_tables_are),
        cmocka_unit_test_setup(a_look_costs_what_the_tables_are, new_world),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
