"""Tables and partitions whose rows are never sent, what never makes a topic, and a file that is wrong.

check, setup and start look at them before the first row; each case here passed them and then lost rows
without a word, ended the relay at its first row, or was refused with a mend that mends nothing."""

import re
import signal

import e2e

COLUMNS = "(id uuid DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text," \
          " payload jsonb, created_at timestamptz DEFAULT now(), raw bytea, local timestamp)"


def printed(text):
    found = re.search(r"run: (?:\S*walferry setup .*, or: )?(ALTER .*)", text)
    return found and found.group(1)


def everything(case):
    def relay(table, publication="p", **route):
        return case.relay({
            "source": {"publication": publication},
            "routes": [dict({"name": "r", "from": table, "topic": case.prefix + "{aggregatetype}"},
                            **route)]})

    def refused(one, says):
        """By check (1) and by setup (2), before anything is made; the statement of the hint."""
        made = "SELECT count(*), (SELECT count(*) FROM pg_publication_rel) FROM pg_publication"
        before = case.sql(made)
        case.command(one, "check", "--connect", code=1, says=says)
        text = case.command(one, "setup", code=2, says=says)
        assert case.sql(made) == before and case.slot() is None, text
        return printed(text)

    def mended(one, statement, wanted):
        assert statement == wanted, statement
        case.sql(statement)
        case.command(one, "check", "--connect")

    # -- Below a published root: a partition that is not in the WAL --
    case.sql("CREATE TABLE public.parted %s PARTITION BY RANGE (created_at);"
             "CREATE TABLE public.parted_1 PARTITION OF public.parted DEFAULT PARTITION BY RANGE (raw);"
             'CREATE UNLOGGED TABLE public."parted-2" PARTITION OF public.parted_1 DEFAULT;'
             "CREATE PUBLICATION p FOR TABLE public.parted WITH (publish_via_partition_root)" % COLUMNS)
    one = relay("public.parted")
    mended(one, refused(one, "partition public.parted-2, which is UNLOGGED"),
           'ALTER TABLE "public"."parted-2" SET LOGGED')
    case.sql("CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;"
             "CREATE FOREIGN TABLE public.parted_3 PARTITION OF public.parted"
             " FOR VALUES FROM ('2000-01-01') TO ('2001-01-01') SERVER far")
    case.command(one, "check", "--connect")  # what was moved away is no business of the relay's
    case.setup(one)
    # A start looks again: this one was attached after setup.
    case.sql("CREATE UNLOGGED TABLE public.parted_4 PARTITION OF public.parted"
             " FOR VALUES FROM ('2002-01-01') TO ('2003-01-01')")
    case.refused(one, 2, "partition public.parted_4, which is UNLOGGED")
    case.sql("DROP TABLE public.parted_4")
    case.command(one, "teardown", "--yes")
    assert case.slot() is None

    # -- A glob takes an unlogged table; a view among the others is none of its business --
    case.sql("CREATE UNLOGGED TABLE public.some_1 %s; CREATE TABLE public.some_2 %s;"
             "CREATE VIEW public.some_seen AS TABLE public.some_2;"
             "CREATE PUBLICATION globbed FOR TABLE public.some_2" % (COLUMNS, COLUMNS))
    one = relay("public.some_*", "globbed")
    statement = refused(one, "public.some_1 of route r is UNLOGGED")
    assert statement == 'ALTER TABLE "public"."some_1" SET LOGGED', statement
    case.sql(statement + "; ALTER PUBLICATION globbed ADD TABLE public.some_1")
    case.command(one, "check", "--connect")

    # -- UNLOGGED on a partitioned table says nothing of its rows, and SET LOGGED does not undo it --
    if case.pg.major < 18:
        case.sql("CREATE UNLOGGED TABLE public.loose %s PARTITION BY RANGE (created_at)" % COLUMNS)
        one = relay("public.loose", "loose")
        assert refused(one, "is UNLOGGED.*make the table anew") is None

    case.sql("CREATE FOREIGN TABLE public.far %s SERVER far" % COLUMNS)
    refused(relay("public.far", "far"), "is a foreign table")

    # -- A publication by leaf is refused before a partitioned table is added to it --
    case.sql("CREATE PUBLICATION leaves FOR TABLE public.some_2")
    one = relay("public.parted", "leaves")
    statement = refused(one, "under the names of the partitions")
    assert statement == 'ALTER PUBLICATION "leaves" SET (publish_via_partition_root = true)', statement
    case.sql(statement)
    text = case.command(one, "check", "--connect", code=1, says="would never come")
    mended(one, printed(text), 'ALTER PUBLICATION "leaves" ADD TABLE "public"."parted"')

    # -- What no value of a type can be: a topic --
    case.sql("CREATE PUBLICATION plain FOR TABLE public.some_2;"
             "CREATE DOMAIN public.sealed AS bytea; CREATE DOMAIN public.twice AS public.sealed;"
             "ALTER TABLE public.some_2 ADD twice public.twice")
    for column in ("raw", "created_at", "local", "twice"):
        one = relay("public.some_2", "plain", topic=case.prefix + "{%s}" % column)
        assert refused(one, "needs a value that a topic name can hold in column " + column) is None
    # In a key it is a text like any other, and where it may be NULL the default may be the topic.
    one = relay("public.some_2", "plain", topic=case.prefix + "{created_at:none}", key="{created_at}")
    case.command(one, "check", "--connect")

    # -- A file that is wrong is a file that is wrong: 2, with its line, whoever reads it --
    one = case.relay({"source": {"connection": "host='127.0.0.1 password=secret"}})
    for command in (("check",), ("check", "--connect"), ("setup",), ("setup", "--print-sql")):
        text = case.command(one, *command, code=2, says="relay.*yaml:[0-9]+: .*cannot be read")
        assert "secret" not in text and "is valid" not in text, text
    case.refused(one, 2, "relay.*yaml:[0-9]+: .*cannot be read")
    # A running relay keeps the file that it has.
    one = relay("public.some_2", "plain")
    case.setup(one)
    case.start(one)
    good = one.config
    one.write_config(e2e.merge(good, {"source": {"connection": case.dsn() + " options='"}}))
    one.signal(signal.SIGHUP)
    one.wait_log("config.refused")
    assert "cannot be read" in one.log_text()
    one.wait_ready()
    one.config = good
    case.stop(one)

    # -- The migration of the role beside a database without the schema public --
    case.sql("DROP SCHEMA public CASCADE")
    case.apply("002_role.sql")


e2e.on_each_major(everything)
