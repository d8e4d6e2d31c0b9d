"""retention: {keep}. Beside writers and under kill -9 no row goes that is not in Kafka, from a stream and by
polling; a row that somebody has locked is passed over, an open transaction and an old snapshot keep nobody's
rows but their own; of partitions that have rows at the same places only the old ones go. Whole partitions
(strategy: drop_partition) go only once all of their rows are in Kafka. What a table or a role lacks is named, and
another relay that polls the table. Insert and delete in one transaction."""

import concurrent.futures
import random
import re
import signal
import time

import e2e
import psycopg2
from lab.proxy import KafkaProxy

# Rows are born old, but where a test says otherwise; and what is deleted is noted.
OLD = """
ALTER TABLE public.outbox ALTER created_at SET DEFAULT now() - interval '2 hours';
CREATE TABLE e2e.gone (id text PRIMARY KEY);
CREATE FUNCTION e2e.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO e2e.gone VALUES (OLD.id::text); RETURN NULL; END $$;
CREATE TRIGGER note AFTER DELETE ON public.outbox FOR EACH ROW EXECUTE FUNCTION e2e.note();
"""
KEEP = {"retention": {"keep": "1h"}}
DROP = {"retention": {"keep": "1h", "strategy": "drop_partition"}}
DAY = """
WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload, created_at)
           SELECT 'order', 'day', 'Put', to_jsonb(n), at FROM generate_series({0}, {0} + 4) AS n,
               (SELECT date_trunc('day', now(), 'UTC') - interval '{1} days' + interval '12 hours') AS d(at)
           RETURNING id, payload, xid)
INSERT INTO e2e.truth (id, topic, key, n, md5, xid)
SELECT id::text, 'order', 'day', payload::int, md5(payload::text), xid FROM o"""
POLL = {"source": {"mode": "poll"}}
dice = random.Random(e2e.seed())


def rows(case):
    return case.one("SELECT count(*) FROM public.outbox")


def emptied(case, left=0, timeout=25):
    e2e.wait("%d rows stay" % left, lambda: rows(case) == left, timeout, interval=0.2)


def killed(relay, case):
    """Dead, and its sessions with it: what it deleted is in Kafka."""
    relay.kill()
    e2e.wait("sessions stay", lambda: case.one(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s AND datname = %s",
        ("walferry:%", case.db)) == 0, 20, interval=0.1)
    gone = set(row[0] for row in case.sql("SELECT id FROM e2e.gone"))
    lost = gone - case.read_ids()
    assert not lost, "deleted, and not published: %s" % sorted(lost)[:5]
    return len(gone)


def grants(case, kafka):
    """Each is asked for by name, and the words of the answer are enough."""
    case.apply("002_role.sql")
    case.sql("REVOKE ALL ON public.outbox FROM walferry; GRANT SELECT ON public.outbox TO walferry")
    relay = case.relay(e2e.merge(KEEP, {"source": {"connection": case.dsn("walferry")},
                                        "kafka": {"bootstrap.servers": kafka.address}}))
    case.command(case.relay(KEEP), "setup")
    text = case.command(relay, "check", "--connect", code=1, says="may not lock and delete rows of table")
    mend = re.search(r"GRANT SELECT, DELETE, UPDATE \(created_at\) ON public\.outbox TO walferry", text)
    assert mend, text
    # Publishing goes on without; it is said once, with the mend, and tried again.
    said = case.command(relay, "setup", says="warning: retention deletes nothing: the role walferry may not")
    assert mend.group(0) in said, said
    case.start(relay)
    case.put(rows=3, prefix="grants")
    failed = relay.wait_log("retention.failed", timeout=20)
    case.drain(relay=relay)
    assert "reason=no_privilege" in failed and mend.group(0) in failed, failed
    printed = case.command(relay, "setup", "--print-sql")
    case.sql("".join(re.findall(r"GRANT USAGE ON SCHEMA .*\n|GRANT SELECT, DELETE.*\n", printed)))
    case.command(relay, "check", "--connect")
    relay.signal(signal.SIGHUP)  # it is tried again in ten seconds, or with another file
    relay.wait_log("retention.resumed", timeout=20)
    emptied(case)
    assert len(relay.events("retention.failed")) == 1, relay.log_text()
    return relay


def others(case, relay):
    """A table without the column; a relay that polls the same table."""
    case.sql("ALTER TABLE public.outbox RENAME created_at TO made_at")
    case.command(relay, "check", "--connect", code=1, says="has no column created_at of type timestamptz")
    case.sql("ALTER TABLE public.outbox RENAME made_at TO created_at")
    case.apply("007_poll.sql")
    case.sql("SELECT walferry.poll_keep('public.outbox', 'another')")
    text = case.command(relay, "check", "--connect", code=1, says="relay another polls table public.outbox")
    case.sql(re.search(r'DROP TRIGGER "walferry_poll_wake_another" ON public\.outbox', text).group(0))
    # Without that trigger, too, somebody may poll it.
    text = case.command(relay, "check", "--connect", code=1, says="outbox is kept for a relay that polls it")
    case.sql(re.search(r"DROP TRIGGER walferry_poll_keep ON public\.outbox", text).group(0))
    case.command(relay, "check", "--connect")
    for trigger in ("stamp", "whole"):
        case.sql("DROP TRIGGER walferry_poll_%s ON public.outbox" % trigger)


def locks(case, relay):
    """A row that is locked, a row that is not committed, and a snapshot of before."""
    locker, writer, reader = (psycopg2.connect(case.dsn()) for _ in range(3))
    case.put(rows=5, prefix="locks")
    with reader.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM public.outbox")
    with locker.cursor() as cursor:
        cursor.execute("SELECT id FROM public.outbox ORDER BY seq LIMIT 1 FOR UPDATE")
    with writer.cursor() as cursor:
        cursor.execute("SELECT e2e.put('order', 'late', 1, 100000, 2, 20)")
    case.put(rows=5, prefix="locks")
    emptied(case, 1)
    began = time.monotonic()
    with locker.cursor() as cursor:  # whoever has the row is not kept waiting
        cursor.execute("UPDATE public.outbox SET type = type")
    assert time.monotonic() - began < 1
    locker.commit()
    writer.commit()
    emptied(case)
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.outbox")
        assert cursor.fetchall()[0][0] >= 5  # what was there for it is there for it
    for connection in (locker, writer, reader):
        connection.close()
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload, created_at)"
             " VALUES ('order', 'young', 'Put', '{}', now())")
    case.sql("INSERT INTO e2e.truth (id, topic, key, n, xid) SELECT id::text, 'order', 'young', 1, xid"
             " FROM public.outbox WHERE aggregateid = 'young'")


def held(case, relay, kafka):
    """What Kafka does not take stays, however old; clean-up goes through it again and again."""
    emptied(case)
    kafka.black_hole()
    case.put(rows=3, transactions=3, prefix="held")
    run = relay.metric("walferry_retention_last_run_seconds")
    e2e.wait("retention does not work", lambda: relay.metric("walferry_retention_last_run_seconds") > run, 20,
             interval=0.2)
    assert rows(case) == 9, "deleted, and not published"
    kafka.cut()
    kafka.flow()
    emptied(case)


def in_one(case):
    """Insert and delete in one transaction: an event of a stream."""
    case.sql("BEGIN; SELECT e2e.put('order', 'brief', 1, 1, 3, 20);"
             " DELETE FROM public.outbox WHERE created_at < now() - interval '1 hour'; COMMIT")


def race(case, relay, rounds):
    """Writers beside kills, at places of the clean-up, too."""
    for n in range(rounds):
        case.put(rows=3, transactions=25, prefix="r%d" % n)
        time.sleep(dice.uniform(0.1, 1.2))
        killed(relay, case)
        relay.start(env={"WALFERRY_CRASH_AT": "P4:%d" % dice.randint(1, 2)})
        case.put(rows=2, transactions=10, prefix="c%d" % n)
        assert relay.wait(30) != 0, "it has not come to delete anything"
        killed(relay, case)
        case.start(relay)


def stream():
    with e2e.Case(sql=OLD) as case, KafkaProxy(case.kafka.bootstrap) as kafka:
        relay = grants(case, kafka)
        held(case, relay, kafka)
        others(case, relay)
        race(case, relay, 2)
        emptied(case)
        locks(case, relay)
        in_one(case)
        emptied(case, 1)
        case.drain(relay=relay)
        assert 0 < relay.metric("walferry_retention_deleted_total") <= case.one("SELECT count(*) FROM e2e.gone")
        case.stop(relay)
        case.judge()


def polling():
    with e2e.Case(sql=OLD, config=POLL, label="_poll") as case, KafkaProxy(case.kafka.bootstrap) as kafka:
        case.apply("007_poll.sql")
        case.sql("SELECT walferry.poll_keep('public.outbox', %s)", (case.name,))
        relay = case.relay(e2e.merge(KEEP, {"kafka": {"bootstrap.servers": kafka.address}}))
        case.setup(relay)
        case.start(relay)
        held(case, relay, kafka)
        race(case, relay, 1)
        emptied(case)
        try:
            in_one(case)
        except psycopg2.Error as error:
            assert "which walferry polls" in str(error), error
            case.sql("ROLLBACK")
        else:
            raise AssertionError("a row went that no look could see")
        case.drain(relay=relay)
        case.stop(relay)
        case.judge("dump")
        # What is gone cannot be read again.
        case.command(relay, "rebase", "--to", "beginning", code=3, says="REPEAT: .* but for rows that retention has")


def partitions():
    """The first rows of each partition stand at the same place in it."""
    with e2e.Case(label="_parts", outbox="001_outbox_partitioned.sql") as case:
        relay = case.up(KEEP)
        case.put(rows=40)
        case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload, created_at)"
                 " SELECT 'order', 'old', 'Put', '{}', now() - interval '90 days' FROM generate_series(1, 20)")
        emptied(case, 40)
        assert case.one("SELECT count(*) FROM public.outbox_default") == 0
        case.stop(relay)
        case.sql("ALTER TABLE public.outbox DROP CONSTRAINT outbox_pkey, DROP CONSTRAINT outbox_id_created_at_key;"
                 " CREATE FOREIGN DATA WRAPPER away; CREATE SERVER away FOREIGN DATA WRAPPER away; CREATE FOREIGN TABLE"
                 " public.archive PARTITION OF public.outbox FOR VALUES FROM ('2019-01-01') TO ('2019-01-02') SERVER away")
        text = case.command(relay, "check", "--connect", code=1, says="partition public.archive of table public.outbox is a f")
        case.sql(re.search(r"ALTER TABLE public\.outbox DETACH PARTITION public\.archive", text).group(0))
        case.command(relay, "check", "--connect")


def partition(case, ago):
    """Of the day so many days ago, in UTC; its name."""
    name = "outbox_p" + case.one("SELECT to_char(now() AT TIME ZONE 'UTC' - interval '%d days', 'YYYYMMDD')" % ago)
    case.sql("SELECT set_config('timezone', 'UTC', false); CREATE TABLE public.{0} PARTITION OF public.outbox FOR VALUES"
             " FROM (current_date - {1}) TO (current_date - {1} + 1)".replace("{0}", name).replace("{1}", str(ago)))
    return name


def dropped(polls):
    """Beside guards, by a role that owns nothing; rows of no day go by one by one."""
    with e2e.Case(config=POLL if polls else {}, label="_drop_%d" % polls,
                  outbox="001_outbox_partitioned.sql") as case, KafkaProxy(case.kafka.bootstrap) as kafka:
        names = [partition(case, ago) for ago in (4, 3, 2)]
        there = lambda: [name for name in names if case.one("SELECT to_regclass(%s) IS NOT NULL", (name,))]
        for migration in ("002_role.sql", "004_guard.sql", "007_poll.sql")[:3 if polls else 2]:
            case.apply(migration)
        if polls:
            case.sql("GRANT SELECT ON public.outbox TO walferry")
            case.sql("SELECT walferry.poll_keep('public.outbox', %s)", (case.name,))
        case.command(case.relay(), "setup")
        case.command(case.relay(DROP), "check", "--connect", code=1, says="there is no function walferry.drop_pub")
        case.apply("013_retention.sql")
        case.sql("REVOKE ALL ON SCHEMA walferry FROM walferry;"
                 " REVOKE ALL ON FUNCTION walferry.drop_published_partition FROM walferry")
        relay = case.relay(e2e.merge(DROP, {"source": {"connection": case.dsn("walferry")},
                                            "kafka": {"bootstrap.servers": kafka.address}}))
        case.command(relay, "check", "--connect", code=1, says="may not call walferry.drop_published_partition")
        case.sql("".join(re.findall(r"GRANT (?:USAGE|EXECUTE) .*\n", case.command(relay, "setup", "--print-sql"))))
        case.command(relay, "check", "--connect")
        for number, ago in enumerate((4, 3, 90, 0)):
            case.sql(DAY.format(number * 5, ago))
        case.start(relay)
        e2e.wait("days stay", lambda: not there(), 45, interval=0.2)
        emptied(case, 5)
        assert relay.metric("walferry_retention_partitions_dropped_total") == 3
        assert not relay.events("retention.failed"), relay.log_text()
        names[:] = [partition(case, ago) for ago in (6, 5)]
        kafka.black_hole()
        case.sql(DAY.format(20, 5))
        e2e.wait("what is published stays", lambda: names[0] not in there(), 45, interval=0.2)
        assert there() == names[1:], "dropped, and not published"
        kafka.cut()
        kafka.flow()
        e2e.wait("a day stays", lambda: not there(), 30, interval=0.2)
        case.drain(relay=relay)
        assert rows(case) == 5
        case.stop(relay)
        case.judge("dump" if polls else "python")


PARTS = (stream, polling, partitions, lambda: dropped(False), lambda: dropped(True))
with concurrent.futures.ThreadPoolExecutor(len(PARTS)) as pool:
    for run in concurrent.futures.as_completed([pool.submit(part) for part in PARTS]):
        run.result()
