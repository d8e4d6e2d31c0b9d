"""A relay's progress topic may have a name of its own. A row of another relay that leads there is refused by
what the topic is: laid out as walferry lays it out, or, made by hand, holding records with our header. A
route that names such a topic is refused before anything is written."""

import e2e


def leads_to(case, topic, on_error="skip"):
    return {"routes": [dict(case.config()["routes"][0], topic=topic, headers={}, on_error=on_error)]}


def attack(victim, case, more, reason):
    away = victim.up(more)
    victim.put(rows=2)
    victim.drain(relay=away)
    victim.stop(away)
    ledger = more["delivery"]["progress_topic"]
    before = len(e2e.oracle.read_topics(case.kafka.bootstrap, [ledger]))
    assert before > 0
    said = case.command(case.relay(leads_to(case, ledger)), "check", "--connect", code=1, says="relay's progress")
    assert ledger in said, said
    case.refused(case.relay(leads_to(case, ledger)), 2, ledger)
    letters = dict(leads_to(case, "{aggregatetype}", "dead_letter"), dead_letter={"topic": ledger})
    said = case.command(case.relay(letters), "check", "--connect", code=1, says="relay's progress")
    assert "cleanup.policy" not in said, said  # which would have Kafka delete the progress
    case.refused(case.relay(letters), 2, "name another topic as dead_letter.topic")
    relay = case.start(case.relay(leads_to(case, "{aggregatetype}")))
    for topic in (case.prefix + "good", ledger, ledger, case.prefix + "good"):
        case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES (%s, %s, 'x')",
                 (topic, victim.name + "/0"))
    case.wait_confirmed(case.current_lsn())
    assert relay.metric("walferry_skipped_total", route="outbox") == 2
    skipped = relay.events("event.skipped") + relay.events("message.skipped")
    assert len(skipped) == 2 and all(reason in str(line) for line in skipped), skipped
    assert len(e2e.oracle.read_topics(case.kafka.bootstrap, [case.prefix + "good"])) == 2
    assert len(e2e.oracle.read_topics(case.kafka.bootstrap, [ledger])) == before
    case.stop(relay)
    victim.start(away)
    victim.put(rows=2)
    victim.drain(relay=away)
    victim.stop(away)


with e2e.Case(label="_made") as victim, e2e.Case(label="_other") as case:
    case.setup(case.relay())
    attack(victim, case, {"delivery": {"progress_topic": victim.prefix + "ledger"}}, "reserved_topic")

with e2e.Case(label="_by_hand") as victim, e2e.Case(label="_another") as case:
    case.setup(case.relay())
    name = victim.prefix + "ledger"
    case.kafka.create_topic(name, 1, {"cleanup.policy": "compact",
                                      "message.timestamp.type": "LogAppendTime"})
    attack(victim, case, {"delivery": {"progress_topic": name}}, "reserved_topic")
    # A compacted topic with one partition that is nobody's progress takes events.
    state = case.prefix + "state"
    case.kafka.create_topic(state, 1, {"cleanup.policy": "compact"})
    relay = case.start(case.relay(leads_to(case, "{aggregatetype}", "stop")))
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES (%s, 'k', 'x')",
             (state,))
    case.wait_confirmed(case.current_lsn())
    assert len(e2e.oracle.read_topics(case.kafka.bootstrap, [state])) == 1
    case.stop(relay)
