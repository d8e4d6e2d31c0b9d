"""A start with a wrong password beside a running relay: exit 2, and nothing is fenced."""

import e2e

HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]

with e2e.own_postgres(hba=HBA) as postgres, e2e.Case(postgres=postgres) as case:
    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD 'right'")
    relay = case.up({"source": {"connection": case.dsn("ferry", password="right")}})
    shop = case.shop(writers=1, rate=30).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)
    wrong = case.relay({"source": {"connection": case.dsn("ferry", password="wr0ng")}})
    for _ in range(3):
        text = case.refused(wrong, 2, "password authentication failed")
        assert "wr0ng" not in text
    text = case.command(wrong, "check", "--connect", code=1, says="password authentication failed")
    assert "wr0ng" not in text
    shop.stop()
    case.drain(relay=relay)
    assert len(relay.events("epoch.opened")) == 1 and not relay.events("epoch.failed")
    case.stop(relay)
    case.judge()
