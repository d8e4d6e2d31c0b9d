"""Kafka falls silent while there is nothing to publish: the relay does not go on calling itself ready
for ever, and is ready again once Kafka answers."""

import time

import e2e
from lab.proxy import KafkaProxy

with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres) as case, \
        KafkaProxy(case.kafka.bootstrap) as kafka:
    relay = case.up({"kafka": {"bootstrap.servers": kafka.address}})
    case.put(rows=1)
    case.drain(relay=relay)
    relay.wait_ready()
    kafka.black_hole()
    began = time.monotonic()
    e2e.wait("not ready", lambda: not relay.ready(), 60)
    print("not ready after %.0f s" % (time.monotonic() - began))
    kafka.cut()
    kafka.flow()
    relay.wait_ready(60)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
