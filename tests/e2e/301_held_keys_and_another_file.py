"""While keys are held, a file under which later events of theirs would come before their letters is refused, by a
reload, by a start, and by a start that is held: one without their route, which may have another name now, and one
that holds no keys. With the letters sent again, or dropped, it is taken, and the order was never another."""

import json
import time

import e2e
import oracle

SLOW = True
TABLES = "CREATE TABLE orders (id bigserial PRIMARY KEY, k text NOT NULL, n int NOT NULL, total text NOT NULL)"
NO_ROUTE = "2 keys of route orders are held for dead letters, and the file has no such route"
NONE = "2 keys of route orders are held for dead letters, and with this file no key is held"


def config(case, mended=False, name="orders", on_error="dead_letter", quarantine="key"):
    number = "(.after.total | tonumber? // 0)" if mended else "(.after.total | tonumber)"
    return {"dead_letter": {"quarantine": quarantine}, "routes": [
        {"name": name, "from": "public.orders", "as": "event", "type": "Order", "key": "{k}",
         "topic": case.prefix + "orders", "on_error": on_error,
         "jq": "{k: .after.k, n: .after.n, total: %s}" % number}]}


def insert(case, rows):
    case.sql("INSERT INTO orders (k, n, total) VALUES " + ", ".join("('%s', %d, '%s')" % row for row in rows))


def events(case):
    found = {}
    for one in oracle.read_topics(case.kafka.bootstrap, [case.prefix + "orders"]):
        value = json.loads(one.value)
        found.setdefault(value["k"], []).append(value["n"])
    return found


def claims(case):
    return case.progress()[-1]["generation"]


def reload(case, relay, more, code=0, says=()):
    old, opened = relay.config, len(relay.events("epoch.opened"))
    relay.config = e2e.merge(old, more)
    case.command(relay, "reload", "--yes", code=code, says=says)
    if code:
        relay.config = old
        e2e.wait("the old file", lambda: len(relay.events("epoch.opened")) > opened, 20)
        assert relay.metric("walferry_keys_held") == 2


def start(case, relay, more, says):
    old = relay.config
    relay.config = e2e.merge(old, more)
    text = case.refused(relay, 2, says)
    relay.config = old
    return text


def held(case, relay, more, says):
    """It does not take over again and again, and goes on as soon as the file is another one."""
    old = relay.config
    relay.config = e2e.merge(old, more)
    relay.start("--hold-on-refusal")
    line = relay.wait_log("relay.held")
    assert says in line and "reason=keys_still_held" in line, line
    before = claims(case)
    time.sleep(12)
    assert claims(case) == before, "%d claims for nothing" % (claims(case) - before)
    assert len(relay.events("relay.held")) == 1
    relay.write_config(old)
    relay.wait_log("epoch.opened")
    e2e.wait("the keys", lambda: relay.metric("walferry_keys_held") == 2)


with e2e.Case(sql=TABLES) as case:
    case.apply("005_command.sql")
    relay = case.up(config(case))
    insert(case, [("a", 0, "1"), ("a", 1, "many"), ("a", 2, "3"), ("b", 0, "few"), ("c", 0, "1")])
    e2e.wait("keys are held", lambda: relay.metric("walferry_keys_held") == 2)
    others = ((config(case, name="renamed"), NO_ROUTE), (config(case, mended=True, name="renamed"), NO_ROUTE),
              (config(case, quarantine="none"), NONE), (config(case, on_error="stop"), NONE))
    for more, says in others:
        reload(case, relay, more, 1, ("has not taken the file over: .*" + says, "dead-letter retry --all --route orders"))
    # What holds keys all the same may change.
    reload(case, relay, {"dead_letter": {"keys_max": 7}})
    insert(case, [("a", 3, "4"), ("c", 1, "1")])
    case.wait_confirmed(case.current_lsn())
    assert events(case) == {"a": [0], "c": [0, 1]}, events(case)

    case.stop(relay)
    for more, says in others:
        start(case, relay, more, says)
    held(case, relay, others[0][0], NO_ROUTE)
    case.stop(relay)
    held(case, relay, others[2][0], NONE)
    insert(case, [("b", 1, "7")])
    case.wait_confirmed(case.current_lsn())

    # The letters go, each in its order, and then the file is taken.
    reload(case, relay, config(case, mended=True))
    case.command(relay, "dead-letter", "retry", "--all", "--route", "orders", says="keys let go of: 2", timeout=90)
    reload(case, relay, config(case, mended=True, name="renamed"))
    reload(case, relay, config(case, mended=True, name="renamed", quarantine="none"))
    insert(case, [("a", 4, "many"), ("b", 2, "many"), ("c", 2, "many")])
    case.wait_confirmed(case.current_lsn())
    assert events(case) == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2], "c": [0, 1, 2]}, events(case)
    case.stop(relay)
    case.start(relay)
    case.stop(relay)
