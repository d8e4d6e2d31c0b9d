"""A first set-up with the real role: the SQL that is printed, --admin-connection, and where it may lead.

Everybody but the superuser has to give a password."""

import os
import threading

import e2e

HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]
TABLE = "CREATE SCHEMA shop; CREATE TABLE shop.events (id uuid DEFAULT gen_random_uuid()," \
        " aggregatetype text, aggregateid text, type text, payload jsonb, headers jsonb)"

with e2e.own_postgres(hba=HBA) as postgres, e2e.Case(postgres=postgres, sql=TABLE) as case:
    mine = case.config()["routes"][0]
    mine = dict(mine, **{"from": "shop.events", "columns": {"headers": "headers"}})
    ferry = case.relay({"source": {"connection": case.dsn("walferry", password="secret")},
                        "routes": [mine]})

    # The role is the one that logs in, wherever its name comes from; and every name is one.
    service = os.path.join(case.dir, "services")
    with open(service, "w") as file:
        file.write("[ferry]\nhost=127.0.0.1\nport=%d\ndbname=%s\nuser=postgres\n"
                   % (postgres.port, case.db))
    named = case.relay({"source": {"connection": "service=ferry"}}, env={"PGSERVICEFILE": service})
    case.command(named, "setup", "--print-sql", says=["rolname = 'postgres'",
                                                      'CREATE ROLE "postgres"'])
    nameless = case.relay({"source": {"connection": "host=127.0.0.1 port=1"}})
    case.command(nameless, "setup", "--print-sql", says=['GRANT CONNECT ON DATABASE "walferry" TO'
                                                         ' "walferry"'])

    # The role does not exist, so nobody can log in with it; what makes it is printed all the same.
    text = case.command(ferry, "setup", "--print-sql", says=["CREATE ROLE", "was not asked",
                                                             'FOR TABLE "shop"."events"'])
    case.sql("CREATE DATABASE other")
    role = text[:text.index("-- what it listens to")]
    for _ in range(2):
        code, said = postgres.psql("-c", role, dbname=case.db)
        assert code == 0, said
    case.sql("ALTER ROLE walferry PASSWORD 'secret'")
    case.apply("002_role.sql")  # beside a table of one's own, and the role is there
    text = case.command(ferry, "setup", "--print-sql")
    assert "was not asked" not in text, text

    case.sql("CREATE ROLE dba LOGIN SUPERUSER PASSWORD 'dba'")
    # What a role may have set for itself neither ends our statements nor forbids them.
    for setting in ("statement_timeout = '200ms'", "lock_timeout = '200ms'", "TimeZone = 'Asia/Kathmandu'",
                    "default_transaction_read_only = on", "DateStyle = 'German'"):
        case.sql("ALTER ROLE walferry SET " + setting)
        case.sql("ALTER ROLE dba SET " + setting)

    # The relay's role owns no table: the mend is a line that can be run.
    case.command(ferry, "setup", code=2, says=["--admin-connection"])
    assert case.slot() is None

    # An administrator of another database or server publishes nothing there.
    before = case.one("SELECT count(*) FROM pg_publication")
    case.command(ferry, "setup", "--admin-connection", postgres.dsn("other"), code=2,
                 says="--admin-connection: it reaches database other")
    with e2e.own_postgres() as elsewhere:
        elsewhere.sql('CREATE DATABASE "%s"' % case.db)
        case.command(ferry, "setup", "--admin-connection", elsewhere.dsn(case.db), code=2,
                     says="it reaches another server")
    # What is to be mended is the option, and not the file.
    text = case.command(ferry, "setup", "--admin-connection",
                        "host=127.0.0.1 port=%d user=dba password=wrong" % postgres.port, code=2,
                        says="check user and password in --admin-connection")
    assert "source.connection" not in text, text
    assert case.one("SELECT count(*) FROM pg_publication") == before

    # Without a dbname it is that of source.connection.
    # A writer that stays open keeps the slot waiting for longer than that.
    writer = postgres.connect(case.db, autocommit=False)
    writer.cursor().execute("SELECT pg_current_xact_id()")
    threading.Timer(1.5, writer.rollback).start()
    case.command(ferry, "setup", "--admin-connection",
                 "host=127.0.0.1 port=%d user=dba password=dba" % postgres.port, says="created")
    case.command(ferry, "check", "--connect")
    case.start(ferry)
    case.sql("""INSERT INTO shop.events (aggregatetype, aggregateid, type, headers)
                VALUES ('mine', '1', 'Put', '{"trace": "t1"}')""")
    e2e.wait("the event", lambda: ferry.metric("walferry_events_total", route="outbox") == 1)
    case.stop(ferry)

    # A file for another database: rebase refuses, as setup does.
    lost = case.relay({"source": {"connection": postgres.dsn("other")}, "routes": [mine]})
    for to in ("slot", "new-slot"):
        case.command(lost, "rebase", "--to", to, "--accept-loss", "--yes", code=2,
                     says="belongs to database %s" % case.db)

