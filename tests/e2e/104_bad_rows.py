"""Rows that cannot be published: a template's column that the relation lacks; an empty, over-long or
illegal topic name; a topic that is ours. stop: exit 5 and `skip ID`; skip: just that row is missing."""

import e2e

NAMES = ["", "x" * 300, "with space", "slash/ed", "\u00e4", "..", "__consumer_offsets"]


def route(case, topic, on_error):
    return {"routes": [dict(case.config()["routes"][0], topic=topic, on_error=on_error)]}


def illegal(case, on_error):
    relay = case.up(route(case, "{aggregatetype}", on_error))
    case.put(rows=1, type=case.prefix + "a")
    for name in NAMES + [case.progress_topic]:
        case.put(rows=1, type=case.prefix + "a")
        case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
                 " VALUES (%s, 'k', 'bad')", (name,))
        if on_error == "stop":
            code = relay.wait(30)
            assert code == 5, "%r: code %s%s" % (name, code, e2e.lab.process.tail(relay.log))
            assert "topic" in relay.log_text()
            case.mend(relay, relay.log_text())
            case.start(relay)
    case.put(rows=1, type=case.prefix + "a")
    case.sql("UPDATE e2e.truth SET topic = substr(topic, %s) WHERE topic LIKE %s",
             (len(case.prefix) + 1, case.prefix + "%"))
    case.drain(relay=relay)
    if on_error == "skip":
        assert relay.metric("walferry_skipped_total", route="outbox") == len(NAMES) + 1
    case.stop(relay)
    case.judge()


with e2e.Case(label="_skip") as case:
    illegal(case, "skip")
with e2e.Case(label="_stop") as case:
    illegal(case, "stop")

with e2e.Case(label="_column") as case:
    # A column that a start finds missing is refused there; this one goes away while it runs.
    case.sql("ALTER TABLE public.outbox ADD COLUMN no_such_column text NOT NULL DEFAULT 'order'")
    relay = case.relay(route(case, case.prefix + "{no_such_column}", "stop"))
    case.setup(relay)
    relay.start()
    relay.wait_log("epoch.opened")
    case.sql("ALTER TABLE public.outbox DROP COLUMN no_such_column")
    case.put(rows=1)
    assert relay.wait(30) == 5, relay.log_text()
    assert "no_such_column" in relay.log_text() and "public.outbox" in relay.log_text()
    assert case.seen(0.3) == 0
    good = case.start(case.relay())  # the file is mended: nothing was lost
    case.drain(relay=good)
    case.stop(good)
    case.judge()
