"""The broker is killed (SIGKILL) under load and comes back: nothing lost, twice or split."""

import e2e

KAFKA = "own"
FIRST = True

with e2e.own_kafka() as kafka, e2e.Case(kafka=kafka) as case:
    relay = case.up()
    shop = case.shop(writers=2, rate=40).start()
    for _ in range(2):
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.1) > seen + 30, 60)
        kafka.kill()
        kafka.start()
    seen = case.seen()
    e2e.wait("events after the kills", lambda: case.seen(0.1) > seen + 30, 60)
    shop.stop()
    case.drain(90, relay=relay)
    assert relay.running()
    case.stop(relay)
    case.judge("dump")
