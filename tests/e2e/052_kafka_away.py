"""Kafka is away for 60 s while writers go on: memory stays flat, the replication connection lives
(the server would end it after 5 s of silence), and everything arrives afterwards."""

import time

import e2e
from lab.proxy import KafkaProxy

BUILDS = ("release",)
FIRST = True
AWAY_S = 60

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 90000}}) as case, \
        KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({
        "source": {"connection": case.dsn(options="-c wal_sender_timeout=5s")},
        "kafka": {"bootstrap.servers": proxy.address}})
    shop = case.shop(writers=2, rate=50, rows=(1, 20), pad=200).start()
    e2e.wait("events", lambda: case.seen(0.1) > 100)
    pid = case.slot()["active_pid"]
    proxy.refuse()
    began, sizes = time.monotonic(), []
    while time.monotonic() - began < AWAY_S:
        time.sleep(2)
        sizes.append(relay.rss_kb())
        assert relay.running()
        assert case.slot()["active_pid"] == pid, "the replication connection was lost"
    cpu = relay.cpu_seconds()
    assert max(sizes) < sizes[2] + 24 * 1024, "memory grows: %s" % sizes
    assert max(sizes) < (32 + 16) * 1024, "memory: %s" % sizes
    assert cpu < 0.25 * AWAY_S, "%.1f s of CPU while there was nothing to do" % cpu
    e2e.wait("not ready", lambda: relay.admin("/readyz")[0] == 503)
    proxy.accept()
    seen = case.seen()
    e2e.wait("events again", lambda: case.seen(0.1) > seen, 40)
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
