"""Does a transaction that is open for long, or one large transaction, look like a position that stands? An open one
does not, whatever it writes. A large one of tables that are not routed does, because the server sends nothing while it
reads it; then it is said that the server is at work."""

import json
import os
import signal
import time

import e2e

SLOW = True
SECONDS = 240
# A position that has not moved for three seconds stands.
CONFIG = {"delivery": {"transaction_timeout_ms": 1000}, "log": {"format": "json"}}
OTHER = "SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000))"


def state(relay):
    return json.loads(relay.admin("/status")[1])


def open_for_long(case, relay, session):
    """The others write, then only this one, the rows of the outbox in it, too."""
    with session.cursor() as cursor:
        cursor.execute("INSERT INTO public.bulk VALUES ('first')")
        for number in range(30):
            if number < 15:
                case.sql(OTHER)
                case.put(rows=1)
            else:
                cursor.execute("INSERT INTO public.bulk SELECT repeat(md5(n::text), 60) FROM generate_series(1, 500) n")
                cursor.execute("SELECT e2e.put('open', 'o', 3, %s, 20, 100)", (number * 100,))
            assert not state(relay)["progress_stands"], (number, state(relay))
            time.sleep(0.7)
    session.commit()
    case.drain(relay=relay)
    assert not relay.events("progress.stands"), relay.events("progress.stands")


def held_while_it_reads(case, rows=600000):
    """A large transaction is committed, and the walsender stopped inside of it: a server that reads for long. Its pid."""
    walsender = case.slot()["active_pid"]
    case.sql("DROP TABLE public.bulk; CREATE TABLE public.bulk (t text);"
             "INSERT INTO public.bulk SELECT repeat(md5(n::text), 4) FROM generate_series(1, %s) n", (rows,))

    def reads():
        os.kill(walsender, signal.SIGSTOP)
        if case.one("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (walsender,)) == "ReorderBufferRead":
            return True
        os.kill(walsender, signal.SIGCONT)
        return False

    e2e.wait("the server reads the transaction", reads, 60, interval=0.002)
    return walsender


def stands(case, relay, count):
    """What is said of it."""
    def said():
        case.sql(OTHER)
        return len(relay.events("progress.stands")) >= count

    e2e.wait("progress.stands", said, 30, interval=0.3)
    return relay.events("progress.stands")[-1]


def large(case, relay):
    walsender = held_while_it_reads(case)
    try:
        line = stands(case, relay, 1)
        says = "; its walsender %d is at work, as inside a large transaction, and waits for nobody" % walsender
        assert says in line, line
        e2e.wait("unready, and why", lambda: says in relay.admin("/readyz")[1], 5)
    finally:
        os.kill(walsender, signal.SIGCONT)
    relay.wait_log("progress.moves", 30)
    e2e.wait("ready", lambda: relay.admin("/readyz")[0] == 200, 10)
    # One that is stopped while it waits for the log is not said to be at work.
    e2e.wait("it waits", lambda: case.one("SELECT wait_event_type IN ('Client', 'Activity') FROM pg_stat_activity"
                                          " WHERE pid = %s", (walsender,)))
    os.kill(walsender, signal.SIGSTOP)
    try:
        line = stands(case, relay, 2)
        assert "at work" not in line, line
    finally:
        os.kill(walsender, signal.SIGCONT)
    relay.wait_log("progress.moves", 30, 2)
    assert len(relay.events("epoch.opened")) == 1


def test(case):
    relay = case.up()
    case.sql("CREATE TABLE public.bulk (t text)")
    session = case.pg.connect(case.db, autocommit=False)
    open_for_long(case, relay, session)
    session.close()
    large(case, relay)
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


with e2e.own_postgres(conf={"wal_sender_timeout": 0}) as postgres, e2e.Case(postgres=postgres, config=CONFIG) as case:
    test(case)
