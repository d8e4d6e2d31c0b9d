"""Claiming, and what comes between: triggers that put back what was finished, at once or at the commit, also while
rows of the record are to be finished, or raise an error; a successor of a paused relay; a commit whose outcome is not
known; a row that a crash of the server forgets, whose key the next one gets;
transaction ids beyond 32 bits."""

import os
import re
import time

import e2e
import lab.process
import oracle
from lab.proxy import CUT, HOLD, REQUEST, RESPONSE, KafkaProxy

CLAIM = {"source": {"mode": "poll", "poll": {"strategy": "claim", "interval_ms": 5, "idle_interval_ms": 100}}}
BACK = """
    CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.outbox
        OVERRIDING SYSTEM VALUE SELECT OLD.*; RETURN NULL; END $$;
    CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"""
RAISES = """CREATE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'not on a Monday' USING ERRCODE = coalesce(TG_ARGV[0], 'P0001'); END $$"""
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

# What raises is tried five times, and ends: also where the rows are those of the record, and where it is put off until
# the commit. A constraint is no other matter, nor is trouble of the server's own, nor who cancels each time.
with claims("_refused", sql=RAISES) as case:
    relay = case.relay({"retry": {"min_ms": 50, "max_ms": 100}})
    case.setup(relay)

    def refused(what, says):
        case.sql(what)
        text = case.refused(relay, 3, ("finish_refused", 'to finish claimed rows of "?public"?."?outbox"?', says))
        assert len(re.findall(r"epoch\.failed", text)) == 4, text

    for code, trigger in (
            ("P0001", "CREATE TRIGGER t BEFORE DELETE ON public.outbox FOR EACH ROW EXECUTE FUNCTION raises('%s')"),
            ("57014", "CREATE TRIGGER t BEFORE DELETE ON public.outbox FOR EACH ROW EXECUTE FUNCTION raises('%s')"),
            ("XX000", "CREATE CONSTRAINT TRIGGER t AFTER DELETE ON public.outbox DEFERRABLE INITIALLY DEFERRED"
             " FOR EACH ROW EXECUTE FUNCTION raises('%s')")):
        for point in (None, "P2:1"):
            case.put(rows=3)
            if point:
                relay.start(env={"WALFERRY_CRASH_AT": point})
                assert relay.wait(30) < 0
            before = case.seen(0.5)
            refused(trigger % code, r"not on a Monday \(%s\)" % code)
            assert case.seen(0.5) == before, "rows were published that are not finished"
            case.sql("DROP TRIGGER t ON public.outbox")
            case.start(relay)
            case.drain(relay=relay)
            e2e.wait("the finish", lambda: case.one("SELECT count(*) FROM public.outbox") == 0, 10)
            case.stop(relay)
    case.put(rows=3)
    refused("CREATE TABLE child (seq bigint REFERENCES public.outbox);"
            " INSERT INTO child SELECT seq FROM public.outbox LIMIT 1",
            r"foreign key .*\(23503\)")
    case.sql("DROP TABLE child")
    # Who mends it while it is tried has the relay going on.
    case.sql("CREATE TRIGGER t BEFORE DELETE ON public.outbox FOR EACH ROW EXECUTE FUNCTION raises()")
    slow = case.relay({"retry": {"min_ms": 1000, "max_ms": 1000}})
    case.start(slow)
    e2e.wait("a refusal", lambda: "finish_refused" in slow.log_text(), 20)
    case.sql("DROP TRIGGER t ON public.outbox")
    case.drain(relay=slow)
    case.stop(slow)
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
    # A record that names rows names a transaction that the jump makes the server forget.
    e2e.wait("an empty record", lambda: case.progress()[-1]["resume"]["ids"] == {}, 10)
    case.stop(relay)
    # Transactions beyond 32 bits: one that is aborted and one that is committed, as the record has them.
    case.pg.stop()
    lab.process.spawn([os.path.join(case.pg.bin, "pg_resetwal"), "-e", "1", "-D", case.pg.data_dir],
                      user=case.pg.user).wait(30)
    case.pg.start()
    for point, left in (("P2:1", 1), ("P3:1", 0)):
        case.sql(INSERT % point)
        relay.start(env={"WALFERRY_CRASH_AT": point})
        assert relay.wait(30) < 0
        xid = int(case.progress()[-1]["resume"]["xid"])
        assert xid > 1 << 32 and case.one("SELECT count(*) FROM o") == left, (point, xid)
        case.start(relay)
        e2e.wait("its finish", lambda: case.one("SELECT count(*) FROM o") == 0, 10)
        case.stop(relay)
    assert case.seen(0.5) and [event.value for event in case.tail.events] == [b"second", b"P2:1", b"P3:1"]
