"""bytea, text, json, jsonb and NULL payloads arrive byte for byte; NULL is a tombstone."""

import e2e

TABLES = """
CREATE TABLE public.raw_{0} (payload {0}, "Type" text DEFAULT 'T', extra int DEFAULT 7,
    kind text NOT NULL, "Key" text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY);
"""
VALUES = {
    "bytea": [bytes(range(256)), b"", b"\0", None, bytes(range(256)) * 1000, b"\\x00"],
    "text": ["plain", "", " \u00fcml\u00e4ut \U0001F600 \t\n", None, "x" * 300000, "\\x41", "null"],
    "json": ['{"a" :  1,\n "a": 2}', '"text"', "null", None, "[1.0, 1e400]", '{"\u00e9":"\\u00e9"}'],
    "jsonb": ['{"b": 1, "a": [1, 2.50]}', "null", '"x"', None],
}

with e2e.Case() as case:
    routes = []
    for kind in VALUES:
        case.sql(TABLES.format(kind))
        routes.append({
            "name": kind, "from": "public.raw_" + kind, "as": "outbox",
            "columns": {"id": "id", "aggregate_type": "kind", "aggregate_id": "Key",
                        "type": "Type", "payload": "payload"},
            "topic": case.prefix + "{kind}", "headers": {"id": "{kind}-{id}", "eventType": "{Type}"}})
    relay = case.up({"routes": routes})
    n = 0
    for kind, values in VALUES.items():
        for value in values:
            n += 1
            case.sql("""
                WITH o AS (INSERT INTO public.raw_{0} (kind, "Key", payload)
                           VALUES (%s, %s, %s::{0}) RETURNING *)
                INSERT INTO e2e.truth (id, topic, key, n, md5)
                SELECT kind || '-' || id, kind, "Key", %s, CASE WHEN payload IS NULL THEN 'null'
                    ELSE md5({1}) END FROM o""".format(
                        kind, "payload" if kind == "bytea" else "payload::text"),
                     (kind, "k%d" % (n % 3), value, n))
    case.drain(relay=relay)
    case.stop(relay)
    events = case.judge()
    by_kind = {kind: sorted((event for event in events if event.topic == case.prefix + kind),
                            key=lambda event: int(e2e.oracle.header(event, "id").split("-")[1]))
               for kind in VALUES}
    assert [event.value for event in by_kind["bytea"]] == VALUES["bytea"]
    assert [event.value for event in by_kind["json"]] == [
        value and value.encode() for value in VALUES["json"]]
