"""What Debezium's EventRouter does by options, and outbox tables of other shapes than ours, several of
them in one relay: topics by an expression, columns in headers, in the value and as the partition, JSON
out of columns of text, blank payloads, the context of a trace; and refusals that name what to change."""

import json

import e2e

SQL = """
    CREATE TABLE public.routed (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text NOT NULL,
        aggregateid text NOT NULL, type text NOT NULL, payload text, version int, region text,
        shard int, tracingspancontext text);
    CREATE TABLE public.events (event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), event_type text,
        partition_key text, payload bytea, headers jsonb, status text DEFAULT 'PENDING');
    CREATE TABLE public.messages (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregate_type text,
        aggregate_id text, message_type text, segment text, concurrency text, payload jsonb,
        metadata jsonb, created_at timestamptz DEFAULT now());
    CREATE TABLE public.harvest (id bigserial PRIMARY KEY, kafka_topic text NOT NULL,
        kafka_key text NOT NULL, kafka_value text, kafka_header_keys text[] NOT NULL DEFAULT '{}',
        kafka_header_values text[] NOT NULL DEFAULT '{}', leader_id uuid);
    CREATE TABLE public.items (id bigserial PRIMARY KEY, uuid uuid NOT NULL DEFAULT gen_random_uuid(),
        event_name text NOT NULL, event_key text, bucket int NOT NULL DEFAULT 1, status int DEFAULT 0, options jsonb,
        payload bytea);
"""


def routes(prefix):
    router = {"route_topic_regex": "(?<domain>[a-z]+)\\.(?<routedByValue>.*)",
              "route_topic_replacement": prefix + "${domain}.${routedByValue}.events",
              "table_expand_json_payload": True, "route_tombstone_on_empty_payload": True,
              "table_fields_additional_placement":
                  "type:header:eventType,region:header,version:envelope:v,shard:partition,not_there:header",
              "table_field_additional_missing": "ignore",
              "tracing_span_context_field": "tracingspancontext"}
    return [
        {"name": "routed", "from": "public.routed", "format": "json", "event_router": router},
        {"name": "events", "from": "public.events", "topic": prefix + "{event_type}",
         "key": "{partition_key}", "columns": {"id": "event_id", "type": "event_type", "headers": "headers",
                                               "payload": "payload"}},
        {"name": "messages", "from": "public.messages", "topic": prefix + "{aggregate_type}",
         "key": "{segment:}{aggregate_id}", "headers": {"id": "{id}", "type": "{message_type}"},
         "columns": {"payload": "payload", "headers": "metadata", "timestamp": "created_at"}},
        {"name": "harvest", "from": "public.harvest", "topic": "{kafka_topic}", "key": "{kafka_key}",
         "headers": {}, "columns": {
             "payload": "kafka_value", "header_keys": "kafka_header_keys", "header_values": "kafka_header_values"}},
        {"name": "items", "from": "public.items", "topic": prefix + "{event_name}", "key": "{event_key}",
         "columns": {"id": "uuid", "type": "event_name", "headers": "options", "headers_member": "headers",
                     "partition": "bucket"},
         "event_router": {"table_op_invalid_behavior": "error"}}]


def headers(event):
    found = [(name, value and value.decode()) for name, value in event.headers]
    assert found[-1][0] == "walferry-id", found
    return found[:-1]


def by_topic(case):
    found = {}
    for event in case.tail.events:
        found.setdefault(event.topic[len(case.prefix):], []).append(event)
    return found


def flow(case):
    relay = case.up({"routes": routes(case.prefix)})
    case.sql("""
        INSERT INTO public.routed (id, aggregatetype, aggregateid, type, payload, version, region, shard,
            tracingspancontext)
        VALUES ('5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f', 'shop.order', '42', 'Placed',
            '{"n": 9007199254740993, "none": null, "empty": [], "mixed": [1, "a", {"b": [null]}]}', 3, NULL, 2,
            E'#Mon\\ntraceparent=00-aa-bb-01\\n'),
           ('5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e60', 'shop.order', '42', 'Note', 'no {json}', NULL, 'eu', 2, NULL),
           ('5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e61', 'shop.order', '42', 'Gone', '  ', 1, 'eu', 2, NULL);
        INSERT INTO public.events (event_type, partition_key, payload, headers)
            VALUES ('paid', 'p1', decode('00ff', 'hex'), '{"a": "b"}');
        INSERT INTO public.messages (aggregate_type, aggregate_id, message_type, segment, payload, metadata,
            created_at) VALUES ('movie', '7', 'created', 's-', '{"x": 1}', '{"who": "me"}', now() - interval '1 min');
        INSERT INTO public.harvest (kafka_topic, kafka_key, kafka_value, kafka_header_keys, kafka_header_values)
            VALUES ('%sharvested', 'k', 'v', '{a,b}', '{"x y",NULL}'), ('%sharvested', 'k', NULL, '{}', '{}');
        INSERT INTO public.items (event_name, event_key, options, payload)
            VALUES ('sold', 'k', '{"key": "o", "headers": {"h": "1"}}', 'p');
        UPDATE public.items SET status = 1;
        UPDATE public.events SET status = 'DELIVERED';
    """ % (case.prefix, case.prefix))
    e2e.wait("eight events", lambda: case.seen(0.1) and len(case.tail.events) == 8)
    case.stop(relay)
    found = by_topic(case)
    placed, note, gone = found["shop.order.events"]
    assert placed.partition == note.partition == gone.partition == 2 and placed.key == b"42"
    assert placed.value == (b'{"payload":{"n": 9007199254740993, "none": null, "empty": [], '
                            b'"mixed": [1, "a", {"b": [null]}]},"v":3}'), placed.value
    assert headers(placed) == [("id", "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f"), ("eventType", "Placed"),
                               ("region", None), ("traceparent", "00-aa-bb-01")], placed.headers
    assert json.loads(note.value) == {"payload": "no {json}", "v": None}, note.value
    assert headers(note)[1:] == [("eventType", "Note"), ("region", "eu")], note.headers
    assert gone.value is None
    (paid,) = found["paid"]
    assert (paid.key, paid.value, headers(paid)[1:]) == (b"p1", b"\x00\xff", [("a", "b")]), paid
    (movie,) = found["movie"]
    assert (movie.key, movie.value) == (b"s-7", b'{"x": 1}') and headers(movie)[1:] == [
        ("type", "created"), ("who", "me")], movie.headers
    assert [(event.key, event.value) for event in found["harvested"]] == [(b"k", b"v"), (b"k", None)]
    assert [headers(event) for event in found["harvested"]] == [[("a", "x y"), ("b", None)], []]
    (sold,) = found["sold"]
    assert (sold.key, sold.value, sold.partition, headers(sold)[1:]) == (b"k", b"p", 1, [("h", "1")]), sold
    (told,) = relay.events("event.skipped")
    assert "invalid_operation" in told, told


def refusals(case):
    def refused(code, says, **router):
        one = {"name": "routed", "from": "public.routed", "event_router": router}
        one["format"] = router.pop("format", "json")
        one["as"] = router.pop("as_", "outbox")
        if one["as"] != "outbox":
            one["format"] = "debezium"
        args = ("check", "--connect") if code == 1 else ("check",)
        case.command(case.relay({"routes": [one]}), *args, code=code, says=says)

    refused(2, "placement", table_fields_additional_placement="type:headers")
    refused(2, "format: json", table_fields_additional_placement="type:envelope", format="raw")
    refused(2, "format: json", table_expand_json_payload=True, format="raw")
    refused(2, "missing closing parenthesis", route_topic_regex="(")
    refused(2, "names no group", route_topic_regex="(a)", route_topic_replacement="${b}")
    refused(2, "it is for as: outbox", route_topic_regex="a", as_="change")
    refused(1, "not_there", table_fields_additional_placement="not_there:header")


with e2e.Case(sql=SQL, label="") as one:
    flow(one)
with e2e.Case(sql=SQL, label="_no") as one:
    refusals(one)
