"""PostgreSQL stops at once (no checkpoint, as a crash) three times under load, and the slot it comes
back with may be older than what was confirmed (C6): nothing lost, nothing twice."""

import e2e

with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres) as case:
    relay = case.up()
    shop = case.shop(writers=3, rate=50, reconnect=True).start()
    for _ in range(3):
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.1) > seen + 30)
        postgres.stop("immediate")
        postgres.start()
    seen = case.seen()
    e2e.wait("events after the crashes", lambda: case.seen(0.1) > seen + 30, 40)
    shop.stop()
    case.drain(relay=relay)

    # C6 to the letter: confirmed, then relay and server die before the slot is saved.
    relay.kill()
    relay.start(env={"WALFERRY_CRASH_AT": "C6:1"})
    relay.wait_log("epoch.opened")
    case.put(rows=3)
    relay.wait(20)
    postgres.stop("immediate")
    postgres.start()
    case.start(relay)
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
