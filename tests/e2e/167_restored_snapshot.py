"""The database's files are put back to an earlier copy, and more is written than there was before: system
identifier and timeline are the same and the old position exists, but it is another history. The relay
refuses to go on in the midst of it, whichever way it can be told, and the printed line goes on from the
slot: what the server wrote below the old position is published.

What only looks like that goes on: commits that nobody waited for and a crash, a promotion, a crash with a
slot older than what was confirmed, ids in a later epoch."""

import os
import re
import secrets
import shutil
import subprocess

import e2e
import mends

SECONDS = 240
JSON = {"log": {"format": "json"}}


def down(case, relay=None):
    if relay is not None:
        case.stop(relay)
    if case._connection is not None:
        case._connection.close()
    case.pg.stop()


def copy(case, relay):
    """The snapshot, as a file system takes it."""
    down(case, relay)
    shutil.rmtree(case.pg.data_dir + ".snapshot", ignore_errors=True)
    subprocess.run(["cp", "-a", case.pg.data_dir, case.pg.data_dir + ".snapshot"], check=True)
    case.pg.start()
    case.start(relay)


def put_back(case, relay):
    down(case, relay)
    position = case.position()
    shutil.rmtree(case.pg.data_dir)
    os.rename(case.pg.data_dir + ".snapshot", case.pg.data_dir)
    case.pg.start()
    assert case.current_lsn() < position
    return position


def grow(case, position):
    """One transaction that is not published, and no id more than needed."""
    lines = 10000 + max(0, position - case.current_lsn()) // 200
    case.sql("CREATE TABLE junk_%s AS SELECT i, repeat('x', 200) FROM generate_series(1, %d) AS i"
             % (secrets.token_hex(4), lines))
    assert case.current_lsn() > position


def rows(case):
    return set(id for (id,) in case.sql("SELECT id::text FROM public.outbox"))


def refused_and_mended(case, relay, says, told_by_check):
    """Nothing is published until the printed line was run; then all that this history has is."""
    seen, confirmed = case.seen(0.5), case.confirmed_lsn()
    for _ in range(2):  # a refused start leaves everything as it is
        hint = mends.ended(case, relay, "history_changed", 3)
        assert re.search(says, relay.log_text()), relay.log_text()
    assert case.seen(0.5) == seen and case.confirmed_lsn() == confirmed
    if told_by_check:
        case.command(relay, "check", "--connect", code=1, says=says)
    mends.mend(relay, "history_changed", hint)
    case.start(relay)
    case.put(rows=2, type="after")
    e2e.wait("all rows of this history", lambda: rows(case) <= case.read_ids(), 30, interval=0.3)


def another_transaction(case, relay, says, told_by_check):
    """The new history has as many transactions as the old one, and more."""
    copy(case, relay)
    case.put(rows=1, transactions=3)
    case.drain(relay=relay)
    position = put_back(case, relay)
    case.put(rows=1, transactions=8, type="other")
    grow(case, position)
    refused_and_mended(case, relay, says, told_by_check)


def no_such_transaction(case, relay):
    """It has fewer, as large ones."""
    copy(case, relay)
    case.put(rows=1, transactions=20)
    case.drain(relay=relay)
    position = put_back(case, relay)
    case.put(rows=1, type="other")
    grow(case, position)
    refused_and_mended(case, relay, "this server has not got as far as that", True)


def one_where_there_was_none(case, relay):
    """The copy is from after the last event; then only the position moved on."""
    copy(case, relay)
    grow(case, 0)
    end = case.current_lsn()
    e2e.wait("the position has moved", lambda: case.position() >= end, 20)
    position = put_back(case, relay)
    case.put(rows=1, type="other")
    grow(case, position)
    refused_and_mended(case, relay, "nothing more was to come before position", False)


def goes_on(case, relay, how):
    down(case, relay)
    how(case.pg)
    case.start(relay)
    case.put(rows=1)
    e2e.wait("it goes on", lambda: rows(case) <= case.read_ids(), 30, interval=0.3)


def crashes(case, relay):
    """Nothing is published that is not on disk, whoever waited for it. The slot comes back older."""
    shop = case.shop(writers=3, rate=200, reconnect=True).start()
    for _ in range(4):
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.05) > seen + 20, 40)
        relay.kill()
        case.pg.stop("immediate")
        case.pg.start()
        case.start(relay)
    shop.stop()
    e2e.wait("it goes on", lambda: rows(case) <= case.read_ids(), 30, interval=0.3)


def later_epoch(pg):
    pg.stop()
    e2e.lab.process.spawn([os.path.join(pg.bin, "pg_resetwal"), "-e", "3", "-D", pg.data_dir],
                          user=pg.user).wait()
    pg.start()
    assert pg.sql("SELECT pg_current_xact_id()::text::bigint >> 32")[0][0] == 3


with e2e.own_postgres(conf={"synchronous_commit": "off"}) as pg, \
        e2e.Case(postgres=pg, label="_untimed", config=JSON) as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    another_transaction(case, relay, "does not come again", False)
    one_where_there_was_none(case, relay)
    no_such_transaction(case, relay)
    crashes(case, relay)
    goes_on(case, relay, lambda pg: (pg.start(), pg.to_next_timeline()))
    case.stop(relay)

with e2e.own_postgres(conf={"track_commit_timestamp": "on"}) as pg:
    later_epoch(pg)
    with e2e.Case(postgres=pg, label="_timed", config=JSON) as case:
        relay = case.up()
        case.put(rows=3)
        case.drain(relay=relay)
        case.wait_confirmed(case.position())
        last = case.progress()[-1]["last"]
        assert last["xid8"] == (3 << 32) + last["xid"] and last["lsn"] and last["commit_at"], last
        goes_on(case, relay, lambda pg: pg.start())
        another_transaction(case, relay, "committed another one under that id", True)
        no_such_transaction(case, relay)
        case.stop(relay)
assert mends.RAN - {"not_confirmed"} == {"history_changed"}
