"""Templates, the headers column, the timestamp and partition columns, several routes for a row."""

import e2e
from e2e import oracle

with e2e.Case(sql="""
        CREATE TABLE public.odd (at timestamptz, part int, id uuid DEFAULT gen_random_uuid(),
            aggregatetype text, aggregateid text, type text, payload text, headers jsonb,
            color text)""") as case:
    odd = {"name": "odd", "from": "public.o*d", "as": "outbox",
           "columns": {"headers": "headers", "timestamp": "at", "partition": "part"},
           "topic": case.prefix + "{@table}.{aggregatetype}", "key": "{aggregateid}/{color:none}",
           "headers": {"id": "{id}", "literal": "{{x}}", "op": "{@op}", "relay": "{@relay}",
                       "schema": "{@schema}", "xid": "{@xid}", "lsn": "{@lsn}"}, "continue": True}
    twin = dict(odd, name="twin", topic=case.prefix + "twin", key="{aggregateid}")
    twin.pop("continue"), twin.pop("columns")
    relay = case.up({"routes": [odd, twin]})
    case.sql("""INSERT INTO public.odd (at, part, aggregatetype, aggregateid, type, payload, headers,
                color) VALUES (now() - interval '1 hour', 2, 'a', 'k1', 't', 'one', '{"x": "1", "n": 2}', 'red'),
               (now() - interval '1 hour', 0, 'a', 'k2', 't', 'two', NULL, NULL)""")
    e2e.wait("four events", lambda: case.seen(0.1) and len(case.tail.events) == 4)
    case.stop(relay)
    first = [event for event in case.tail.events if event.topic == case.prefix + "odd.a"]
    first.sort(key=lambda event: event.value)
    one, two = first
    assert (one.key, one.partition) == (b"k1/red", 2) and (two.key, two.partition) == (b"k2/none", 0)
    headers = {name: value and value.decode() for name, value in one.headers}
    assert headers["literal"] == "{x}" and headers["op"] and headers["schema"] == "public", headers
    assert headers["x"] == "1" and headers["n"] == "2", headers
    assert headers["relay"] == case.name and headers["xid"].isdigit() and "/" in headers["lsn"]
    at_ms = case.one("SELECT (extract(epoch FROM at) * 1000)::bigint FROM public.odd LIMIT 1")
    assert abs(one.timestamp - at_ms) <= 1, (one.timestamp, at_ms)
    twins = [event for event in case.tail.events if event.topic == case.prefix + "twin"]
    assert sorted(event.key for event in twins) == [b"k1", b"k2"]
    ids = sorted(oracle.walferry_id(oracle.header(event, "walferry-id"))[2:]
                 for event in case.tail.events)
    assert ids == [(1, 1), (1, 2), (2, 1), (2, 2)], ids
