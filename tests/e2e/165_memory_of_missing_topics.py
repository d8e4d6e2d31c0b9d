"""Thousands of topics that are not there, each named by one row: what the relay keeps of a name that it
has looked for does not grow without end."""

import e2e
import flows

BUILDS = ("release",)
SECONDS = 240
ROWS = 20000

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 600000}}) as case:
    relay = flows.up_without_creating(case)
    before = relay.rss_kb()
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " SELECT 'miss' || i || repeat('x', 150), 'k', 'x' FROM generate_series(1, %d) AS i"
             % ROWS)
    case.wait_confirmed(case.current_lsn(), 180)
    after = relay.rss_kb()
    print("%d names: %d kB before, %d kB after" % (ROWS, before, after))
    assert relay.metric("walferry_skipped_total", route="outbox") == ROWS
    assert after < before + 16 * 1024, "%d kB, before %d kB" % (after, before)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
