"""The migrations on every PostgreSQL major that can be had here.

Each file of sql/ is applied twice by psql with ON_ERROR_STOP, used, undone twice, and leaves the
catalogue as it was. Prints TAP.
"""

import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from lab import cache, postgres, process  # noqa: E402

OBJECTS = """
    SELECT c.relkind::text, c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace::regnamespace::text IN ('public', 'walferry')
    UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc
    WHERE pronamespace::regnamespace::text IN ('public', 'walferry')
    UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname = 'walferry'
    UNION ALL SELECT 'role', rolname FROM pg_roles WHERE rolname = 'walferry'
    UNION ALL SELECT 'acl', datacl::text FROM pg_database
    WHERE datname = current_database() AND datacl::text LIKE '%walferry%'
    ORDER BY 1, 2"""

ROW = ("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
       " VALUES ('order', '7', 'OrderPlaced', '{\"total\": 3}') RETURNING seq")


def apply(server, name):
    """Apply a file twice; whatever psql prints is a warning or an error, and none is expected."""
    for time in ("first", "second"):
        code, output = server.psql("-o", "/dev/null", "-f", os.path.join(ROOT, "sql", name))
        assert code == 0 and output == "", "%s, %s time: code %d: %s" % (name, time, code, output)


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
    assert server.sql(ROW) == [(1,)]
    check_use(server)
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


def undo_in_any_order(server):
    """The role is dropped although the view still stands; the view's undo then finds no role."""
    for name in ("001_outbox.sql", "002_role.sql", "003_monitoring.sql", "002_role.undo.sql",
                 "003_monitoring.undo.sql", "001_outbox.undo.sql"):
        apply(server, name)


def main():
    number, failed = 0, 0
    for major in sorted({14, cache.own_major(), 18}):
        directory = tempfile.mkdtemp(prefix="walferry-sql-")
        try:
            if cache.postgres_bin(major) is None:
                number += 1
                print("ok %d - PostgreSQL %d # SKIP cannot be had here" % (number, major))
                continue
            with postgres.Postgres(directory, major=major).start() as server:
                for test in (plain, partitioned, partitions, undo_in_any_order):
                    number += 1
                    try:
                        test(server)
                        print("ok %d - %s on %d" % (number, test.__name__, major), flush=True)
                    except Exception as error:
                        failed += 1
                        print("not ok %d - %s on %d\n# %s"
                              % (number, test.__name__, major, error), flush=True)
        finally:
            process.remove(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
