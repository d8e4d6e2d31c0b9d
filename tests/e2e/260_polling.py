"""source.mode: poll. Many writers that wait, roll back and use savepoints beside one that stays open: nothing is
missed, nobody waits for it, and a reader of `seq > last` misses rows. Killed again and again. What a table lacks,
what a route asks too much. A change is passed over; a relay begins anew; a pooler between."""

import json
import os
import random
import re
import sys
import threading
import time

import e2e
import flows
import lab.pgbouncer
import oracle
import psycopg2

POLL = {"source": {"mode": "poll"}}
number = e2e.seed()
dice = random.Random(number)


def kept(case):
    """What sql/ gives a polled table."""
    case.apply("007_poll.sql")
    case.sql("SELECT walferry.poll_keep('public.outbox', %s)", (case.name,))
    return case


class Naive(threading.Thread):
    """The control: reads what is behind the last seq that it has seen."""

    def __init__(self, case):
        super().__init__(daemon=True)
        self.connection, self.seen, self.ends = case.pg.connect(case.db), set(), False

    def run(self):
        last = 0
        while not self.ends:
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT seq, id::text FROM public.outbox WHERE seq > %s ORDER BY seq", (last,))
                for last, identity in cursor.fetchall():
                    self.seen.add(identity)
            time.sleep(0.02)

    def end(self):
        self.ends = True
        self.join()
        self.connection.close()
        return self.seen


def write(case, prefix, chance, seconds):
    """Transactions that wait before they end."""
    connection, n, until = psycopg2.connect(case.dsn()), 1, time.monotonic() + seconds
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            for part in range(chance.randint(1, 3)):
                if chance.random() < 0.2:
                    cursor.execute("SAVEPOINT s")
                    cursor.execute("SELECT e2e.put('order', %s, 2, %s, 2, 20)", (prefix, n))
                    if chance.random() < 0.5:
                        cursor.execute("ROLLBACK TO s")
                    n += 2
                cursor.execute("SELECT e2e.put('order', %s, 2, %s, 1, 20)", (prefix, n))
                n += 1
        time.sleep(chance.random() ** 2 * 2)
        if chance.random() < 0.1:
            connection.rollback()
        else:
            connection.commit()
    connection.close()


def crowd(case, relay, writers=24, seconds=5):
    naive = Naive(case)
    naive.start()
    slow = psycopg2.connect(case.dsn())
    slow.cursor().execute("SELECT e2e.put('order', 'slow', 1, 1, 3, 20)")
    threads = [threading.Thread(target=write, args=(case, "w%d" % i, random.Random(dice.random()), seconds))
               for i in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # All others' events are there although the first that wrote is open still.
    case.drain(40, relay=relay)
    before = case.truth_count()
    slow.commit()
    slow.close()
    assert case.truth_count() == before + 3
    case.drain(relay=relay)
    missed = case.truth_count() - len(naive.end())
    assert missed >= 3, "the naive reader has missed %d rows" % missed
    print("%d events, of which a naive reader misses %d" % (case.truth_count(), missed), flush=True)


with kept(e2e.Case(config=POLL, label="_crowd")) as case:
    relay = case.relay()
    case.put(rows=7)  # what is there before is published, too
    case.command(relay, "setup", says=("topics: created", "progress: begins at"))
    case.command(relay, "setup", says=("topics: in place", "polling: in place"))
    assert "warning: without" not in case.command(relay, "check", "--connect", says="polling can go on")
    case.start(relay)
    crowd(case, relay)
    assert not relay.events("poll.unwoken") and not relay.events("poll.advice"), relay.log_text()
    # A NOTIFY wakes it long before its interval.
    case.stop(relay)
    relay = case.start(case.relay({"source": {"poll": {"interval_ms": 30000, "idle_interval_ms": 30000}}}))
    for _ in range(3):
        began = time.monotonic()
        case.put()
        case.drain(relay=relay)
        assert time.monotonic() - began < 20, "a NOTIFY has not woken it"
    case.command(relay, "status", "--ready")
    case.command(relay, "status", says=("polling +every 30000 to 30000 ms", "mode poll"))
    assert relay.metric("walferry_events_total", route="outbox") >= 3
    case.stop(relay)
    # Rows stay, and one that is not published cannot be taken away.
    for forbidden in ("UPDATE public.outbox SET type = 'x'", "DELETE FROM public.outbox", "TRUNCATE public.outbox",
                      "BEGIN; SET LOCAL walferry.published = '3:3:'; DELETE FROM public.outbox"):
        try:
            case.sql(forbidden)
        except psycopg2.Error as error:
            assert "which walferry polls" in str(error), error
        else:
            raise AssertionError("it is not refused: " + forbidden)
        case.sql("ROLLBACK")
    case.sql("BEGIN; SET LOCAL walferry.published = '%s'; DELETE FROM public.outbox; COMMIT"
             % json.loads(relay.run("status", "--json")[1])["published"])
    # A foreign xid would be taken for published.
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload, xid)"
             " VALUES ('order', 'k', 'Put', '{}', '3')")
    assert case.one("SELECT min(xid::text::bigint) FROM public.outbox") > 3
    case.sql("INSERT INTO e2e.truth (id, topic, key, n, xid) SELECT id::text, 'order', 'k', 1, xid FROM public.outbox")
    relay = case.relay()
    relay.start("--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    case.judge("dump")

    # A change that cannot be published ends the relay, and is passed over by the command that is printed.
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
             " VALUES ('no topic', 'k', 'Put', '{}')")
    text = case.refused(case.relay(), 5, (r"change \d+-x\d+-\d+", "illegal_topic"))
    case.put()
    case.mend(case.relays[-1], text)
    relay = case.start(case.relay())
    case.drain(relay=relay)
    assert relay.events("change.passed_over"), relay.log_text()
    e2e.wait("a skip that has done its work", lambda: case.progress()[-1]["skip"] == [], 20)
    case.stop(relay)
    case.command(relay, "skip", oracle.header(case.tail.events[-1], "walferry-id"), code=1, says="nothing to pass over")

    case.sql("BEGIN; SET LOCAL walferry.published = '%s'; DELETE FROM public.outbox"
             " WHERE aggregatetype = 'no topic'; COMMIT" % case.progress()[-1]["resume"]["prev"])

    # Anew: from now on, which loses; from the beginning, which repeats.
    case.put(rows=2)
    case.command(relay, "rebase", "--to", "slot", "--accept-repeat", "--yes", code=2, says="beginning or now")
    case.command(relay, "rebase", "--to", "now", "--yes", code=3, says="--accept-loss")
    case.command(relay, "rebase", "--to", "now", "--accept-loss", "--yes", says="rebased")
    relay = case.start(case.relay())
    case.sql("DELETE FROM e2e.truth WHERE n > (SELECT max(n) - 2 FROM e2e.truth)")
    case.put(prefix="q")
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
    case.command(relay, "rebase", "--to", "beginning", "--accept-repeat", "--yes", says="rebased")
    relay.start("--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    held = {row[0] for row in case.sql("SELECT id::text FROM public.outbox")}
    assert held <= case.read_ids(), "not all that the table holds was published again"
    # Another mode is another relay, until somebody says so.
    wal = case.relay({"source": {"mode": "wal"}})
    case.refused(wal, 3, ("mode_changed", "setup --switch-to wal"))
    case.command(relay, "teardown", "--yes", says="progress: closed")
    case.setup(wal)
    polled = case.relay()
    case.refused(polled, 3, "mode_changed")
    case.command(polled, "setup", "--switch-to", "poll", "--yes", says="switched")
    case.start(polled)
    case.put(prefix="r")
    e2e.wait("an event of after the change of mode", lambda: "r-" in str(
        [event.key for event in case.tail.events]) or case.seen(0.1) < 0, 30)
    case.stop(polled)
    case.command(polled, "teardown", "--yes", says="progress: closed")
    case.command(polled, "setup", says="progress: begins")

with kept(e2e.Case(config=POLL, label="_kills")) as case:
    case.more_config = e2e.merge(POLL, {"source": {"poll": {"page_rows": 7}}, "delivery": {"batch_events": 20}})
    flows.kills(case, 8, 0.1, 0.8, dice, seed=number, delete=0)
    case.judge()

with e2e.Case(config=POLL, label="_bad", sql="""
        CREATE TABLE bare (id uuid, aggregatetype text, aggregateid text, type text, payload text);
        CREATE TABLE old (LIKE bare, seq bigint PRIMARY KEY, xid bigint NOT NULL);
        CREATE TABLE loose (LIKE bare, seq bigint PRIMARY KEY, xid xid8);
        CREATE TABLE whole (LIKE public.outbox INCLUDING DEFAULTS) PARTITION BY RANGE (seq);
        CREATE TABLE piece PARTITION OF whole DEFAULT;
        CREATE TABLE copied (LIKE public.outbox INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
        CREATE TABLE double (LIKE bare, seq bigint NOT NULL, xid xid8 NOT NULL DEFAULT pg_current_xact_id());
        CREATE ROLE %s LOGIN""" % "poll_reader_%d" % os.getpid()) as case:
    def of(table, **more):
        route = dict(case.config()["routes"][0], **{"from": table, **more})
        return case.relay({"routes": [{key: value for key, value in route.items() if value is not None}]})

    case.command(of("public.bare"), "check", "--connect", code=1, says=("it has no column seq", "001_outbox"))
    case.command(of("public.old"), "check", "--connect", code=1, says="xid8 is not the type of column xid")
    case.command(of("public.loose"), "check", "--connect", code=1, says="NULL is allowed in column xid")
    case.command(of("public.outbox"), "check", "--connect", says=(
        r"CREATE INDEX CONCURRENTLY ON \"public\".\"outbox\" \(xid\)|CREATE INDEX CONCURRENTLY ON public.outbox \(xid\)",
        "poll_keep"))
    case.command(of("public.*box"), "check", code=2, says=("glob", "a route for each table"))
    case.command(of("message:outbox"), "check", code=2, says="no messages")
    case.command(of("public.outbox", **{"as": "change", "format": "debezium", "headers": None, "topic": None}),
                 "check", code=2, says="outbox routes alone")
    case.command(of("public.outbox", topic="{@lsn}"), "check", code=2, says="no place in the write-ahead log")
    case.command(case.relay({"source": {"poll": {"strategy": "claim", "start": "now"}}}), "check", code=2,
                 says="source.poll.start")
    case.command(case.relay({"source": {"poll": {"interval_ms": 900, "idle_interval_ms": 10}}}), "check", code=2,
                 says="idle_interval_ms")
    case.command(of("public.outbox"), "run", "--publisher", "stdout", code=2, says="this relay polls")
    reader = "poll_reader_%d" % os.getpid()
    case.command(case.relay({"source": {"connection": case.dsn(reader)}}), "check", "--connect", code=1,
                 says="GRANT SELECT ON")
    # A policy would hide rows, and a snapshot later they would be taken for published.
    case.sql("GRANT SELECT ON public.outbox TO %s; ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY" % reader)
    hidden = case.relay({"source": {"connection": case.dsn(reader)}})
    case.command(hidden, "check", "--connect", code=1, says=("row-level security", "BYPASSRLS"))
    case.sql("ALTER TABLE public.outbox DISABLE ROW LEVEL SECURITY")
    case.setup(hidden)
    hidden.start()
    case.put(prefix="h")
    case.drain(relay=hidden)
    case.sql("ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY")
    case.put(prefix="i")
    assert hidden.wait(30) == 2, hidden.log_text()
    assert "row-level security" in hidden.log_text(), hidden.log_text()
    case.sql("ALTER TABLE public.outbox DISABLE ROW LEVEL SECURITY")
    hidden.start()
    case.drain(relay=hidden)
    case.stop(hidden)
    case.judge()
    case.command(hidden, "teardown", "--yes", says="progress: closed")
    # Names as people have them, in statements to be copied.
    case.sql("""CREATE SCHEMA "Odd's"; CREATE TABLE "Odd's"."It's a-Box" (LIKE public.outbox INCLUDING DEFAULTS)
        PARTITION BY RANGE (seq)""")
    case.apply("007_poll.sql")
    odd = of('"Odd\'s"."It\'s a-Box"')
    said = case.command(odd, "check", "--connect", says="poll_keep")
    case.sql(re.search(r"SELECT walferry.poll_keep.*?'\)", said).group(0))
    for line in case.command(odd, "setup", "--print-sql").splitlines():
        if line.startswith("CREATE INDEX"):
            case.sql(line)
    case.sql("""REVOKE ALL ON public.outbox FROM %s; DROP SCHEMA "Odd's" CASCADE""" % reader)
    case.sql("DROP ROLE " + reader)
    # Rows of a partition are rows of the whole.
    route = case.config()["routes"][0]
    case.command(case.relay({"routes": [dict(route, name=name, **{"from": "public." + name})
                                        for name in ("piece", "whole")]}),
                 "check", "--connect", code=1, says="public.piece is part of public.whole")
    # Two tables that number their rows by themselves: one transaction, one seq, two ids.
    both = case.up({"routes": [dict(route, name=name, **{"from": "public." + name}) for name in ("outbox", "copied")]})
    case.sql("TRUNCATE public.outbox, copied RESTART IDENTITY; BEGIN; " + "".join(
        "INSERT INTO %s (aggregatetype, aggregateid, type, payload) VALUES ('order', 'k', 'Put', '{}');" % name
        for name in ("public.outbox", "copied")) + "COMMIT")
    held = {row[0] for row in case.sql("SELECT id::text FROM public.outbox UNION SELECT id::text FROM copied")}
    e2e.wait("both", lambda: case.seen(0.1) < 0 or held <= set(case.tail.ids), 30)
    case.stop(both)
    case.command(both, "teardown", "--yes", says="progress: closed")
    ids = [oracle.header(event, "walferry-id") for event in case.tail.events[-2:]]
    assert ids[0] != ids[1] and "t" in ids[0], ids
    # What was copied from a server that is further would come when this one has got as far.
    case.sql("INSERT INTO copied (aggregatetype, aggregateid, type, payload, xid)"
             " VALUES ('order', 'k', 'Put', '{}', '4000000000')")
    text = case.command(of("public.copied"), "check", "--connect", code=1, says="copied from another")
    case.sql(re.search(r"published: (.*?;.*?;[^;\n]*USER)", text).group(1))
    case.command(of("public.copied"), "check", "--connect")
    # Two rows of one seq would hide each other behind the end of a page.
    case.sql("INSERT INTO double (id, aggregatetype, aggregateid, type, payload, seq)"
             " SELECT gen_random_uuid(), 'order', 'k', 'Put', '{}', 5 FROM generate_series(1, 2)")
    relay = of("public.double")
    case.setup(relay)
    case.refused(relay, 3, ("seq_not_unique", "has the seq of another one"))

found = lab.pgbouncer.find()
if found is None:
    print("no PgBouncer is installed: nothing was tried through one", flush=True)
    sys.exit(0)
with kept(e2e.Case(config=POLL, label="_pooler")) as case, \
        lab.pgbouncer.PgBouncer(e2e._scratch(), case.pg, found[0], "transaction") as pooler:
    case.more_config = e2e.merge(POLL, {"source": {"connection": pooler.dsn(case.db)}})
    case.command(case.relay(), "check", "--connect", says="not been set up|none yet")
    flows.kills(case, 5, 0.1, 0.8, dice, seed=number + 1, delete=0)
    assert case.relays[-1].events("poll.unwoken"), case.relays[-1].log_text()
    case.judge()
    # What the relay sets ends with its transactions: the next client of the session finds it as it was.
    with psycopg2.connect(pooler.dsn(case.db)) as other, other.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone()[0] == '"$user", public', "a setting is left behind"
