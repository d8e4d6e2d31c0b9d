"""Values that are larger than their topic takes, by claim check: under kill -9 each reference in Kafka finds
its row, with the very bytes; of an outbox, of changes and of events, of two routes that have the same id, and
where only the broker knows. No table, no right and no time left are seen; a table that refuses every row, or
some of them, ends as any other error of the route, after some tries, and a lost session costs nothing."""

import hashlib
import json
import random
import sys
import time

import e2e
import flows
import oracle
from mends import ended, mend

LIMIT = 4000
TABLES = """
CREATE TABLE named (id bigint PRIMARY KEY, note text);
ALTER TABLE named REPLICA IDENTITY FULL;
CREATE FUNCTION e2e.noise(bytes int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT left(string_agg(md5(random()::text), ''), bytes) FROM generate_series(1, bytes / 32 + 1) $$;
"""
CLAIM = {"policy": "claim_check", "keep": "2h"}
dice = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else None)


def routes(case):
    return [
        dict(case.config()["routes"][0], oversize=CLAIM),
        {"name": "changes", "from": "public.named", "as": "change", "topic": "ch." + case.name,
         "oversize": CLAIM, "continue": True},
        {"name": "events", "from": "public.named", "as": "event", "type": "Named", "format": "json",
         "topic": "ev." + case.name, "key": "{id}", "jq": "{id: .after.id, note: .after.note}",
         "oversize": CLAIM, "when": {"op": ["insert"]}}]


def topics(case):
    return [case.prefix + "big", "ch." + case.name, "ev." + case.name]


def write(case, n):
    """Ten rows in one transaction, of which the odd ones are too large."""
    case.sql("""BEGIN;
        INSERT INTO named SELECT %(n)d + i, e2e.noise(100 + 6000 * (i %% 2)) FROM generate_series(0, 9) AS i;
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
        SELECT 'big', i::text, 'Put', jsonb_build_object('n', %(n)d + i, 'note', e2e.noise(100 + 6000 * (i %% 2)))
        FROM generate_series(0, 9) AS i;
        COMMIT""" % {"n": n})


def whole(case, event):
    """The value as it would have gone to Kafka."""
    claim = oracle.header(event, "walferry-claim")
    if claim is None:
        return json.loads(event.value), False
    reference = json.loads(event.value)
    rows = case.sql("SELECT payload FROM walferry.claim WHERE id = %s", (claim,))
    assert len(rows) == 1, claim
    payload = bytes(rows[0][0])
    assert claim.split(":")[0] == oracle.header(event, "walferry-id")
    assert reference == {"id": claim, "bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
    assert len(payload) > LIMIT
    return json.loads(payload), True


def check(case, rounds):
    stored = {row[0]: row[1] for row in case.sql("SELECT id, note FROM named")}
    posted = {row[0]["n"]: row[0] for row in case.sql("SELECT payload FROM outbox")}
    for topic, row_of in zip(topics(case), (lambda v: v, lambda v: v["after"], lambda v: v)):
        events = oracle.read_topics(case.kafka.bootstrap, [topic])
        assert len(events) == 10 * rounds, (topic, len(events))
        for event in events:
            value, claimed = whole(case, event)
            row = row_of(value)
            n = row["n"] if "n" in row else row["id"]
            assert claimed == (n % 2 == 1), (topic, n)
            assert row == posted[n] if "n" in row else row["note"] == stored[n], (topic, n)


def refused(case, text):
    """By all who look before they begin."""
    relay = case.relay({"routes": routes(case), "source": {"connection": case.dsn("walferry")}})
    case.command(relay, "check", "--connect", code=1, says=text)
    case.refused(relay, 2, says=text)


def run(more, rounds, kills):
    with e2e.Case(sql=TABLES, label="_packed" if more else "") as case:
        for topic in topics(case):
            case.kafka.create_topic(topic, 1)
            flows.limit_topic(case, topic, LIMIT)
        case.apply("002_role.sql")
        admin = case.relay(dict(more, routes=routes(case)))
        case.command(admin, "setup", code=2, says=("no table walferry.claim", "sql/011_claim.sql"))
        case.apply("011_claim.sql")
        case.setup(admin)
        relay = case.relay(dict(more, routes=routes(case), source={"connection": case.dsn("walferry")}))
        age(case)
        case.start(relay)
        for n in range(rounds):
            write(case, n * 10)
            if n < kills:
                time.sleep(dice.uniform(0.05, 0.7))
                relay.kill()
                case.start(relay)
        case.wait_confirmed(case.current_lsn(), 40)
        assert relay.metric("walferry_claims_total", route="changes") >= 1
        check(case, rounds)
        fresh = case.one("SELECT count(*) FROM walferry.claim WHERE id NOT LIKE 'old%'")
        assert fresh >= 15 * rounds, fresh
        aged(case, relay, fresh, not kills)
        case.stop(relay)
        if kills:
            case.sql("REVOKE INSERT ON walferry.claim FROM walferry")
            refused(case, ("may not use the table walferry.claim", "GRANT SELECT, INSERT"))
            case.apply("011_claim.undo.sql")
            refused(case, ("no table walferry.claim", "011_claim.sql"))


RAISES = """CREATE FUNCTION e2e.raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'nothing larger today' USING ERRCODE = '%s'; END $$;
CREATE TRIGGER raises BEFORE INSERT ON walferry.claim FOR EACH ROW EXECUTE FUNCTION e2e.raises()"""


def letters(case):
    return oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.dead-letter" % case.name])


def refusing():
    """A trigger that always raises; a constraint that is against some rows; sessions that end."""
    with e2e.Case(sql=TABLES, label="_refusing", config={"log": {"format": "json"}}) as case:
        case.kafka.create_topic(case.prefix + "big", 1)
        flows.limit_topic(case, case.prefix + "big", LIMIT)
        case.apply("011_claim.sql")
        stops = case.relay({"routes": routes(case)[:1]})
        case.setup(stops)
        case.sql(RAISES % "58030")  # what the server has trouble with itself has the same end
        case.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload)"
                 " SELECT 'big', '1', 'Put', jsonb_build_object('n', 1, 'note', e2e.noise(6100))")
        mend(stops, "claim_refused", ended(case, stops, "claim_refused", 5))
        case.start(stops)
        case.wait_confirmed(case.current_lsn(), 30)
        case.stop(stops)
        assert not oracle.read_topics(case.kafka.bootstrap, [case.prefix + "big"])
        case.sql("DROP TRIGGER raises ON walferry.claim; DROP FUNCTION e2e.raises")
        case.sql(RAISES % "P0001")
        keeps = case.relay({"routes": [dict(routes(case)[0], on_error="dead_letter")]})
        case.start(keeps)
        write(case, 10)
        write(case, 20)
        case.wait_confirmed(case.current_lsn(), 40)
        found = letters(case)
        assert len(found) == 10, len(found)
        assert {oracle.header(one, "walferry-error-reason") for one in found} == {"claim_refused"}
        assert all("nothing larger today" in oracle.header(one, "walferry-error-message") for one in found)
        case.sql("DROP TRIGGER raises ON walferry.claim; ALTER TABLE walferry.claim"
                 " ADD CHECK (get_byte(sha256(payload), 0) % 2 = 0)")
        for n in range(3, 6):
            write(case, n * 10)
            case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name LIKE '%:claims'")
        case.wait_confirmed(case.current_lsn(), 60)
        case.stop(keeps)
        events = oracle.read_topics(case.kafka.bootstrap, [case.prefix + "big"])
        claimed = sum(whole(case, event)[1] for event in events)
        assert len(events) + len(letters(case)) == 50, (len(events), len(letters(case)))
        assert claimed + len(letters(case)) - 10 == 15, (claimed, len(letters(case)))


def age(case):
    case.sql("INSERT INTO walferry.claim SELECT 'old' || i, 'x', now(), now() - interval '1 s'"
             " FROM generate_series(1, 150) AS i")


def aged(case, relay, fresh, counted):
    """What is past its time goes, a hundred at a time, and nothing else."""
    def left():
        return case.one("SELECT count(*) FROM walferry.claim WHERE id LIKE 'old%'")

    e2e.wait("old rows stay", lambda: left() == 0, 40, interval=0.5)
    assert case.one("SELECT count(*) FROM walferry.claim") == fresh
    if counted:
        e2e.wait("they are not counted", lambda: relay.metric("walferry_claims_deleted_total") == 150, 5)


run({}, rounds=4, kills=3)
run({"kafka": {"compression.type": "lz4"}}, rounds=1, kills=0)
refusing()
