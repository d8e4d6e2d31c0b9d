"""Messages that are larger than their topic takes, by the policy of their route: of an outbox, of changes
and of events a text is cut so that they fit, in one transaction with others, under kill -9, and also
where only the broker knows; a route that says skip leaves out what is too large, and makes dead letters of
the rest of its errors."""

import json
import random
import sys
import time

import e2e
import flows
import oracle

LIMIT = 4000
TABLES = """
CREATE TABLE named (id bigint PRIMARY KEY, note text);
ALTER TABLE named REPLICA IDENTITY FULL;
CREATE FUNCTION e2e.noise(bytes int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT left(string_agg(md5(random()::text), ''), bytes) FROM generate_series(1, bytes / 32 + 1) $$;
"""
dice = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else None)


def routes(case):
    def truncate(field):
        return {"policy": "truncate", "field": field}
    return [
        dict(case.config()["routes"][0], oversize=truncate("body.note"), on_error="dead_letter"),
        {"name": "changes", "from": "public.named", "as": "change", "topic": "ch." + case.name,
         "oversize": truncate("note"), "on_error": "dead_letter", "continue": True},
        {"name": "events", "from": "public.named", "as": "event", "type": "Named", "format": "cloudevents",
         "topic": "ev." + case.name, "key": "{id}", "oversize": truncate("data.note"),
         "on_error": "dead_letter", "when": {"op": ["insert"]}, "continue": True},
        {"name": "left", "from": "public.named", "as": "event", "type": "Left", "format": "json",
         "topic": "left." + case.name, "key": "{id}",
         "jq": 'if .after.id % 10 == 9 then error("nine") else {id: .after.id, note: .after.note} end',
         "when": {"op": ["insert"]}, "oversize": {"policy": "skip"}, "on_error": "dead_letter"}]


def write(case, n):
    """Ten rows in one transaction, of which the odd ones are too large; the second one is altered."""
    case.sql("""BEGIN;
        INSERT INTO named SELECT %(n)d + i, e2e.noise(100 + 6000 * (i %% 2)) FROM generate_series(0, 9) AS i;
        UPDATE named SET note = note || '!' WHERE id = %(n)d + 1;
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
        SELECT 'big', i::text, 'Put', jsonb_build_object(
            'n', %(n)d + i, 'body', jsonb_build_object('note', e2e.noise(100 + 6000 * (i %% 2))))
        FROM generate_series(0, 9) AS i;
        COMMIT""" % {"n": n})


def fits(event):
    return len(event.value) < LIMIT


def check(case, rounds):
    stored = {row[0]: row[1] for row in case.sql("SELECT id, note FROM named")}
    read = lambda topic: oracle.read_topics(case.kafka.bootstrap, [topic])
    changes, events, left = (read(prefix + case.name) for prefix in ("ch.", "ev.", "left."))
    assert len(changes) == 11 * rounds and len(events) == 10 * rounds, (len(changes), len(events))
    cut = 0
    for event, row in ([(one, json.loads(one.value)["after"]) for one in changes] +
                       [(one, json.loads(one.value)["data"]) for one in events]):
        header = oracle.header(event, "walferry-truncated")
        assert fits(event) and stored[row["id"]].startswith(row["note"]), row["id"]
        assert (header is not None) == (row["id"] % 2 == 1), (row["id"], header)
        if header is not None:
            cut += 1
            assert len(event.value) > LIMIT - 400 and header.split()[0] in ("note", "data.note")
    assert cut == 11 * rounds, cut
    outbox = {json.loads(one.value)["n"]: one for one in read(case.prefix + "big")}
    assert len(outbox) == 10 * rounds
    assert all(fits(one) for one in outbox.values())
    assert sorted(json.loads(one.value)["id"] % 10 for one in left) == sorted([0, 2, 4, 6, 8] * rounds)
    letters = read("walferry.%s.dead-letter" % case.name)
    assert len(letters) == rounds, len(letters)
    assert {oracle.header(one, "walferry-error-reason") for one in letters} == {"jq_failed"}


def run(more, rounds, kills):
    with e2e.Case(sql=TABLES, label="_packed" if more else "") as case:
        for topic in (case.prefix + "big", "ch." + case.name, "ev." + case.name, "left." + case.name):
            case.kafka.create_topic(topic, 1)
            flows.limit_topic(case, topic, LIMIT)
        relay = case.up(dict(more, routes=routes(case)))
        for n in range(rounds):
            write(case, n * 10)
            if n < kills:
                time.sleep(dice.uniform(0.05, 0.7))
                relay.kill()
                case.start(relay)
        case.wait_confirmed(case.current_lsn(), 40)
        assert relay.metric("walferry_truncated_total", route="changes") >= 1
        case.stop(relay)
        check(case, rounds)


run({}, rounds=5, kills=4)
run({"kafka": {"compression.type": "lz4"}}, rounds=1, kills=0)
