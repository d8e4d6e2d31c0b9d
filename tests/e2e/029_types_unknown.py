"""No session is left to look types up: their values are text, a line and a metric say so, nothing
ends. With sessions again, the next version of the table is told all."""

import e2e

with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres) as case:
    case.sql("""
        CREATE ROLE ferry LOGIN REPLICATION;
        GRANT pg_read_all_data TO ferry;
        CREATE TYPE public.mood AS ENUM ('sad', 'so so');
        CREATE DOMAIN public.sealed AS bytea;
        ALTER TABLE public.outbox ADD mood public.mood, ADD moods public.mood[],
            ADD sealed public.sealed""")
    relay = case.relay({"source": {"connection": case.dsn("ferry")}})
    case.command(relay, "setup", "--admin-connection", case.dsn())
    case.start(relay)
    # The stream and the watch are there already.
    e2e.wait("the watch", lambda: case.one(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ferry'") == 2)
    case.sql("ALTER ROLE ferry CONNECTION LIMIT 0")
    case.put(rows=3, transactions=2)
    case.drain(relay=relay)
    relay.wait_log("types.unknown")
    assert "too many connections for role" in relay.log_text()
    e2e.wait("the metric", lambda: relay.metric("walferry_type_failures_total") == 1)
    case.sql("ALTER ROLE ferry CONNECTION LIMIT -1; ALTER TABLE public.outbox ADD more text")
    case.put(rows=3)
    case.drain(relay=relay)
    assert relay.metric("walferry_type_failures_total") == 1
    assert len(relay.events("types.unknown")) == 1
    assert len(relay.events("epoch.opened")) == 1
    assert case.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ferry'") == 2
    case.stop(relay)
    case.judge()
