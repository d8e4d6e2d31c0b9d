"""Stopped (SIGSTOP) for longer than the transaction time-out, in the middle of a commit: the broker
has rolled the transaction back, which looks like fencing. The relay opens again and does not exit."""

import time

import e2e
from lab.proxy import HOLD, REQUEST, KafkaProxy

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 3000}}) as case, \
        KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    shop = case.shop(writers=2, rate=30).start()
    e2e.wait("events", lambda: case.seen(0.1) > 20)
    held = proxy.rule("EndTxn", REQUEST, HOLD)
    assert held.hit.wait(20)
    relay.pause()
    time.sleep(6)  # the broker looks for timed-out transactions once a second
    relay.resume()
    held.release()
    relay.wait_log("epoch.opened", 40, count=2)
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
