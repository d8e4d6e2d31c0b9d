"""SIGHUP again and again: each closes an epoch and opens another, and none of them leaves anything behind
in memory or in descriptors.

The allocator is told to use one arena. By default it has eight for each processor, and which thread gets
which is a matter of luck, so that each in turn grows to the most that any part of an open needs: some MB in
hundreds of reloads (18.6, 20.7, 20.8 MB after 40, 340, 640; another time 19.1, 20.4, 23.2), while not a
byte more is allocated. With one arena it was 0.7 kB a reload over 450 of them."""

import os
import signal

import e2e

BUILDS = ("release",)
SECONDS = 300
WARM, TIMES = 30, 120

with e2e.Case() as case:
    relay = case.up(env={"MALLOC_ARENA_MAX": "1"})
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
