"""Two hundred reloads in a row beside 2,000 events a second: by the command and by SIGHUP, one upon the other, of
files that change log, headers, limits and routes, while the relay is killed now and then. Every event comes once.
On a slow machine there are fewer."""

import os
import random
import signal
import threading
import time

import e2e

SLOW = True
SECONDS = 420
RELOADS, FEWEST, ENOUGH_S = 200, 60, 150
dice = random.Random(e2e.seed())


def another(case, base, number):
    """A file that harms nothing."""
    route = dict(base["routes"][0], headers=dict(base["routes"][0]["headers"], x=str(number % 3)))
    extra = {"name": "extra", "from": "message:nobody", "as": "outbox", "topic": case.prefix + "nobody"}
    return e2e.merge(base, {
        "log": {"level": dice.choice(("debug", "info")) if number % 5 == 0 else "info"},
        "delivery": {"batch_events": dice.choice((50, 700, 10000)), "commit_interval_ms": dice.choice((1, 10, 60))},
        "routes": [route] + [extra] * dice.randint(0, 1)})


class Killer(threading.Thread):
    """Kills it wherever it is; the main thread starts it again."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay, self.over, self.kills = relay, threading.Event(), 0
        self.start()

    def run(self):
        while not self.over.wait(dice.uniform(2, 6)):
            if self.relay.running():
                os.kill(self.relay.pid, signal.SIGKILL)
                self.kills += 1


def by_command(relay):
    """0: taken. 6: it was killed meanwhile."""
    code, out, err = relay.run("reload", "--yes", timeout=90)
    assert code in (0, 6), (code, out, err)
    return code


def alive(relay):
    """It runs, and handles signals: one before main() is the system's to handle. It may be killed on the way there."""
    while not (relay.running() and relay.events("relay.started")):
        if relay.running():
            time.sleep(0.02)
            continue
        code = relay.wait(1)
        assert code == -signal.SIGKILL, (code, relay.log_text()[-3000:])
        relay.start()


with e2e.Case() as case:
    relay = case.up()
    base = relay.config
    shop = case.shop(writers=4, rate=85, reconnect=False).start()
    e2e.wait("events", lambda: case.seen(0.1) > 100)
    killer, codes, began = Killer(relay), {0: 0, 6: 0}, time.monotonic()
    for number in range(RELOADS):
        if number >= FEWEST and time.monotonic() - began > ENOUGH_S:
            break
        relay.config = another(case, base, number)
        alive(relay)
        if number % 2 == 0:
            codes[by_command(relay)] += 1
            continue
        relay.write_config()
        for _ in range(dice.randint(1, 3)):
            relay.signal(signal.SIGHUP)
        time.sleep(dice.choice((0, 0.05, 0.3)))
    killer.over.set()
    killer.join()
    alive(relay)
    took = time.monotonic() - began
    relay.config = base
    e2e.wait("it runs", lambda: relay.ready(), 40)
    case.command(relay, "reload", "--yes", says="an epoch is open with it", timeout=90)
    shop.stop()
    case.drain(relay=relay, timeout=120)
    reloaded = len(relay.events("config.reloaded", all=True))
    print("%d reloads in %.0f s: commands %s, %d epochs by a file, %d kills, %d events" % (
        number + 1, took, codes, reloaded, killer.kills, case.truth_count()))
    assert codes[0] >= FEWEST / 4 and killer.kills >= 3, (codes, killer.kills)
    case.stop(relay)
    case.judge()
