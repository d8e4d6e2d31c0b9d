"""Whole rows in Debezium's envelope: each operation, each replica identity, keys that move."""

import json

import e2e

TABLES = """
CREATE TABLE plain (id int PRIMARY KEY, name text NOT NULL, note text, n int8 NOT NULL);
CREATE TABLE two_keys (b int, a int, note text, PRIMARY KEY (a, b));
CREATE TABLE whole (id int, name text, big text);
ALTER TABLE whole REPLICA IDENTITY FULL;
ALTER TABLE whole ALTER big SET STORAGE EXTERNAL;
CREATE TABLE large (id int PRIMARY KEY, n int, big text);
ALTER TABLE large ALTER big SET STORAGE EXTERNAL;
CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
CREATE TABLE parted (id int PRIMARY KEY, n int, big text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
ALTER TABLE parted ALTER big SET STORAGE EXTERNAL;
ALTER TABLE parted REPLICA IDENTITY FULL;
ALTER TABLE parted_1 REPLICA IDENTITY FULL;
CREATE TABLE "Odd näme" ("Ä b" text PRIMARY KEY);
"""
PLACEHOLDER = "__debezium_unavailable_value"


def route(case, **more):
    route = {"name": "changes", "from": "public.*", "as": "change",
             "debezium": {"topic_prefix": "c." + case.name}}
    return dict(route, **more)


def read(case, table, count):
    """The events of a table, in the order of their ids, as (key, value, headers)."""
    topic = "c.%s.public.%s" % (case.name, table)

    def look():
        events = e2e.oracle.read_topics(case.kafka.bootstrap, [topic])
        return events if len(events) >= count else None
    events = e2e.wait("%d events of %s" % (count, topic), look)
    assert len(events) == count, events
    events.sort(key=lambda event: e2e.oracle.walferry_id(e2e.oracle.header(event, "walferry-id"))
                [1:])
    return [(event.key and json.loads(event.key), event.value and json.loads(event.value),
             {name: value.decode() for name, value in event.headers}) for event in events]


def rows(events):
    """What matters of events: the key, the letter, the rows."""
    return [(key, value and value["op"], value and value["before"], value and value["after"])
            for key, value, _ in events]


def check_source(case, value, table):
    source = value["source"]
    assert list(value) == ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us",
                           "ts_ns"], value
    assert list(source) == [
        "version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns",
        "schema", "table", "txId", "lsn", "xmin", "origin", "origin_lsn"], source
    assert source["connector"] == "walferry" and source["name"] == "c." + case.name, source
    assert source["db"] == case.db and source["schema"] == "public", source
    assert source["table"] == table and source["snapshot"] == "false", source
    assert source["ts_us"] // 1000 == source["ts_ms"] and source["ts_ns"] == source["ts_us"] * 1000
    before, here = json.loads(source["sequence"])
    assert int(before) <= int(here) == source["lsn"], source


def check_plain(case):
    case.sql("INSERT INTO plain VALUES (1, 'Anne', NULL, 11), (2, 'Bob', 'x', 2)")
    case.sql("UPDATE plain SET name = 'Ann\"e' WHERE id = 1")
    case.sql("UPDATE plain SET id = 3 WHERE id = 2")
    case.sql("DELETE FROM plain WHERE id = 1")
    events = read(case, "plain", 8)
    bob = {"name": "Bob", "note": "x", "n": 2}
    assert rows(events) == [
        ({"id": 1}, "c", None, {"id": 1, "name": "Anne", "note": None, "n": 11}),
        ({"id": 2}, "c", None, dict(id=2, **bob)),
        ({"id": 1}, "u", None, {"id": 1, "name": "Ann\"e", "note": None, "n": 11}),
        ({"id": 2}, "d", {"id": 2, "name": "", "note": None, "n": 0}, None),
        ({"id": 2}, None, None, None),
        ({"id": 3}, "c", None, dict(id=3, **bob)),
        ({"id": 1}, "d", {"id": 1, "name": "", "note": None, "n": 0}, None),
        ({"id": 1}, None, None, None)], rows(events)
    for _, value, _ in events:
        if value is not None:
            check_source(case, value, "plain")
    headers = [headers for _, _, headers in events]
    assert [h.get("__debezium.newkey") for h in headers[3:6]] == ['{"id":3}', '{"id":3}', None]
    assert headers[5]["__debezium.oldkey"] == '{"id":2}'
    ids = [h["walferry-id"] for h in headers]
    assert ids[4] == ids[3] + ".2" and ids[5] == ids[3] + ".3" and ids[7] == ids[6] + ".2", ids


def check_identities(case):
    case.sql("INSERT INTO two_keys VALUES (1, 2, 'x')")
    case.sql("DELETE FROM two_keys")
    assert rows(read(case, "two_keys", 3)) == [
        ({"a": 2, "b": 1}, "c", None, {"b": 1, "a": 2, "note": "x"}),
        ({"a": 2, "b": 1}, "d", {"b": 1, "a": 2, "note": None}, None),
        ({"a": 2, "b": 1}, None, None, None)]
    big = "x" * 5000
    case.sql("INSERT INTO whole VALUES (1, 'a', %s)", (big,))
    case.sql("UPDATE whole SET name = NULL")
    case.sql("DELETE FROM whole")
    row = {"id": 1, "name": "a", "big": big}
    later = dict(row, name=None)
    assert rows(read(case, "whole", 4)) == [
        (None, "c", None, row), (None, "u", row, later), (None, "d", later, None),
        (None, None, None, None)]
    case.sql("INSERT INTO large VALUES (1, 1, %s)", (big,))
    case.sql("UPDATE large SET n = 2")
    assert rows(read(case, "large", 2))[1] == (
        {"id": 1}, "u", None, {"id": 1, "n": 2, "big": PLACEHOLDER})
    case.sql('INSERT INTO "Odd näme" VALUES (%s)', ("ü\n",))
    assert rows(read(case, "Odd_n_me", 1)) == [({"Ä b": "ü\n"}, "c", None, {"Ä b": "ü\n"})]


def check_key_outside_of_the_identity(case, relay):
    """The key is the primary key, which this identity does not tell: refused, also where it is altered
    beside the relay, and so is each change of which the key cannot be known."""
    case.sql("INSERT INTO by_index VALUES (1, 'one', 'x')")
    case.drain(relay=relay)
    case.stop(relay)
    case.sql("ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key")
    case.sql("UPDATE by_index SET code = 'two'")
    case.sql("UPDATE by_index SET id = 2")
    case.sql("DELETE FROM by_index")
    case.refused(relay, 2, "replica_identity")
    case.sql("ALTER TABLE by_index REPLICA IDENTITY DEFAULT")
    case.start(relay)
    case.put(3)
    case.drain(relay=relay)
    assert [row[1] for row in rows(read(case, "by_index", 1))] == ["c"]
    assert relay.metric("walferry_skipped_total", route="index") == 3
    case.sql("ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key")
    assert relay.wait(20) == 2 and "reason=replica_identity" in relay.log_text()
    case.sql("ALTER TABLE by_index REPLICA IDENTITY DEFAULT")
    case.start(relay)


def check_partitions(case, relay):
    big = "x" * 5000
    case.sql("INSERT INTO parted VALUES (1, 1, %s)", (big,))
    case.sql("UPDATE parted SET n = 2")
    case.sql("DELETE FROM parted")
    row = {"id": 1, "n": 1, "big": big}
    later = dict(row, n=2)
    assert rows(read(case, "parted", 4)) == [
        ({"id": 1}, "c", None, row), ({"id": 1}, "u", row, later), ({"id": 1}, "d", later, None),
        ({"id": 1}, None, None, None)]
    case.stop(relay)
    case.sql("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)")
    case.refused(relay, 2, "replica_identity")
    case.sql("ALTER TABLE parted_2 REPLICA IDENTITY FULL")
    case.start(relay)


with e2e.Case(sql=TABLES) as case:
    case.more_config = {"routes": [
        {"name": "outbox", "from": "public.outbox", "as": "outbox",
         "topic": case.prefix + "{aggregatetype}",
         "headers": {"id": "{id}", "eventType": "{type}"}},
        dict(route(case), **{"from": "public.by_index", "name": "index", "on_error": "skip"}),
        route(case)]}
    relay = case.up()
    check_plain(case)
    check_identities(case)
    check_key_outside_of_the_identity(case, relay)
    check_partitions(case, relay)
    case.put(3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
