"""The same with Kafka away: nothing can be confirmed, so the relay lets go of the connection; the
server stops within 10 s, without a hot loop of keepalives, and nothing is lost."""

import time

import e2e
from lab.proxy import KafkaProxy, Proxy

with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres) as case, \
        Proxy(postgres.port) as proxy, KafkaProxy(case.kafka.bootstrap) as kafka:
    relay = case.up({"source": {"connection": case.dsn(port=proxy.port)},
                     "delivery": {"transaction_timeout_ms": 60000},
                     "kafka": {"bootstrap.servers": kafka.address}})
    case.put(rows=5)
    case.drain(relay=relay)
    kafka.refuse()
    case.put(rows=20, transactions=5)
    time.sleep(0.5)
    before, began, cpu = proxy.bytes_up, time.monotonic(), relay.cpu_seconds()
    postgres.stop("fast", timeout=10)
    sent, took = proxy.bytes_up - before, time.monotonic() - began
    print("stopped after %.1f s, %d bytes sent" % (took, sent))
    assert sent < 100000, "%d bytes of answers" % sent
    assert relay.cpu_seconds() - cpu < 0.5 * took + 1, "a hot loop"
    postgres.start()
    kafka.accept()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
