"""The outbox is idle while the database is busy: the slot keeps up, and no event comes of it."""

import e2e

with e2e.Case(config={"delivery": {"idle_progress": {"bytes": "64KB", "interval_ms": 500}}}) as case:
    relay = case.up()
    case.put(rows=1)
    case.drain(relay=relay)
    case.sql("CREATE TABLE public.busy (t text)")
    for _ in range(4):
        case.sql("INSERT INTO public.busy SELECT repeat('x', 500) FROM generate_series(1, 4000)")
        case.wait_confirmed(case.current_lsn(), 10)
    assert relay.metric("walferry_transactions_total", kind="idle") > 0
    assert relay.metric("walferry_events_total") == 1
    records = len(case.progress())
    assert records < 60, "%d progress records for nothing" % records
    case.stop(relay)
    case.judge()
