"""A payload is what its domain is over: bytes where that is bytea, however many domains lie between.

So are keys, partitions and timestamps, with an index of the domain's own, on each major.
"""

import time

import e2e

AT_MS = int(time.time()) * 1000 - 89500
TABLES = """
CREATE SCHEMA "Ours";
CREATE DOMAIN "Ours".bytes AS bytea CHECK (length(VALUE) < 1000000);
CREATE DOMAIN public.sealed AS "Ours".bytes NOT NULL;
CREATE DOMAIN public.moment AS timestamptz;
CREATE DOMAIN public.place AS int CHECK (VALUE >= 0);
CREATE DOMAIN public.name_of AS varchar(40);
CREATE DOMAIN public.doc AS jsonb;
CREATE TYPE public.mood AS ENUM ('sad', 'so so');
CREATE DOMAIN public.my_mood AS public.mood;
CREATE TABLE public.raw_{0} (payload {1}, id bigint GENERATED ALWAYS AS IDENTITY,
    key public.name_of, at public.moment DEFAULT to_timestamp({2} / 1000.0),
    place public.place DEFAULT 1);
"""
PAYLOADS = {
    "bytes": ('"Ours".bytes', [bytes(range(256)), b"", b"\0", None, b"x" * 3000]),
    "sealed": ("public.sealed", [bytes(range(256)), b"\\x41"]),
    "doc": ("public.doc", ['{"a": 1.50}', None]),
    "my_mood": ("public.my_mood", ["so so", None]),
    "arrays": ('"Ours".bytes[]', ['{"\\\\x00ff",NULL}']),
    "ranges": ("int4range", ["[1,5)"]),
}


def test(case):
    case.sql(TABLES.format("bytes", PAYLOADS["bytes"][0], AT_MS))
    routes = []
    for name, (kind, _) in PAYLOADS.items():
        if name != "bytes":
            case.sql("CREATE TABLE public.raw_%s (LIKE public.raw_bytes INCLUDING ALL)" % name)
            case.sql("ALTER TABLE public.raw_%s DROP payload, ADD payload %s" % (name, kind))
        routes.append({
            "name": name, "from": "public.raw_" + name, "as": "outbox",
            "columns": {"id": "id", "aggregate_type": "key", "aggregate_id": "key", "type": "key",
                        "payload": "payload", "timestamp": "at", "partition": "place"},
            "topic": case.prefix + name, "headers": {"id": name + "-{id}"}})
    relay = case.up({"routes": routes})
    n = 0
    for name, (kind, values) in PAYLOADS.items():
        for value in values:
            n += 1
            case.sql("""
                WITH o AS (INSERT INTO public.raw_{0} (key, payload) VALUES (%s, %s::{1})
                           RETURNING *)
                INSERT INTO e2e.truth (id, topic, key, n, md5)
                SELECT '{0}-' || id, '{0}', key, %s, CASE WHEN payload IS NULL THEN 'null'
                    ELSE md5({2}) END FROM o""".format(
                        name, kind, "payload" if isinstance(value, bytes) else "payload::text"),
                     ("k", value, n))
    case.drain(relay=relay)
    case.stop(relay)
    for event in case.judge():
        assert event.partition == 1, event
        assert event.timestamp == AT_MS, event


e2e.on_each_major(test)
