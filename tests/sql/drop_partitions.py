"""sql/013_retention.sql and outbox_drop_partitions: a partition goes only when a snapshot sees all of its rows, with
nobody writing into it, and by who may delete them."""

from sessions import refused, with_files

DROP = "SELECT walferry.drop_published_partition('public.outbox', '%s', '%s')"
WRITE = "INSERT INTO public.outbox (aggregatetype, aggregateid, type, created_at) VALUES ('a', 'b', 'c', '%s')"
POLLED, LOCKED, FORBIDDEN = "55000", "55P03", "42501"


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


TESTS = (only_what_is_seen, who_writes_is_not_overtaken, by_who_may_delete, not_unasked_where_it_is_polled)
