"""sql/007_poll.sql: a polled table's rows stay as they were inserted, say which transaction did it, and wake the
relay; plain and partitioned."""

from sessions import refused, with_files

ROW = ("INSERT INTO public.outbox (aggregatetype, aggregateid, type, xid)"
       " VALUES ('order', '7', 'Placed', %s) RETURNING xid = pg_current_xact_id()")
STATE = "55000"


def use(server):
    server.sql("SELECT walferry.poll_keep('public.outbox', 'orders')")
    server.sql("SELECT walferry.poll_keep('public.outbox', 'orders')")
    server.sql("SELECT walferry.poll_keep('public.outbox', 'billing')")
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'public.outbox'::regclass AND indkey[0] = (" \
              "SELECT attnum FROM pg_attribute WHERE attrelid = 'public.outbox'::regclass AND attname = 'xid')"
    assert server.sql(indexes) == [(1,)]
    # Whatever the statement says, xid is that of its transaction.
    assert server.sql(ROW, ("3",)) == [(True,)]
    published = server.sql("SELECT pg_current_snapshot()::text")[0][0]
    assert server.sql(ROW, ("4",)) == [(True,)]
    refused(server, "UPDATE public.outbox SET type = 'x'", STATE)
    refused(server, "DELETE FROM public.outbox", STATE)
    refused(server, "TRUNCATE public.outbox", STATE)
    # No snapshot sees a row that goes where it came, not even one that is told to be published.
    for settings in ("", "SET LOCAL walferry.published = '%s'; " % published):
        refused(server, "BEGIN; " + settings + "INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
                " VALUES ('order', 'brief', 'Placed'); DELETE FROM public.outbox WHERE aggregateid = 'brief'; COMMIT",
                STATE, "in the transaction that inserted it")
    refused(server, "SET walferry.published = '%s'; DELETE FROM public.outbox" % published, STATE)
    server.sql("SET walferry.published = '%s'; DELETE FROM public.outbox"
               " WHERE pg_visible_in_snapshot(xid, '%s')" % (published, published))
    assert server.sql("SELECT count(*) FROM public.outbox") == [(1,)]
    listener = server.connect()
    listener.cursor().execute("LISTEN walferry_orders; LISTEN walferry_billing")
    server.sql(ROW, ("5",))
    listener.cursor().execute("SELECT 1")
    assert sorted(one.channel for one in listener.notifies) == ["walferry_billing", "walferry_orders"]
    listener.close()
    refused(server, "SELECT walferry.poll_keep('public.outbox', 'Orders!')", "22023")
    refused(server, "SELECT walferry.poll_keep('pg_class', 'orders')", "42703")


@with_files("007_poll")
def woken(server):
    """A table that is claimed: rows may be changed, and there is no xid."""
    server.sql("CREATE TABLE public.jobs (id bigint PRIMARY KEY, status text)")
    for _ in range(2):
        server.sql("SELECT walferry.poll_wake('public.jobs', 'orders')")
    refused(server, "SELECT walferry.poll_wake('public.jobs', 'Orders!')", "22023")
    refused(server, "SELECT walferry.poll_wake('public.jobs', NULL)", "22023")
    listener = server.connect()
    listener.cursor().execute("LISTEN walferry_orders")
    server.sql("INSERT INTO public.jobs VALUES (1, 'NEW'), (2, 'NEW'); UPDATE public.jobs SET status = 'DONE'")
    listener.cursor().execute("SELECT 1")
    assert [one.channel for one in listener.notifies] == ["walferry_orders"]
    listener.close()
    server.sql("DELETE FROM public.jobs")


@with_files("001_outbox", "007_poll")
def polled_plain(server):
    use(server)


@with_files("001_outbox_partitioned", "007_poll")
def polled_partitioned(server):
    use(server)


TESTS = (polled_plain, polled_partitioned, woken)
