"""SIGTERM under load: ends with 0 within 10 s; what it has committed is confirmed, so that the next
start has nothing to replay; nothing is seen twice."""

import time

import e2e

BUILDS = ("asan", "release", "tsan")

with e2e.Case() as case:
    relay = case.up()
    shop = case.shop(writers=3, rate=60).start()
    for _ in range(3):
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.1) > seen + 50, 40)
        began = time.monotonic()
        case.stop(relay, timeout=10)
        print("stopped after %.2f s" % (time.monotonic() - began))
        assert case.confirmed_lsn() == case.position(), (case.confirmed_lsn(), case.position())
        case.start(relay)
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
