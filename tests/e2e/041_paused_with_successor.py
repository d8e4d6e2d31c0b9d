"""While it is stopped a second instance takes over; awake again, the first exits with code 4 and has
published nothing meanwhile. C8, the zombie."""

import e2e
from lab.proxy import HOLD, REQUEST, KafkaProxy

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 5000}}) as case, \
        KafkaProxy(case.kafka.bootstrap) as proxy:
    first = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    shop = case.shop(writers=2, rate=30).start()
    e2e.wait("events", lambda: case.seen(0.1) > 20)
    held = proxy.rule("EndTxn", REQUEST, HOLD)  # it sleeps with a commit in its hands
    assert held.hit.wait(20)
    first.pause()
    second = case.start(case.relay())
    e2e.wait("events by the second", lambda: case.seen(0.1) > 100)
    held.release()
    first.resume()
    code = first.wait(30)
    assert code == 4, "the first ended with %s%s" % (code, e2e.lab.process.tail(first.log))
    assert "another instance" in first.log_text()
    shop.stop()
    case.drain(relay=second)
    assert len(second.events("epoch.opened")) == 1, "the zombie fenced its successor"
    case.stop(second)
    case.judge("dump")
