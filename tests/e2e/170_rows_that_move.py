"""An update that would move a row of the partitioned outbox to another partition, which the server sends
as an insert, is refused by the table: the row would be published again."""

import psycopg2

import e2e

with e2e.Case(outbox="001_outbox_partitioned.sql") as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    try:
        case.sql("UPDATE public.outbox SET created_at = created_at + interval '1 day'"
                 " WHERE aggregateid = 'p-1'")
        raise AssertionError("the row moved")
    except psycopg2.Error as error:
        assert "created_at" in str(error), error
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
