"""teardown where the publication is another role's: refused whole, done whole with --admin-connection,
and it may be repeated."""

import e2e

with e2e.Case() as case:
    role = case.name + "_ferry"
    case.sql('CREATE ROLE "%s" LOGIN REPLICATION' % role)
    try:
        relay = case.relay({"source": {"connection": case.dsn(role)}})
        case.command(relay, "setup", "--admin-connection", case.dsn())
        case.command(relay, "teardown", "--yes", code=2,
                     says=("belongs to another role", "--admin-connection"))
        assert case.slot() is not None
        assert case.progress()[-1]["mode"] == "wal"
        case.command(relay, "teardown", "--yes", "--admin-connection", case.pg.dsn("postgres"),
                     code=2, says="it reaches")
        assert case.slot() is not None
        for _ in range(2):
            case.command(relay, "teardown", "--yes", "--admin-connection", case.dsn())
            assert case.slot() is None
            assert case.one("SELECT count(*) FROM pg_publication") == 0
            assert case.progress()[-1]["mode"] == "closed"
        case.command(relay, "teardown", "--yes")  # and what is gone needs no owner
    finally:
        case.sql('DROP OWNED BY "%s"; DROP ROLE "%s"' % (role, role))
