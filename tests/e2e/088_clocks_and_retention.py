"""Timestamps two hours ahead and a backlog older than the topic's retention: clamped, counted, with
the true time in a header; the broker refuses nothing and deletes nothing."""

import time

import e2e
import oracle

with e2e.Case(sql="CREATE TABLE public.timed (LIKE public.outbox INCLUDING ALL, at timestamptz)") as case:
    for kind in ("future", "past"):
        case.kafka.create_topic(case.prefix + kind, 1, {
            "retention.ms": 600000, "message.timestamp.type": "CreateTime"})
    case.kafka.create_topic(case.prefix + "eternal", 1, {"retention.ms": -1})
    route = dict(case.config()["routes"][0], name="timed", columns={"timestamp": "at"})
    route["from"] = "public.timed"
    case.more_config = {"routes": [route]}
    relay = case.up()
    ages = {"future": "2 hours", "past": "-3 days", "eternal": "-3 days"}
    for number, (kind, shift) in enumerate(ages.items()):
        case.sql("""
            WITH o AS (INSERT INTO public.timed (aggregatetype, aggregateid, type, payload, at)
                       SELECT %s, 'k', 'T', to_jsonb(i), now() + %s::interval
                       FROM generate_series(1, 5) AS i RETURNING id, payload)
            INSERT INTO e2e.truth SELECT id::text, %s, 'k', payload::int, md5(payload::text)
            FROM o""", (kind, shift, kind))
    case.drain(relay=relay)
    assert relay.metric("walferry_timestamps_clamped_total") == 10
    case.stop(relay)
    now_ms = time.time() * 1000
    for event in case.judge():
        true = oracle.header(event, "walferry-time")
        kind = event.topic[len(case.prefix):]
        if kind == "eternal":
            assert true is None and abs(event.timestamp - now_ms + 3 * 86400e3) < 60000, event
        else:
            assert true is not None, event
            assert now_ms - 600000 < event.timestamp < now_ms + 1000, event
