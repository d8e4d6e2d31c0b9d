"""A row names another relay's progress topic and holds a record like that relay's own, one generation
on and at the end of the WAL. It is refused where it is routed; the other relay finds its own progress, and
what was written while it was away comes."""

import json

import e2e
import oracle

with e2e.Case(label="_victim") as victim, e2e.Case(label="_other") as case:
    away = victim.up()
    victim.put(rows=2)
    victim.drain(relay=away)
    victim.stop(away)
    record = dict(victim.progress()[-1])
    victim.put(rows=5)
    record.update(generation=record["generation"] + 1,
                  position=oracle.lsn_text(victim.current_lsn()))
    before = len(victim.progress())
    relay = case.up({"routes": [dict(case.config()["routes"][0], topic="{aggregatetype}",
                                     headers={}, on_error="skip")]})
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
             " VALUES (%s, %s, 'x', %s)",
             (victim.progress_topic, victim.name + "/0", json.dumps(record)))
    case.wait_confirmed(case.current_lsn())
    assert relay.metric("walferry_skipped_total", route="outbox") == 1
    assert len(victim.progress()) == before
    victim.start(away)
    victim.drain(relay=away)
    victim.stop(away)
    victim.judge()
    case.stop(relay)
