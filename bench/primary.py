#!/usr/bin/python3
"""What an outbox row costs at the primary: bytes of write-ahead log, CPU of the inserting backend and of
the walsender. Rows of 200 bytes of payload, 100 a transaction, by plain INSERT, by outbox_emit, numbered,
and as messages; release build, private servers.

  bench/primary.py [ROWS]      100000 where none is given; prints a table
"""

import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from lab import kafka, ports, postgres, process, relay  # noqa: E402

PAYLOAD = "jsonb_build_object('n', i, 'pad', repeat('x', 180))"
EMIT = "PERFORM walferry.%s('order', (i %% 1000)::text, 'Put', " + PAYLOAD + "%s)"
FORMS = (
    ("INSERT", "INSERT INTO outbox (aggregatetype, aggregateid, type, payload)"
               " VALUES ('order', (i % 1000)::text, 'Put', " + PAYLOAD + ")"),
    ("outbox_emit", EMIT % ("outbox_emit", "")),
    ("outbox_emit, numbered", EMIT % ("outbox_emit", ", sequenced => true")),
    ("outbox_emit_message", EMIT % ("outbox_emit_message", "")))
LOOP = ("DO $do$ BEGIN FOR i IN 1..%d LOOP %s; IF i %% 100 = 0 THEN COMMIT; END IF; END LOOP; END $do$")


def cpu(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(connection, rows, statement):
    """WAL bytes, backend and walsender CPU of rows; it waits until the slot has confirmed them."""
    with connection.cursor() as cursor:
        def one(text, *parameters):
            cursor.execute(text, parameters)
            return cursor.fetchone()[0]
        backend = one("SELECT pg_backend_pid()")
        sender = one("SELECT active_pid FROM pg_replication_slots")
        cursor.execute("CHECKPOINT")
        before = one("SELECT pg_current_wal_insert_lsn()"), cpu(backend), cpu(sender)
        cursor.execute(LOOP % (rows, statement))
        spent, end = cpu(backend) - before[1], one("SELECT pg_current_wal_insert_lsn()")
        process.wait_for("the relay does not follow", lambda: one(
            "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots", end), 120, interval=0.1)
        return (int(one("SELECT %s::pg_lsn - %s::pg_lsn", end, before[0])) / rows,
                spent / rows * 1e6, (cpu(sender) - before[2]) / rows * 1e6)


def main(rows=100000):
    directory = tempfile.mkdtemp(prefix="walferry-primary-")
    os.chmod(directory, 0o755)
    with postgres.Postgres(os.path.join(directory, "pg"), conf={"full_page_writes": "on"}) as server, \
            kafka.Kafka(os.path.join(directory, "kafka")) as broker:
        for name in ("001_outbox.sql", "006_emit.sql"):
            code, said = server.psql("-f", os.path.join(ROOT, "sql", name))
            assert code == 0, said
        common = {"as": "outbox", "topic": "events.{aggregatetype}", "key": "{aggregateid}"}
        config = {"relay": "cost", "source": {"connection": server.dsn()},
                  "kafka": {"bootstrap.servers": broker.bootstrap},
                  "routes": [dict(common, **{"name": "outbox", "from": "public.outbox"}),
                             dict(common, **{"name": "messages", "from": "message:outbox"})],
                  "admin": {"listen": "127.0.0.1:%d" % ports.free_port()}}
        one = relay.Relay(os.path.join(ROOT, "build", "walferry"), config, directory)
        with one.start("--setup"):
            one.wait_ready()
            connection = server.connect()
            measure(connection, 1000, FORMS[0][1])          # caches, files
            print("| PostgreSQL %d, form | WAL bytes a row | CPU of the writer, us a row |"
                  " CPU of the walsender, us a row |" % server.major)
            for name, statement in FORMS:
                print("| %s | %.0f | %.1f | %.1f |" % ((name,) + measure(connection, rows, statement)),
                      flush=True)
    process.remove(directory)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
