"""`check --sample` prints what the routes make of changes in a file, and it is what a running relay makes
of the same changes; it asks nobody; a file that is not what it should be is refused by change and name."""

import json
import os

import e2e

KEYED = "public.keyed"


def routes(prefix):
    return [
        {"name": "outbox", "from": "public.outbox", "topic": prefix + "{aggregatetype}",
         "headers": {"id": "{id}", "eventType": "{type}"}},
        {"name": "keyed", "from": KEYED, "as": "change", "format": "debezium", "topic": prefix + "keyed",
         "continue": True},
        {"name": "placed", "from": KEYED, "as": "event", "topic": prefix + "placed", "key": "{id}",
         "when": {"op": ["update"], "jq": '.after.note == "placed"'}, "type": "Placed",
         "value": {"id": "{id}", "total": "{total}"}}]


TYPES = {"id": "int4", "total": "numeric", "note": "text"}
# What is done, and the same as a sample.
CHANGES = [
    ("INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload) VALUES"
     """ ('5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f', 'order', 'k', 'T', '{"a": [1, null]}')""",
     {"op": "insert", "table": "outbox", "types": {"id": "uuid", "payload": "jsonb"},
      "after": {"id": "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f", "aggregatetype": "order", "aggregateid": "k",
                "type": "T", "payload": '{"a": [1, null]}'}}),
    ("INSERT INTO public.keyed VALUES (1, 12.50, 'new')",
     {"op": "insert", "table": "keyed", "key": ["id"], "types": TYPES,
      "after": {"id": 1, "total": "12.50", "note": "new"}}),
    ("UPDATE public.keyed SET note = 'placed'",
     {"op": "update", "schema": "public", "table": "keyed", "key": ["id"], "types": TYPES,
      "after": {"id": 1, "total": "12.50", "note": "placed"}}),
    ("UPDATE public.keyed SET id = 2, note = NULL",
     {"op": "update", "table": "keyed", "types": TYPES, "before": {"id": 1},
      "after": {"id": 2, "total": "12.50", "note": None}}),
    ("DELETE FROM public.keyed",
     {"op": "delete", "table": "keyed", "types": TYPES, "before": {"id": 2}}),
]


def sample(case, relay, changes, *more):
    path = os.path.join(case.dir, "changes.json")
    with open(path, "w") as file:
        file.write(changes if isinstance(changes, str) else json.dumps(changes))
    return relay.run("check", "--sample", path, *more)


def value(text):
    """Without what only a server knows: times and places."""
    found = json.loads(text)
    if isinstance(found, dict) and "source" in found:
        for name in ("ts_ms", "ts_us", "ts_ns"):
            found.pop(name)
        found["source"] = {name: found["source"][name] for name in ("connector", "schema", "table")}
    return found


def seen(topic, key, headers, text):
    return (topic, key, [pair for pair in headers if pair[0] != "walferry-id"], str(value(text)))


def same_as_live(case):
    relay = case.up({"routes": routes(case.prefix)})
    for sql, _ in CHANGES:
        case.sql(sql)
    e2e.wait("nine events", lambda: case.seen(0.1) and len(case.tail.events) >= 9)
    case.stop(relay)
    live = sorted(seen(event.topic, event.key.decode(),
                       [(name, text and text.decode()) for name, text in event.headers],
                       event.value.decode())
                  for event in case.tail.events if event.value is not None)
    code, out, err = sample(case, relay, [change for _, change in CHANGES], "--json")
    assert code == 0, (code, err)
    answer = json.loads(out)
    assert answer["failed"] == 0 and len(answer["changes"]) == len(CHANGES), answer
    events = [event for change in answer["changes"] for event in change["events"]]
    said = sorted(seen(event["topic"], event["key"],
                       [(header["name"], header["value"]) for header in event["headers"]],
                       event["value"])
                  for event in events if event["value"] is not None)
    assert said == live, "\n".join(["said"] + [str(one) for one in said] +
                                   ["live"] + [str(one) for one in live])
    tombstones = sum(event.value is None for event in case.tail.events)
    assert tombstones == 2 == sum(event["value"] is None for event in events)
    assert [event["route"] for event in answer["changes"][2]["events"]] == ["keyed", "placed"]


WRONG = [
    ("[1", "line 1"), ("{}", "an array of"), ("[1]", "change 1: it is no object"),
    ('[{"op": "upsert"}]', "change 1: op is insert, update"),
    ('[{"op": "insert", "tabel": "x"}]', "change 1: tabel is none of"),
    ('[{"op": "insert", "after": {}}]', "change 1: table is missing"),
    ('[{"op": "insert", "table": "x"}]', "change 1: after is missing"),
    ('[{"op": "insert", "table": "x", "after": [1]}]', "change 1: after is no object"),
    ('[{"op": "delete", "table": "x"}]', "change 1: before is missing"),
    ('[{"op": "message", "prefix": "x"}]', "change 1: content is missing"),
    ('[{"op": "insert", "table": "x", "types": {"a": "int99"}, "after": {"a": 1}}]',
     "change 1: types.a: PostgreSQL itself has no type int99"),
    ('[{"op": "insert", "table": "x", "key": ["b"], "after": {"a": 1}}]',
     "change 1: key names what is no column")]


def words(case):
    relay = case.relay({"routes": routes(case.prefix),
                        "source": {"connection": "host=127.0.0.1 port=1 dbname=none"},
                        "kafka": {"bootstrap.servers": "127.0.0.1:1"}})
    code, out, _ = sample(case, relay, [
        {"op": "insert", "table": "outbox", "after": {"id": "1", "aggregatetype": "a b", "aggregateid": "k",
                                                      "type": "T", "payload": None}},
        {"op": "delete", "table": "outbox", "before": {"id": "1"}},
        {"op": "insert", "table": "elsewhere", "after": {"id": 1}},
        {"op": "insert", "table": "keyed", "key": ["id"], "after": {"id": 1, "note": "no"}}])
    assert code == 1, (code, out)
    for text in ("change 1: insert public.outbox\n  route outbox cannot publish it: the topic name",
                 "change 2: delete public.outbox\n  no route takes this operation",
                 "change 3: insert public.elsewhere\n  no route takes it", "by route keyed"):
        assert text in out, out
    hints(case)
    for changes, text in WRONG:
        code, _, err = sample(case, relay, changes)
        assert code == 2 and text in err, (code, err, text)
    code, _, err = sample(case, relay, "[]", "--connect")
    assert code == 2 and "give one of them" in err, err
    code, _, err = relay.run("check", "--sample", "/nowhere")
    assert code == 2 and "/nowhere: No such file" in err, err


def hints(case):
    """What keeps a row from being published comes with what mends it."""
    common = {"from": KEYED, "topic": "t", "as": "event", "continue": True}
    masked = {"name": "masked", "from": KEYED, "as": "change", "topic": "t",
              "debezium": {"column_mask_with_length_chars": {"4": "public.keyed.id"}}}
    relay = case.relay({"routes": [
        dict(common, name="bare", key="{id}", type="T", jq=".after.id"),
        dict(common, name="keyless", key="{nope}", type="T"), masked]}, name="hints")
    code, out, _ = sample(case, relay, [{"op": "insert", "table": "keyed", "key": ["id"], "types": TYPES,
                                         "after": {"id": 1, "total": "1", "note": "n"}}])
    assert code == 1, (code, out)
    said = out.split("  route ")[1:]
    assert len(said) == 3, out
    for text, error, hint in zip(said, (
            "bare cannot publish it: jq: it gives 1 where an object is needed",
            "keyless cannot publish it: public.keyed has no column nope",
            "masked cannot publish it: payload: column id of public.keyed is no text"), (
                "have the program put it into an object", "map the column that it has",
                "leave it out by debezium.column_exclude_list")):
        assert text.startswith(error) and hint in text, (text, hint)
    relay = case.relay({"routes": [masked]}, name="masked")
    code, _, err = relay.run("check", "--connect")
    assert code == 1 and "needs a text, because it is cut, masked or hashed" in err, (code, err)
    assert "leave it out by debezium.column_exclude_list" in err, err


with e2e.Case(sql="CREATE TABLE public.keyed (id int PRIMARY KEY, total numeric, note text)") as one:
    same_as_live(one)
    words(one)
