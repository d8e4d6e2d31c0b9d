"""run --setup --until-caught-up ends with 0 at the WAL position of its start; teardown drops slot and
publication; a setup after it is a first run."""

import e2e

with e2e.Case() as case:
    relay = case.relay()
    relay.start("--setup", "--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    case.put(rows=50, transactions=3)
    relay.start("--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    assert case.seen(2) == 150
    case.judge()
    case.command(relay, "teardown", "--yes")
    assert case.slot() is None
    assert case.one("SELECT count(*) FROM pg_publication WHERE pubname = %s", (case.db,)) == 0
    case.refused(relay, 2, "walferry setup")
    case.setup(relay)
    case.start(relay)
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
