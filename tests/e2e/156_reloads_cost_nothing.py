"""SIGHUP again and again: each closes an epoch and opens another, and none of them leaves anything behind
in memory or in descriptors.

Thirty reloads go before: caches of threads and of libraries grow until then. From one reload to the next what is
resident goes up and down by some 400 kB; so the least of the last few counts, and less than that is no growth."""

import os
import signal

import e2e

SLOW = True
BUILDS = ("release",)
SECONDS = 300
WARM, TIMES, LOOKS = 30, 60, 3
MOST_KB = 8  # an epoch that is left behind is more, and so is a file

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
    grown = []
    for _ in range(LOOKS):
        reload(TIMES // 2 // LOOKS)
        grown.append(relay.rss_kb() - size)
    print("%d kB, up to %d reloads later more by %s; %d descriptors, %d after" % (
        size, TIMES, grown, files, open_files()))
    assert min(grown) < MOST_KB * TIMES, "%.1f kB for each reload" % (min(grown) / TIMES)
    e2e.wait("as few descriptors as before", lambda: open_files() <= files, 10)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
