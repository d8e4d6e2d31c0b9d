"""The migrations on every PostgreSQL major that can be had here.

Each file of sql/ is applied twice by psql with ON_ERROR_STOP, used, undone twice, and leaves the
catalogue as it was. What the functions for applications promise is tested by a file for each. Prints
TAP. An argument is a pattern: only tests whose "name on major" it is found in; those of other
migrators run by theirs only, because they fetch and compile.
"""

import os
import re
import sys
import tempfile
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from lab import cache, postgres, process  # noqa: E402

import command  # noqa: E402
import drop_partitions  # noqa: E402
import emit  # noqa: E402
import idempotency  # noqa: E402
import inbox  # noqa: E402
import migrators  # noqa: E402
import poll  # noqa: E402
import saga  # noqa: E402
from sessions import apply  # noqa: E402

DEVELOPERS = ("005_command", "005_command_status", "006_emit", "007_poll", "008_inbox",
              "009_idempotency", "010_saga", "011_claim", "012_causality")
ALL = (*DEVELOPERS, "013_retention")  # with the right to delete

OBJECTS = """
    SELECT c.relkind::text, c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace::regnamespace::text IN ('public', 'walferry')
    UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc
    WHERE pronamespace::regnamespace::text IN ('public', 'walferry')
    UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname = 'walferry'
    UNION ALL SELECT 'role', rolname FROM pg_roles WHERE rolname LIKE 'walferry%'
    UNION ALL SELECT 'acl', datacl::text FROM pg_database
    WHERE datname = current_database() AND datacl::text LIKE '%walferry%'
    UNION ALL SELECT 'event trigger', evtname FROM pg_event_trigger
    ORDER BY 1, 2"""

ROW = ("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
       " VALUES ('order', '7', 'OrderPlaced', '{\"total\": 3}') RETURNING seq")


def check_use(server):
    """What the relay's role may do, and may not."""
    server.sql("SELECT pg_create_logical_replication_slot('walferry_orders', 'pgoutput')")
    assert server.sql("SELECT count(*) FROM public.outbox", user="walferry") == [(1,)]
    rows = server.sql("SELECT relay, slot_name, active, wal_status, lag_bytes >= 0,"
                      " retained_bytes >= 0, safe_wal_size FROM walferry.slot_lag", user="walferry")
    assert rows == [("orders", "walferry_orders", False, "reserved", True, True, None)], rows
    assert server.sql("SELECT walferry.lag_bytes('orders') >= 0", user="walferry") == [(True,)]
    assert server.sql("SELECT walferry.lag_bytes('none')", user="walferry") == [(None,)]
    assert server.sql("SELECT rolreplication FROM pg_roles WHERE rolname = 'walferry'") == [(True,)]
    for forbidden in (ROW, "DELETE FROM public.outbox", "CREATE TABLE walferry.mine ()"):
        try:
            server.sql(forbidden, user="walferry")
        except Exception as error:
            assert "permission denied" in str(error), error
        else:
            raise AssertionError("the relay's role may: %s" % forbidden)
    server.sql("SELECT pg_drop_replication_slot('walferry_orders')")


def check(server, outbox):
    before = server.sql(OBJECTS)
    apply(server, outbox + ".sql")
    apply(server, "002_role.sql")
    apply(server, "003_monitoring.sql")
    apply(server, "004_guard.sql")
    assert server.sql(ROW) == [(1,)]
    apply(server, *(name + ".sql" for name in DEVELOPERS))
    check_use(server)
    apply(server, *(name + ".undo.sql" for name in reversed(DEVELOPERS)))
    apply(server, "004_guard.undo.sql")
    apply(server, "003_monitoring.undo.sql")
    apply(server, "002_role.undo.sql")
    apply(server, outbox + ".undo.sql")
    after = server.sql(OBJECTS)
    assert before == after, "left behind: %s" % sorted(set(after) - set(before))


def plain(server):
    check(server, "001_outbox")


def partitioned(server):
    check(server, "001_outbox_partitioned")


def partitions(server):
    """Days come and go; a plain outbox is not touched by the partitioned file."""
    apply(server, "001_outbox_partitioned.sql")
    assert server.sql("SELECT walferry.outbox_add_partitions(9)") == [(2,)]
    server.sql(ROW)
    today = server.sql("SELECT tableoid::regclass::text FROM public.outbox")
    assert today[0][0].startswith("outbox_p"), today
    late = "INSERT INTO public.outbox (aggregatetype, aggregateid, type, created_at)" \
           " VALUES ('a', 'b', 'c', now() - interval '90 days') RETURNING tableoid::regclass::text"
    assert server.sql(late) == [("outbox_default",)]
    # A row that moves would be published again.
    try:
        server.sql("UPDATE public.outbox SET created_at = created_at + interval '1 day'")
    except Exception as error:
        assert "published again" in str(error), error
    else:
        raise AssertionError("a row was moved to another partition")
    server.sql("UPDATE public.outbox SET headers = '{}'")
    drop = "SELECT walferry.outbox_drop_partitions(%s)"
    assert server.sql(drop % "now()") == [(0,)]
    assert server.sql(drop % "now() + interval '2 days'") == [(2,)]
    apply(server, "001_outbox_partitioned.undo.sql")
    apply(server, "001_outbox.sql")
    code, output = server.psql("-f", os.path.join(ROOT, "sql", "001_outbox_partitioned.sql"))
    assert code != 0 and "exists and is not partitioned" in output, output
    apply(server, "001_outbox.undo.sql")


def retention(server, outbox):
    """The role may delete and lock rows, and change none; undone it may do neither."""
    before = server.sql(OBJECTS)
    apply(server, outbox + ".sql")
    apply(server, "002_role.sql")
    apply(server, "013_retention.sql")
    server.sql(ROW)
    assert server.sql("SELECT 1 FROM public.outbox FOR UPDATE SKIP LOCKED", user="walferry") == [(1,)]
    server.sql("DELETE FROM public.outbox", user="walferry")
    assert server.sql("SELECT count(*) FROM public.outbox", user="walferry") == [(0,)]
    apply(server, "013_retention.undo.sql")
    for forbidden in (ROW, "UPDATE public.outbox SET payload = NULL", "DELETE FROM public.outbox",
                      "SELECT 1 FROM public.outbox FOR UPDATE"):
        try:
            server.sql(forbidden, user="walferry")
        except Exception as error:
            assert "permission denied" in str(error), error
        else:
            raise AssertionError("the relay's role may: %s" % forbidden)
    apply(server, "002_role.undo.sql")
    apply(server, outbox + ".undo.sql")
    after = server.sql(OBJECTS)
    assert before == after, "left behind: %s" % sorted(set(after) - set(before))


def retention_plain(server):
    retention(server, "001_outbox")


def retention_partitioned(server):
    retention(server, "001_outbox_partitioned")


def undo_in_any_order(server):
    """The role is dropped although the view still stands; the view's undo then finds no role."""
    for name in ("001_outbox.sql", "002_role.sql", "003_monitoring.sql", "004_guard.sql",
                 *(name + ".sql" for name in ALL), "002_role.undo.sql",
                 "003_monitoring.undo.sql", "004_guard.undo.sql", "001_outbox.undo.sql",
                 *(name + ".undo.sql" for name in reversed(ALL))):
        apply(server, name)


def as_one_query(server):
    """As golang-migrate sends them: a whole file in one query, without psql."""
    names = sorted(name for name in os.listdir(os.path.join(ROOT, "sql")) if "partitioned" not in name)
    forth = [name for name in names if not name.endswith(".undo.sql")]
    back = [name for name in reversed(names) if name.endswith(".undo.sql")]
    assert len(forth) == len(back), names
    before = server.sql(OBJECTS)
    for name in forth + back:
        with open(os.path.join(ROOT, "sql", name)) as file:
            server.sql(file.read())
    assert server.sql(OBJECTS) == before


def by_an_owner(server):
    """Where the administrator has made the role, the database's owner applies and undoes the rest, and the
    role's own file, too; the role stays, without its rights in that database."""
    server.sql("CREATE ROLE migrator LOGIN")
    server.sql("CREATE DATABASE owned OWNER migrator")
    before = server.sql(OBJECTS, dbname="owned")
    apply(server, "002_role.sql")
    names = sorted(name for name in os.listdir(os.path.join(ROOT, "sql"))
                   if not re.match("001_outbox_partitioned|004_|005_", name))
    forth = [name for name in names if not name.endswith(".undo.sql")]
    back = [name for name in reversed(names) if name.endswith(".undo.sql")]
    said = ""
    for name in forth + forth + back + back:
        code, output = server.psql("-f", os.path.join(ROOT, "sql", name), dbname="owned", user="migrator")
        assert code == 0, "%s: %s" % (name, output)
        said += output
    assert "role walferry stays" in said, said
    after = server.sql(OBJECTS, dbname="owned")
    assert set(after) - set(before) == {("role", "walferry")}, after
    server.sql("DROP DATABASE owned")
    server.sql("DROP ROLE migrator")
    apply(server, "002_role.undo.sql")


# What a command does to what is published, and whether it keeps rows from a relay.
ADDS = (
    "CREATE TABLE public.unrelated (id int)",
    "ALTER PUBLICATION guarded ADD TABLE public.unrelated",
    "CREATE TABLE public.days_3 PARTITION OF public.days FOR VALUES IN (3)",
    "DROP TABLE public.days_2",
    "ALTER PUBLICATION guarded OWNER TO heir",
    "ALTER TABLE public.outbox ADD COLUMN note text",
    "CREATE INDEX ON public.outbox (note)",
    "COMMENT ON PUBLICATION guarded IS 'x'",
    "GRANT SELECT ON public.outbox TO PUBLIC",
)
TAKES = (
    "ALTER PUBLICATION guarded SET (publish = 'update')",
    "ALTER PUBLICATION guarded DROP TABLE public.outbox",
    "ALTER PUBLICATION guarded RENAME TO other",
    "DROP PUBLICATION guarded",
    "DROP TABLE public.outbox",
    "ALTER TABLE public.outbox RENAME TO old",
    "ALTER TABLE public.outbox SET SCHEMA heirs",
    "ALTER TABLE public.days DETACH PARTITION public.days_1",
    "DROP OWNED BY owner",
    "DO $$ BEGIN EXECUTE 'DROP TABLE public.outbox'; END $$",
    "BEGIN; SAVEPOINT s; DROP TABLE public.outbox; RELEASE s; COMMIT",
    "SET session_replication_role = replica; DROP TABLE public.outbox",
)
# What a command of mode refuse says in words: nobody reads catalogue rows at night.
WORDS = (
    (TAKES[0], "publication guarded is dropped, renamed or altered"),
    (TAKES[1], "table public.outbox leaves the publication, or its row filter"),
    (TAKES[4], "table public.outbox is dropped, renamed, detached"),
    (TAKES[7], "table public.days_1 is dropped, renamed, detached"),
)
# Rows are sent, and a route has no use for them.
COLUMNS = (
    "ALTER TABLE public.outbox DROP COLUMN \"a b\"",
    "ALTER TABLE public.outbox RENAME COLUMN \"a b\" TO b",
    "ALTER TABLE public.outbox ALTER COLUMN \"a b\" TYPE bytea USING NULL",
    "ALTER TABLE public.outbox DROP COLUMN \"a b\", ADD COLUMN \"a b\" int",
    "DROP DOMAIN public.note CASCADE",
    "BEGIN; SAVEPOINT s; ALTER TABLE public.outbox DROP COLUMN \"a b\"; RELEASE s; COMMIT",
)
HARMLESS = (
    "ALTER TABLE public.outbox ADD COLUMN \"c d\" text",
    "ALTER TABLE public.outbox DROP COLUMN \"c d\"",  # it came after the publication, and counts all the same
)
UNLOGGED = "ALTER TABLE public.outbox SET UNLOGGED"  # a published table refuses that before 16
FILTERS = ("ALTER PUBLICATION guarded SET TABLE public.outbox WHERE (seq > 1), public.days",
           "ALTER PUBLICATION guarded SET TABLE public.outbox (seq), public.days")


def guarded_world(server):
    arguments = ["-c", "SET walferry.unguarded = on"]
    for statement in (
            "DROP PUBLICATION IF EXISTS guarded, other", "DROP SCHEMA IF EXISTS heirs CASCADE",
            "DROP TABLE IF EXISTS public.unrelated, public.days, public.days_1, public.outbox,"
            " public.old", "DROP DOMAIN IF EXISTS public.note",
            "CREATE SCHEMA heirs", "CREATE DOMAIN public.note AS text",
            "CREATE TABLE public.outbox (seq int PRIMARY KEY, \"a b\" public.note)",
            "ALTER TABLE public.outbox OWNER TO owner",
            "CREATE TABLE public.days (id int) PARTITION BY LIST (id)",
            "CREATE TABLE public.days_1 PARTITION OF public.days FOR VALUES IN (1)",
            "CREATE TABLE public.days_2 PARTITION OF public.days FOR VALUES IN (2)",
            "CREATE PUBLICATION guarded FOR TABLE public.outbox, public.days"
            " WITH (publish = 'insert', publish_via_partition_root = true)"):
        arguments += ["-c", statement]
    code, output = server.psql(*arguments)
    assert code == 0, output


def remove_guarded_world(server):
    guarded_world(server)
    server.sql("SELECT pg_drop_replication_slot('guard_test')")
    apply(server, "004_guard.undo.sql")
    server.sql("DROP PUBLICATION guarded")
    for table in ("outbox", "days"):
        server.sql("DROP TABLE public.%s" % table)
    server.sql("DROP SCHEMA heirs")
    server.sql("DROP DOMAIN public.note")
    server.sql("DROP ROLE heir, owner")


def told(server):
    """The messages since the last call, by a slot of test_decoding's kind: prefix and body."""
    rows = server.sql("SELECT data FROM pg_logical_slot_get_changes('guard_test', NULL, NULL)")
    return [line for (line,) in rows if "prefix: walferry:" in line]


def run_session(server, statement):
    """As one session, statement by statement, so that BEGIN and SET mean what they say."""
    arguments = []
    for part in re.split("; (?!END)", statement):
        arguments += ["-c", part]
    return server.psql(*arguments)


def guard(server):
    """tell: exactly what takes rows away is told, also from savepoints, DO blocks and as replica;
    refuse: it fails with a hint and nothing has changed, unless the session says otherwise."""
    major = server.sql("SHOW server_version_num")[0][0]
    server.sql("CREATE ROLE heir SUPERUSER")
    server.sql("CREATE ROLE owner")
    apply(server, "004_guard.sql")
    server.sql("INSERT INTO walferry.guarded (relay, publication) VALUES ('orders', 'guarded')")
    server.sql("SELECT pg_create_logical_replication_slot('guard_test', 'test_decoding')")
    takes = TAKES + (FILTERS if int(major) >= 150000 else ())
    guarded_world(server)
    told(server)
    for statement in ADDS:
        code, output = run_session(server, statement)
        assert code == 0, output
        lines = told(server)
        assert not lines, "%s told %s" % (statement, lines)
    for statement in takes:
        guarded_world(server)
        told(server)
        code, output = run_session(server, statement)
        assert code == 0, output
        lines = told(server)
        assert len(lines) == 1 and "walferry:orders" in lines[0], (statement, lines)
    server.sql("UPDATE walferry.guarded SET mode = 'refuse'")
    for statement in takes:
        guarded_world(server)
        told(server)
        before = server.sql("SELECT walferry.published('guarded') ORDER BY 1")
        code, output = run_session(server, statement)
        assert "would keep rows from relay orders" in output and "walferry.unguarded" in output, \
            (statement, output)
        assert server.sql("SELECT walferry.published('guarded') ORDER BY 1") == before, statement
        assert not told(server), statement
        code, output = run_session(server, "SET walferry.unguarded = on; " + statement)
        assert code == 0, (statement, output)
        assert len(told(server)) == 1, statement
    for statement, words in WORDS:
        guarded_world(server)
        _, output = run_session(server, statement)
        assert re.search("relay orders: " + words + "[^;]*\n", output) and "{" not in output, output
    remove_guarded_world(server)


def guarded_columns(server):
    """refuse: a column that a route may need stays as it is; tell: nobody is told, for no row is kept back.
    What change and event routes publish is free, but for columns that are named."""
    server.sql("CREATE ROLE heir SUPERUSER")
    server.sql("CREATE ROLE owner")
    apply(server, "004_guard.sql")
    server.sql("INSERT INTO walferry.guarded (relay, publication, mode)"
               " VALUES ('orders', 'guarded', 'refuse')")
    server.sql("SELECT pg_create_logical_replication_slot('guard_test', 'test_decoding')")

    def passes(statement, before=""):
        guarded_world(server)
        told(server)
        code, output = run_session(server, before + statement)
        assert code == 0, (statement, output)
        assert not told(server), statement

    for statement in COLUMNS:
        guarded_world(server)
        told(server)
        _, output = run_session(server, statement)
        assert 'would keep rows from relay orders: column "a b" of public.outbox is dropped' in output \
            and "walferry.unguarded" in output, (statement, output)
        assert server.sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.outbox'::regclass"
                          " AND attname = 'a b' AND atttypid = 'public.note'::regtype") == [(1,)]
        passes(statement, "SET walferry.unguarded = on; ")
    passes(HARMLESS[0])
    _, output = run_session(server, HARMLESS[1])
    assert 'column "c d"' in output, output
    server.sql("UPDATE walferry.guarded SET columns = '{seq}'")
    for statement in COLUMNS:
        passes(statement)
    guarded_world(server)
    _, output = run_session(server, "ALTER TABLE public.outbox DROP COLUMN seq")
    assert "column seq of public.outbox" in output, output
    server.sql("UPDATE walferry.guarded SET columns = NULL")
    server.sql("CREATE PUBLICATION more_changes FOR TABLE public.outbox; DELETE FROM walferry.guarded;"
               " INSERT INTO walferry.guarded VALUES ('orders', 'more_changes', 'refuse')")
    code, output = run_session(server, COLUMNS[0])
    assert code == 0, output
    server.sql("UPDATE walferry.guarded SET columns = '{seq}'")
    _, output = run_session(server, "ALTER TABLE public.outbox DROP COLUMN seq")
    assert "column seq of public.outbox" in output, output
    server.sql("UPDATE walferry.guarded SET publication = 'guarded'; DROP PUBLICATION more_changes")
    server.sql("UPDATE walferry.guarded SET mode = 'tell', columns = '{a b}'")
    for statement in COLUMNS:
        passes(statement)
    remove_guarded_world(server)


DETACH = "ALTER TABLE public.days DETACH PARTITION public.days_1 CONCURRENTLY"


def a_detach_that_commits_in_its_middle(server):
    """CONCURRENTLY: what was remembered at its start outlives its first transaction. Refused, it has not even
    begun; of what cannot be refused any more a relay is told."""
    server.sql("CREATE ROLE heir SUPERUSER")
    server.sql("CREATE ROLE owner")
    apply(server, "004_guard.sql")
    server.sql("INSERT INTO walferry.guarded (relay, publication) VALUES ('orders', 'guarded')")
    server.sql("SELECT pg_create_logical_replication_slot('guard_test', 'test_decoding')")
    pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
    for mode, statement in (("tell", DETACH), ("refuse", DETACH.replace("TION p", "TION/**/p"))):
        guarded_world(server)
        server.sql("UPDATE walferry.guarded SET mode = %s", (mode,))
        told(server)
        code, output = run_session(server, statement)
        assert code == 0, output
        lines = told(server)
        assert len(lines) == 1 and "public.days_1 rp of" in lines[0], lines
        assert server.sql(pending) == [(0,)]
    for statement in (DETACH, DETACH.replace("public.days_1 C", "\n  \"days_1\"\tc").lower() + " ;\n"):
        guarded_world(server)
        before = server.sql("SELECT walferry.published('guarded') ORDER BY 1")
        told(server)
        code, output = run_session(server, statement)
        assert "would keep rows from relay orders" in output and "walferry.unguarded" in output, output
        assert server.sql("SELECT walferry.published('guarded') ORDER BY 1") == before
        assert server.sql(pending) == [(0,)] and not told(server)
        code, output = run_session(server, "SET walferry.unguarded = on; " + statement)
        assert code == 0 and len(told(server)) == 1, output
    for statement in ("CREATE TABLE public.unrelated (id int) PARTITION BY LIST (id)",
                      "CREATE TABLE public.days_9 PARTITION OF public.unrelated FOR VALUES IN (9)",
                      "ALTER TABLE public.unrelated DETACH PARTITION days_9 CONCURRENTLY",
                      "DROP TABLE public.days_9"):
        code, output = run_session(server, statement)
        assert code == 0 and not told(server), output
    remove_guarded_world(server)


def a_table_that_becomes_a_partition(server):
    """Of all tables one is published before it is attached. It is sent as before, or as its root is; what is
    detached afterwards is told. One that was published by name is sent under another name."""
    server.sql("CREATE ROLE heir SUPERUSER")
    server.sql("CREATE ROLE owner")
    apply(server, "004_guard.sql")
    server.sql("INSERT INTO walferry.guarded VALUES ('orders', 'guarded', 'refuse')")
    server.sql("SELECT pg_create_logical_replication_slot('guard_test', 'test_decoding')")
    attach = "ALTER TABLE public.days ATTACH PARTITION public.days_1 FOR VALUES IN (1)"
    every = ["FOR ALL TABLES"]
    if int(server.sql("SHOW server_version_num")[0][0]) >= 150000:
        every.append("FOR TABLES IN SCHEMA public")
    for what in every + ["FOR TABLE public.days, public.days_1"]:
        guarded_world(server)
        code, output = run_session(
            server, "SET walferry.unguarded = on; DROP PUBLICATION guarded; DROP TABLE public.days_1;"
                    " CREATE TABLE public.days_1 (LIKE public.days); CREATE PUBLICATION guarded " + what)
        assert code == 0, output
        told(server)
        code, output = run_session(server, attach)
        if what in every:
            assert code == 0, output
            code, output = run_session(server, DETACH.replace(" CONCURRENTLY", ""))
        assert "would keep rows from relay orders" in output, (what, output)
        assert not told(server)
    remove_guarded_world(server)


def a_guard_that_fails(server):
    """Its own fault breaks no migration, and every relay is told to look."""
    apply(server, "004_guard.sql")
    server.sql("INSERT INTO walferry.guarded VALUES ('orders', 'guarded')")
    server.sql("SELECT pg_create_logical_replication_slot('guard_test', 'test_decoding')")
    server.sql("ALTER TABLE walferry.guarded RENAME COLUMN mode TO mood")
    told(server)
    server.sql("CREATE PUBLICATION guarded")
    server.sql("DROP PUBLICATION guarded")
    lines = told(server)
    assert lines and all("walferry:*" in line and "failed" in line for line in lines), lines
    server.sql("SELECT pg_drop_replication_slot('guard_test')")
    apply(server, "004_guard.undo.sql")


def a_schema_of_another(server):
    """The guard runs as its owner, so nothing that it calls may belong to a lesser role. What is printed
    mends it."""
    server.sql("CREATE ROLE app LOGIN")
    server.sql("CREATE SCHEMA walferry AUTHORIZATION app")
    server.sql("CREATE FUNCTION walferry.published(name) RETURNS SETOF text LANGUAGE sql AS"
               " 'SELECT NULL::text'", user="app")
    for what in ("SCHEMA walferry", "FUNCTION walferry.published(name)"):
        code, output = server.psql("-f", os.path.join(ROOT, "sql", "004_guard.sql"))
        assert code != 0 and "%s belongs to app" % what.lower() in output, (code, output)
        mend = re.search(r"HINT:  (ALTER .*;)", output).group(1)
        assert what in mend, mend
        server.sql(mend)
    apply(server, "004_guard.sql")
    server.sql("GRANT USAGE, CREATE ON SCHEMA walferry TO app")
    try:
        server.sql("DROP FUNCTION walferry.published(name)", user="app")
    except Exception as error:
        assert "must be owner" in str(error), error
    else:
        raise AssertionError("the application's role drops a part of the guard")
    apply(server, "004_guard.undo.sql")
    server.sql("DROP ROLE app")


def title(test):
    """With its file, where that is another one."""
    module = test.__module__
    return test.__name__ if module == "__main__" else "%s: %s" % (module, test.__name__)


TESTS = (plain, partitioned, partitions, retention_plain, retention_partitioned, undo_in_any_order,
         as_one_query, by_an_owner, guard, guarded_columns,
         a_detach_that_commits_in_its_middle, a_table_that_becomes_a_partition, a_guard_that_fails,
         a_schema_of_another, *command.TESTS, *emit.TESTS, *inbox.TESTS, *poll.TESTS,
         *idempotency.TESTS, *saga.TESTS,
         *drop_partitions.TESTS)


def main():
    number, failed = 0, 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for major in sorted({14, cache.own_major(), 18}):
        directory = tempfile.mkdtemp(prefix="walferry-sql-")
        try:
            if cache.postgres_bin(major) is None:
                number += 1
                print("ok %d - PostgreSQL %d # SKIP cannot be had here" % (number, major))
                continue
            with postgres.Postgres(directory, major=major).start() as server:
                for test in TESTS + (migrators.TESTS if major == cache.own_major() and only else ()):
                    name = "%s on %d" % (title(test), major)
                    if not re.search(only, name):
                        continue
                    number += 1
                    try:
                        test(server)
                        print("ok %d - %s" % (number, name), flush=True)
                    except migrators.Skip as why:
                        print("ok %d - %s # SKIP %s" % (number, name, why), flush=True)
                    except Exception:
                        failed += 1
                        print("not ok %d - %s\n# %s" % (
                            number, name, traceback.format_exc().replace("\n", "\n# ")), flush=True)
        finally:
            process.remove(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
