"""Claiming, and what comes between: triggers that put back what was finished, at once or at the commit, also while
rows of the record are to be finished; a successor of a paused relay; a commit whose outcome is not known; a row that
a crash of the server forgets, whose key the next one gets."""

import time

import e2e
import oracle
from lab.proxy import CUT, HOLD, REQUEST, RESPONSE, KafkaProxy

CLAIM = {"source": {"mode": "poll", "poll": {"strategy": "claim", "interval_ms": 5, "idle_interval_ms": 100}}}
BACK = """
    CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.outbox
        OVERRIDING SYSTEM VALUE SELECT OLD.*; RETURN NULL; END $$;
    CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"""
AFTER = "CREATE TRIGGER t AFTER DELETE ON public.outbox FOR EACH ROW EXECUTE FUNCTION back()"
DEFERRED = ("CREATE CONSTRAINT TRIGGER t AFTER DELETE ON public.outbox DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION back()")
STAY = "CREATE TRIGGER t BEFORE DELETE ON public.outbox FOR EACH ROW EXECUTE FUNCTION stay()"


def claims(label, **options):
    case = e2e.Case(config=CLAIM, label=label, **options)
    case.more_config = CLAIM
    return case


def finished(case):
    assert case.one("SELECT count(*) FROM public.outbox") == 0, "rows are pending that are published"


with claims("_undone", sql=BACK) as case:
    relay = case.relay()
    case.setup(relay)
    for trigger in (AFTER, DEFERRED):
        case.put(rows=3)
        case.sql(trigger)
        before = case.seen(0.5)
        case.refused(relay, 3, ("rows_not_finished", "3 are pending all the same"))
        assert case.seen(0.5) == before, "rows were published that are not finished"
        case.sql("DROP TRIGGER t ON public.outbox")
        case.start(relay)
        case.drain(relay=relay)
        case.stop(relay)
    # The rows of the record, too.
    for trigger in (STAY, AFTER):
        case.put(rows=3)
        relay.start(env={"WALFERRY_CRASH_AT": "P2:1"})
        assert relay.wait(30) < 0
        case.sql(trigger)
        case.refused(relay, 3, ("rows_not_finished", "3 are pending all the same"))
        case.sql("DROP TRIGGER t ON public.outbox")
        case.start(relay)
        case.drain(relay=relay)
        case.stop(relay)
    case.judge()
    finished(case)

for side in (REQUEST, RESPONSE):
    with claims("_%d" % len(side)) as case, KafkaProxy(case.kafka.bootstrap) as proxy:
        relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
        case.put(rows=5)
        case.drain(relay=relay)
        cut = proxy.rule("EndTxn", RESPONSE, CUT)  # an outcome that is not known
        case.put(rows=5)
        assert cut.hit.wait(20)
        case.drain(relay=relay)
        held = proxy.rule("EndTxn", side, HOLD)
        case.put(rows=5)
        assert held.hit.wait(20)
        relay.pause()
        other = case.start(case.relay())
        case.put(rows=5)
        case.drain(relay=other)
        relay.resume()
        held.release()
        assert relay.wait(40) == 4, relay.log_text()
        case.put(rows=5)
        case.drain(relay=other)
        case.stop(other)
        case.judge()
        finished(case)

LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "512MB", "autovacuum": "off", "fsync": "on",
        "checkpoint_timeout": "1h", "bgwriter_delay": "10s"}
INSERT = ("INSERT INTO o SELECT coalesce(max(id), 0) + 1, 'order', 'k', 'Put', '%s' FROM o")
with e2e.own_postgres(conf=LAZY) as postgres, claims("_lost", postgres=postgres, sql="""
        CREATE TABLE o (id bigint PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload text)""") as case:
    case.more_config = e2e.merge(CLAIM, {"routes": [dict(case.config()["routes"][0], **{"from": "public.o"})]})
    relay = case.up()
    writer = e2e.hold_wal_writer(case)
    case.sql("SET synchronous_commit = off; " + INSERT % "first")
    time.sleep(1.5)
    assert case.seen(0.1) == 0, "published before its WAL was on disk"
    e2e.forget(case, writer)
    case.stop(relay)
    case.pg.start()
    assert case.one("SELECT count(*) FROM o") == 0, "nothing was lost: the test shows nothing"
    case.sql(INSERT % "second")
    case.start(relay)
    e2e.wait("the second", lambda: case.seen(0.1) > 0, 30)
    assert [event.value for event in case.tail.events] == [b"second"]
    e2e.wait("its finish", lambda: case.one("SELECT count(*) FROM o") == 0, 10)
    case.stop(relay)
