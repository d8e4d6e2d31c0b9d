"""The relay's own clock is two hours ahead: the broker, which refuses what is more than one hour in
its future, refuses nothing, because the broker's clock is what counts."""

import time

import e2e

BUILDS = ("release",)

with e2e.Case(sql="CREATE TABLE public.timed (LIKE public.outbox INCLUDING ALL, at timestamptz)") as case:
    route = dict(case.config()["routes"][0], name="timed", columns={"timestamp": "at"})
    route["from"] = "public.timed"
    case.more_config = {"routes": case.config()["routes"] + [route]}
    relay = case.relay(env={"LD_PRELOAD": e2e.preload("clock_ahead"), "CLOCK_AHEAD_S": "7200"})
    case.setup(relay)
    case.start(relay)
    case.put(rows=10)
    case.sql("""WITH o AS (INSERT INTO public.timed (aggregatetype, aggregateid, type, at)
                           VALUES ('late', 'k', 'T', now() + interval '2 hours') RETURNING id)
                INSERT INTO e2e.truth SELECT id::text, 'late', 'k', 1, 'null' FROM o""")
    case.drain(relay=relay)
    ahead = time.strftime("time=%Y-%m-%dT%H:", time.gmtime(time.time() + 7200 - 60))
    assert ahead[:-1] in relay.log_text() or ahead[:-4] in relay.log_text(), "its clock is right"
    assert not relay.events("epoch.failed"), relay.log_text()
    case.stop(relay)
    for event in case.judge():
        assert event.timestamp < time.time() * 1000 + 1000, event
