"""SIGTERM while Kafka does not answer: ends within 10 s, once with refused connections and once with
silent ones; nothing is visible twice afterwards."""

import time

import e2e
from lab.proxy import KafkaProxy

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 60000}}) as case, \
        KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    shop = case.shop(writers=2, rate=50).start()
    for down, up in ((proxy.refuse, proxy.accept), (proxy.black_hole, proxy.flow)):
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.1) > seen + 30, 40)
        down()
        time.sleep(0.5)
        began = time.monotonic()
        code = relay.stop(timeout=11)
        took = time.monotonic() - began
        assert took < 10 and code == 0, "code %s after %.1f s" % (code, took)
        up()
        case.start(relay)
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
