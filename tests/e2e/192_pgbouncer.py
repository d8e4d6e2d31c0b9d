"""The whole way through PgBouncer, which carries replication from 1.23 on: setup, exactly once under a kill
loop, a second instance, a pooler that is started anew. An older one is refused with what would help.

Run with WALFERRY_PGBOUNCER=<path> where the machine's own is too old."""

import random
import sys

import e2e
import flows
import lab.pgbouncer

KILLS = 12
found = lab.pgbouncer.find()
if found is None:
    print("no PgBouncer is installed", flush=True)
    sys.exit(77)
binary, version = found


def through(case, pool_mode="session"):
    """A pooler before the case's server; the relay's file leads there."""
    pooler = lab.pgbouncer.PgBouncer(e2e._scratch(), case.pg, binary, pool_mode)
    case.more_config = {"source": {"connection": pooler.dsn(case.db)}}
    return pooler


if version < lab.pgbouncer.CARRIES:
    with e2e.Case() as case, through(case):
        relay = case.relay()
        for command, code in ((("check", "--connect"), 1), (("setup",), 2)):
            case.command(relay, *command, code=code, says=("PgBouncer", "1.23"))
        case.refused(relay, 2, ("reason=pooler", "1.23"))
    print("PgBouncer %d.%d carries no replication" % version, flush=True)
    sys.exit(77)

number = e2e.seed()
with e2e.Case(label="_kills") as case, through(case) as pooler:
    case.command(case.relay(), "setup")
    flows.kills(case, KILLS, 0.05, 0.7, random.Random(number), seed=number)
    case.judge()

with e2e.Case(label="_two") as case, through(case) as pooler:
    first = case.up()
    case.command(first, "check", "--connect")
    case.put(rows=5)
    case.drain(relay=first)
    # The slot's holder is known by its name, and ended, through the pooler.
    holder = "SELECT a.application_name FROM pg_replication_slots s JOIN pg_stat_activity a" \
             " ON a.pid = s.active_pid WHERE s.slot_name = %s"
    assert case.one(holder, (case.slot_name,)) == "walferry:" + case.name
    case.command(first, "status")
    first.pause()
    second = case.start(case.relay())
    assert second.events("slot.owner_ended"), second.log_text()
    case.put(rows=5)
    case.drain(relay=second)
    first.resume()
    assert first.wait(30) == 4, first.log_text()
    # A pooler that goes takes the connection with it; the relay comes back with it.
    pooler.stop()
    case.put(rows=5)
    second.wait_log("epoch.failed")
    pooler.start()
    case.drain(relay=second)
    second.wait_ready()
    case.stop(second)
    case.command(second, "teardown", "--yes")
    assert case.slot() is None
    case.judge()
