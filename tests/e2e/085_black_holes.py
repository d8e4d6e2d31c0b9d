"""A server that falls silent with its sockets open is noticed: PostgreSQL within wal_sender_timeout,
Kafka within the transaction time-out; afterwards everything arrives."""

import time

import e2e
from lab.proxy import KafkaProxy, Proxy

WAL_SENDER_TIMEOUT_S, TRANSACTION_TIMEOUT_S = 3, 6

with e2e.Case(config={"delivery": {"transaction_timeout_ms": TRANSACTION_TIMEOUT_S * 1000}}) as case, \
        Proxy(case.pg.port) as postgres, KafkaProxy(case.kafka.bootstrap) as kafka:
    relay = case.up({
        "source": {"connection": case.dsn(
            port=postgres.port, options="-c wal_sender_timeout=%ds" % WAL_SENDER_TIMEOUT_S)},
        "kafka": {"bootstrap.servers": kafka.address}})
    shop = case.shop(writers=2, rate=30).start()
    for proxies, seconds in (((postgres,), WAL_SENDER_TIMEOUT_S), ((kafka,), TRANSACTION_TIMEOUT_S),
                             ((postgres, kafka), TRANSACTION_TIMEOUT_S)):
        seen, failed = case.seen(), len(relay.events("epoch.closed"))
        e2e.wait("events", lambda: case.seen(0.1) > seen + 20, 60)
        for proxy in proxies:
            proxy.black_hole()
        began = time.monotonic()
        e2e.wait("the silence is noticed", lambda: len(relay.events("epoch.closed")) > failed,
                 seconds + 8)
        took = time.monotonic() - began
        print("noticed after %.1f s" % took)
        assert took < seconds + 3, "noticed after %.1f s" % took
        for proxy in proxies:
            proxy.cut()
            proxy.flow()
    seen = case.seen()
    e2e.wait("events at the end", lambda: case.seen(0.1) > seen + 20, 60)
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
