"""A route lets its rows choose the topic, and delivery.topics.allow says which they may. A row that names
another is not published and makes no topic; a route that can make no topic of the list is refused by `check`,
with file and line, before anything is asked of a server."""

import e2e
import oracle


def fenced(case, topic, on_error="skip"):
    return {"delivery": {"topics": {"allow": [case.prefix + "event.*", case.prefix + "audit-?"]}},
            "routes": [dict(case.config()["routes"][0], topic=topic, on_error=on_error)]}


def insert(case, topic):
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES (%s, 'k', 'x')",
             (topic,))


with e2e.Case() as case:
    for topic in ("elsewhere", case.prefix + "audit-10", case.prefix + "eve.{type}"):
        wrong = case.relay(fenced(case, topic))
        said = case.command(wrong, "check", code=2, says="delivery.topics.allow")
        assert ".yaml:" in said and "routes[0].topic" in said, said
    relay = case.up(fenced(case, "{aggregatetype}"))
    good = [case.prefix + "event.a", case.prefix + "event.b", case.prefix + "audit-1"]
    bad = [case.prefix + "secret", "x" + case.prefix + "event.a", case.prefix + "audit-10"]
    for topic in good + bad + good:
        insert(case, topic)
    case.wait_confirmed(case.current_lsn())
    assert relay.metric("walferry_skipped_total", route="outbox") == len(bad)
    skipped = relay.events("event.skipped")
    assert len(skipped) == len(bad), skipped
    for topic in good:
        assert len(oracle.read_topics(case.kafka.bootstrap, [topic])) == 2, topic
    for topic in bad:
        assert not case.kafka.topic_exists(topic), topic
    case.stop(relay)
    strict = case.start(case.relay(fenced(case, "{aggregatetype}", "stop")))
    insert(case, bad[0])
    assert strict.wait(30) == 5, strict.log_text()
    assert "topic %s matches none of delivery.topics.allow" % bad[0] in strict.log_text()
    case.mend(strict, strict.log_text())
    case.start(strict)
    case.stop(strict)
