"""One row that takes longer to arrive than the relay waits for the next change, and longer than the
server waits for a reply: as long as its bytes come, nothing is stalled, and it is never begun anew."""

import re

import e2e
from lab.proxy import Proxy

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
