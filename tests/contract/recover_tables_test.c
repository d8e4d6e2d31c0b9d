/* recover/: what check says of tables and publications, on a PostgreSQL server: each fault with its
 * text, and the statement that mends it is run as printed. */
#include "private_postgres.h"
#include "recover/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct private_postgres server;

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, "wal_level = logical", NULL))
        exit(77);
    private_postgres_sql(&server, "CREATE SCHEMA s");
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

/* ---- One database with its routes ---- */

#define OUTBOX "  - {name: o, from: s.outbox, topic: o}\n"
#define CHANGES "  - {name: c, from: \"s.*\", as: change, topic: c}\n"

static void check(const char *routes, struct error *err)
{
    char yaml[2048];
    struct config *config = NULL;
    struct router *router = NULL;
    struct pg_connection *sql = NULL;
    snprintf(yaml, sizeof yaml,
             "relay: orders\nsource:\n  connection: \"%s\"\n  publication: p\nkafka:\n"
             "  bootstrap.servers: \"127.0.0.1:1\"\nroutes:\n%s",
             private_postgres_dsn(&server, "postgres", ""), routes);
    *err = ERROR_INIT;
    if (config_parse(span_of(yaml), "w.yaml", &config, err) < 0)
        fail_msg("%s", err->text);
    const struct config_relay *relay = config_only_relay(config);
    const struct pg_options options = {.connection = relay->source.connection.text,
                                       .application_name = "test"};
    if (relay_open_router(relay, &router, err) < 0 || pg_open(&options, &sql, err) < 0)
        fail_msg("%s", err->text);
    (void)relay_check_publication(sql, relay, router, err);
    pg_close(sql);
    router_close(router);
    config_close(config);
}

static void expect_none(const char *routes)
{
    struct error err;
    check(routes, &err);
    if (err.kind != ERROR_NONE)
        fail_msg("%s", err.text);
}

/* Statements of SQL that a mend prints stand behind semicolons. */
static void run_mend(const struct error *err)
{
    char line[ERROR_MEND_MAX];
    char *rest = NULL;
    assert_int_equal(err->mends[0].kind, MEND_SQL);
    snprintf(line, sizeof line, "%s", err->mends[0].line);
    for (char *one = strtok_r(line, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        private_postgres_sql(&server, one);
}

/* Refused with the text, as long as the mend leads to a next fault. */
static void expect(const char *routes, const char *reason, const char *text, const char *mend)
{
    struct error err;
    check(routes, &err);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_string_equal(reason_slug(err.reason), reason);
    if (strstr(err.text, text) == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(err.mends[0].line, mend);
    run_mend(&err);
}

static void make(const char *const *statements)
{
    private_postgres_sql(&server, "DROP PUBLICATION IF EXISTS p, p_changes");
    private_postgres_sql(&server, "DROP SCHEMA s CASCADE");
    private_postgres_sql(&server, "CREATE SCHEMA s");
    for (; *statements != NULL; statements++)
        private_postgres_sql(&server, *statements);
}

#define CREATE_PARTITIONED                                                                         \
    "CREATE TABLE s.t (id int PRIMARY KEY, n int, big text) PARTITION BY RANGE (id)",              \
        "CREATE TABLE s.t_1 PARTITION OF s.t FOR VALUES FROM (0) TO (10)",                         \
        "CREATE TABLE s.t_2 PARTITION OF s.t FOR VALUES FROM (10) TO (20)"
#define CREATE_OUTBOX                                                                              \
    "CREATE TABLE s.outbox (id uuid PRIMARY KEY, aggregatetype text, aggregateid text, type "      \
    "text, payload jsonb)"
#define PUBLISH                                                                                    \
    "CREATE PUBLICATION p WITH (publish = 'insert', publish_via_partition_root = true)",           \
        "CREATE PUBLICATION p_changes FOR TABLE s.t WITH (publish_via_partition_root = true)"
#define ONLY_T "  - {name: c, from: s.t, as: change, topic: c}\n"

/* ---- Identities ---- */

static void partitions_of_another_identity(void **state)
{
    (void)state;
    make((const char *const[]){CREATE_PARTITIONED, PUBLISH, "ALTER TABLE s.t REPLICA IDENTITY FULL",
                               "ALTER TABLE s.t_2 REPLICA IDENTITY FULL", NULL});
    expect(ONLY_T, "replica_identity", "s.t of route c: its partitions s.t_1 have another",
           "ALTER TABLE \"s\".\"t_1\" REPLICA IDENTITY FULL");
    expect_none(ONLY_T);
    private_postgres_sql(&server, "ALTER TABLE s.t REPLICA IDENTITY DEFAULT");
    expect(ONLY_T, "replica_identity", "its partitions s.t_1, s.t_2 have another",
           "ALTER TABLE \"s\".\"t\" REPLICA IDENTITY FULL");
    expect_none(ONLY_T);
    private_postgres_sql(&server, "ALTER TABLE s.t REPLICA IDENTITY DEFAULT");
    private_postgres_sql(&server, "ALTER TABLE s.t_1 REPLICA IDENTITY DEFAULT");
    expect(ONLY_T, "replica_identity", "its partitions s.t_2 have another",
           "ALTER TABLE \"s\".\"t_2\" REPLICA IDENTITY DEFAULT");
    expect_none(ONLY_T);
}

/* Also where a partition has an index for one that the root has not. */
static void partitions_with_an_index_of_their_own(void **state)
{
    (void)state;
    make((const char *const[]){CREATE_PARTITIONED, PUBLISH,
                               "ALTER TABLE s.t_1 ALTER n SET NOT NULL",
                               "CREATE UNIQUE INDEX t_1_n ON s.t_1 (n)",
                               "ALTER TABLE s.t_1 REPLICA IDENTITY USING INDEX t_1_n", NULL});
    expect(ONLY_T, "replica_identity", "its partitions s.t_1 have another",
           "ALTER TABLE \"s\".\"t_1\" REPLICA IDENTITY DEFAULT");
    expect_none(ONLY_T);
}

/* Nobody asks what was, where nothing but inserts is taken. */
static void partitions_of_which_inserts_are_taken(void **state)
{
    (void)state;
    make((const char *const[]){CREATE_PARTITIONED, PUBLISH, "ALTER TABLE s.t REPLICA IDENTITY FULL",
                               NULL});
    expect_none("  - {name: e, from: s.t, as: event, topic: e, key: \"{id}\", "
                "when: {op: [insert]}}\n");
}

static void keys_outside_of_the_identity(void **state)
{
    (void)state;
    make((const char *const[]){"CREATE TABLE s.t (id int PRIMARY KEY, code int NOT NULL)",
                               "CREATE UNIQUE INDEX t_code ON s.t (code)",
                               "ALTER TABLE s.t REPLICA IDENTITY USING INDEX t_code", PUBLISH,
                               NULL});
    expect(ONLY_T, "replica_identity",
           "s.t of route c: column id is part of the key of its events, and its replica identity "
           "does not hold it",
           "ALTER TABLE \"s\".\"t\" REPLICA IDENTITY DEFAULT");
    expect_none(ONLY_T);
    /* Without a primary key the first unique index, by name, is the key. */
    private_postgres_sql(&server, "ALTER TABLE s.t DROP CONSTRAINT t_pkey");
    private_postgres_sql(&server, "CREATE UNIQUE INDEX a ON s.t (id)");
    private_postgres_sql(&server, "ALTER TABLE s.t REPLICA IDENTITY USING INDEX t_code");
    expect(ONLY_T, "replica_identity", "column id is part of the key",
           "ALTER TABLE \"s\".\"t\" REPLICA IDENTITY FULL");
    expect_none(ONLY_T);
    private_postgres_sql(&server, "ALTER TABLE s.t REPLICA IDENTITY USING INDEX t_code");
    expect_none("  - {name: c, from: s.t, as: change, topic: c, "
                "debezium: {skipped_operations: \"u,d,t\"}}\n");
}

/* ---- The two publications ---- */

static void column_lists_that_differ(void **state)
{
    (void)state;
    if (atoi(private_postgres_ask(&server, "SHOW server_version_num")) < 150000)
        skip();
    make((const char *const[]){
        CREATE_OUTBOX,
        "CREATE PUBLICATION p FOR TABLE s.outbox (payload, id, aggregatetype, aggregateid, type) "
        "WITH (publish = 'insert', publish_via_partition_root = true)",
        "CREATE PUBLICATION p_changes FOR TABLE s.outbox WITH (publish_via_partition_root = true)",
        NULL});
    expect(OUTBOX CHANGES, "publication_column",
           "publications p and p_changes send other columns of s.outbox each: id, aggregatetype, "
           "aggregateid, type, payload and all; the server ends the stream",
           "ALTER PUBLICATION \"p\" DROP TABLE \"s\".\"outbox\"; ALTER PUBLICATION \"p\" ADD TABLE "
           "\"s\".\"outbox\"");
    expect_none(OUTBOX CHANGES);
    private_postgres_sql(&server, "ALTER PUBLICATION p_changes SET TABLE s.outbox (id, type, "
                                  "aggregatetype, aggregateid, payload)");
    expect(OUTBOX CHANGES, "publication_column", "all and id, aggregatetype, aggregateid, type",
           "ALTER PUBLICATION \"p\" DROP TABLE \"s\".\"outbox\"; ALTER PUBLICATION \"p\" ADD TABLE "
           "\"s\".\"outbox\" (id, aggregatetype, aggregateid, type, payload)");
    expect_none(OUTBOX CHANGES);
    private_postgres_sql(&server, "ALTER PUBLICATION p SET TABLES IN SCHEMA s");
    expect(OUTBOX CHANGES, "publication_column", "publications p and p_changes send other",
           "ALTER PUBLICATION \"p_changes\" DROP TABLE \"s\".\"outbox\"; ALTER PUBLICATION "
           "\"p_changes\" ADD TABLE \"s\".\"outbox\"");
    expect_none(OUTBOX CHANGES);
}

static void names_that_differ(void **state)
{
    (void)state;
    make((const char *const[]){
        CREATE_PARTITIONED, CREATE_OUTBOX,
        "CREATE PUBLICATION p FOR TABLE s.outbox, s.t_1 WITH (publish = 'insert')",
        "CREATE PUBLICATION p_changes FOR TABLE s.t WITH (publish_via_partition_root = true)",
        NULL});
    expect(OUTBOX ONLY_T, "publication_root",
           "publications p and p_changes send the rows of s.t_1 under two names, of which the "
           "server takes s.t for both",
           "ALTER PUBLICATION \"p\" SET (publish_via_partition_root = true)");
    struct error err;
    check(OUTBOX ONLY_T, &err);
    assert_string_equal(reason_slug(err.reason), "publication_root");
    assert_string_equal(err.hint, "let both hold s.t, or neither");
    private_postgres_sql(&server, "ALTER PUBLICATION p DROP TABLE s.t_1");
    expect_none(OUTBOX ONLY_T);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_of_another_identity),
        cmocka_unit_test(partitions_with_an_index_of_their_own),
        cmocka_unit_test(partitions_of_which_inserts_are_taken),
        cmocka_unit_test(keys_outside_of_the_identity),
        cmocka_unit_test(column_lists_that_differ),
        cmocka_unit_test(names_that_differ),
    };
    return cmocka_run_group_tests_name("recover_tables", tests, start_server, stop_server);
}
