"""While Kafka has not committed, nothing is confirmed to PostgreSQL (I1): looked at on the wire, with
a commit held back and the server asking for replies all the time."""

import time

import e2e
from lab.proxy import HOLD, REQUEST, KafkaProxy, PostgresProxy

with e2e.Case() as case, PostgresProxy(case.pg.port) as postgres, \
        KafkaProxy(case.kafka.bootstrap) as kafka:
    relay = case.up({
        "source": {"connection": case.dsn(port=postgres.port,
                                          options="-c wal_sender_timeout=1s")},
        "kafka": {"bootstrap.servers": kafka.address}})
    case.put(rows=3)
    case.drain(relay=relay)
    held = kafka.rule("EndTxn", REQUEST, HOLD)
    case.put(rows=3)
    assert held.hit.wait(20)
    position, since = case.position(), time.monotonic()
    for _ in range(20):
        case.put(rows=2)
        time.sleep(0.15)
        assert case.confirmed_lsn() <= position
    told = [lsn for at, lsn in postgres.statuses if at > since]
    assert len(told) >= 3, "only %d statuses in 3 s" % len(told)
    assert max(told) <= position, "%d was confirmed, %d is committed" % (max(told), position)
    assert case.seen(0.2) == 3
    held.release()
    end = case.current_lsn()
    case.drain(relay=relay)
    case.put()
    case.drain(relay=relay)
    case.wait_confirmed(end)
    flushed = [lsn for _, lsn in postgres.statuses]
    assert flushed == sorted(flushed), "a confirmation went back"
    case.stop(relay)
    case.judge()
