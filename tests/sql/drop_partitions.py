"""sql/013_retention.sql and outbox_drop_partitions: a partition goes only when a snapshot sees all of its rows, with
nobody writing into it, and by who may delete them."""

import psycopg2
from sessions import REPEATABLE_READ, Session, refused, with_files

DROP = "SELECT walferry.drop_published_partition('public.outbox', '%s', '%s')"
WRITE = "INSERT INTO public.outbox (aggregatetype, aggregateid, type, created_at) VALUES ('a', 'b', 'c', '%s')"
POLLED, LOCKED, FORBIDDEN, LEVEL = "55000", "55P03", "42501", "0A000"


def day(server, name, first, last):
    server.sql("CREATE TABLE public.%s PARTITION OF public.outbox FOR VALUES FROM ('%s 00:00+00') TO ('%s 00:00+00')"
               % (name, first, last))


def days(server):
    for number in (1, 2, 3):
        day(server, "outbox_p2020010%d" % number, "2020-01-0%d" % number, "2020-01-0%d" % (number + 1))


def seen(server):
    return server.sql("SELECT pg_current_snapshot()::text")[0][0]


def there(server):
    return [row[0] for row in server.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'public.outbox'::regclass"
        " AND inhrelid::regclass::text !~ 'p20[2-9][1-9]' ORDER BY 1")]


def drop(server, before, snapshot):
    # Neither the zone nor the style of the session changes where a day ends.
    return server.sql("SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'; " + DROP % (before, snapshot),
                      user="walferry")[-1][0]


@with_files("001_outbox_partitioned", "002_role", "013_retention")
def only_what_is_seen(server):
    days(server)
    day(server, "history", "2019-01-01", "2020-01-01")
    server.sql(WRITE % "2020-01-01 23:59+00")
    first = seen(server)
    server.sql(WRITE % "2020-01-02 00:00+00")
    assert drop(server, "2019-12-31 23:59+00", first) is False
    assert [drop(server, "2020-01-03 00:00+00", first) for _ in range(3)] == [True, True, False]
    assert there(server) == ["outbox_default", "outbox_p20200102", "outbox_p20200103"]
    assert [drop(server, "2020-01-03 23:59+00", seen(server)) for _ in range(2)] == [True, False]
    assert drop(server, "2020-01-04 00:00+00", "99999999:99999999:") is False  # of another server
    assert there(server) == ["outbox_default", "outbox_p20200103"]
    server.sql("DROP TABLE public.outbox_p20200103")


@with_files("001_outbox_partitioned", "002_role", "013_retention")
def who_writes_is_not_overtaken(server):
    """Its rows were not there at the look without a lock."""
    days(server)
    writer, reader = server.connect(autocommit=False), server.connect(autocommit=False)
    writer.cursor().execute(WRITE % "2020-01-01 12:00+00")
    call = DROP % ("2020-01-02 00:00+00", seen(server))
    refused(server, call, LOCKED, user="walferry")
    writer.commit()
    assert server.sql(call, user="walferry") == [(False,)]
    call = DROP % ("2020-01-02 00:00+00", seen(server))
    reader.cursor().execute("SELECT count(*) FROM public.outbox")
    refused(server, call, LOCKED, user="walferry")
    server.sql(WRITE % "2020-01-03 12:00+00")
    reader.rollback()
    assert server.sql(call, user="walferry") == [(True,)]
    writer.close()
    reader.close()


@with_files("001_outbox_partitioned", "002_role", "013_retention")
def by_who_may_delete(server):
    days(server)
    call = DROP % ("2020-01-04 00:00+00", seen(server))
    server.sql("CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA walferry TO stranger")
    try:
        refused(server, call, FORBIDDEN, user="stranger")
        server.sql("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA walferry TO stranger")
        refused(server, call, FORBIDDEN, "role stranger may not delete rows of table", user="stranger")
    finally:
        server.sql("DROP OWNED BY stranger; DROP ROLE stranger")
    # What is no partition by created_at alone is none of its.
    server.sql("CREATE TABLE public.other (xid xid8, created_at timestamptz, n int) PARTITION BY RANGE (n, created_at);"
               " CREATE TABLE public.other_1 PARTITION OF public.other FOR VALUES FROM (1, '2020-01-01') TO (1, '2020-01-02')")
    assert server.sql((DROP % ("2030-01-01", seen(server))).replace("public.outbox", "public.other")) == [(False,)]
    server.sql("DROP TABLE public.other")


@with_files("001_outbox_partitioned", "002_role", "013_retention")
def what_is_not_known_to_be_published_stays(server):
    """A row without an xid; rows that a policy hides from the owner."""
    days(server)
    server.sql("DELETE FROM public.outbox; ALTER TABLE public.outbox ALTER xid DROP NOT NULL; " + WRITE % "2020-01-01 12:00+00")
    server.sql("UPDATE public.outbox SET xid = NULL")
    call = DROP % ("2020-01-02 00:00+00", seen(server))
    assert server.sql(call, user="walferry") == [(False,)]
    published = seen(server)
    server.sql("UPDATE public.outbox SET xid = DEFAULT; CREATE ROLE keeper; GRANT USAGE, CREATE ON SCHEMA public, walferry TO keeper;"
               " ALTER TABLE public.outbox_p20200101 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO keeper;"
               " ALTER FUNCTION walferry.drop_published_partition OWNER TO keeper")
    try:
        refused(server, DROP % ("2020-01-02 00:00+00", published), FORBIDDEN, "row-level security", user="walferry")
    finally:
        server.sql("REASSIGN OWNED BY keeper TO postgres; DROP OWNED BY keeper; DROP ROLE keeper")


@with_files("001_outbox_partitioned", "002_role", "013_retention")
def what_is_detached_is_left(server):
    """By who has meant to keep it, while the lock is waited for."""
    days(server)
    owner, relay = Session(server), Session(server, user="walferry")
    for _ in range(50):
        owner.sql("BEGIN; ALTER TABLE public.outbox DETACH PARTITION public.outbox_p20200101")
        call = relay.start(DROP % ("2020-01-02 00:00+00", seen(server)))
        try:
            call.waits()
        except AssertionError:  # for too short a time to be seen
            pass
        owner.sql("COMMIT")
        try:
            rows = call.ends()
            break
        except psycopg2.errors.LockNotAvailable:
            server.sql("ALTER TABLE public.outbox ATTACH PARTITION public.outbox_p20200101"
                       " FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')")
    assert rows == [(False,)], rows
    server.sql("DROP TABLE public.outbox_p20200101")
    for session in (owner, relay):
        session.close()
        session.connection.close()


MINE = """
    CREATE TEMP TABLE mine (xid xid8, created_at timestamptz) PARTITION BY RANGE (created_at);
    CREATE FUNCTION pg_temp.who(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        PERFORM set_config('mine.who', current_user, false); RETURN n; END $$;
    CREATE TEMP TABLE mine_1 PARTITION OF mine FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
    CREATE INDEX ON mine_1 (pg_temp.who(1))"""


@with_files("001_outbox_partitioned", "002_role", "013_retention")
def nothing_of_the_caller_runs_with_more_rights(server):
    relay = Session(server, user="walferry")
    relay.sql(MINE)
    relay.fails((DROP % ("2030-01-01", seen(server))).replace("public.outbox", "mine"), FORBIDDEN)
    assert relay.sql("SELECT current_setting('mine.who'), count(*) FROM mine") == [("walferry", 0)]
    relay.close()
    relay.connection.close()


@with_files("001_outbox_partitioned", "002_role", "007_poll", "013_retention")
def no_snapshot_of_before_decides(server):
    """It would not see what was written into a partition since."""
    days(server)
    owner, relay = Session(server), Session(server, user="walferry")
    for session, call in ((relay, DROP % ("2020-01-02 00:00+00", seen(server))),
                          (owner, "SET walferry.published = '%s'; SELECT walferry.outbox_drop_partitions('2020-01-04 00:00+00')"
                           % seen(server))):
        session.begin(REPEATABLE_READ)
        server.sql(WRITE % "2020-01-01 12:00+00")
        session.fails(call, LEVEL)
        session.close()
        session.connection.close()


@with_files("001_outbox_partitioned", "007_poll")
def not_unasked_where_it_is_polled(server):
    days(server)
    server.sql("SELECT walferry.poll_keep('public.outbox', 'orders')")
    server.sql(WRITE % "2020-01-01 12:00+00")
    published = seen(server)
    server.sql(WRITE % "2020-01-02 12:00+00")
    call = "SELECT walferry.outbox_drop_partitions('2020-01-04 00:00+00')"
    refused(server, call, POLLED, "which walferry polls")
    server.sql("SET client_min_messages = error; SET walferry.published = '%s'; %s" % (published, call))
    assert there(server) == ["outbox_default", "outbox_p20200102"]
    assert server.sql("SET walferry.published = '%s'; %s" % (seen(server), call)) == [(1,)]


TESTS = (only_what_is_seen, who_writes_is_not_overtaken, by_who_may_delete, what_is_not_known_to_be_published_stays,
         what_is_detached_is_left, nothing_of_the_caller_runs_with_more_rights, no_snapshot_of_before_decides,
         not_unasked_where_it_is_polled)
