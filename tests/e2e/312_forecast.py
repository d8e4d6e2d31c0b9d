"""When a slot is going to be lost, at a pace that is known: said in time, right, and taken back. Where the broker has
been away since before the relay began it is said, too. And a slot that nobody holds up, of which the server lets go in
steps, is no slot that fills."""

import json
import re
import threading
import time

import e2e
import oracle
from lab.proxy import KafkaProxy

SLOW = True
SECONDS = 300
CONFIG = {"delivery": {"transaction_timeout_ms": 2000}, "log": {"format": "json"}}


class Writer(threading.Thread):
    """So many megabytes a second of what is no event."""

    def __init__(self, case, mb):
        super().__init__(daemon=True)
        self.sql, self.kb, self.over = case.pg.connect(case.db), mb * 100, threading.Event()
        self.sql.autocommit = True

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        began, beats = time.monotonic(), 0
        with self.sql.cursor() as cursor:
            while not self.over.wait(max(0, began + beats / 10 - time.monotonic())):
                cursor.execute("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000)) FROM"
                               " generate_series(1, %s)", (self.kb,))
                beats += 1


def state(relay):
    return json.loads(relay.admin("/status")[1])


def follow(case, relay, event):
    """Until the relay says it: (room, forecast) of each look that had one, and the pace, in bytes a second."""
    looks, began, first = [], time.monotonic(), case.current_lsn()

    def said():
        status = state(relay)
        looks.append((status["slot_room_bytes"], status["slot_seconds_left"]))
        return relay.events(event)

    e2e.wait(event, said, 90, interval=0.5)
    pace = (case.current_lsn() - first) / (time.monotonic() - began)
    return [look for look in looks if look[1] is not None], pace


def judge_forecast(looks, pace):
    assert looks, "no forecast"
    wrong = [(room, left, room / pace) for room, left in looks if not 0.6 < (left + 1) / (room / pace + 1) < 1.6]
    print("forecast: %d looks at %.1f MB a second, from %d s down to %d s" % (
        len(looks), pace / 1e6, looks[0][1], looks[-1][1]))
    assert not wrong, wrong


def warned(case, relay):
    """First that it fills, then that it is at risk, in time; and not ready."""
    follow(case, relay, "wal.filling")
    looks, pace = follow(case, relay, "wal.at_risk")
    judge_forecast(looks, pace)
    assert case.slot()["wal_status"] in ("reserved", "extended"), case.slot()
    line = relay.events("wal.at_risk")[0]
    assert re.search(r"keeps \d+ MB, and is lost after \d+ more, in 0 min at this pace", line), line
    e2e.wait("unready", lambda: re.search(r"is lost after \d+ more", relay.admin("/readyz")[1]), 5)


def taken_back(case, relay):
    def safe():
        case.sql("CHECKPOINT")
        return relay.events("wal.safe")

    e2e.wait("wal.safe", safe, 60, interval=1)
    e2e.wait("ready", lambda: relay.admin("/readyz")[0] == 200, 10)
    assert len(relay.events("wal.at_risk")) == len(relay.events("wal.safe")) == 1
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


with e2e.own_postgres(conf={"max_slot_wal_keep_size": "300MB"}) as pg:
    # A transaction that somebody has left open: the relay gets on, and its slot fills all the same.
    with e2e.Case(postgres=pg, config=CONFIG, label="_open") as case:
        relay = case.up()
        session = pg.connect(case.db, autocommit=False)
        with session.cursor() as cursor:
            cursor.execute("CREATE TABLE public.left_open (n int)")
        case.put(rows=3)
        with Writer(case, 4):
            warned(case, relay)
        session.rollback()
        session.close()
        assert not relay.events("progress.stands"), relay.events("progress.stands")
        taken_back(case, relay)

    # It begins when the broker is away already.
    with e2e.Case(postgres=pg, config=CONFIG, label="_kept_out") as case, KafkaProxy(case.kafka.bootstrap) as proxy:
        relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
        case.put(rows=3)
        case.drain(relay=relay)
        case.stop(relay)
        proxy.refuse()
        case.put(rows=3)
        relay.start()
        relay.wait_log("epoch.failed", 20)
        with Writer(case, 4):
            warned(case, relay)
        assert relay.events("progress.stands")
        proxy.accept()
        relay.wait_log("progress.moves", 40)
        taken_back(case, relay)

    # More than half of the limit from one step to the next.
    with e2e.Case(postgres=pg, config=CONFIG, label="_steps") as case:
        case.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'")
        pg.reload()
        relay = case.up()
        began, starts = time.monotonic(), set()
        with Writer(case, 3):
            while time.monotonic() - began < 60:
                status = state(relay)
                assert status["slot_seconds_left"] is None, (status, starts)
                starts.add(oracle.lsn_number(case.slot()["restart"]))
                time.sleep(1)
        assert len(starts) > 2, starts
        assert not any("at this pace" in line for line in relay.events("wal.filling") + relay.events("wal.at_risk"))
        case.stop(relay)
