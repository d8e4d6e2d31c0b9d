"""An outbox table with one partition a day: published by its root, partitions come and go."""

import e2e

with e2e.Case(outbox="001_outbox_partitioned.sql") as case:
    relay = case.up()
    case.put(rows=10)
    case.sql("""
        WITH o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload, created_at)
                   SELECT 'order', 'day', 'Put', to_jsonb(i), now() + i * interval '1 day'
                   FROM generate_series(-1, 5) AS i RETURNING id, payload)
        INSERT INTO e2e.truth SELECT id::text, 'order', 'day', payload::int, md5(payload::text)
        FROM o""")
    case.shop(writers=2).run(20)
    case.sql("SELECT walferry.outbox_add_partitions(9)")
    case.sql("SELECT walferry.outbox_drop_partitions(now() + interval '3 days')")
    case.put(rows=10)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
