"""on_error: dead_letter: rows without a legal topic, with a topic column that is NULL, that a jq
program fails on and that their topic does not take go to the dead-letter topic, in their place and
whole, while the slot goes on: once each, under kill -9; also where only the broker knows."""

import json
import random
import sys
import time

import e2e
import flows
import oracle

LIMIT = 20000
TABLES = """
CREATE TABLE orders (id bigint PRIMARY KEY, total text, topic text);
-- As e2e.put, of what compression makes no smaller.
CREATE FUNCTION e2e.large(n bigint) RETURNS void LANGUAGE sql AS $$
    WITH r AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, jsonb_build_object('pad', (
            SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 2000))) AS payload),
    o AS (INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)
          SELECT id, 'small', 'c', 'Put', payload FROM r)
    INSERT INTO e2e.truth (id, topic, key, n, md5)
    SELECT id::text, 'small', 'c', large.n, md5(payload::text) FROM r
$$;
"""

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10000)
print("kills: seed %d" % seed, flush=True)
dice = random.Random(seed)


def routes(case):
    return [dict(case.config()["routes"][0], on_error="dead_letter"),
            {"name": "orders", "from": "public.orders", "as": "event", "type": "Order",
             "when": {"op": ["insert"]}, "topic": "ev-%s.{topic}" % case.name, "key": "{id}",
             "jq": "{total: (.after.total | tonumber)}", "on_error": "dead_letter"}]


def write(case, n):
    """Of each fault one row, between rows that are right, in one transaction."""
    case.sql("""
        BEGIN;
        SELECT e2e.put('order', 'a', 3, %(n)d, 3, 30);
        SELECT e2e.put('no topic!', 'b', 3, %(n)d, 1, 30);
        INSERT INTO orders VALUES (%(n)d * 10, '12.5', 'x'), (%(n)d * 10 + 1, 'many', 'x'),
                                  (%(n)d * 10 + 2, '7', NULL), (%(n)d * 10 + 3, '8', 'x');
        SELECT e2e.large(%(n)d);
        SELECT e2e.put('small', 'd', 3, %(n)d, 2, 30);
        COMMIT""" % {"n": n})


def letters_of(case):
    return oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.dead-letter" % case.name])


def of_orders(case):
    return oracle.read_topics(case.kafka.bootstrap, ["ev-%s.x" % case.name])


def check_letter(letter):
    """What it says of itself is what its value holds."""
    value = json.loads(letter.value)
    reason = oracle.header(letter, "walferry-error-reason")
    route = oracle.header(letter, "walferry-error-route")
    assert value["id"] == oracle.header(letter, "walferry-id"), letter
    assert value["key"] == letter.key.decode(), letter
    assert oracle.header(letter, "walferry-error-table") == "public.%s" % value["table"]
    assert int(oracle.header(letter, "walferry-error-xid")) == value["xid"]
    assert oracle.header(letter, "walferry-error-message"), letter
    assert route == ("outbox" if value["table"] == "outbox" else "orders"), letter
    return value["table"], reason, value["after"]


def check_commands(case, relay, transactions):
    """list has a line for each letter; show has one, by its id, by its key, and all that is in it."""
    letters = letters_of(case)
    lines = case.command(relay, "dead-letter", "list").splitlines()
    assert len(lines) == len(letters) == 4 * transactions, lines
    for letter in letters:
        said = [line for line in lines if line.startswith(oracle.header(letter, "walferry-id"))]
        assert len(said) == 1 and oracle.header(letter, "walferry-error-reason") in said[0], said
    letter = letters[0]
    identity = oracle.header(letter, "walferry-id")
    shown = json.loads(case.command(relay, "dead-letter", "show", "--json", "--id", identity + ".2"))
    assert [one["value"] for one in shown["letters"]] == [json.loads(letter.value)], shown
    key = letter.key.decode()
    shown = json.loads(case.command(relay, "dead-letter", "list", "--json", "--key", key))
    assert len(shown["letters"]) == len([one for one in letters if one.key == letter.key]), shown
    case.command(relay, "dead-letter", "show", "--key", "nobody", code=1, says="no such dead letters")
    case.command(relay, "dead-letter", "drop", code=2, says="wants one of")


def check(case, transactions):
    """Each row is an event or a dead letter, once; the letters are those that must be."""
    found = {"illegal_topic": 0, "jq_failed": 0, "null_in_template": 0}
    large, last, ids = 0, {}, []
    for letter in letters_of(case):
        table, reason, after = check_letter(letter)
        place = oracle.walferry_id(oracle.header(letter, "walferry-id"))[1:]
        assert place > last.get(letter[:2], place[:0]), letter
        last[letter[:2]] = place
        if reason in found:
            found[reason] += 1
        else:
            assert reason in ("message_too_large", "record_refused"), letter
            assert oracle.header(letter, "walferry-error-topic") in (None, case.prefix + "small")
            large += 1
        if table == "outbox":
            ids.append(after["id"])
    assert all(count == transactions for count in found.values()), found
    assert large == transactions, large
    assert len(set(ids)) == len(ids) == 2 * transactions, ids
    events = sorted(json.loads(event.value)["total"] for event in of_orders(case))
    assert events == [8] * transactions + [12.5] * transactions, events
    case.sql("DELETE FROM e2e.truth WHERE id = ANY(%s)", (ids,))
    case.judge()


def run(more, transactions, kills):
    with e2e.Case(sql=TABLES, label="_packed" if "kafka" in more else "") as case:
        case.kafka.create_topic(case.prefix + "small", 1)
        flows.limit_topic(case, case.prefix + "small", LIMIT)
        relay = case.relay(dict(more, routes=routes(case)))
        case.command(relay, "setup", says="walferry.%s.dead-letter" % case.name)
        case.start(relay)
        for n in range(transactions):
            write(case, n * 10)
            if n < kills:
                time.sleep(dice.uniform(0.05, 0.8))
                relay.kill()
                case.start(relay)
        end = case.current_lsn()
        case.wait_confirmed(end, 40)
        assert relay.metric("walferry_skipped_total", route="outbox") == 0
        write(case, transactions * 10)
        case.wait_confirmed(case.current_lsn(), 40)
        assert relay.metric("walferry_dead_letters_total", route="outbox") >= 2
        assert json.loads(relay.admin("/status")[1])["dead_letters"] >= 4
        epochs = len(relay.events("epoch.opened"))
        if "kafka" not in more:   # what is seen before it is sent costs no further epoch
            write(case, transactions * 10 + 10)
            case.wait_confirmed(case.current_lsn(), 40)
            assert len(relay.events("epoch.opened")) == epochs
            transactions += 1
        case.stop(relay)
        if "kafka" not in more:
            check_commands(case, relay, transactions + 1)
        check(case, transactions + 1)


run({}, transactions=8, kills=5)
run({"kafka": {"compression.type": "lz4"}}, transactions=2, kills=1)
