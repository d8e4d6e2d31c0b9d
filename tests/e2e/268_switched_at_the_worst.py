"""setup --switch-to where the server cannot make the cut yet: a snapshot that is too large is asked for again; a commit
that stands in the WAL and that nobody sees, because its standby is away, is waited for and named. And a relay that
is rebased from the WAL to polling does not forget the slot that it leaves."""

import concurrent.futures
import os
import re
import signal
import threading
import time

import e2e
import psycopg2

POLL = {"source": {"mode": "poll"}}
AWAY = ("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "ALTER SYSTEM RESET synchronous_standby_names")


def relays(case):
    case.more_config = e2e.merge(case.more_config, {"admin": case.config()["admin"]})
    return case.relay(name="wal"), case.relay(POLL, name="poll")


def catch_up(relay):
    relay.start("--until-caught-up")
    assert relay.wait(40) == 0, relay.log_text()


def put(connection, name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT e2e.put('order', %s, 2, 1, 2, 20)", (name,))
    connection.commit()


def many(case, ends, opened):
    """Transactions of far more subtransactions than a snapshot has places, each begun before the last one ends."""
    before, n = None, 1
    while not ends.is_set():
        connection = psycopg2.connect(case.dsn())
        with connection.cursor() as cursor:
            cursor.execute("SELECT e2e.put('order', 'many', 2, %s, 1, 20)", (n,))
            for _ in range(200):
                cursor.execute("SAVEPOINT s; INSERT INTO burned VALUES (1); RELEASE s")
        case.sql("INSERT INTO burned VALUES (0)")  # so that all of them are within the snapshot
        n += 1
        opened.set()
        ends.wait(0.5)
        if before is not None:
            before.commit()
            before.close()
        before = connection
    before.commit()
    before.close()


def too_large(pg):
    with e2e.Case(label="_large", postgres=pg, sql="CREATE TABLE burned (n int)") as case:
        wal, poll = relays(case)
        case.setup(wal)
        case.put(rows=3)
        ends, opened = threading.Event(), threading.Event()
        load = threading.Thread(target=many, args=(case, ends, opened), daemon=True)
        load.start()
        assert opened.wait(20)
        poll.start("--switch-to", "poll", "--yes", command="setup")
        try:
            poll.wait_log("switch.again", timeout=30)
        finally:
            ends.set()
        load.join()
        assert poll.wait(40) == 0, poll.log_text()
        assert "initial slot snapshot too large" in poll.events("switch.again")[0], poll.log_text()
        case.put(rows=2)
        catch_up(poll)
        case.seen(0.5)
        case.judge("dump")


def numbered(connection, ends):
    """A transaction with a number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
    ends()


def among_many_rolled_back(pg):
    """More than a snapshot holds are rolled back between the oldest that runs at the cut and it: another is made."""
    with e2e.Case(label="_rolled", postgres=pg) as case:
        wal, poll = relays(case)
        case.setup(wal)
        case.put(rows=3)
        most = int(case.one("SHOW max_connections")) + 200
        first, second, third, other = (psycopg2.connect(case.dsn()) for _ in range(4))
        numbered(first, lambda: None)
        poll.start("--switch-to", "poll", "--yes", command="setup")
        for before, after in ((first, second), (second, third)):
            e2e.wait("it waits", lambda: case.one(
                "SELECT count(*) FROM pg_locks l JOIN pg_locks h ON h.transactionid = l.transactionid AND h.granted"
                " WHERE NOT l.granted AND h.pid = %s", (before.get_backend_pid(),)), 20)
            numbered(after, lambda: None)
            for _ in range(most):
                numbered(other, other.rollback)
            numbered(other, other.commit)
            before.commit()
        e2e.wait("that it was too much", lambda: poll.events("switch.again"), 20)
        third.commit()
        assert poll.wait(30) == 0, poll.log_text()
        for each in (first, second, third, other):
            each.close()
        case.put(rows=3)
        case.start(poll)
        case.drain(relay=poll)
        case.stop(poll)
        case.judge("dump")


def away(case, statement, shows):
    connection = local(case)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    e2e.wait("other synchronous standbys", lambda: case.one("SHOW synchronous_standby_names") == shows, 10)


def local(case):
    return psycopg2.connect(case.dsn(), options="-c synchronous_commit=local")


def stuck(case, name):
    """A commit in the WAL that waits for its standby: (thread, its process)."""
    connection = psycopg2.connect(case.dsn())
    pid = connection.info.backend_pid
    thread = threading.Thread(target=put, args=(connection, name), daemon=True)
    thread.start()
    e2e.wait("a commit that waits", lambda: case.one(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = %s", (pid,)) == 1, 10)
    return thread, pid


def waits_for(case, xid):
    e2e.wait("the slot that waits for transaction %s" % xid, lambda: case.one(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = %s::xid", (xid,)) == 1, 20)


def writer(case, name):
    """An open transaction that waits for no standby: (its connection, its number)."""
    connection = local(case)
    with connection.cursor() as cursor:
        cursor.execute("SELECT e2e.put('order', %s, 2, 1, 2, 20)", (name,))
        cursor.execute("SELECT pg_current_xact_id()::xid::text")
        return connection, cursor.fetchone()[0]


def at_the_last_look(case, pg, mode, pid, since):
    """Slot creation looks at who writes, waits for them, and looks again. What begins after the look that follows its
    "initial consistent point" is not waited for by that one. Returns the connection whose transaction it waits for."""
    after, xid = writer(case, "second " + mode)
    case.sql("SELECT pg_cancel_backend(%s)", (pid,))
    waits_for(case, xid)
    assert looks(pg, since) == ["initial starting", "initial consistent"], looks(pg, since)
    return after


def seen_by_the_snapshot_alone(case, pg, relay, mode):
    """A commit that waits for its standby is in the slot's snapshot. PostgreSQL 15.20 lets the slot wait for it until
    it is visible, and 15.18 does not: then the switch does."""
    away(case, AWAY[0], "nobody")
    first, pid = stuck(case, "first " + mode)
    since = os.path.getsize(pg.log)
    relay.start("--switch-to", mode, "--yes", command="setup")
    said = relay.wait_log("slot.waiting")
    assert "pid %d" % pid in said and "waits for a synchronous standby" in said, said
    # What began before the slot's first look would be waited for in one go with the first.
    e2e.wait("the slot that waits for the first", lambda: waited_for(case, pid), 20)
    second = at_the_last_look(case, pg, mode, pid, since)
    first.join(10)
    third, pid = stuck(case, "third " + mode)
    second.commit()
    e2e.wait("the slot is consistent", lambda: len(looks(pg, since)) > 2, 20)
    e2e.wait("who waits for the third", lambda: relay.events("switch.waits") or waited_for(case, pid), 30)
    if not waited_for(case, pid):
        said = relay.events("switch.waits")[0]
        assert "process %d" % pid in said and "synchronous standby" in said, said
    put(local(case), "local " + mode)  # what a window would take for its end
    time.sleep(0.5)
    assert relay.running(), relay.log_text()
    away(case, AWAY[1], "")
    third.join(20)
    assert relay.wait(40) == 0, relay.log_text()


def waited_for(case, pid):
    return case.one("SELECT count(*) FROM pg_locks w JOIN pg_locks h USING (transactionid) WHERE NOT w.granted AND"
                    " h.granted AND h.pid = %s", (pid,)) == 1


def looks(pg, since):
    """What slot creation has said of its looks: it begins, it waits for the last transactions, it is consistent."""
    with open(pg.log, encoding="utf-8", errors="replace") as log:
        log.seek(since)
        return re.findall("logical decoding found (.*) point", log.read())


def out_of_sight(pg):
    """What is in the WAL and in no snapshot would come by both ways, or by none. The one that is there when the slot
    is made is waited for by the server; the one that comes while it waits for another is in the slot's snapshot."""
    with e2e.Case(label="_sight", postgres=pg) as case:
        relay = dict(zip(("wal", "poll"), relays(case)))
        case.setup(relay["wal"])
        for mode in ("poll", "wal"):
            case.put(rows=3)
            seen_by_the_snapshot_alone(case, pg, relay[mode], mode)
            case.put(rows=2)
            catch_up(relay[mode])
        case.seen(0.5)
        case.judge("dump")


def stopped_while_it_waits(pg):
    with e2e.Case(label="_stop", postgres=pg) as case:
        wal, poll = relays(case)
        case.setup(wal)
        case.put(rows=2)
        writer = psycopg2.connect(case.dsn())
        with writer.cursor() as cursor:
            cursor.execute("SELECT e2e.put('order', 'open', 2, 1, 2, 20)")
        poll.start("--switch-to", "poll", "--yes", command="setup")
        poll.wait_log("slot.waiting", timeout=20)
        os.kill(poll.pid, signal.SIGTERM)
        assert poll.wait(20) != 0, poll.log_text()
        writer.commit()
        writer.close()
        catch_up(wal)
        case.seen(0.5)
        case.judge("dump")
        assert case.slot() is not None


def rebased(pg):
    """The file says poll, a person says rebase: the slot is named, and goes by what is printed."""
    with e2e.Case(label="_rebased", postgres=pg) as case:
        wal, poll = relays(case)
        case.setup(wal)
        case.put(rows=3)
        catch_up(wal)
        case.command(poll, "rebase", "--to", "now", "--accept-loss", "--yes",
                     says=("rebased", "slot %s .*keeps .*write-ahead log.*setup --switch-to poll" % case.slot_name))
        assert case.slot() is not None
        case.put(rows=2)
        catch_up(poll)
        told = poll.events("switch.unfinished")
        assert told and case.slot_name in told[0], poll.log_text()
        case.command(poll, *re.search(r"run: walferry (setup --switch-to poll)", told[0]).group(1).split(), "--yes",
                     says="slot %s: dropped" % case.slot_name)
        assert case.slot() is None
        catch_up(poll)
        assert not poll.events("switch.unfinished"), "told again"
        case.seen(0.5)
        case.judge("dump")


with e2e.own_postgres(conf={"max_connections": "20", "autovacuum": "off"}) as server:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(part, server) for part in (rebased, stopped_while_it_waits)]:
            each.result()
    among_many_rolled_back(server)  # no slot of others waits for its transactions
    too_large(server)  # no slot before its transactions end
    out_of_sight(server)  # alone: its standby is everybody's
