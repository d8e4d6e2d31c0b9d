"""Transactions of 1, 10 and 200,000 rows arrive whole: no control record inside, no split."""

import e2e
import oracle

FIRST = True
SECONDS = 240

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 120000}}) as case:
    relay = case.up()
    case.put(rows=1, transactions=5)
    case.put(rows=10, transactions=5)
    case.put(rows=200000, keys=50)
    case.put(rows=10)
    case.put(rows=1)
    case.drain(150, relay=relay)
    assert relay.metric("walferry_transactions_total", kind="split") == 0
    case.stop(relay)
    for event in case.judge("dump"):
        assert oracle.header(event, "walferry-part") is None
