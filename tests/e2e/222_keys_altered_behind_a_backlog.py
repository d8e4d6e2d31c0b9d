"""The columns of a key are renamed, exchanged or dropped while changes from before wait: each event has the
key that its row had, or none is made of it. Beside the relay another index becomes the key of a table under
REPLICA IDENTITY FULL, which describes itself as before: rows from then on have the new one."""

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
# What makes the other column the key, of (id, other); the stream tells the same of the table before and behind.
MOVES = {
    "altered": ("PRIMARY KEY (id)", "ALTER TABLE altered DROP CONSTRAINT altered_pkey, ADD PRIMARY KEY (other)"),
    "renamed_index": ("CONSTRAINT first UNIQUE (id), CONSTRAINT second UNIQUE (other)",
                      "ALTER INDEX first RENAME TO third"),
    "clustered": ("CONSTRAINT a UNIQUE (id), CONSTRAINT b UNIQUE (other)", "ALTER TABLE clustered CLUSTER ON b"),
}
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


def keys_of(case, name):
    events = e2e.oracle.read_topics(case.kafka.bootstrap, ["c.%s.%s" % (case.name, name)])
    return sorted(((e2e.oracle.walferry_id(e2e.oracle.header(event, "walferry-id"))[1:],
                    event.key and json.loads(event.key)) for event in events),
                  key=lambda pair: pair[0])


def move(case, relay):
    """Beside a relay that is not behind."""
    for name in MOVES:
        case.sql("INSERT INTO %s VALUES (1, 2)" % name)
    for name in MOVES:
        e2e.wait("the first of " + name, lambda: keys_of(case, name))
    for name, (_, how) in MOVES.items():
        case.sql(how)
    case.sql("INSERT INTO altered VALUES (3, 4)")  # the stream describes this one again, at once
    e2e.wait("a look", lambda: "other columns are the key" in "".join(relay.events("epoch.failed")), 20)
    e2e.wait("another epoch", lambda: len(relay.events("epoch.opened")) >= 2, 20)
    for name in MOVES:
        case.sql("INSERT INTO %s VALUES (5, 6)" % name)
    for name in MOVES:
        count = 3 if name == "altered" else 2
        found = e2e.wait("all of " + name, lambda: (lambda k: k if len(k) == count else None)(keys_of(case, name)))
        wanted = [{"id": 1}, {"other": 4}, {"other": 6}] if count == 3 else [{"id": 1}, {"other": 6}]
        assert [key for _, key in found] == wanted, (name, found)
    assert len(relay.events("epoch.opened")) <= 3, relay.events("epoch.opened")


def alter(case):
    case.more_config = {"routes": [dict(
        {"from": "public.outbox", "name": "outbox", "as": "outbox",
         "topic": case.prefix + "{aggregatetype}", "headers": {"id": "{id}", "eventType": "{type}"}})]
        + [{"name": name, "from": "public." + name, "as": "change", "on_error": "skip",
            "topic": "c.%s.%s" % (case.name, name)}
           for name in ("renamed", "exchanged", "halved", "gone", "listed") + tuple(MOVES)]}
    case.sql(TABLES)
    for name, (key, _) in MOVES.items():
        case.sql("CREATE TABLE %s (id int NOT NULL, other int NOT NULL, %s);"
                 "ALTER TABLE %s REPLICA IDENTITY FULL" % (name, key, name))
    if case.pg.major >= 15:
        case.sql("CREATE PUBLICATION %s_changes FOR TABLE listed (id, n)"
                 " WITH (publish_via_partition_root = true)" % case.slot_name)
    relay = case.up()
    move(case, relay)
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
        return keys_of(case, name)
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
