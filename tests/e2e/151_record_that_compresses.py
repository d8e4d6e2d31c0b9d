"""A row of 90 MB that compression would bring below every limit of the broker, and that librdkafka's
queue never takes under this memory limit: its route's on_error decides within a minute. It must not be
tried for ever, with everything behind it waiting."""

import e2e

LARGE = """WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'order', 'big', 'Put', to_jsonb(repeat('x', 90000000)) RETURNING id)
    SELECT id::text FROM o"""

with e2e.Case(config={"delivery": {"memory_limit": "8MB"},
                      "kafka": {"compression.type": "lz4"}}) as case:
    relay = case.up({"routes": [dict(case.config()["routes"][0], on_error="stop")]})
    case.put(rows=1)
    case.drain(relay=relay)
    case.one(LARGE)
    case.put(rows=2)
    assert relay.wait(120) == 5, relay.log_text()[-3000:]
    assert "order" in relay.log_text()
    case.mend(relay, relay.log_text())
    case.start(relay)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
