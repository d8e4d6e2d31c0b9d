"""What decides which rows the server sends, and what rows need, is looked at by check, setup and start.

Each of these lost events without a word, or ended the relay at its first row. Each is refused with a
statement that mends it, which is run here as it is printed."""

import re

import e2e

COLUMNS = "(id uuid DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text," \
          " payload jsonb, headers jsonb, created_at timestamptz DEFAULT now())"


def refused(case, relay, reason, says, setup=True):
    """check says no (1), setup refuses (2) before a slot is made; the statement of the hint."""
    text = case.command(relay, "check", "--connect", code=1, says=says)
    if setup:
        text = case.command(relay, "setup", code=2, says=says)
    assert case.slot() is None, case.slot()
    found = re.search(r"run: (?:\S*walferry setup -c (\S+), or: )?(ALTER .*)", text)
    assert not found or found.group(1) in (None, relay.path), text
    return found and found.group(2)


def everything(case):
    def relay(table, publication="p", **route):
        return case.relay({
            "source": {"publication": publication},
            "routes": [dict({"name": "r", "from": table, "as": "outbox",
                             "topic": case.prefix + "{aggregatetype}"}, **route)]})

    def mended(one, statement):
        assert statement, "no statement is printed"
        case.sql(statement)
        case.command(one, "check", "--connect")

    # -- The publication --
    case.sql("CREATE PUBLICATION p FOR TABLE public.outbox WITH (publish = 'update, delete')")
    one = relay("public.outbox")
    statement = refused(case, one, "publication_inserts", "does not publish inserts")
    assert statement == "ALTER PUBLICATION \"p\" SET (publish = 'insert, update, delete')", statement
    mended(one, statement)

    if case.pg.major >= 15:
        case.sql("CREATE PUBLICATION filtered FOR TABLE public.outbox WHERE (seq > 1000000)")
        one = relay("public.outbox", "filtered")
        mended(one, refused(case, one, "publication_filter", "row filter"))

        case.sql("CREATE PUBLICATION listed FOR TABLE public.outbox (seq, id, aggregatetype)")
        one = relay("public.outbox", "listed")
        mended(one, refused(case, one, "publication_column", "needs column payload"))
        case.sql("CREATE PUBLICATION enough FOR TABLE public.outbox"
                 " (id, aggregatetype, aggregateid, type, payload)")
        case.command(relay("public.outbox", "enough"), "check", "--connect")

    # The statement quotes what needs it.
    case.sql('CREATE TABLE public."OutBox" %s; CREATE PUBLICATION "Mixed-Pub"' % COLUMNS)
    one = relay("public.OutBox", "Mixed-Pub")
    statement = refused(case, one, "publication_table", "would never come", setup=False)
    assert statement == 'ALTER PUBLICATION "Mixed-Pub" ADD TABLE "public"."OutBox"', statement
    mended(one, statement)

    # A table that a glob takes and that was made later.
    one = relay("public.Out*", "Mixed-Pub")
    case.sql('CREATE TABLE public."OutThere" %s' % COLUMNS)
    mended(one, refused(case, one, "publication_table", '"public"."OutThere"', setup=False))

    # Partitioned: rows come under the names of the partitions, or only a partition is published.
    case.sql("CREATE TABLE public.parted %s PARTITION BY RANGE (created_at);"
             "CREATE TABLE public.parted_1 PARTITION OF public.parted DEFAULT;"
             "CREATE PUBLICATION parted FOR TABLE public.parted;"
             "CREATE PUBLICATION everything FOR ALL TABLES" % COLUMNS)
    for publication in ("parted", "everything"):
        one = relay("public.parted", publication)
        statement = refused(case, one, "publication_root", "under the names of the partitions")
        mended(one, statement)
    one = relay("public.parted_1", "parted")
    refused(case, one, "publication_root", "under the name of public.parted")
    case.sql("DROP PUBLICATION everything")

    # Children by INHERITS come under their own names.
    case.sql("CREATE TABLE public.parent %s; CREATE TABLE public.child () INHERITS (public.parent);"
             "CREATE PUBLICATION family FOR TABLE public.parent" % COLUMNS)
    refused(case, relay("public.parent", "family"), "inherited_table", "the child public.child")
    case.sql("CREATE PUBLICATION both_ FOR TABLE public.parent, public.child")
    both = case.relay({"source": {"publication": "both_"}, "routes": [
        {"name": name, "from": "public." + name, "topic": case.prefix + "x"}
        for name in ("parent", "child")]})
    case.command(both, "check", "--connect")

    # -- The tables --
    case.sql("CREATE UNLOGGED TABLE public.quick %s; CREATE VIEW public.seen AS TABLE public.outbox;"
             "CREATE TABLE public.gen (id uuid, aggregateid text, type text, payload jsonb,"
             " aggregatetype text GENERATED ALWAYS AS (payload->>'kind') STORED);"
             "CREATE TABLE public.odd (id uuid, aggregatetype text, aggregateid text, type text,"
             " payload jsonb, headers int, at uuid)" % COLUMNS)
    one = relay("public.quick", "q")
    statement = refused(case, one, "table_kind", "UNLOGGED")
    assert statement == 'ALTER TABLE "public"."quick" SET LOGGED', statement
    refused(case, relay("public.seen", "q"), "table_kind", "is a view")
    refused(case, relay("public.nothing", "q"), "table_missing", "does not exist")
    refused(case, relay("public.gen", "q"), "column_missing", "aggregatetype, which is generated")
    refused(case, relay("public.outbox", "q", key="{nothing}"), "column_missing", "no column nothing")
    refused(case, relay("public.outbox", "q", columns={"payload": "body"}), "column_missing",
            "no column body")
    refused(case, relay("public.odd", "q", columns={"headers": "headers"}), "column_type",
            "a JSON object in column headers")
    refused(case, relay("public.odd", "q", columns={"timestamp": "at"}), "column_type", "a timestamp")
    assert case.one("SELECT count(*) FROM pg_publication WHERE pubname = 'q'") == 0

    # -- The file alone --
    for routes, says in (
            ([("public.*", "a"), ("public.outbox", "b")], "routes\\[1\\] .* is never reached"),
            ([("message:m", "a"), ("message:m", "b")], "never reached"),
            ([("public.outbox", "a b{type}")], "holds a character other than"),
            ([("public.outbox", "__{type}")], "begins with __"),
            ([("public.outbox", "walferry.{type}.progress")], "a relay's own topic"),
            ([("public.outbox", "x" * 249 + "{type}")], "more than 249")):
        one = case.relay({"routes": [{"name": "r%d" % number, "from": table, "topic": topic}
                                     for number, (table, topic) in enumerate(routes)]})
        case.command(one, "check", code=2, says=says)

    # -- Names with dots, in SQL's quotes --
    case.sql('CREATE SCHEMA "Next.Ware"; CREATE TABLE "Next.Ware"."out""box" '
             "(LIKE public.outbox INCLUDING ALL)")
    one = relay('"Next.Ware"."out""box"', "dotted")
    case.setup(one)
    case.start(one)
    case.sql("""INSERT INTO "Next.Ware"."out""box" (aggregatetype, aggregateid, type)
                VALUES ('dotted', '1', 'Put')""")
    e2e.wait("the event of the quoted table",
             lambda: one.metric("walferry_events_total", route="r") == 1)
    case.stop(one)

    # A start looks, too.
    case.sql('ALTER PUBLICATION dotted SET (publish = \'update\')')
    case.refused(one, 2, "does not publish inserts")

    # What 18 added: a stored generated column is sent where the publication says so, or names it.
    if case.pg.major >= 18:
        case.sql("CREATE PUBLICATION generated FOR TABLE public.gen"
                 " WITH (publish_via_partition_root, publish_generated_columns = stored);"
                 "CREATE PUBLICATION named FOR TABLE public.gen"
                 " (id, aggregatetype, aggregateid, type, payload)")
        for publication in ("generated", "named"):
            one = relay("public.gen", publication)
            # All is well with it, but that nobody can know what it sent until now.
            case.command(one, "check", "--connect", code=1,
                         says="dotted was exchanged for %s" % publication)
        case.mend(one, case.refused(one, 3, "publication_changed"), "--yes")
        case.start(one)
        case.sql("""INSERT INTO public.gen (id, aggregateid, type, payload)
                    VALUES (gen_random_uuid(), '1', 'Put', '{"kind": "order"}')""")
        e2e.wait("the event with a generated topic",
                 lambda: one.metric("walferry_events_total", route="r") == 1)
        case.stop(one)


e2e.on_each_major(everything)
