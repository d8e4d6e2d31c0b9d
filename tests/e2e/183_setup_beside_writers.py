"""setup adds a table beside a running relay while a transaction has already written into it.

Of that transaction only the rest would come. So setup waits for a moment and then says who is in the
way, having changed nothing; once the transaction has ended it goes on, and says that rows from before
are not published. The relay goes on by itself."""

import e2e

with e2e.Case() as case:
    relay = case.up()
    case.put(rows=2)
    case.drain(relay=relay)
    case.sql("CREATE TABLE public.second (LIKE public.outbox INCLUDING ALL)")
    more = case.config()["routes"] + [dict(case.config()["routes"][0], name="second",
                                           **{"from": "public.second"})]
    both = case.relay({"routes": more})

    writer = case.pg.connect(case.db)
    writer.autocommit = False
    row = "INSERT INTO public.second (aggregatetype, aggregateid, type) VALUES ('half', %s, 'x')"
    with writer.cursor() as cursor:
        cursor.execute(row, ("1",))
        case.command(both, "setup", code=6, says="has written to the table")
        published = "SELECT count(*) FROM pg_publication_tables WHERE tablename = 'second'"
        assert case.one(published) == 0
        cursor.execute(row, ("2",))
        writer.commit()
    case.command(both, "setup", says=("tables added", "before now are not published"))
    assert case.one(published) == 1
    case.command(both, "setup", says="in place")
    case.put(rows=3)
    case.drain(relay=relay)
    assert relay.running()
    case.stop(relay)
    case.start(both)
    case.sql(row, ("3",))
    case.put(rows=2)
    case.drain(relay=both)
    case.stop(both)
    halves = [event for event in e2e.oracle.read_topics(case.kafka.bootstrap, [case.prefix + "half"])]
    assert [event.key for event in halves] == [b"3"], halves
