"""Numbered events through a relay that is killed again and again, rows and messages of the same
aggregates, to consumers that begin anew and roll back: no number is missing, each is accepted once, in
order. A consumer that passes over one event is told which. Meanwhile the outbox gets the columns of
012_causality.sql, and each event has each of these headers once, or not at all."""

import random
import threading
import time

import psycopg2

import e2e

KILLS = 8
WRITERS = 6
KEYS = 4
TOPICS = ("order", "customer")
LEDGER = """
    CREATE TABLE e2e.ledger (place bigserial, id text, topic text, key text, n bigint)"""

# The event and its truth, in one transaction; n is the number.
EMIT = """
    WITH p AS MATERIALIZED (SELECT jsonb_build_object('of', %(writer)s, 'text', 'a "b"') AS payload),
         o AS MATERIALIZED (
             SELECT e.*, md5(payload::text) AS md5 FROM p, walferry.{}(
                 %(topic)s, %(key)s, 'Put', payload, sequenced => true,
                 correlation_id => 'c-' || %(writer)s) AS e)
    INSERT INTO e2e.truth (id, topic, key, n, md5)
    SELECT id::text, %(topic)s, %(key)s, aggregate_seq, md5 FROM o"""
CAUSALITY = ("correlation_id", "causation_id", "traceparent")
FORMS = ("outbox_emit", "outbox_emit_message")
NUMBER = ("SELECT accepted, missing_from, missing_to"
          " FROM walferry.inbox_accept_sequenced(%s, %s, %s, %s)")


def routes(case):
    common = {"columns": {"headers": "headers"}, "topic": case.prefix + "{aggregatetype}",
              "headers": {"id": "{id}", "eventType": "{type}",
                          **{name: "{%s|optional}" % name for name in CAUSALITY}}}
    return [dict(common, name="messages", **{"from": "message:outbox", "as": "outbox"}),
            dict(common, name="outbox", **{"from": "public.outbox", "as": "outbox"})]


class Threads:
    """Until the case says stop; the first error of any of them is the test's."""

    def __init__(self):
        self.stopping, self.errors, self.all = threading.Event(), [], []

    def start(self, work, *arguments):
        def run():
            try:
                work(*arguments)
            except BaseException as error:  # raised by whoever stops
                self.errors.append(error)
        self.all.append(threading.Thread(target=run, daemon=True))
        self.all[-1].start()

    def check(self):
        if self.errors:
            raise self.errors[0]
        return True

    def stop(self):
        self.stopping.set()
        for thread in self.all:
            thread.join(30)
        self.check()


def write(case, threads, dice, number):
    """Transactions over one to three aggregates, sorted; some are rolled back, wholly or in part."""
    connection = psycopg2.connect(case.dsn())
    while not threads.stopping.is_set():
        form = EMIT.format(FORMS[number % 2])
        places = [(topic, "k%d" % key) for topic in sorted(TOPICS) for key in range(KEYS)]
        with connection.cursor() as cursor:
            for topic, key in sorted(dice.sample(places, dice.randint(1, 3))):
                values = {"topic": topic, "key": key, "writer": number}
                if dice.random() < 0.2:
                    cursor.execute("SAVEPOINT s")
                    cursor.execute(form, values)
                    cursor.execute("ROLLBACK TO s")
                cursor.execute(form, values)
        if dice.random() < 0.2:
            connection.rollback()
        else:
            connection.commit()
        threads.stopping.wait(0.02)
    connection.close()


def place(case, event):
    return (event.topic[len(case.prefix):], event.key.decode(),
            int(e2e.oracle.header(event, "aggregate_seq")))


def take(case, cursor, dice, event):
    """One event in a transaction, until it commits: whether it was new."""
    while True:
        cursor.execute("BEGIN")
        cursor.execute(NUMBER, ("ledger", *place(case, event)))
        accepted, missing, _ = cursor.fetchone()
        assert missing is None, "a hole: %s %s" % (place(case, event), missing)
        cursor.execute("SELECT walferry.inbox_accept('by id', %s)",
                       (e2e.oracle.header(event, "id"),))
        assert cursor.fetchone() == (accepted,), "id and number disagree: %s" % (event,)
        if accepted:
            cursor.execute("INSERT INTO e2e.ledger (id, topic, key, n) VALUES (%s, %s, %s, %s)",
                           (e2e.oracle.header(event, "id"), *place(case, event)))
        if dice.random() >= 0.1:
            cursor.execute("COMMIT")
            return accepted
        cursor.execute("ROLLBACK")


def consume(case, threads, dice, again):
    """From the beginning of all topics, again and again, each time twice as far and some more."""
    connection, done = case.pg.connect(case.db), 0
    with connection.cursor() as cursor:
        while not threads.stopping.is_set():
            tail = e2e.Tail(case.kafka.bootstrap, case.prefix)
            left, done = 2 * done + dice.randint(200, 1500), 0
            while not threads.stopping.is_set() and done < left:
                tail.poll(0.1)
                for event in tail.events[done:]:
                    if not take(case, cursor, dice, event):
                        again.append(event.offset)
                done = len(tail.events)
            tail.close()
    connection.close()


def pass_over_one(case, events):
    """The fifth event of an aggregate is left out: the sixth and all behind it are told as a hole."""
    topic, key = TOPICS[0], "k0"
    mine = [event for event in events if place(case, event)[:2] == (topic, key)]
    assert len(mine) > 6, len(mine)
    answers = [case.sql(NUMBER, ("hasty", topic, key, n))[0] for n in
               [place(case, event)[2] for event in mine] if n != 5]
    assert answers[:4] == [(True, None, None)] * 4, answers[:4]
    assert [answer[:2] for answer in answers[4:]] == [(False, 5)] * (len(mine) - 5), answers[4:]
    assert answers[4] == (False, 5, 5)


seed = e2e.seed()
with e2e.Case(sql=LEDGER) as case:
    dice = random.Random(seed)
    case.apply("006_emit.sql")
    case.apply("008_inbox.sql")
    case.more_config = {"routes": routes(case)}
    relay = case.relay()
    case.setup(relay)
    writers, consumers, again = Threads(), Threads(), []
    for number in range(WRITERS):
        writers.start(write, case, writers, random.Random(seed + number), number)
    for number in range(2):
        consumers.start(consume, case, consumers, random.Random(seed - 1 - number), again)
    for number in range(KILLS):
        relay.start()
        if number == KILLS // 2:
            case.apply("012_causality.sql")
        time.sleep(dice.uniform(0.2, 1.2))
        assert relay.running(), "ended by itself%s" % e2e.lab.process.tail(relay.log)
        relay.kill()
    case.start(relay)
    writers.stop()
    want = case.drain(relay=relay)
    e2e.wait("not everything is accepted", lambda: consumers.check() and
             case.one("SELECT count(*) FROM e2e.ledger") >= want, 90)
    consumers.stop()
    case.stop(relay)
    events = case.judge()
    assert again, "nothing came twice to a consumer"
    wrong = case.sql("SELECT * FROM (SELECT topic, key, n, row_number() OVER (PARTITION BY topic, key"
                     " ORDER BY place) AS nth FROM e2e.ledger) AS l WHERE n <> nth")
    assert not wrong, wrong[:5]
    assert case.one("SELECT count(*) FROM e2e.ledger l JOIN e2e.truth t USING (id, topic, key, n)") \
        == case.one("SELECT count(*) FROM e2e.ledger") == want
    assert case.sql("SELECT topic, key, max(n) FROM e2e.truth GROUP BY 1, 2 EXCEPT"
                    " SELECT aggregate_type, aggregate_id, last_seq FROM walferry.outbox_sequence") == []
    assert {e2e.oracle.header(event, "correlation_id") for event in events} \
        == {"c-%d" % number for number in range(WRITERS)}
    assert {tuple(name for name, _ in event.headers if name in CAUSALITY) for event in events} \
        == {CAUSALITY[:1]}
    assert 0 < case.one("SELECT count(correlation_id) FROM public.outbox") < want
    pass_over_one(case, events)
    print("%d events, %d accepted again and refused" % (want, len(again)))
