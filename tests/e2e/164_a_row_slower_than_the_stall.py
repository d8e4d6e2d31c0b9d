"""One row that takes longer to arrive than the relay waits for the next change, and longer than the
server waits for a reply: as long as its bytes come, nothing is stalled, and it is never begun anew."""

import json
import re
import time

import e2e
import oracle
from lab.proxy import Proxy

SLOW = True

LINK = (32768, 0.05)  # about 650 kB/s


def slow_row(case, mb, **server):
    case.kafka.create_topic(case.prefix + "order", 1, {"max.message.bytes": 90000000})
    with Proxy(case.pg.port) as postgres:
        relay = case.up({"source": {"connection": case.dsn(port=postgres.port, **server)}})
        case.put(rows=1)
        case.drain(relay=relay)
        postgres.slow_chunk = LINK
        case.sql("WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
                 " SELECT 'order', 'big', 'Put', to_jsonb(repeat('x', %d)) RETURNING id)"
                 " INSERT INTO e2e.truth SELECT id::text, 'order', 'big', 1, NULL FROM o"
                 % (mb * 1000000))
        try:
            case.drain(75, relay=relay)
        finally:
            postgres.slow_chunk = None
        ends = relay.events("epoch.failed")
        assert not [end for end in ends if re.search("reason=(stalled|server_silent)", end)], ends
        case.stop(relay)
        case.judge()


with e2e.Case(label="_server", config={"delivery": {"transaction_timeout_ms": 600000}}) as case:
    slow_row(case, 4, options="-c wal_sender_timeout=3s")
# A quarter of the time-out of 20 s is 5 s, and the row takes 6 s and more.
with e2e.Case(label="_stall", config={"delivery": {"transaction_timeout_ms": 20000}}) as case:
    slow_row(case, 4)

# jq that works on one row for longer than the server waits for a reply, and within its limit: the server is answered
# all the while, so each row is asked about once. The rows are of one transaction, and of one behind it.
with e2e.Case(sql="CREATE TABLE slow (id int PRIMARY KEY, n int NOT NULL)", label="_jq") as case:
    relay = case.up({"source": {"connection": case.dsn(options="-c wal_sender_timeout=2s")},
                     "delivery": {"jq": {"cpu_ms": 30000}},
                     "routes": [{"name": "slow", "from": "public.slow", "as": "event", "topic": case.prefix + "slow",
                                 "key": "{id}", "jq": "{id: .after.id, sum: (reduce range(.after.n) as $n (0; . + $n))}"}]})
    case.sql("INSERT INTO slow VALUES (1, 9000000), (2, 3), (3, 9000000)")
    case.sql("INSERT INTO slow VALUES (4, 9000000)")
    began, longest = time.monotonic(), 0.0
    while len(oracle.read_topics(case.kafka.bootstrap, [case.prefix + "slow"], settle=False)) < 4:
        silent = case.one("SELECT coalesce(max(extract(epoch FROM now() - reply_time)), 0)::float8"
                          " FROM pg_stat_replication")
        longest = max(longest, silent)
        assert time.monotonic() - began < 60, relay.log_text()[-2000:]
        time.sleep(0.3)
    print("four rows in %.1f s, the server was answered every %.1f s" % (time.monotonic() - began, longest))
    assert time.monotonic() - began > 3, "the rows were not slow"
    assert not relay.events("epoch.failed"), relay.events("epoch.failed")
    found = oracle.read_topics(case.kafka.bootstrap, [case.prefix + "slow"])
    sums = sorted((value["id"], value["sum"]) for value in (json.loads(event.value) for event in found))
    large = 9000000 * 8999999 // 2
    assert sums == [(1, large), (2, 3), (3, large), (4, large)], found
    case.stop(relay)
