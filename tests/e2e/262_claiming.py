"""source.poll.strategy: claim. Tables of two shapes: a status column with times, a lease and attempts; delete
after. A crash at each point of a window, kill -9 again and again, a pooler: all once, in order, and nothing is left
pending. A row that the application has locked is waited for. A transaction that PostgreSQL knows no more. A server
that forgets a claim, and hands its id out again. What a table lacks."""

import os
import random
import re
import signal
import time

import e2e
import flows
import lab.pgbouncer
import oracle
import psycopg2

dice = random.Random(e2e.seed())
CLAIM = {"source": {"mode": "poll", "poll": {"strategy": "claim", "interval_ms": 5, "idle_interval_ms": 100}}}
SHAPE = """
    ALTER TABLE public.outbox ADD COLUMN status text NOT NULL DEFAULT 'PENDING', ADD COLUMN delivered_at timestamptz,
        ADD COLUMN available_at timestamptz, ADD COLUMN locked_until timestamptz,
        ADD COLUMN attempts int NOT NULL DEFAULT 0;
    CREATE INDEX pending ON public.outbox (seq, id) WHERE status = 'PENDING'"""
STATUS = {"done": "update", "column": "status", "value": "DELIVERED", "pending": "PENDING", "key": "id", "order": "seq",
          "available_at": "available_at", "lease": "locked_until", "attempts": "attempts", "attempts_max": 3}


def route(case, **more):
    return {"routes": [dict(case.config()["routes"][0], **more)]}


def claims(label, poll=None, **options):
    case = e2e.Case(config=CLAIM, label=label, **options)
    case.more_config = e2e.merge(CLAIM, route(case, **({"poll": poll} if poll else {})))
    return case


def crashes(case, relay, point):
    relay.start(env={"WALFERRY_CRASH_AT": point})
    code = relay.wait(30)
    assert code == -signal.SIGKILL, "%s did not crash: %s%s" % (point, code, e2e.lab.process.tail(relay.log))


def nothing_is_left(case, where="true"):
    assert case.one("SELECT count(*) FROM public.outbox WHERE %s" % where) == 0, "rows are pending that are published"


def insert(case, key, **columns):
    """A row of its own, whose id is given back; truth knows it from then on."""
    n = case.one("SELECT coalesce(max(n), 0) + 1 FROM e2e.truth")
    return case.one("WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload%s)"
                    " VALUES ('order', %%s, 'Put', '{}'%s) RETURNING id) INSERT INTO e2e.truth (id, topic, key, n)"
                    " SELECT id::text, 'order', %%s, %%s FROM o RETURNING id" % (
                        "".join(", " + name for name in columns), ", %s" * len(columns)),
                    (key, *columns.values(), key, n))


def status(case, identity):
    return case.sql("SELECT status, attempts FROM public.outbox WHERE id = %s::uuid", (identity,))[0]


def waits(case, relay):
    """For a time, and for a lease."""
    first = insert(case, "timed", available_at="2020-01-01")
    later = insert(case, "timed", available_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2)))
    leased = insert(case, "leased", locked_until=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2)))
    e2e.wait("the row that is due", lambda: case.seen(0.1) < 0 or first in case.tail.ids, 20)
    assert later not in case.tail.ids and leased not in case.tail.ids
    case.drain(relay=relay)
    assert status(case, later) == ("DELIVERED", 1), status(case, later)


def waits_for_a_lock(case, relay):
    """The order of a key stands above haste: what is behind a locked row waits with it."""
    case.stop(relay)
    other = psycopg2.connect(case.dsn())
    first, second = insert(case, "a"), insert(case, "a")
    with other.cursor() as cursor:
        cursor.execute("UPDATE public.outbox SET payload = '{\"changed\": 1}' WHERE id = %s::uuid", (first,))
    pid = other.get_backend_pid()
    case.start(relay)
    e2e.wait("who holds the lock", lambda: re.search(
        r'claim\.waits.*for a lock on "?public"?."?outbox"?, which is held by process %d' % pid, relay.log_text()), 20)
    assert "held by process %d" % pid in case.command(relay, "status")
    assert case.seen(0.2) >= 0 and first not in case.tail.ids and second not in case.tail.ids, "a lock was passed over"
    other.commit()
    case.drain(relay=relay)
    e2e.wait("that it is gone", lambda: "claim.waited" in relay.log_text(), 10)
    assert relay.log_text().count("claim.waits") == 1
    assert [event.value for event in case.tail.events if oracle.header(event, "id") == first] == [b'{"changed": 1}']
    # What is rolled back meanwhile, or deleted, is no row to be published.
    case.stop(relay)
    third = insert(case, "a")
    with other.cursor() as cursor:
        cursor.execute("DELETE FROM public.outbox WHERE id = %s::uuid", (third,))
    case.start(relay)
    time.sleep(0.5)
    other.commit()
    other.close()
    case.sql("DELETE FROM e2e.truth WHERE id = %s", (third,))
    insert(case, "a")
    case.drain(relay=relay)
    assert third not in case.tail.ids


with claims("_status", STATUS, sql=SHAPE) as case:
    relay = case.relay()
    case.put(rows=7)
    case.command(relay, "setup", says=("topics: created", "progress: begins at"))
    assert "warning: without" not in case.command(relay, "check", "--connect", says="polling can go on")
    case.start(relay)
    case.drain(relay=relay)
    waits(case, relay)
    waits_for_a_lock(case, relay)
    for event in case.tail.events:
        assert re.fullmatch(r"\d+-k[0-9a-f-]{36}", oracle.header(event, "walferry-id")), event
    nothing_is_left(case, "status <> 'DELIVERED' OR attempts <> 1")
    # What nobody will try again is said, and stays.
    case.stop(relay)
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload, attempts)"
             " VALUES ('order', 'k', 'Put', '{}', 3)")
    case.command(relay, "check", "--connect", says=r"1 rows of \"?public\"?.\"?outbox\"? are abandoned")
    # A change that cannot be published ends the relay, and is passed over, and finished.
    bad = case.one("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
                   " VALUES ('no topic', 'k', 'Put', '{}') RETURNING id::text")
    text = case.refused(case.relay(), 5, (r"change \d+-k[0-9a-f-]{36}", "illegal_topic"))
    case.put()
    case.mend(case.relays[-1], text)
    relay = case.start(case.relay())
    case.drain(relay=relay)
    e2e.wait("a row that is finished", lambda: status(case, bad) == ("DELIVERED", 1), 10)
    e2e.wait("a skip that has done its work", lambda: case.progress()[-1]["skip"] == [], 10)
    case.put()
    case.drain(relay=relay)
    # Idle, the record names no ids, and nothing is asked of a transaction that may be forgotten one day.
    e2e.wait("an empty record", lambda: case.progress()[-1]["resume"]["ids"] == {}, 10)
    case.stop(relay)
    for point in ("P1:1", "P2:1", "C5:2"):
        case.put(rows=5)
        crashes(case, case.relay(), point)
    relay = case.relay({"source": {"poll": {"page_rows": 2}}})
    for point in ("P2:2", "P3:2"):
        case.put(rows=5)
        crashes(case, relay, point)
    relay.start("--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    case.judge()
    nothing_is_left(case, "status <> 'DELIVERED' AND attempts < 3")

with claims("_delete") as case:
    case.more_config = e2e.merge(case.more_config, {"source": {"poll": {"page_rows": 7}}, "delivery": {"batch_events": 20}})
    flows.kills(case, 6, 0.1, 0.7, dice, seed=e2e.seed(), delete=0)
    case.judge()
    nothing_is_left(case)

# PostgreSQL has forgotten the transaction that finishes what is published: a person looks, and says so.
with claims("_forgotten") as case:
    relay = case.relay()
    case.setup(relay)
    case.put(rows=3)
    crashes(case, relay, "P2:1")
    resume = case.progress()[-1]["resume"]
    assert resume["ids"] and int(resume["xid"]) > 5, resume
    case.forge_progress(resume=dict(resume, xid="5"))
    text = case.refused(case.relay(), 3, ("transaction_unknown", "transaction 5 has finished the rows"))
    case.sql("DELETE FROM public.outbox")
    case.mend(case.relays[-1], text, "--yes")
    case.put(rows=2)
    # What sql/ gives a table without an xid wakes the relay.
    case.apply("007_poll.sql")
    case.sql("ALTER TABLE public.outbox DROP COLUMN xid; SELECT walferry.poll_wake('public.outbox', %s)", (case.name,))
    relay = case.start(case.relay({"source": {"poll": {"interval_ms": 30000, "idle_interval_ms": 30000}}}))
    case.drain(relay=relay)
    time.sleep(0.5)
    for _ in range(3):
        began = time.monotonic()
        case.put()
        case.drain(relay=relay)
        assert time.monotonic() - began < 1, "a NOTIFY has not woken it"
    case.stop(relay)
    case.judge()
    nothing_is_left(case)

# A crash of the server forgets the claim whose rows Kafka holds, and somebody else commits under its id.
LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "512MB", "autovacuum": "off", "fsync": "on",
        "checkpoint_timeout": "1h", "bgwriter_delay": "10s"}
with e2e.own_postgres(conf=LAZY) as postgres, claims("_forgets", postgres=postgres) as case:
    relay = case.relay()
    case.setup(relay)
    for _ in range(5):
        case.put(rows=4)
        writer = e2e.hold_wal_writer(case)
        crashes(case, relay, "P2:1")
        e2e.forget(case, writer)
        case.pg.start()
        xid = int(case.progress()[-1]["resume"]["xid"])
        again = int(case.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")) <= xid
        while int(case.one("SELECT pg_current_xact_id()::text")) <= xid:
            pass
        assert case.one("SELECT count(*) FROM public.outbox") == 4, "the claim was committed"
        if again:
            break
        case.start(relay)
        case.drain(relay=relay)
        case.stop(relay)
    assert again, "the id was not handed out again: the test shows nothing"
    assert case.one("SELECT pg_xact_status('%d'::xid8)" % xid) == "committed"
    case.start(relay)
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
    nothing_is_left(case)

# Rows that a text names, with all that means something to an array, a string, a list or an id.
NASTY = """
    CREATE SEQUENCE names;
    ALTER TABLE public.outbox ADD COLUMN published smallint NOT NULL DEFAULT 0, ADD COLUMN name varchar UNIQUE NOT NULL
        DEFAULT lpad(nextval('names')::text, 9, '0') || E',"{\\\\}''\\t.%2C\u00e9NULL';
    CREATE INDEX pending ON public.outbox (name) WHERE published = 0"""
NAMED = {"done": "update", "column": "published", "value": "1", "pending": "0", "key": "name", "order": "name"}
with claims("_text", NAMED, sql=NASTY) as case:
    case.more_config = e2e.merge(case.more_config, {"source": {"poll": {"page_rows": 7}}})
    for number, name in enumerate(("", " ", "NULL", "007", "-0", "8", "a.b", "'", '"', "\\", "%", ",", "{}", "x" * 64)):
        insert(case, "special %d" % number, name=name)
    flows.kills(case, 4, 0.1, 0.7, dice, seed=e2e.seed() + 2, delete=0)
    for point in ("P1:1", "P2:1", "P3:1"):
        case.put(rows=5)
        crashes(case, case.relays[-1], point)
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
             " VALUES ('no topic', 'k', 'Put', '{}')")
    text = case.refused(case.relay(), 5, (r"change \d+-k\d{9}%2C%22%7B%5C%7D%27%09%2E%252C%C3%A9NULL: ", "illegal_topic"))
    case.mend(case.relays[-1], text)
    case.put()
    relay = case.start(case.relay())
    case.drain(relay=relay)
    e2e.wait("a skip that has done its work", lambda: case.progress()[-1]["skip"] == [], 10)
    case.stop(relay)
    case.judge()
    nothing_is_left(case, "published <> 1")
    ids = {oracle.header(event, "walferry-id").split("-", 1)[1] for event in case.tail.events}
    assert len(ids) == len(case.tail.events) and {"k%", "k8", "k007", "k-0", "k%20", "ka%2Eb"} <= ids
    insert(case, "long", name="x" * 65)
    case.refused(case.relay(), 2, ("column_type", "has a key of 65 bytes in column name, which begins with x{32}: 64 are"))
    case.sql("UPDATE public.outbox SET name = 'short' WHERE published = 0")
    relay = case.start(case.relay())
    case.drain(relay=relay)
    case.stop(relay)

reader = "claimer_%d" % os.getpid()
with claims("_bad", sql="""
        CREATE TABLE bare (id numeric PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload text);
        CREATE TABLE two (LIKE bare, a int, b int, PRIMARY KEY (a, b));
        CREATE TABLE random (LIKE public.outbox INCLUDING DEFAULTS, PRIMARY KEY (id));
        CREATE TABLE states (LIKE public.outbox INCLUDING DEFAULTS, state text DEFAULT 'NEW', done timestamptz, tries text,
            due timestamp, PRIMARY KEY (seq));
        CREATE TABLE stubborn (LIKE states INCLUDING ALL);
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.state := 'NEW'; RETURN NEW; END $$;
        CREATE TRIGGER keep BEFORE UPDATE ON stubborn FOR EACH ROW EXECUTE FUNCTION keep();
        CREATE ROLE %s LOGIN""" % reader) as case:
    def of(table, more=None, **poll):
        return case.relay(e2e.merge(route(case, **{"from": "public." + table, "poll": poll}), more or {}))

    def no(relay, *says):
        return case.command(relay, "check", "--connect", code=1, says=says)

    update = {"done": "update", "column": "state", "value": "OUT", "pending": "NEW"}
    no(of("bare"), "neither an integer, a uuid nor a text is in column id")
    case.sql("ALTER TABLE bare ALTER id TYPE text")
    no(of("bare"), "rows have no order in column id", "routes.*order")
    no(of("two"), "no unique index on one column as primary key")
    no(of("random"), "rows have no order in column id", "routes.*order")
    no(of("states", done="update", column="stat", value="OUT"), "it has no column stat")
    no(of("states", attempts="tries"), "no integer is in column tries")
    no(of("states", available_at="due"), "timestamptz is not the type of column due")
    no(of("states", done="update", column="seq", value="01", pending="1"), "value and pending .* are the same in column seq")
    no(of("states", done="update", column="done", value="soon"), "invalid input syntax")
    text = case.command(of("states", **update), "check", "--connect", says="without an index on what is pending")
    case.sql(re.search(r"(CREATE INDEX .*? WHERE .*?)\s*$", text, re.M).group(1).replace("CONCURRENTLY ", ""))
    assert "without an index" not in case.command(of("states", **update), "check", "--connect")
    poor = {"source": {"connection": case.dsn(reader)}}
    text = no(of("states", poor), "may not claim rows")
    case.sql(re.search(r"GRANT SELECT, UPDATE, DELETE ON .* TO \"?%s\"?" % reader, text).group(0))
    case.command(of("states", poor), "check", "--connect")
    assert "GRANT SELECT, UPDATE, DELETE" in case.command(of("states", poor), "setup", "--print-sql")
    case.sql("DROP OWNED BY %s; DROP ROLE %s" % (reader, reader))
    # A trigger keeps rows pending: nothing is published, again and again.
    relay = of("stubborn", **update)
    case.setup(relay)
    case.sql("INSERT INTO stubborn (seq, aggregatetype, aggregateid, type, payload) VALUES (1, 'order', 'k', 'Put', '{}')")
    case.refused(relay, 3, ("rows_not_finished", "pending all the same"))
    assert case.seen(0.5) == 0
    # Another strategy is another record, and what is pending is published once more by who says so.
    text = case.refused(case.relay({"source": {"poll": {"strategy": "snapshot"}}}), 3, "mode_changed")
    case.command(relay, "rebase", "--to", "now", "--accept-loss", "--yes", code=2, says="cannot begin from now on")
    case.sql("DROP TRIGGER keep ON stubborn")
    case.command(relay, "rebase", "--to", "beginning", "--accept-repeat", "--yes", says="rebased")
    relay.start("--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    assert case.seen(1) == 1 and case.one("SELECT state FROM stubborn") == "OUT"

found = lab.pgbouncer.find()
if found is None:
    print("no PgBouncer is installed: nothing was tried through one", flush=True)
    raise SystemExit
with claims("_pooler") as case, \
        lab.pgbouncer.PgBouncer(e2e._scratch(), case.pg, found[0], "transaction") as pooler:
    case.more_config = e2e.merge(case.more_config, {"source": {"connection": pooler.dsn(case.db)}})
    flows.kills(case, 3, 0.1, 0.7, dice, seed=e2e.seed() + 1, delete=0)
    case.judge()
    nothing_is_left(case)
