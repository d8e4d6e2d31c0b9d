"""A broker that hangs up, without a word, on a request with one record that is larger than its
socket.request.max.bytes: the record is found, named, and its route's on_error decides; what is
around it goes out. It must not be tried for ever."""

import e2e

KAFKA = "own"

LARGE = """WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'order', 'big', 'Put', to_jsonb(repeat('x', 3000000)) RETURNING id)
    SELECT id::text FROM o"""
CONF = {"socket.request.max.bytes": 2000000, "message.max.bytes": 8000000}

with e2e.own_kafka(conf=CONF) as kafka, e2e.Case(kafka=kafka) as case:
    relay = case.up({"routes": [dict(case.config()["routes"][0], on_error="stop")]})
    case.put(rows=2)
    case.drain(relay=relay)
    case.one(LARGE)
    case.put(rows=2)
    assert relay.wait(120) == 5, relay.log_text()[-3000:]
    text = relay.log_text()
    print("%d epochs failed: %s" % (len(relay.events("epoch.failed")), text[-600:]))
    assert "refuses this record" in text or "record_refused" in text, text[-3000:]
    case.mend(relay, text)
    case.start(relay)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
