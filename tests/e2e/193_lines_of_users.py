"""What users write into the file, have in their tables and have set for their roles: passwords with every
character that libpq reads as something else, names that templates read as something else, topics that Kafka
takes for the same, settings that end idle sessions or write times in another form."""

import os
import time

import e2e

PASSWORD = "%I\\GYg-7'anx1Ox{y/@:#?&=\" "
HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]
TABLE = """CREATE TABLE public."out.box:x" ("the id" uuid DEFAULT gen_random_uuid(), "agg:type" text,
           "agg}{id" text, "ty""pe" text, "pay.load" text, "@lsn" text, at timestamptz)"""
INSERT = """INSERT INTO public."out.box:x" ("agg:type", "agg}{id", "ty""pe", "pay.load", "@lsn", at)
            VALUES ('odd', 'key', 'Put', 'value', 'not a place', '2026-01-01 12:00:00+05:45')"""


def passwords(case):
    """Bare, quoted and in a URI, from the environment and from a file with a newline at its end."""
    path = os.path.join(case.dir, "password")
    with open(path, "w") as file:
        file.write(PASSWORD + "\n")
    pairs = "host=127.0.0.1 port=%d dbname=%s user=ferry password=" % (case.pg.port, case.db)
    uri = "postgresql://ferry:%s@127.0.0.1:" + "%d/%s" % (case.pg.port, case.db)
    env = {"PW": PASSWORD}
    case.setup(case.relay())
    for source in ("${env:PW}", "${file:%s}" % path):
        for connection in (pairs + source, pairs + "'%s'" % source, uri % source,
                           pairs + source + " connect_timeout=5"):
            relay = case.relay({"source": {"connection": connection}})
            text = case.command(relay, "check", "--connect", env=env, says="reached as ferry")
            assert PASSWORD.strip() not in text, text
    case.start(relay, env=env)
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    assert PASSWORD.strip() not in relay.log_text()
    case.judge()


def names_and_settings(case):
    """A table of odd names, read by a role with odd settings."""
    idle = ["idle_session_timeout", "idle_in_transaction_session_timeout"]
    idle += ["transaction_timeout"] if case.pg.major >= 17 else []
    for setting in ["%s = '400ms'" % name for name in idle] + [
            "statement_timeout = '1s'", "lock_timeout = '1s'", "TimeZone = 'Asia/Kathmandu'",
            "DateStyle = 'SQL, DMY'", "default_transaction_read_only = on"]:
        case.sql('ALTER DATABASE "%s" SET %s' % (case.db, setting))
    case.sql("SET default_transaction_read_only = off; SET idle_session_timeout = 0; " + TABLE)
    relay = case.relay({"routes": [{
        "name": "odd", "from": 'public."out.box:x"',
        "columns": {"id": "the id", "aggregate_type": "agg:type", "aggregate_id": "agg}{id",
                    "type": 'ty"pe', "payload": "pay.load"},
        "topic": case.prefix + '{"agg:type"}',
        "headers": {"id": "{the id}", "kind": '{"ty""pe"}', "said": '{"@lsn"}', "at": "{at}"}}]})
    case.command(relay, "setup")
    case.command(relay, "check", "--connect")
    case.start(relay)
    case.sql(INSERT)
    events = e2e.wait("the event", lambda: e2e.oracle.read_topics(
        case.kafka.bootstrap, e2e.oracle.topics_like(case.kafka.bootstrap, case.prefix)), 30, 0.3)
    assert (events[0].key, events[0].value) == (b"key", b"value"), events
    assert [e2e.oracle.header(events[0], name) for name in ("kind", "said", "at")] == \
        ["Put", "not a place", "2026-01-01 06:15:00+00"], events
    time.sleep(3)  # what ends idle sessions has had the time to do it
    assert not relay.events("epoch.failed"), relay.log_text()
    assert "idle" not in relay.log_text(), relay.log_text()
    assert relay.ready()
    case.stop(relay)


def collision(case):
    """Kafka takes . and _ for the same in some places; its own reason is told, by id, and passed over."""
    relay = case.up()
    case.put(rows=1, type="order.line")
    case.drain(relay=relay)
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " VALUES ('order_line', 'k', 'bad')")
    assert relay.wait(30) == 5, relay.log_text()
    text = relay.log_text()
    assert "reason=illegal_topic" in text and "collides with existing topic" in text, text
    assert case.prefix + "order.line" in text
    case.mend(relay, text)
    case.start(relay)
    case.put(rows=1, type="order.line")
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


with e2e.own_postgres(hba=HBA) as postgres, e2e.Case(postgres=postgres, label="_pw") as case:
    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD %s", (PASSWORD,))
    passwords(case)
with e2e.Case(label="_names") as case:
    names_and_settings(case)
with e2e.own_postgres(major=18) as postgres, e2e.Case(postgres=postgres, label="_18") as case:
    names_and_settings(case)
with e2e.Case(label="_topics") as case:
    collision(case)
