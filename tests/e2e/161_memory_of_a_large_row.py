"""A row of 40 MB through a relay with 16 MB: it comes, at the cost of a few copies of that row, and the
memory is given back."""

import time

import e2e

BUILDS = ("release",)
MB = 40

with e2e.Case(config={"delivery": {"memory_limit": "16MB"}}) as case:
    case.kafka.create_topic(case.prefix + "order", 1, {"max.message.bytes": 90000000})
    relay = case.up()
    case.put(rows=1)
    case.drain(relay=relay)
    idle = relay.rss_kb()
    case.sql("WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
             " SELECT 'order', 'big', 'Put', to_jsonb(repeat('x', %d)) RETURNING id)"
             " INSERT INTO e2e.truth SELECT id::text, 'order', 'big', 1, NULL FROM o"
             % (MB * 1000000))
    lsn, peak, end = case.current_lsn(), 0, time.monotonic() + 60
    while case.confirmed_lsn() < lsn:
        assert relay.running(), relay.log_text()[-3000:]
        assert time.monotonic() < end, "not done%s" % e2e.lab.process.tail(relay.log)
        peak = max(peak, relay.rss_kb())
        time.sleep(0.005)
    case.put(rows=2)
    case.drain(relay=relay)
    after = relay.rss_kb()
    print("idle %d MB, at most %d MB, after it %d MB" % (idle >> 10, peak >> 10, after >> 10))
    assert peak < idle + 5 * MB * 1024, "%d kB, idle %d kB" % (peak, idle)
    assert after < idle + (MB + 16) * 1024, "%d kB, idle %d kB" % (after, idle)
    case.stop(relay)
    case.judge()
