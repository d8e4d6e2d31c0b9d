"""A transaction of 400 rows for 400 topics that are not there, which the relay may not create. Looking
for each takes its time; the route skips them, and it must come to an end, each skipped once and said."""

import re

import e2e
import flows

ROWS = 400

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 5000}}) as case:
    relay = flows.up_without_creating(case)
    first = case.one("SELECT max(n) + 1 FROM e2e.truth")
    case.sql("BEGIN; SELECT e2e.put('order', 'p', 3, %d, 1, 40);"
             " INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " SELECT 'miss' || i, 'k', 'x' FROM generate_series(1, %d) AS i; COMMIT" % (first, ROWS))
    case.put(rows=1)
    case.drain(90, relay=relay)
    skipped = [re.search(r" id=(\S+)", line).group(1) for line in relay.events("message.skipped")]
    print("%d lines for %d rows, %d epochs failed" % (
        len(skipped), len(set(skipped)), len(relay.events("epoch.failed"))))
    assert len(set(skipped)) == ROWS, len(set(skipped))
    assert len(relay.events("epoch.failed")) <= 5, relay.log_text()[-3000:]
    case.stop(relay)
    case.judge()
