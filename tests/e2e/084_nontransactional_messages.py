"""Non-transactional logical messages, which come even from rolled back transactions, are counted and
warned of once, never published, and disturb no position, before and after a restart."""

import json

import e2e

with e2e.Case() as case:
    route = dict(case.config()["routes"][0], name="messages")
    route["from"] = "message:outbox"
    case.more_config = {"routes": [route] + case.config()["routes"]}
    relay = case.up()
    content = json.dumps({"id": "x", "aggregatetype": "order", "aggregateid": "k", "type": "t",
                          "payload": {}})

    def emit(count):
        for number in range(count):
            case.sql("SELECT pg_logical_emit_message(false, 'outbox', %s)", (content,))
            case.put(rows=2)
            session = case.pg.connect(case.db, autocommit=False)
            session.cursor().execute(
                "SELECT pg_logical_emit_message(false, 'outbox', %s);"
                " SELECT e2e.put('order', 'p', 3, 1, 2, 3)", (content,))
            session.rollback()
            session.close()

    emit(5)
    case.drain(relay=relay)
    case.sql("SELECT pg_logical_emit_message(false, 'outbox', %s)", (content,))
    e2e.wait("all are counted", lambda: relay.metric(
        "walferry_changes_ignored_total", reason="non_transactional_message") == 11)
    case.wait_confirmed(case.current_lsn(), 10)
    assert len(relay.events("message.non_transactional")) == 1
    relay.kill()
    emit(3)
    case.start(relay)
    emit(3)
    case.drain(relay=relay)
    relay.kill()
    case.start(relay)
    case.put()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
