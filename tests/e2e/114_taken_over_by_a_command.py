"""rebase and teardown beside a running relay: the relay is fenced, does not come back in the middle of
the command, and ends with exit 4."""

import e2e

with e2e.Case() as case:
    relay = case.up()
    shop = case.shop(writers=2, rate=40).start()
    e2e.wait("events", lambda: case.seen(0.1) > 20)
    case.command(relay, "rebase", "--to", "slot", "--accept-repeat", "--yes", "--take-over", says="goes on from")
    assert relay.wait(30) == 4, relay.log_text()
    record = case.progress()[-1]
    assert record["rebased"] and record["partial"] is None, record

    case.start(relay)
    case.command(relay, "rebase", "--to", "new-slot", "--accept-loss", "--yes", "--take-over", says="created")
    assert relay.wait(30) == 4, relay.log_text()

    case.start(relay)
    case.command(relay, "teardown", "--yes", "--take-over", says="progress: closed")
    assert relay.wait(30) == 4, relay.log_text()
    assert case.progress()[-1]["mode"] == "closed"
    shop.stop()
