"""DDL in the stream, within transactions and between them, beside the relay and behind a backlog: each row
leaves with the columns that it had, as a change and as an event, and with the key that it had."""

import json

import e2e

SECONDS = 240

# What is done to a table %s, and the row that each statement gives: a change's letter, and after (before of d).
COURSE = (
    ("INSERT INTO %s VALUES (1, 'one')", "c", {"id": 1, "a": "one"}),
    ("ALTER TABLE %s ADD b int DEFAULT 7", None, None),
    ("INSERT INTO %s VALUES (2, 'two', 2)", "c", {"id": 2, "a": "two", "b": 2}),
    ("UPDATE %s SET a = 'uno' WHERE id = 1", "u", {"id": 1, "a": "uno", "b": 7}),
    ("ALTER TABLE %s RENAME a TO c", None, None),
    ("INSERT INTO %s VALUES (3, 'three', 3)", "c", {"id": 3, "c": "three", "b": 3}),
    ("ALTER TABLE %s ALTER b TYPE text", None, None),
    ("INSERT INTO %s VALUES (4, 'four', 'IV')", "c", {"id": 4, "c": "four", "b": "IV"}),
    ("ALTER TABLE %s ALTER b TYPE numeric(20,2) USING 0.5", None, None),
    ("UPDATE %s SET b = b + 12345678901234567 WHERE id = 4", "u",
     {"id": 4, "c": "four", "b": 12345678901234567.5}),
    ("ALTER TABLE %s DROP c", None, None),
    ("INSERT INTO %s VALUES (5, 5)", "c", {"id": 5, "b": 5}),
    ("ALTER TABLE %s REPLICA IDENTITY FULL", None, None),
    ("DELETE FROM %s WHERE id = 5", "d", {"id": 5, "b": 5}),
    ("ALTER TABLE %s REPLICA IDENTITY DEFAULT", None, None),
    ("ALTER TABLE %s ALTER id TYPE bigint", None, None),
    ("INSERT INTO %s VALUES (9007199254740993, 6)", "c", {"id": 9007199254740993, "b": 6}),
)
WANTED = [(letter, row) for _, letter, row in COURSE if letter is not None]
NAMES = ["%s_%s_%s" % (kind, how, when) for kind in ("change", "event")
         for how in ("between", "within") for when in ("live", "later")]
MORE = """
CREATE TABLE identity (id int PRIMARY KEY, a text NOT NULL);
CREATE TABLE gone (id int PRIMARY KEY, a text);
CREATE TABLE parted (id int PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
"""


def routes(case):
    """Tables of events come as the row itself, all others as changes."""
    return [{"name": "events", "from": "public.event_*", "as": "event", "type": "Changed",
             "topic": case.prefix + "{@table}", "key": "{id}", "headers": {"op": "{@op}"}},
            {"name": "changes", "from": "public.*", "as": "change", "topic": case.prefix + "{@table}",
             "debezium": {"decimal_handling_mode": "double"}}]


def course(case, when):
    for kind in ("change", "event"):
        for how in ("between", "within"):
            name = "%s_%s_%s" % (kind, how, when)
            statements = [statement % name for statement, _, _ in COURSE]
            if how == "within":
                statements = ["BEGIN; " + "; ".join(statements) + "; COMMIT"]
            for statement in statements:
                case.sql(statement)


def read(case, table, count):
    topic = case.prefix + table
    events = e2e.wait("%d events of %s" % (count, table), lambda: _enough(
        e2e.oracle.read_topics(case.kafka.bootstrap, [topic]), count), 60)
    return sorted(events, key=lambda event: e2e.oracle.walferry_id(
        e2e.oracle.header(event, "walferry-id"))[1:])


def _enough(events, count):
    return events if len(events) >= count else None


def changes(case, table, count):
    """(letter, key, before, after) of a table's changes; tombstones aside."""
    out = []
    for event in read(case, table, count):
        if event.value is not None:
            value = json.loads(event.value)
            out.append((value["op"], json.loads(event.key), value["before"], value["after"]))
    return out


def check(case, when):
    letters = {"insert": "c", "update": "u", "delete": "d"}
    for how in ("between", "within"):
        name = "change_%s_%s" % (how, when)
        found = changes(case, name, len(WANTED) + 1)
        assert [(op, before if op == "d" else after) for op, _, before, after in found] == WANTED, found
        assert [key for _, key, _, _ in found] == [{"id": row["id"]} for _, row in WANTED], found
        name = "event_%s_%s" % (how, when)
        events = read(case, name, len(WANTED))
        found = [(letters[e2e.oracle.header(event, "op")], json.loads(event.value)) for event in events]
        assert found == WANTED, found
        assert [event.key for event in events] == [b"%d" % row["id"] for _, row in WANTED], events


def without_a_doubt(case):
    """Which row is told of the old one goes by the identity that was in force."""
    switch = "ALTER TABLE identity REPLICA IDENTITY "
    case.sql("INSERT INTO identity VALUES (1, 'a')")
    for mode in ("FULL", "DEFAULT"):
        case.sql("UPDATE identity SET a = a || 'x'; %s %s" % (switch, mode))
        case.sql("BEGIN; UPDATE identity SET a = a || 'y'; COMMIT")
    case.sql("BEGIN; %s FULL; UPDATE identity SET a = 'z'; %s DEFAULT; DELETE FROM identity; COMMIT"
             % (switch, switch))
    found = changes(case, "identity", 8)
    assert [(op, before and before["a"]) for op, _, before, _ in found] == [
        ("c", None), ("u", None), ("u", "ax"), ("u", "axy"), ("u", None), ("u", "axyxy"),
        ("d", "")], found


def asked(case, relay):
    """What may have kept rows from the relay is decided by a person; here it has not, for all tables are
    published: those that are gone, made again, detached and attached have all of their rows."""
    case.stop(relay)
    case.sql("INSERT INTO gone VALUES (1, 'old'); INSERT INTO parted VALUES (1, 'one'), (11, 'two')")
    case.sql("BEGIN; UPDATE gone SET a = 'older'; DROP TABLE gone; COMMIT")
    case.sql("BEGIN; CREATE TABLE gone (n text PRIMARY KEY, id int); INSERT INTO gone VALUES ('new', 2); COMMIT")
    case.sql("BEGIN; ALTER TABLE parted DETACH PARTITION parted_2; INSERT INTO parted_2 VALUES (12, 'three');"
             " COMMIT; ALTER TABLE parted_2 ADD more int; INSERT INTO parted_2 VALUES (13, 'four', 4);"
             " ALTER TABLE parted_2 DROP more")
    case.sql("BEGIN; ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);"
             " INSERT INTO parted VALUES (14, 'five'); COMMIT")
    case.sql("CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30);"
             "INSERT INTO parted VALUES (21, 'six')")
    text = case.refused(relay, 3, "publication_changed")
    case.mend(relay, text, "--yes")
    case.start(relay)
    found = changes(case, "gone", 3)
    assert found == [("c", {"id": 1}, None, {"id": 1, "a": "old"}),
                     ("u", {"id": 1}, None, {"id": 1, "a": "older"}),
                     ("c", {"n": "new"}, None, {"n": "new", "id": 2})], found
    # The walsender of PostgreSQL 14 keeps the root that a partition had when it met it first.
    kept = case.pg.major < 15
    found = [after["id"] for _, _, _, after in changes(case, "parted", 6 if kept else 4)]
    assert found == ([1, 11, 12, 13, 14, 21] if kept else [1, 11, 14, 21]), found
    if not kept:
        found = [after for _, _, _, after in changes(case, "parted_2", 2)]
        assert found == [{"id": 12, "a": "three"}, {"id": 13, "a": "four", "more": 4}], found


def everything(case):
    case.more_config = {"routes": routes(case)}
    case.sql("".join("CREATE TABLE %s (id int PRIMARY KEY, a text);" % name for name in NAMES) + MORE)
    for name in (case.slot_name, case.slot_name + "_changes"):
        case.sql('CREATE PUBLICATION "%s" FOR ALL TABLES WITH (publish_via_partition_root)' % name)
    relay = case.up()
    course(case, "live")
    check(case, "live")
    without_a_doubt(case)
    case.stop(relay)
    course(case, "later")
    case.start(relay)
    check(case, "later")
    asked(case, relay)
    case.stop(relay)


e2e.on_each_major(everything)
