"""as: event: rows become events of the domain: filters, maps, jq with several values, CloudEvents,
what fails, and all of it exactly once under kill -9."""

import json
import os
import random
import re
import sys
import threading
import time

import e2e
import jsonschema
from mends import last, mend

SECONDS = 120
KILLS = 8

TABLES = """
CREATE TABLE orders (id bigint PRIMARY KEY, status text, total numeric(38,10), lines jsonb,
                     n bigint NOT NULL DEFAULT 0);
CREATE TABLE other (id int PRIMARY KEY, note text);
"""

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EXTENSIONS = {"partitionkey", "sequence", "correlationid", "causationid", "traceparent"}
# The specification's own, https://github.com/cloudevents/spec (Apache 2.0).
with open(os.path.join(e2e.ROOT, "tests", "golden", "cloudevents.schema.json")) as file:
    SCHEMA = json.load(file)

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10000)
print("kills: seed %d" % seed, flush=True)
dice = random.Random(seed)


def placed(case):
    return {"name": "placed", "from": "public.orders", "as": "event", "type": "OrderPlaced",
            "when": {"op": ["insert", "update"], "changed": ["status"],
                     "jq": '.after.status == "placed"'},
            "topic": case.prefix + "placed", "key": "{id}",
            "value": {"order_id": "{id}", "total": "{total}", "what": "{status|upper}", "n": "{n}"},
            "continue": True}


def lines(case):
    return {"name": "lines", "from": "public.orders", "as": "event", "type": "Line",
            "when": {"op": ["insert"]}, "topic": case.prefix + "lines", "key": "{id}",
            "jq": ".after as $o | ($o.lines // [])[] | {order: $o.id, sku, at: $o.total}",
            "format": "cloudevents", "continue": True}


def difference(case):
    return {"name": "difference", "from": "public.orders", "as": "event",
            "when": {"op": ["update", "delete"]}, "topic": case.prefix + "difference",
            "key": "{id}", "row": "difference", "drop": ["lines"]}


def noted(case, mode):
    """With every attribute and extension."""
    return {"name": mode, "from": "public.other", "as": "event", "type": "Noted", "key": "{id}",
            "topic": case.prefix + mode, "format": "cloudevents", "continue": True,
            "value": {"note": "{note}"},
            "cloudevents": {"mode": mode, "subject": "{id}", "correlationid": "c-{id}",
                            "causationid": "k-{id}", "traceparent": TRACEPARENT}}


def read(case, topic, count):
    topic = case.prefix + topic

    def look():
        events = e2e.oracle.read_topics(case.kafka.bootstrap, [topic])
        return events if len(events) >= count else None
    events = e2e.wait("%d events of %s" % (count, topic), look, 60)
    assert len(events) == count, events
    events.sort(key=lambda event: e2e.oracle.walferry_id(e2e.oracle.header(event, "walferry-id"))
                [1:])
    return events


def check_refusals(case):
    """What the replica identity does not hold is refused before anything is made."""
    relay = case.relay({"routes": [placed(case)]})
    text = case.command(relay, "setup", code=2,
                        says="the old status of an updated row is asked for")
    assert 'ALTER TABLE "public"."orders" REPLICA IDENTITY FULL' in text, text
    case.sql("ALTER TABLE public.orders REPLICA IDENTITY FULL")
    wrong = dict(lines(case), jq=".after | {a: now}")
    case.command(case.relay({"routes": [wrong]}), "check", code=2,
                 says=r"routes\[0\].jq: line 1, column 14: now reads the clock")


def check_events(case):
    case.sql("""INSERT INTO orders VALUES (1, 'new', 12.50,
                '[{"sku": "a", "q": 1}, {"sku": "b"}, {"sku": "c"}]'),
                (9007199254740993, 'placed', 1234567890123456789012345678.0123456789, '[]')""")
    case.sql("UPDATE orders SET total = 13 WHERE id = 1")
    case.sql("UPDATE orders SET status = 'placed' WHERE id = 1")
    case.sql("DELETE FROM orders WHERE id = 1")
    first, second = read(case, "placed", 2)
    assert first.value == (b'{"order_id":9007199254740993,'
                           b'"total":1234567890123456789012345678.0123456789,'
                           b'"what":"PLACED","n":0}'), first.value
    assert second.value == (b'{"order_id":1,"total":13.0000000000,"what":"PLACED","n":0}')
    assert second.key == b"1" and e2e.oracle.header(second, "eventType") == "OrderPlaced"
    found = read(case, "lines", 3)
    ids = [e2e.oracle.header(event, "walferry-id") for event in found]
    assert [json.loads(event.value)["data"] for event in found] == [
        {"order": 1, "sku": sku, "at": 12.5} for sku in "abc"], found
    assert ids == [ids[0], ids[0] + ".2", ids[0] + ".3"], ids
    for event, id in zip(found, ids):
        value = json.loads(event.value)
        assert (value["specversion"], value["id"], value["type"], value["source"],
                value["subject"]) == ("1.0", id, "Line", "/%s/public.orders" % case.name, "1")
    values = [json.loads(event.value) for event in read(case, "difference", 3)]
    assert values == [
        {"total": {"before": 12.5, "after": 13}},
        {"status": {"before": "new", "after": "placed"}},
        {"id": {"before": 1, "after": None}, "status": {"before": "placed", "after": None},
         "total": {"before": 13, "after": None}, "n": {"before": 0, "after": None}}], values


def check_cloud_event(value, n):
    """By the schema of the specification, and by what a schema cannot say."""
    jsonschema.Draft7Validator(SCHEMA).validate(value)
    assert set(value) == EXTENSIONS | {"specversion", "id", "source", "type", "subject", "time",
                                       "datacontenttype", "data"}, value
    for name in value:
        assert re.fullmatch("[a-z0-9]{1,20}", name), name
    for name in EXTENSIONS:
        assert isinstance(value[name], str) and value[name], value
    assert value["specversion"] == "1.0" and value["type"] == "Noted", value
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value["time"]), value
    assert value["datacontenttype"] == "application/json", value
    assert (value["subject"], value["partitionkey"], value["correlationid"],
            value["causationid"], value["traceparent"]) == (
                str(n), str(n), "c-%d" % n, "k-%d" % n, TRACEPARENT), value


def check_cloud_events(case):
    case.sql("INSERT INTO other VALUES (1, 'ü \"'), (2, NULL)")
    whole = [json.loads(event.value) for event in read(case, "structured", 2)]
    parts = []
    for event in read(case, "binary", 2):
        headers = {name: value.decode() for name, value in event.headers}
        parts.append({name[3:]: value for name, value in headers.items() if name[:3] == "ce_"})
        parts[-1].update({"datacontenttype": headers["content-type"],
                          "data": json.loads(event.value)})
    for n, (value, headers) in enumerate(zip(whole, parts), 1):
        check_cloud_event(value, n)
        check_cloud_event(headers, n)
    assert [value["data"] for value in whole] == [{"note": 'ü "'}, {"note": None}], whole
    found = [value for pair in zip(whole, parts) for value in pair]
    assert len({value["id"] for value in found}) == 4, found
    assert sorted(found, key=lambda value: value["sequence"]) == found, found
    broken = dict(whole[0])
    del broken["source"]
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(broken)
    for value in found:
        del value["id"], value["sequence"]
    assert whole == parts, (whole, parts)


def check_bad_rows(case):
    """A program that never ends, or fails, is the row's fault: the route's on_error decides."""
    route = {"name": "bombs", "from": "public.other", "as": "event", "topic": case.prefix + "bombs",
             "key": "{id}", "on_error": "skip",
             "jq": 'if .after.note == "loop" then [1 | recurse(.)] elif .after.note == "error" '
                   'then error("bad note") else .after end'}
    relay = case.up({"routes": [route], "delivery": {"jq": {"cpu_ms": 100}}}, name="bombs")
    case.sql("INSERT INTO other VALUES (1, 'x'), (2, 'loop'), (3, 'error'), (4, 'y')")
    found = read(case, "bombs", 2)
    assert [event.key for event in found] == [b"1", b"4"], found
    text = relay.log_text()
    assert "jq_limit" in text and "bad note" in text, text[-3000:]
    case.stop(relay)


def check_mends(case):
    """Under on_error: stop such a row ends the relay, and what it prints goes past it."""
    route = {"name": "mends", "from": "public.other", "as": "event", "topic": case.prefix + "mends",
             "key": "{id}", "format": "cloudevents", "type": "T",
             "cloudevents": {"traceparent": "{note}"},
             "when": {"jq": 'if .after.note == "loop" then [1 | recurse(.)] else true end'},
             "jq": 'if .after.note == "error" then error("bad note") else .after end'}
    relay = case.relay({"routes": [route], "delivery": {"jq": {"cpu_ms": 100}}}, name="mends")
    case.setup(relay)
    for note, reason in (("loop", "jq_limit"), ("error", "jq_failed"), ("x", "bad_traceparent")):
        case.start(relay)
        case.sql("INSERT INTO other SELECT coalesce(max(id), 0) + 1, %s FROM other", (note,))
        assert relay.wait(30) == 5, relay.log_text()
        mend(relay, reason, last(relay.log_text(), reason))
    case.start(relay)
    case.stop(relay)


def check_kills(case, relay):
    """Each place of an order is an event, once, in order, with the right n."""
    stop = threading.Event()
    wanted = {}

    def write():
        connection = case.pg.connect(case.db)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for n in range(1, 100000):
                if stop.is_set():
                    return
                id = 100 + n % 5
                cursor.execute("INSERT INTO orders (id, status, n) VALUES (%s, 'placed', %s) "
                               "ON CONFLICT (id) DO UPDATE SET n = excluded.n, status = CASE "
                               "orders.status WHEN 'placed' THEN 'open' ELSE 'placed' END "
                               "RETURNING status", (id, n))
                if cursor.fetchone()[0] == "placed":
                    wanted.setdefault(id, []).append(n)
                time.sleep(0.002)
    before = len(read(case, "placed", 2))
    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.1, 0.7))
        relay.kill()
        relay.start()
    time.sleep(1)
    stop.set()
    writer.join()
    count = before + sum(len(ns) for ns in wanted.values())
    found = {}
    for event in read(case, "placed", count)[before:]:
        value = json.loads(event.value)
        assert event.key == b"%d" % value["order_id"]
        found.setdefault(value["order_id"], []).append(value["n"])
    assert found == wanted, (found, wanted)
    print("%d events, %d kills" % (count, KILLS), flush=True)


with e2e.Case(sql=TABLES) as case:
    check_refusals(case)
    relay = case.up({"routes": [placed(case), lines(case), difference(case),
                                noted(case, "structured"), noted(case, "binary")]})
    check_events(case)
    check_cloud_events(case)
    check_kills(case, relay)
    case.stop(relay)
with e2e.Case(sql=TABLES, label="b") as case:
    check_bad_rows(case)
with e2e.Case(sql=TABLES, label="c", config={"log": {"format": "json"}}) as case:
    check_mends(case)
