"""Debezium's EventRouter beside routes as: outbox: five tables of different shapes, each with a
connector of its own, and one relay for all but the one that ends. Compared are topics, partitions, keys, values,
headers, and timestamps where a column says them.

JSON that is expanded is compared as what it means, because EventRouter writes it anew. Of some it loses
something, or all, or the connector ends where it is not told to go on: there walferry's value is the
right one, what was written.

The router makes a span of its own of a row with a tracing context, and writes that one's, where the SDK of
OpenTelemetry is in its JVM; else nothing. walferry hands on the context as it is, so those headers are ours
alone, and all else is equal. Under table.op.invalid.behavior: fatal an UPDATE ends both.
"""

import json
import os
import re
import tempfile

import records
from lab import connect, kafka, postgres, process, relay

END = "the outboxes have ended"
STRING = "org.apache.kafka.connect.storage.StringConverter"
JSON = "org.apache.kafka.connect.json.JsonConverter"
BEFORE = """
CREATE SCHEMA ob;
CREATE TABLE ob.headers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload text, version int, note text);
CREATE TABLE ob.envelope (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload jsonb, version int, ok bool, note text);
CREATE TABLE ob.expanded (event uuid PRIMARY KEY DEFAULT gen_random_uuid(), topic varchar(255) NOT NULL,
    key bigint NOT NULL, type varchar(255) NOT NULL, body text, happened timestamp(3), part int);
CREATE TABLE ob.traced (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload text, context text, note text);
CREATE TABLE ob.fatal (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload text);
CREATE PUBLICATION dbz_outbox FOR TABLE ob.headers, ob.envelope, ob.expanded, ob.traced, ob.fatal;
"""


def row(table, *values):
    columns = {"headers": "aggregatetype, aggregateid, type, payload, version, note",
               "envelope": "aggregatetype, aggregateid, type, payload, version, ok, note",
               "expanded": "topic, key, type, body, happened, part",
               "traced": "aggregatetype, aggregateid, type, payload, context, note",
               "fatal": "aggregatetype, aggregateid, type, payload"}[table]
    return "INSERT INTO ob.%s (%s) VALUES (%s)" % (table, columns, ", ".join(values))


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACING = ("traceparent", "tracestate")


def text(value):
    return "NULL" if value is None else "'%s'" % value.replace("'", "''")


# Texts that are JSON, or look like it.
BODIES = ('{"a": 1, "b": "x"}', '{"a": {"b": {"c": [1, 2, 3]}}}', '{"d": 1.5, "e": true}',
          '{"u": "\\u00e4\\ud83d\\ude00", "q": "\\"", "s": "/"}', '{"n": 9007199254740993}',
          '{"n": 2147483648, "m": -1}', 'no JSON', '"x"', '12', '{"a": 1', '{}')
# Of what is lost there: arrays by themselves, nulls, empty arrays, arrays of several types, digits.
LOSSY = ('[{"a": 1}, {"a": 2}]', '["x", "y"]', '{"a": null, "b": 1}', '{"a": [], "b": 1}',
         '{"a": [1, "two"]}', '{"a": [{"b": 1}, {"c": "x"}]}',
         '{"n": 12345678901234567890}', '{"a": [null, 1]}', '[[1, 2], [3]]', '{"d": 1.10, "e": 1e400}', '[]',
         '[null]', '{"a": [{"b": []}, {"b": [1]}]}')

STATEMENTS = [row("headers", "'order.%s'" % kind, text(key), text("Placed"), text(payload), version, note)
              for kind, key, payload, version, note in (
                  ("new", "1", '{"a":  1}', "1", "'n'"), ("new", "ä 2", "text", "NULL", "NULL"),
                  ("new", "3", None, "2", "''"), ("old", "4", "", "3", "'\"q\" \\ ä'"), ("old", "5", "  ", "-4", "'x'"),
                  ("old", "6", "\u20ac\U0001F600\n\t", "5", "'[1]'"))] + [
    "UPDATE ob.headers SET note = 'again' WHERE aggregateid = '1'",
    "DELETE FROM ob.headers WHERE aggregateid = '4'",
    "BEGIN; %s; DELETE FROM ob.headers; COMMIT" % row("headers", "'order.new'", "'7'", "'Gone'", "'p'", "1", "NULL"),
    row("headers", "'order.new'", "'end'", "'End'", text(END), "1", "NULL"),
] + [row("envelope", "'Cart'", text(str(number)), text("T"), text(payload), version, ok, note)
     for number, (payload, version, ok, note) in enumerate((
         ('{"bar":"baz", "n": [1, 2.50, null]}', "1", "true", "'x'"), ("[]", "NULL", "NULL", "NULL"),
         (None, "2", "false", "'\"q\" ä'"), ('"x"', "3", "true", "''"), ("12", "4", "false", "'{}'")))] + [
    row("envelope", "'Cart'", "'end'", "'End'", "'\"%s\"'" % END, "1", "true", "NULL"),
] + [row("expanded", "'thing'", str(number), "'T'", text(body),
         "date_trunc('hour', localtimestamp) - %d.123 * interval '1 minute'" % number, str(number % 3))
     for number, body in enumerate(BODIES + LOSSY)] + [
    row("expanded", "'thing'", "-1", "'T'", "NULL", "NULL", "NULL"),
    row("expanded", "'thing'", "-9", "'End'", "'%s'" % END, "NULL", "2"),
] + [row("traced", "'Trip'", text(str(number)), "'T'", "'p'", text(context), "'n'")
     for number, context in enumerate((None, "traceparent=" + PARENT, "traceparent=%s\ntracestate=a=1" % PARENT))] + [
    row("traced", "'Trip'", "'end'", "'End'", text(END), "NULL", "NULL")]
# Behind the END both have published; then the UPDATE, and what neither comes to any more.
FATAL = [row("fatal", "'Trip'", text(str(number)), "'T'", text(payload))
         for number, payload in enumerate(("p", "", END))]
BEHIND = ["UPDATE ob.fatal SET type = 'U' WHERE aggregateid = '0'", row("fatal", "'Trip'", "'9'", "'T'", "'behind'")]

# {table: (options of the transform, options of the connector, our route)}
ROUTERS = {
    "headers": (
        {"table.fields.additional.placement": "type:header:eventType,version:header,note:header:aNote",
         "route.topic.regex": "(?<base>[a-z]+)\\.(?<kind>.*)", "route.topic.replacement": "dbr_headers.${kind}.$1",
         "route.tombstone.on.empty.payload": "true", "table.op.invalid.behavior": "warn"},
        {"value.converter": STRING},
        {"event_router": {
            "table_fields_additional_placement": "type:header:eventType,version:header,note:header:aNote",
            "route_topic_regex": "(?<base>[a-z]+)\\.(?<kind>.*)", "route_topic_replacement": "wfr_headers.${kind}.$1",
            "route_tombstone_on_empty_payload": True}}),
    "envelope": (
        {"table.fields.additional.placement": "type:envelope:kind,version:envelope,ok:envelope,note:envelope:aNote",
         "route.topic.replacement": "dbr_envelope.${routedByValue}", "table.op.invalid.behavior": "error"},
        {"value.converter": JSON, "value.converter.schemas.enable": "false"},
        {"topic": "wfr_envelope.{aggregatetype}", "format": "json_string", "event_router": {
            "table_fields_additional_placement":
                "type:envelope:kind,version:envelope,ok:envelope,note:envelope:aNote"}}),
    "expanded": (
        {"table.field.event.id": "event", "table.field.event.key": "key", "table.field.event.payload": "body",
         "table.field.event.timestamp": "happened", "route.by.field": "topic", "table.expand.json.payload": "true",
         "table.fields.additional.placement": "part:partition,type:header",
         "route.topic.replacement": "dbr_expanded.${routedByValue}"},
        {"value.converter": JSON, "value.converter.schemas.enable": "false", "errors.tolerance": "all"},
        {"topic": "wfr_expanded.{topic}", "key": "{key}", "headers": {"id": "{event}"}, "format": "json",
         "columns": {"id": "event", "aggregate_type": "topic", "aggregate_id": "key", "payload": "body",
                     "timestamp": "happened"},
         "event_router": {"table_fields_additional_placement": "part:partition,type:header",
                          "table_expand_json_payload": True}}),
    "traced": (
        {"tracing.span.context.field": "context", "table.fields.additional.placement": "note:header",
         "route.topic.replacement": "dbr_traced.${routedByValue}"},
        {"value.converter": STRING},
        {"topic": "wfr_traced.{aggregatetype}", "event_router": {
            "tracing_span_context_field": "context", "table_fields_additional_placement": "note:header"}}),
    "fatal": (
        {"table.op.invalid.behavior": "fatal", "route.topic.replacement": "dbr_fatal.${routedByValue}"},
        {"value.converter": STRING},
        {"topic": "wfr_fatal.{aggregatetype}", "event_router": {"table_op_invalid_behavior": "fatal"}}),
}
# The one that ends has a relay for itself.
RELAYS = {"wfr": [name for name in ROUTERS if name != "fatal"], "wff": ["fatal"]}


def connector(server, name):
    transform, own, _ = ROUTERS[name]
    options = {"transforms": "outbox",
               "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter"}
    options.update({"transforms.outbox." + key: value for key, value in transform.items()})
    return dict({
        "database.hostname": "127.0.0.1", "database.port": server.port, "database.user": "postgres",
        "database.password": "", "database.dbname": "postgres", "topic.prefix": "dbr_" + name,
        "slot.name": "dbr_" + name, "publication.name": "dbz_outbox", "table.include.list": "ob." + name,
        "extended.headers.enabled": "false", "topic.creation.default.partitions": 3,
        "key.converter": STRING}, **dict(options, **own))


def config(server, broker, relay_name):
    routes = [dict({"name": name, "from": "ob." + name, "as": "outbox"}, **ROUTERS[name][2])
              for name in RELAYS[relay_name]]
    return {"relay": relay_name, "source": {"connection": server.dsn()},
            "kafka": {"bootstrap.servers": broker.bootstrap},
            "delivery": {"topics": {"partitions": 3}}, "routes": routes, "admin": {"listen": "off"}}


def play(binary, scratch, log=None):
    """{table: (a connector's lines, ours)}"""
    with postgres.Postgres(os.path.join(scratch, "pg")) as server, \
            kafka.Kafka(os.path.join(scratch, "kafka")) as broker, \
            connect.Worker(os.path.join(scratch, "connect"), broker.bootstrap) as worker:
        server.sql(BEFORE)
        worker.start({"r_" + name: connector(server, name) for name in ROUTERS})
        process.wait_for("nobody streams", lambda: server.sql(
            "SELECT count(*) FROM pg_replication_slots WHERE active")[0][0] == len(ROUTERS), 120)
        relays = [started(binary, config(server, broker, name), scratch) for name in RELAYS]
        for statement in STATEMENTS + FATAL:
            server.sql(statement)
        for name in ROUTERS:
            process.wait_for("%s does not end" % name, lambda: ended(worker, broker, name), 60, log=relays[0].log)
        end_fatally(server, worker, relays[1])
        found = {name: tuple(lines(broker, "%s_%s." % (side, name), name) for side in ("dbr", "wfr"))
                 for name in ROUTERS}
        relays[0].stop()
        return found


def started(binary, options, scratch):
    one = relay.Relay(binary, options, scratch, name=options["relay"])
    code, out, err = one.run("setup", timeout=120)
    assert code == 0, out + err
    one.start()
    one.wait_log("epoch.opened", timeout=60)
    return one


def failure(worker, name):
    """Why its task has ended; None: it runs."""
    tasks = (worker.status("r_" + name) or {"tasks": []})["tasks"]
    return next((task["trace"] for task in tasks if task["state"] == "FAILED"), None)


def end_fatally(server, worker, one):
    """An UPDATE ends the task and the relay, each saying why."""
    for statement in BEHIND:
        server.sql(statement)
    process.wait_for("the router goes on", lambda: failure(worker, "fatal"), 60, log=worker.log)
    assert "update" in failure(worker, "fatal").lower(), failure(worker, "fatal")
    print("router fatal: %s" % [line for line in failure(worker, "fatal").splitlines() if "update" in line.lower()][0])
    code = one.wait(60)
    assert code == 5 and "invalid_operation" in one.log_text(), (code, one.log_text()[-2000:])


def ended(worker, broker, name):
    """Both have published the last row."""
    assert failure(worker, name) is None, "%s: %s" % (name, failure(worker, name))
    topics = list(broker.admin().list_topics(timeout=10).topics)
    counts = [sum(records.count(broker.bootstrap, topic) for topic in topics
                  if topic.startswith("%s_%s." % (side, name))) for side in ("dbr", "wfr")]
    return max(counts) >= sum("INTO ob.%s " % name in statement for statement in STATEMENTS + FATAL)


def lines(broker, prefix, name):
    out = []
    found = records.read(broker.bootstrap, prefix, END.encode())
    for place in sorted(found):
        for message in found[place]:
            record = json.loads(records.line(message))
            record[0] = record[0].replace("dbr_", "wfr_")
            record[4] = [header for header in record[4] if not header[0].startswith("walferry-")]
            stamp = message.timestamp()[1] if name == "expanded" and message.key() != b"-1" and \
                END.encode() not in (message.value() or b"") else 0
            out.append(json.dumps(record + [stamp], ensure_ascii=False))
    return out


def meaning(value):
    """Of a value that may have been written anew."""
    try:
        return json.loads(value, parse_float=str, parse_int=str)
    except (TypeError, ValueError):
        return value


def tracing(record):
    return [header for header in record[4] if header[0] in TRACING]


# {key: the headers that walferry makes of the context}
CONTEXTS = {"0": [], "1": [["traceparent", PARENT]],
            "2": [["traceparent", PARENT], ["tracestate", "a=1"]], "end": []}


def differences(name, wanted, got):
    """(what nobody meant, how many values the router loses something of)"""
    out, lossy = [], 0
    theirs, ours = ([json.loads(line) for line in lines] for lines in (wanted, got))
    if name == "expanded":
        there = {record[2] for record in theirs}
        lost = [record for record in ours if record[2] not in there]
        ours = [record for record in ours if record[2] in there]
        lossy += len(lost)
        out += [(name + " lost", "", record) for record in lost if record[3] not in LOSSY]
    if name == "traced":
        out += [(name + " of its own", record, "") for record in theirs if tracing(record)]
        out += [(name + " context", "", record) for record in ours if tracing(record) != CONTEXTS.get(record[2])]
        for record in ours:
            record[4] = [header for header in record[4] if header[0] not in TRACING]
    if len(theirs) != len(ours):
        out.append(("%d records, %d of walferry" % (len(theirs), len(ours)), "", ""))
    for one, other in zip(theirs, ours):
        alike = one[:3] + one[4:] == other[:3] + other[4:]
        if one == other or (name == "expanded" and alike and meaning(one[3]) == meaning(other[3])):
            continue
        if name == "expanded" and alike and other[3] in LOSSY:
            lossy += 1
            continue
        out.append((name, one, other))
    return out, lossy


# So many of LOSSY are not what was written, and so many records there are.
MET, COUNTS = 11, {"headers": 8, "envelope": 6, "expanded": 26, "traced": 4, "fatal": 3}


def compare(binary):
    """Prints what is wrong; true where nothing is."""
    assert set(COUNTS) == set(ROUTERS)
    with tempfile.TemporaryDirectory(prefix="wf-router-", dir="/tmp") as scratch:
        os.chmod(scratch, 0o755)
        found = play(binary, scratch)
    good = True
    for name, (wanted, got) in found.items():
        unknown, lossy = differences(name, wanted, got)
        for what, one, other in unknown:
            print("  %s\n    debezium %s\n    walferry %s" % (what, one, other))
        fine = not unknown and len(got) == COUNTS[name] and lossy == (MET if name == "expanded" else 0)
        # A difference that somebody puts there is found.
        planted = [re.sub(r'"(\d)', r'"9\1', line) for line in got]
        fine = fine and bool(differences(name, wanted, planted)[0])
        print("%sok router %s: %d records, %d values that the router changes" % (
            "" if fine else "not ", name, len(got), lossy))
        good = good and fine
    return good
