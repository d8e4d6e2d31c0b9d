"""A relay whose walsender is stopped does not get on while the server writes: it says that progress stands,
warns that the slot fills, then that it is about to be lost, and is not ready meanwhile. It goes on, and
nothing is lost."""

import json
import os
import re
import signal

import e2e

SECONDS = 240


def write(case, mb):
    case.sql("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000))"
             " FROM generate_series(1, %d)" % mb)


def state(relay):
    return json.loads(relay.admin("/status")[1])


def until(case, relay, event, mb):
    """Written on and on, until the relay says it."""
    def said():
        write(case, mb)
        return relay.events(event)

    e2e.wait(event, said, 40, interval=1)


def metric(relay, name):
    return float(re.search(r"^%s\{[^}]*\} (\S+)$" % name, relay.admin("/metrics")[1], re.M).group(1))


LIMIT = {"max_slot_wal_keep_size": "160MB", "wal_sender_timeout": 0}
CONFIG = {"admin": {"ready_grace_ms": 120000}, "delivery": {"transaction_timeout_ms": 2000},
          "log": {"format": "json"}}
with e2e.own_postgres(conf=LIMIT) as pg, e2e.Case(postgres=pg, config=CONFIG) as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    e2e.wait("a look at the slot", lambda: state(relay)["slot_room_bytes"])
    status = state(relay)
    assert (status["slot_risk"], status["progress_stands"], status["ready"]) == ("none", False, True), status
    walsender = case.slot()["active_pid"]
    os.kill(walsender, signal.SIGSTOP)
    try:
        until(case, relay, "progress.stands", 1)
        code, text = relay.admin("/readyz")
        assert code == 503 and re.search(r"progress stands for \d+ s while the server has written \d+ MB", text), text
        assert metric(relay, "walferry_progress_stands") == 1
        # One look that fails has seen nothing move.
        case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%:watch'")
        relay.wait_log("watch.failed", 20)
        e2e.wait("it looks again", lambda: case.one(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%:watch'") == 1, 20)
        e2e.wait("what it saw", lambda: metric(relay, "walferry_progress_stands") == 1 and
                 relay.admin("/readyz")[0] == 503, 10)
        assert not relay.events("progress.moves")
        until(case, relay, "wal.filling", 12)
        line = relay.events("wal.filling")[0]
        assert re.search(r"slot \S+ keeps \d+ MB, and is lost after \d+ more", line), line
        assert metric(relay, "walferry_slot_risk") == 1
        until(case, relay, "wal.at_risk", 8)
        code, text = relay.admin("/readyz")
        assert code == 503 and re.search("is lost (after|at)", text), text
        assert metric(relay, "walferry_slot_risk") == 2 and metric(relay, "walferry_slot_room_bytes") < 40e6
        assert state(relay)["slot_risk"] == "at_risk"
        # Beyond the limit there is no room: less than ever, and not as much as without a limit.
        e2e.wait("the next checkpoint takes it",
                 lambda: write(case, 12) or case.slot()["wal_status"] == "unreserved", 40, interval=1)
        e2e.wait("no room", lambda: metric(relay, "walferry_slot_room_bytes") == 0, 10)
        status = state(relay)
        assert (status["slot_room_bytes"], status["slot_seconds_left"], status["slot_risk"]) == (0, 0, "at_risk"), status
        case.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'")
        pg.reload()
        e2e.wait("room", lambda: metric(relay, "walferry_slot_room_bytes") > 500e6, 10)
    finally:
        os.kill(walsender, signal.SIGCONT)
    relay.wait_log("progress.moves", 30)
    case.put(rows=3)
    case.drain(relay=relay)

    def safe():
        case.sql("CHECKPOINT")
        return relay.events("wal.safe")

    e2e.wait("the slot moves on", safe, 60, interval=1)
    e2e.wait("ready again", lambda: relay.admin("/readyz")[0] == 200, 10)
    assert len(relay.events("wal.at_risk")) == len(relay.events("progress.stands")) == 1
    assert len(relay.events("wal.safe")) == 1, relay.events("wal.safe")
    case.stop(relay)
    case.judge()
