"""What a server forgets in a crash was not published, and what it hands out again is: with synchronous_commit = off,
an immediate stop loses transactions whose ids come again. A standby is refused; so is one that is put back to an
earlier time. Transaction ids beyond 32 bits."""

import os
import shutil
import subprocess
import time

import e2e
import lab.process
from lab.postgres import Postgres

POLL = {"source": {"mode": "poll"}}
# Nothing is flushed by itself: the WAL writer comes every 10 s.
LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "512MB", "autovacuum": "off", "fsync": "on",
        "checkpoint_timeout": "1h", "wal_level": "replica", "bgwriter_delay": "10s"}


def next_xid(case):
    return int(case.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"))


def forgets(case, relay):
    """The rule: a window waits for its WAL."""
    case.put(rows=3)
    case.drain(relay=relay)
    case.one("SELECT pg_switch_wal()::text")
    for _ in range(6):
        writer = e2e.hold_wal_writer(case)
        case.sql("SET synchronous_commit = off")
        case.put(rows=5, transactions=4)
        lost, reached = case.truth_count(), next_xid(case)
        seen = case.seen(1.0)
        e2e.forget(case, writer)
        case.pg.start()
        again = case.truth_count() < lost and next_xid(case) < reached
        if again:
            break
        case.drain(relay=relay)
    assert again, "nothing was lost: the test shows nothing"
    assert seen <= case.truth_count(), "%d events, %d rows are left" % (seen, case.truth_count())
    case.put(rows=5, transactions=4)
    assert next_xid(case) >= reached, "ids were not handed out again"
    case.drain(relay=relay)


def is_refused_on_a_standby(case, relay):
    directory = e2e._scratch()
    case.pg.stop()
    standby = Postgres(directory, conf={"primary_conninfo": "host=127.0.0.1 port=%d user=postgres" % case.pg.port})
    shutil.copytree(case.pg.data_dir, standby.data_dir)
    with open(os.path.join(standby.data_dir, "standby.signal"), "w"):
        pass
    lab.process.give(directory, standby.user)
    case.pg.start()
    with standby.start():
        there = case.relay({"source": {"connection": standby.dsn(case.db)}})
        case.command(there, "check", "--connect", code=1, says="leads to a standby")
        there.start()
        there.wait_log("epoch.failed", timeout=30)
        case.put(rows=2)
        time.sleep(0.5)
        assert "reason=in_recovery" in there.log_text() and "target_session_attrs" in there.log_text()
        seen = case.seen(0.5)
        there.stop(12)
        assert seen < case.truth_count(), "a standby was polled"
    case.start(relay)
    case.drain(relay=relay)
    case.stop(relay)


def put_back(case, relay):
    """Files of an earlier time: refused, with what to do."""
    case.pg.stop()
    earlier = e2e._scratch()
    shutil.copytree(case.pg.data_dir, os.path.join(earlier, "data"))
    case.pg.start()
    case.start(relay)
    case.put(rows=1, transactions=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
    case.pg.stop()
    shutil.rmtree(case.pg.data_dir)
    shutil.copytree(os.path.join(earlier, "data"), case.pg.data_dir)
    lab.process.give(case.pg.dir, case.pg.user)
    case.pg.start()
    text = case.refused(relay, 3, ("history_changed", "rebase --to now --accept-loss"))
    case.mend(relay, text, "--yes")


def goes_on_beyond_32_bits(case, relay):
    case.pg.stop()
    tool = os.path.join(case.pg.bin, "pg_resetwal")
    lab.process.spawn([tool, "-e", "1", "-D", case.pg.data_dir], user=case.pg.user).wait(30)
    case.pg.start()
    assert next_xid(case) > 1 << 32
    case.sql("TRUNCATE e2e.truth")
    case.start(relay)
    case.sql("SELECT e2e.put('order', 'far', 3, 100, 9, 10)")
    case.tail.ids.clear()
    e2e.wait("its events", lambda: case.seen(0.1) >= 9, 30)
    ids = [e2e.oracle.walferry_id(e2e.oracle.header(event, "walferry-id")) for event in case.tail.events[-9:]]
    assert all(one.lsn > 1 << 32 for one in ids), ids
    case.stop(relay)


with e2e.own_postgres(conf=LAZY) as postgres, e2e.Case(postgres=postgres, config=POLL) as case:
    case.apply("007_poll.sql")
    case.sql("SELECT walferry.poll_keep('public.outbox', %s)", (case.name,))
    relay = case.up()
    forgets(case, relay)
    case.stop(relay)
    case.judge()
    is_refused_on_a_standby(case, relay)
    put_back(case, relay)
    goes_on_beyond_32_bits(case, relay)
