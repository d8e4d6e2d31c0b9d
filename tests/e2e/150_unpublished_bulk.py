"""A few events and then a million rows of a table that is not published, in one transaction. The server
has nothing to send for longer than a quarter of the transaction's time-out while it decodes them. Where
nothing of it is in Kafka yet that is waited for; where a batch is, the epoch may end for it once, and the
next one commits what it has."""

import re
import time

import e2e

TIMEOUT_MS = 4000


def bulk_behind(case, delivery, events, stalls):
    relay = case.up()
    case.sql("CREATE TABLE public.bulk (i int, t text)")
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)
    first = case.one("SELECT max(n) + 1 FROM e2e.truth")
    case.sql("BEGIN; SELECT e2e.put('order', 'p', 3, %d, %d, 40);"
             "INSERT INTO public.bulk SELECT i, 'x' FROM generate_series(1, 1000000) AS i; COMMIT"
             % (first, events))
    case.put(rows=4)
    relay = case.relay({"delivery": dict(delivery, transaction_timeout_ms=TIMEOUT_MS)})
    began = time.monotonic()
    case.start(relay)
    case.drain(90, relay=relay)
    took = time.monotonic() - began
    failed = [re.search(r"reason=(\w+)", line).group(1) for line in relay.events("epoch.failed")]
    print("drained after %.1f s, failed: %s" % (took, failed))
    assert took > TIMEOUT_MS / 4000, "the server was not silent for long enough to try anything"
    assert "server_silent" not in failed and failed.count("stalled") <= stalls, relay.log_text()
    assert len(failed) <= 5, relay.log_text()
    case.stop(relay)
    case.judge()
    case.sql("DROP TABLE public.bulk")


with e2e.Case(label="_open") as case:
    bulk_behind(case, {}, 1, 0)
with e2e.Case(label="_part") as case:
    bulk_behind(case, {"batch_events": 20}, 50, 1)
