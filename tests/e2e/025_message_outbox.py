"""The outbox without a table: transactional logical messages become events, rolled back ones never."""

import e2e


def route(case):
    return {"name": "messages", "from": "message:outbox", "as": "outbox",
            "topic": case.prefix + "{aggregatetype}",
            "headers": {"id": "{id}", "eventType": "{type}"}}


with e2e.Case() as case:
    case.more_config = {"routes": [route(case)] + case.config()["routes"]}
    relay = case.up()
    case.shop(writers=2, mode="say", rollback=0.3, savepoint=0.3).run(20)
    case.shop(writers=1).run(10)
    case.sql("SELECT pg_logical_emit_message(true, 'somebody else', 'not ours')")
    count = case.drain(relay=relay)
    assert relay.metric("walferry_events_total", route="messages") > 0
    said = [event for event in case.tail.events if e2e.oracle.header(event, "eventType") == "Said"]
    assert said and b'"n": ' in said[0].value, said[:1]
    case.stop(relay)
    case.judge()
    assert count == len(case.tail.events)
