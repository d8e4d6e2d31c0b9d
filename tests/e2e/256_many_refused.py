"""Hundreds of records of one transaction that their topic does not take, under on_error: dead_letter and
skip: it costs some epochs and not one each, it never ends the relay, and each row is an event or a
letter, once. As seen before they are sent (the new key of an update that changes the key, which is the
second record of its change), and as only the broker knows (compressed), under kill -9."""

import json
import random
import sys
import time

import e2e
import flows
import oracle

ROWS = 300
TABLES = """
CREATE TABLE named (id text PRIMARY KEY, body text);
CREATE FUNCTION e2e.noise(kilobytes int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(md5(random()::text), '') FROM generate_series(1, kilobytes * 32) $$;
CREATE FUNCTION e2e.large(rows int, kilobytes int, out count bigint) LANGUAGE sql AS $$
    WITH r AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, n, jsonb_build_object('pad', e2e.noise(kilobytes + n * 0)) AS payload
        FROM generate_series(1, rows) AS n),
    o AS (INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)
          SELECT id, 'small', 'c', 'Put', payload FROM r),
    t AS (INSERT INTO e2e.truth (id, topic, key, n, md5)
          SELECT id::text, 'small', 'c', n, md5(payload::text) FROM r RETURNING id)
    SELECT count(*) FROM t $$;
"""
dice = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else None)


def letters_of(case):
    return oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.dead-letter" % case.name])


def epochs(relay):
    return len(relay.events("epoch.opened"))


def second_records():
    """Delete, tombstone and create: none of them goes out where the last one cannot."""
    with e2e.Case(sql=TABLES, label="_keys") as case:
        topic = "named." + case.name
        case.kafka.create_topic(topic, 1)
        flows.limit_topic(case, topic, 3000)
        route = {"name": "named", "from": "public.named", "as": "change", "topic": topic,
                 "on_error": "dead_letter"}
        relay = case.up({"routes": [route]})
        case.sql("INSERT INTO named SELECT n::text, 'small' FROM generate_series(1, %s) AS n", (ROWS,))
        case.wait_confirmed(case.current_lsn(), 30)
        before, began = epochs(relay), time.monotonic()
        case.sql("UPDATE named SET id = id || 'new', body = e2e.noise(4)")
        case.wait_confirmed(case.current_lsn(), 30)
        print("second records: %d epochs, %.1f s" % (
            epochs(relay) - before, time.monotonic() - began), flush=True)
        assert epochs(relay) - before <= 1, epochs(relay) - before
        case.stop(relay)
        events = oracle.read_topics(case.kafka.bootstrap, [topic])
        assert len(events) == ROWS, len(events)
        assert all(json.loads(event.value)["op"] == "c" for event in events)
        letters = letters_of(case)
        assert len({json.loads(one.value)["after"]["id"] for one in letters}) == len(letters) == ROWS


def by_the_broker(on_error, kills):
    with e2e.Case(sql=TABLES, label="_" + on_error[:4]) as case:
        case.kafka.create_topic(case.prefix + "small", 1)
        flows.limit_topic(case, case.prefix + "small", 3000)
        relay = case.up({"kafka": {"compression.type": "lz4"},
                         "routes": [dict(case.config()["routes"][0], on_error=on_error)]})
        before, began = epochs(relay), time.monotonic()
        case.sql("""BEGIN;
            SELECT e2e.put('order', 'a', 3, 1, 5, 30);
            SELECT e2e.large(%d, 8);
            SELECT e2e.put('small', 'b', 3, 10, 5, 30);
            COMMIT""" % ROWS)
        for _ in range(kills):
            time.sleep(dice.uniform(0.3, 2))
            relay.kill()
            case.start(relay)
        case.wait_confirmed(case.current_lsn(), 60)
        took = epochs(relay) - before - kills
        print("%s: %d epochs, %.1f s" % (on_error, took, time.monotonic() - began), flush=True)
        assert took <= 6, took
        case.stop(relay)
        refused = [row[0] for row in case.sql("SELECT id FROM e2e.truth WHERE key = 'c'")]
        assert len(refused) == ROWS
        if on_error == "dead_letter":
            letters = letters_of(case)
            ids = [json.loads(one.value)["after"]["id"] for one in letters]
            assert sorted(ids) == sorted(refused), (len(ids), len(set(ids)))
            reasons = {oracle.header(one, "walferry-error-reason") for one in letters}
            assert reasons == {"message_too_large"}, reasons
        case.sql("DELETE FROM e2e.truth WHERE id = ANY(%s)", (refused,))
        case.judge()


second_records()
by_the_broker("dead_letter", kills=2)
by_the_broker("skip", kills=0)
