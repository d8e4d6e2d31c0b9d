"""setup --switch-to: from the WAL to polling and back, under writers of which some hold their transactions open
across the cut. Killed at each of its steps and begun again. What cannot be switched is refused, and says why."""

import concurrent.futures
import random
import signal
import threading
import time

import e2e
import oracle
from mends import ended, mend
import psycopg2

POLL = {"source": {"mode": "poll"}}
dice = random.Random(e2e.seed())
BACK = {"poll": "wal", "wal": "poll"}


def hold(case, name, seed, ends):
    """Transactions that stay open for up to 0.8 s, one behind the other."""
    chance, n = random.Random(seed), 1
    connection = psycopg2.connect(case.dsn())
    while not ends.is_set():
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute("SELECT e2e.put('order', %s, 2, %s, 2, 20)", (name, n))
                n += 2
                ends.wait(chance.random() * 0.4)
        if chance.random() < 0.1:
            connection.rollback()
        else:
            connection.commit()
    connection.close()


class Load:
    def __init__(self, case, holders=6, writers=3):
        self.ends, self.shop = threading.Event(), case.shop(writers=writers, rate=40, delete=0).start()
        self.threads = [threading.Thread(target=hold, args=(case, "h%d" % i, dice.random(), self.ends), daemon=True)
                        for i in range(holders)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        self.shop.stop()


def relays(case):
    case.more_config = e2e.merge(case.more_config, {"admin": case.config()["admin"]})  # one file, so one port
    return {"wal": case.relay(name="wal"), "poll": case.relay(POLL, name="poll")}


def switch(case, relay, mode, *more, **options):
    return case.command(relay[mode], "setup", "--switch-to", mode, *more, "--yes", **options)


def judge(case):
    faults = case.judge("dump")
    forms = {"-x" in oracle.header(event, "walferry-id") for event in case.tail.events}
    assert forms == {True, False}, "all came one way"
    return faults


def under_load():
    with e2e.Case(label="_load") as case:
        relay = relays(case)
        case.setup(relay["wal"])
        load = Load(case)
        case.start(relay["wal"])
        for mode in ("poll", "wal"):
            old, new = relay[BACK[mode]], relay[mode]
            switch(case, relay, mode, code=2, says=("relay_running|is running", "--take-over"))
            assert old.running(), "a refused switch has ended the relay"
            switch(case, relay, mode, "--take-over", says=("cut: at", "switched: the relay goes on by " + mode))
            assert old.wait(20) == 4, old.log_text()
            case.refused(old, 3, ("mode_changed", "setup --switch-to %s" % BACK[mode]))
            assert (case.slot() is not None) == (mode == "wal"), "the slot"
            case.start(new)
            switch(case, relay, mode, says="nothing to do")
            time.sleep(0.5)
        load.stop()
        case.drain(relay=relay["wal"])
        case.stop(relay["wal"])
        judge(case)


def crashes(case, relay, mode, point):
    relay[mode].start("--switch-to", mode, "--yes", command="setup", env={"WALFERRY_CRASH_AT": point + ":1"})
    code = relay[mode].wait(40)
    assert code == -signal.SIGKILL, "%s to %s: exit code %d\n%s" % (point, mode, code, relay[mode].log_text()[-2000:])


def killed_at_each_step():
    """The former mode goes on, or the new one does, and the command ends what it began."""
    with e2e.Case(label="_steps") as case:
        relay = relays(case)
        case.setup(relay["wal"])
        load = Load(case, holders=1, writers=2)
        for mode in ("poll", "wal"):
            case.refused(relay[mode], 3, ("mode_changed", "setup --switch-to %s" % mode))
            for point in ("S1", "S2", "S3", "S4"):
                crashes(case, relay, mode, point)
                goes_on = relay[mode if point == "S4" else BACK[mode]]
                goes_on.start("--until-caught-up")
                assert goes_on.wait(40) == 0, goes_on.log_text()
            if mode == "poll":
                assert case.slot(), "it was to be left"
                assert relay["poll"].events("switch.unfinished"), relay["poll"].log_text()
            switch(case, relay, mode, says="nothing to do" if mode == "wal" else "slot .*: dropped")
            switch(case, relay, mode, says="nothing to do")
            assert (case.slot() is not None) == (mode == "wal"), "the slot"
        load.stop()
        case.start(relay["wal"])
        case.drain(relay=relay["wal"])
        case.stop(relay["wal"])
        judge(case)
        assert "slot_from" not in case.progress()[-1]


def left_by_name():
    """A slot that is left is known by its name, whatever the file names by then, and goes with the relay."""
    with e2e.Case(label="_left") as case:
        relay, other = relays(case), "other_" + case.name
        renamed = case.relay(e2e.merge(POLL, {"source": {"slot": other}}), name="renamed")
        case.setup(relay["wal"])
        case.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (other,))
        crashes(case, relay, "poll", "S4")
        renamed.start("--until-caught-up")
        assert renamed.wait(40) == 0, renamed.log_text()
        assert case.slot_name in renamed.events("switch.unfinished")[0], renamed.log_text()
        case.command(renamed, "rebase", "--to", "now", "--accept-loss", "--yes")
        case.command(renamed, "setup", "--switch-to", "poll", "--yes", code=2,
                     says="slot %s may be left .* source.slot names %s" % (case.slot_name, other))
        case.command(renamed, "teardown", "--yes", says="slot %s: dropped" % case.slot_name)
        slots = case.sql("SELECT slot_name FROM pg_replication_slots WHERE database = %s", (case.db,))
        assert slots == [(other,)], slots


def as_printed():
    """What `run` prints is run as it was printed."""
    with e2e.Case(label="_mend", config={"log": {"format": "json"}}) as case:
        relay = relays(case)
        case.setup(relay["wal"])
        case.put(rows=3)
        for mode in ("poll", "wal"):
            mend(relay[mode], "mode_changed", ended(case, relay[mode], "mode_changed", 3))
            case.put(rows=2)
            relay[mode].start("--until-caught-up")
            assert relay[mode].wait(30) == 0, relay[mode].log_text()
        case.seen(0.5)
        judge(case)


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for run in concurrent.futures.as_completed([pool.submit(each) for each in (
            under_load, killed_at_each_step, left_by_name, as_printed)]):
        run.result()
