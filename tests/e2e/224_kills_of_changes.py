"""Whole row changes and events of the domain under kill -9 of relay, server and broker, with writers that
insert, update, delete and move keys: played back, the changes are the table, and each event is there once."""

import json
import random
import threading
import time

import psycopg2

import e2e
import replay

KAFKA = "own"
FIRST = True
SECONDS = 240
RELAYS = 4  # killed before and after each server

TABLES = """
CREATE TABLE stock (id int PRIMARY KEY, n bigint NOT NULL, note text, big text);
ALTER TABLE stock REPLICA IDENTITY FULL;
ALTER TABLE stock ALTER big SET STORAGE EXTERNAL;
CREATE SEQUENCE turn;
CREATE TABLE e2e.turns (n bigint, id int, op text);
CREATE FUNCTION e2e.turned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO e2e.turns VALUES (coalesce(NEW.n, OLD.n), coalesce(NEW.id, OLD.id), lower(TG_OP));
    RETURN NULL;
END $$;
CREATE TRIGGER turned AFTER INSERT OR UPDATE OR DELETE ON stock FOR EACH ROW EXECUTE FUNCTION e2e.turned();
"""

# A row is made, changed (its large value kept or not), moved to another key, or deleted; n is never the
# same twice, and a deleted row takes its last n with it.
STEPS = (
    "INSERT INTO stock SELECT %(id)s, nextval('turn'), md5(%(id)s::text), repeat('x', 3000)"
    " ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    "UPDATE stock SET n = nextval('turn') WHERE id = %(id)s",
    "UPDATE stock SET n = nextval('turn'), note = NULL, big = md5(n::text) WHERE id = %(id)s",
    "UPDATE stock SET n = nextval('turn'), id = %(other)s WHERE id = %(id)s AND NOT EXISTS"
    " (SELECT FROM stock WHERE id = %(other)s)",
    "DELETE FROM stock WHERE id = %(id)s",
)


class Writer(threading.Thread):
    """Keys of its own, so that it never waits for another writer."""

    def __init__(self, dsn, number, seed):
        super().__init__(daemon=True)
        self.dsn, self.number, self.dice = dsn, number, random.Random(seed * 10 + number)
        self.ended = threading.Event()
        self.committed = 0

    def run(self):
        connection = None
        while not self.ended.wait(0.015):
            try:
                connection = connection or psycopg2.connect(self.dsn)
                self._transaction(connection)
            except psycopg2.Error:  # the server is away
                connection = None
                time.sleep(0.05)

    def _transaction(self, connection):
        with connection.cursor() as cursor:
            for _ in range(self.dice.randint(1, 5)):
                id, other = (self.number * 100 + self.dice.randrange(20) for _ in range(2))
                cursor.execute(self.dice.choice(STEPS), {"id": id, "other": other})
        if self.dice.random() < 0.1:
            connection.rollback()
        else:
            connection.commit()
            self.committed += 1

    def stop(self):
        self.ended.set()
        self.join()


def routes(case):
    return [{"name": "changed", "from": "public.stock", "as": "event", "topic": case.prefix + "events",
             "key": "{id}", "type": "StockChanged", "continue": True,
             "jq": "{n: (.after // .before).n, id: (.after // .before).id, op}"},
            {"name": "changes", "from": "public.stock", "as": "change", "topic": case.prefix + "changes"}]


def kill_relays(relay, dice):
    for _ in range(RELAYS):
        time.sleep(dice.uniform(0.05, 0.6))
        assert relay.running(), "ended by itself%s" % e2e.lab.process.tail(relay.log)
        relay.kill()
        relay.start()


def read(case, topic):
    return e2e.oracle.read_topics(case.kafka.bootstrap, [case.prefix + topic])


def judge(case):
    """Every change, played back; every turn, once."""
    turns = sorted(case.sql("SELECT n, id, op FROM e2e.turns"))
    events = e2e.wait("all events", lambda: _all(read(case, "events"), len(turns)), 60)
    found = sorted((one["n"], one["id"], one["op"]) for one in (json.loads(event.value) for event in events))
    missing, more = [one for one in turns if one not in found], [one for one in found if one not in turns]
    assert found == turns, "%d turns, %d events: lost %s, more %s" % (
        len(turns), len(found), missing[:5], more[:5])
    played = replay.Replay()
    for event in sorted(read(case, "changes"), key=lambda event: event[1:3]):
        played.feed(event)
    table = {'{"id":%d}' % row[0]: dict(zip(("id", "n", "note", "big"), row))
             for row in case.sql("SELECT id, n, note, big FROM stock")}
    changes = played.judge(table)
    moved = sum(e2e.oracle.header(event, "__debezium.oldkey") is not None for event in read(case, "changes"))
    assert changes == len(turns) + moved and moved > 0, (changes, len(turns), moved)
    faults = e2e.oracle.check_progress(e2e.oracle.progress_records(case.kafka.bootstrap, case.progress_topic))
    assert not faults, faults
    return changes


def _all(events, count):
    return events if len(events) >= count else None


seed = e2e.seed()
dice = random.Random(seed)
with e2e.own_kafka() as kafka, e2e.own_postgres() as postgres, \
        e2e.Case(kafka=kafka, postgres=postgres, sql=TABLES) as case:
    case.more_config = {"routes": routes(case)}
    relay = case.up()
    writers = [Writer(case.dsn(), number, seed) for number in (1, 2, 3)]
    for one in writers:
        one.start()
    kill_relays(relay, dice)
    postgres.kill()
    postgres.start()
    kill_relays(relay, dice)
    kafka.kill()
    kafka.start()
    kill_relays(relay, dice)
    for one in writers:
        one.stop()
    print("%d changes of %d transactions, %d relays killed" % (
        judge(case), sum(one.committed for one in writers), 3 * RELAYS), flush=True)
    case.stop(relay)
