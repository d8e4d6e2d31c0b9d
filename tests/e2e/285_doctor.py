"""Doctor: each check of file, server, tables and slot is seen to fail, its mend is run as it was printed,
and it passes then. 286 has those of Kafka."""

import os
import re
import subprocess

import doctor
import e2e
from doctor import finds, look, mend_shell, mend_sql, passes

SLOW = True
SECONDS = 240


def restart(case, pg):
    """What was set by ALTER SYSTEM holds from now on; the lab writes that file at each start."""
    with open(os.path.join(pg.data_dir, "postgresql.auto.conf"), encoding="utf-8") as file:
        altered = dict(line.strip().split(" = ") for line in file if " = " in line)
    case._connection.close()
    pg.stop()
    pg.conf.update({name: value.strip("'") for name, value in altered.items()})
    pg.start()


# The settings of the server: one after the other at their worst, all mended at once.
BAD = {"wal_level": "replica", "max_replication_slots": 1, "max_wal_senders": 1, "wal_sender_timeout": 0,
       "max_slot_wal_keep_size": -1, "idle_replication_slot_timeout": "1d"}
with e2e.own_postgres(major=18, conf=BAD) as pg, e2e.Case(postgres=pg, label="_settings") as case:
    case.sql("SELECT pg_create_physical_replication_slot('taken')")
    relay = case.relay()
    checks = look(relay, code=1)
    settings = ("wal_level", "free_slot", "free_sender", "wal_limit", "sender_timeout", "slot_timeout")
    for slug in settings:
        assert checks[slug]["state"] in ("warned", "failed"), checks[slug]
        mend_sql(case, checks[slug])
    assert "taken" in checks["free_slot"]["text"], checks["free_slot"]
    assert checks["tables"]["state"] == "not_run" and checks["tables"]["after"] == "origin", checks
    restart(case, pg)
    passes(relay, *settings)
    text = case.command(relay, "doctor", code=1)  # nothing is set up
    assert re.search(r"^Source server\n  pass  session: .*^Rights\n", text, re.M | re.S), text
    assert re.search(r"^  fail  tables: .*\n        publication .*\n        run: \S*walferry setup -c "
                     r"\S+\n        see docs/DOCTOR.md#tables$", text, re.M), text
    brief = case.command(relay, "doctor", "-o", "short", code=1)
    assert "  pass" not in brief and "  fail  tables" in brief, brief
    case.command(relay, "doctor", "-o", "long", code=2, says="short or -o json")

    # The publication, by the command; then the slot.
    mend_shell(relay, look(relay)["tables"], "command")
    passes(relay, "tables", "progress")
    case.command(relay, "doctor")
    case.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'; ")
    pg.reload()
    e2e.wait("the limit", lambda: case.one("SHOW max_slot_wal_keep_size") == "32MB")
    case.command(relay, "doctor", "--strict", code=1)

    # Nobody reads it: kept, then all but lost, then lost.
    case.sql("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000)) FROM generate_series(1, 60)")
    checks = finds(relay, "failed", "slot_state")
    assert "next checkpoint" in checks["slot_state"]["text"], checks["slot_state"]
    assert checks["slot_room"]["after"] == "slot_state", checks["slot_room"]
    mend_sql(case, checks["slot_state"])
    passes(relay, "slot_state", "slot_room", "wal_limit")
    doctor.RAN.discard("slot_room")
    case.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '90MB'")
    pg.reload()
    e2e.wait("the limit", lambda: case.one("SHOW max_slot_wal_keep_size") == "90MB")
    checks = finds(relay, "warned", "slot_room", "slot_reader")
    mend_sql(case, checks["slot_room"])
    passes(relay, "slot_room")
    running = subprocess.Popen(doctor.line_of(checks["slot_reader"], "command").split(),
                               env=relay._env(None), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        e2e.wait("a reader", lambda: case.slot()["active"], 40)
        passes(relay, "slot_reader")
        # With a relay that reads, a name for all is one for it, too.
        case.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        pg.reload()
        e2e.wait("the setting", lambda: case.one("SHOW synchronous_standby_names") == "*")
        mend_sql(case, finds(relay, "warned", "synchronous")["synchronous"])
        e2e.wait("the setting", lambda: case.one("SHOW synchronous_standby_names") != "*")
        passes(relay, "synchronous")
    finally:
        running.terminate()
        assert running.wait(20) == 0
    case.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    pg.reload()
    case.sql("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000)) FROM generate_series(1, 80)")
    case.sql("CHECKPOINT")
    checks = finds(relay, "failed", "slot_state", "progress")
    assert "is lost" in checks["slot_state"]["text"], checks["slot_state"]
    mend_shell(relay, checks["slot_state"], "command", more=" --yes")
    passes(relay, "slot_state", "progress")

# Rights and tables.
WITHOUT_KEYS = """
CREATE TABLE public.bare (id uuid, aggregatetype text, aggregateid text, type text, payload jsonb);
CREATE TABLE public.indexed (n int NOT NULL, t text);
CREATE UNIQUE INDEX ON public.indexed (n);
CREATE TABLE public.heap (n int);
CREATE PUBLICATION others FOR TABLE public.bare, public.indexed;
"""
with e2e.Case(label="_tables", sql=WITHOUT_KEYS) as case:
    role = case.name + "_role"
    case.sql("CREATE ROLE %s LOGIN" % role)

    def of(table, **more):
        route = {"name": "r", "from": "public." + table, "as": "outbox", "topic": case.prefix + "{aggregatetype}"}
        return case.relay(e2e.merge({"routes": [dict(route)]}, more))

    relay = of("bare", source={"connection": case.dsn(role)})
    mend_sql(case, finds(relay, "failed", "origin")["origin"])
    passes(relay, "origin")
    case.apply("005_command.sql")
    mend_sql(case, finds(relay, "warned", "commands")["commands"])
    passes(relay, "commands")

    relay = of("bare")
    checks = finds(relay, "warned", "identity", "primary_keys", "outbox_index")
    assert "others" in checks["identity"]["text"], checks["identity"]
    mend_sql(case, checks["identity"])  # FULL
    mend_sql(case, checks["outbox_index"])
    passes(relay, "identity", "outbox_index")
    case.sql("DROP INDEX public.bare_id_idx")
    mend_sql(case, finds(relay, "warned", "primary_keys")["primary_keys"])
    passes(relay, "primary_keys")

    changes = case.relay({"routes": [{"name": "c", "from": "public.indexed", "as": "change",
                                      "topic": case.prefix + "indexed"}]})
    mend_sql(case, finds(changes, "warned", "identity")["identity"])  # by the index
    assert case.one("SELECT relreplident FROM pg_class WHERE relname = 'indexed'") == "i"
    mend_sql(case, finds(changes, "warned", "primary_keys")["primary_keys"])
    passes(changes, "identity", "primary_keys")

    case.sql("ALTER TABLE public.outbox DROP CONSTRAINT outbox_pkey; "
             "ALTER TABLE public.outbox ADD PRIMARY KEY (seq)")
    poll = case.relay({"source": {"mode": "poll"}})
    checks = finds(poll, "warned", "polled")
    assert checks["wal_level"]["state"] == checks["slot_state"]["state"] == "not_applicable", checks
    mend_sql(case, checks["polled"])
    case.apply("007_poll.sql")
    case.sql("SELECT walferry.poll_keep('public.outbox', %s)", (case.name,))
    passes(poll, "polled")
    case.sql("DROP OWNED BY %s; DROP ROLE %s" % (role, role))

# The file, and what it names.
with e2e.Case(label="_file") as case:
    secret = os.path.join(case.dir, "pass word")
    with open(secret, "w", encoding="utf-8") as file:
        file.write("right\n")
    os.chmod(secret, 0o644)
    good = {"source": {"connection": case.dsn() + " password=${file:%s}" % secret}}
    relay = case.relay(good)
    mend_shell(relay, finds(relay, "warned", "secret_files")["secret_files"])
    passes(relay, "secret_files")
    assert os.stat(secret).st_mode & 0o777 == 0o640
    # A password in the file itself makes it one.
    inside = case.relay({"source": {"connection": case.dsn(password="right")}})
    assert inside.path in finds(inside, "warned", "secret_files")["secret_files"]["text"]

    for slug, fault in (("routes", {"routes": [dict(case.config()["routes"][0], topic="{")]}),
                        ("connection", {"source": {"connection": "host"}}),
                        ("kafka_properties", {"kafka": {"no.such": "1"}}),
                        ("session", {"source": {"connection": case.dsn() + " port=1"}})):
        bad = case.relay(fault)
        checks = look(bad, code=6 if slug == "session" else 1)
        assert checks[slug]["state"] == "failed", checks[slug]
        if slug in ("connection", "session"):
            assert checks["origin"]["state"] == "not_run" and checks["coordinator"]["state"] == "passed"
    passes(relay, "routes", "connection", "kafka_properties", "session")

doctor.all_run("285")
