"""The basic flow on PostgreSQL 18, under the role of sql/002 and with the view of sql/003."""

import sys

import e2e
import flows

if e2e.lab.cache.postgres_bin(18) is None:
    sys.exit(77)

with e2e.own_postgres(major=18) as postgres, e2e.Case(postgres=postgres) as case:
    for migration in ("002_role.sql", "002_role.sql", "003_monitoring.sql", "003_monitoring.sql"):
        case.apply(migration)
    case.more_config = {"source": {"connection": case.dsn("walferry")}}
    flows.basic(case, setup=("--admin-connection", case.dsn()))
    assert case.one("SELECT count(*) FROM walferry.slot_lag WHERE slot_name = %s",
                    (case.slot_name,)) == 1
