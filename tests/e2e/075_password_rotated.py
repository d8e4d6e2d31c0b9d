"""The password is rotated: refused logins are retried, and the relay goes on once the file that libpq
reads has the new one, without a restart."""

import os

import e2e

HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]

with e2e.own_postgres(hba=HBA) as postgres, e2e.Case(postgres=postgres) as case:
    passfile = os.path.join(case.dir, "pgpass")

    def write(password):
        with open(passfile + ".new", "w") as file:
            file.write("*:*:*:ferry:%s\n" % password)
        os.chmod(passfile + ".new", 0o600)
        os.replace(passfile + ".new", passfile)

    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD 'first'")
    write("first")
    relay = case.up({"source": {"connection": case.dsn("ferry", passfile=passfile)}})
    case.put(rows=3)
    case.drain(relay=relay)
    case.sql("ALTER ROLE ferry PASSWORD 'second'")
    case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ferry'")
    relay.wait_log("epoch.failed", count=2)
    e2e.wait("a refused login", lambda: "password authentication failed" in relay.log_text())
    case.put(rows=3)
    write("second")
    relay.wait_log("epoch.opened", count=2)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()

    # Never right from the start: no grace, exit 2.
    write("third")
    case.refused(relay, 2, "password authentication failed")
