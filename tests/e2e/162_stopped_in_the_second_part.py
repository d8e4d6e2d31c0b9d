"""A row that cannot be published stands in the second part of a split transaction: the relay stops with
5, the printed skip is run, and the rest of the transaction comes, each event once and in order."""

import e2e
from lab.proxy import Proxy

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 2000, "batch_events": 500}}) as case, \
        Proxy(case.pg.port) as postgres:
    relay = case.up({"source": {"connection": case.dsn(port=postgres.port)},
                     "routes": [dict(case.config()["routes"][0], on_error="stop")]})
    case.put(rows=1)
    case.drain(relay=relay)
    first = case.one("SELECT max(n) + 1 FROM e2e.truth")
    postgres.slow_chunk = (60000, 0.05)
    case.sql("BEGIN; SELECT e2e.put('order', 'p', 3, %d, 15000, 200);"
             " INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " VALUES ('bad name', 'k', 'x');"
             " SELECT e2e.put('order', 'p', 3, %d, 1000, 200); COMMIT" % (first, first + 15000))
    assert relay.wait(90) == 5, relay.log_text()[-3000:]
    assert relay.events("transaction.split"), "it was not split"
    assert case.progress()[-1]["partial"]["done"] > 0
    postgres.slow_chunk = None
    case.mend(relay, relay.log_text())
    case.start(relay)
    case.drain(90, relay=relay)
    case.stop(relay)
    case.judge()
