"""The columns of a key are renamed, exchanged or dropped while changes from before wait: each event has the
key that its row had, or none is made of it."""

import json

import e2e

TABLES = """
CREATE TABLE renamed (b int, a int, n int, PRIMARY KEY (a, b));
CREATE TABLE exchanged (id int PRIMARY KEY, other int, n int);
ALTER TABLE exchanged REPLICA IDENTITY FULL;
CREATE TABLE halved (a int, b int, n int, PRIMARY KEY (a, b));
ALTER TABLE halved REPLICA IDENTITY FULL;
CREATE TABLE gone (id int PRIMARY KEY, n int);
CREATE TABLE listed (id int, unlisted int, n int PRIMARY KEY);
"""
ALTERED = """
ALTER TABLE renamed RENAME a TO z;
ALTER TABLE renamed RENAME b TO y;
ALTER TABLE renamed RENAME n TO a;
ALTER TABLE exchanged RENAME id TO was;
ALTER TABLE exchanged RENAME other TO id;
ALTER TABLE exchanged RENAME was TO other;
ALTER TABLE halved DROP COLUMN b;
ALTER TABLE listed RENAME n TO id2;
"""


def alter(case):
    case.more_config = {"routes": [dict(
        {"from": "public.outbox", "name": "outbox", "as": "outbox",
         "topic": case.prefix + "{aggregatetype}", "headers": {"id": "{id}", "eventType": "{type}"}})]
        + [{"name": name, "from": "public." + name, "as": "change", "on_error": "skip",
            "topic": "c.%s.%s" % (case.name, name)}
           for name in ("renamed", "exchanged", "halved", "gone", "listed")]}
    case.sql(TABLES)
    if case.pg.major >= 15:
        case.sql("CREATE PUBLICATION %s_changes FOR TABLE listed (id, n)"
                 " WITH (publish_via_partition_root = true)" % case.slot_name)
    relay = case.up()
    case.stop(relay)
    case.sql("INSERT INTO renamed VALUES (2, 1, 0); UPDATE renamed SET n = 1; DELETE FROM renamed")
    case.sql("INSERT INTO exchanged VALUES (1, 2, 0); UPDATE exchanged SET id = 3")
    case.sql("INSERT INTO halved VALUES (1, 2, 3)")
    case.sql("INSERT INTO gone VALUES (1, 2); DELETE FROM gone")
    case.sql("INSERT INTO listed VALUES (1, 2, 3)")
    case.sql(ALTERED)
    case.sql("INSERT INTO renamed VALUES (4, 3, 0)")
    case.sql("INSERT INTO halved VALUES (5, 6)")
    case.start(relay)
    case.put(2)
    case.drain(relay=relay)

    def keys(name):
        events = e2e.oracle.read_topics(case.kafka.bootstrap, ["c.%s.%s" % (case.name, name)])
        return sorted(((e2e.oracle.walferry_id(e2e.oracle.header(event, "walferry-id"))[1:],
                        event.key and json.loads(event.key)) for event in events),
                      key=lambda pair: pair[0])
    old = {"a": 1, "b": 2}
    assert [key for _, key in keys("renamed")] == [old] * 4 + [{"z": 3, "y": 4}], keys("renamed")
    assert [list(key) for _, key in keys("renamed")] == [["a", "b"]] * 4 + [["z", "y"]]
    assert [key for _, key in keys("exchanged")] == [
        {"id": 1}, {"id": 1}, {"id": 1}, {"id": 3}], keys("exchanged")
    assert [key for _, key in keys("gone")] == [{"id": 1}] * 3, keys("gone")
    assert [key for _, key in keys("listed")] == [{"n": 3}], keys("listed")
    assert [key for _, key in keys("halved")] == [None], keys("halved")  # which has no key now
    assert relay.metric("walferry_skipped_total", route="halved") == 1
    skipped = relay.events("event.skipped")  # lines of text
    assert len(skipped) == 1 and "key_unknown" in skipped[0], skipped
    case.stop(relay)
    case.judge()


e2e.on_each_major(alter)
