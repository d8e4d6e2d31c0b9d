"""A small transaction, and behind it one with an event and then three million rows that are not
published: the small one is seen at once, it does not wait for the end of the long one."""

import time

import e2e

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 300000}}) as case:
    relay = case.up()
    case.sql("CREATE TABLE public.bulk (i int, t text)")
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.put(rows=1)
    small = case.truth_count()
    first = case.one("SELECT max(n) + 1 FROM e2e.truth")
    case.sql("BEGIN; SELECT e2e.put('order', 'p', 3, %d, 1, 40);"
             " INSERT INTO public.bulk SELECT i, 'x' FROM generate_series(1, 3000000) AS i; COMMIT"
             % first)
    began = time.monotonic()
    case.start(relay)
    e2e.wait("the small one", lambda: case.seen(0.02) >= small, 60)
    small_s = time.monotonic() - began
    case.drain(120, relay=relay)
    long_s = time.monotonic() - began
    print("the small one after %.1f s, the long one after %.1f s" % (small_s, long_s))
    assert long_s > 2, "the long one was not long"
    assert small_s < long_s / 2, "the small one waited for the long one"
    case.stop(relay)
    case.judge()
