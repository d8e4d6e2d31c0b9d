"""SIGHUP again and again: each closes an epoch and opens another, and none of them leaves anything behind
in memory or in descriptors.

Thirty reloads go before: caches of threads and of libraries grow until then."""

import os
import signal

import e2e

SLOW = True
BUILDS = ("release",)
SECONDS = 300
WARM, TIMES = 30, 60

with e2e.Case() as case:
    relay = case.up()
    case.put(rows=1)
    case.drain(relay=relay)

    def reload(times):
        for _ in range(times):
            reloaded = len(relay.events("config.reloaded"))
            relay.signal(signal.SIGHUP)
            e2e.wait("the reload", lambda: len(relay.events("config.reloaded")) > reloaded, 30,
                     interval=0.005)
            e2e.wait("the epoch", lambda: len(relay.events("epoch.opened")) > reloaded + 1, 30,
                     interval=0.005)

    def open_files():
        return len(os.listdir("/proc/%d/fd" % relay.pid))

    reload(WARM)
    size, files = relay.rss_kb(), open_files()
    reload(TIMES // 2)
    half = relay.rss_kb()
    reload(TIMES // 2)
    grown = relay.rss_kb() - size
    print("%d kB, after %d reloads %d more, after %d in all %d more; %d descriptors, %d after" % (
        size, TIMES // 2, half - size, TIMES, grown, files, open_files()))
    assert grown < 3 * TIMES, "%.1f kB for each reload" % (grown / TIMES)
    e2e.wait("as few descriptors as before", lambda: open_files() <= files, 10)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
