"""setup, check --connect, status and a rebase that is refused, beside a relay under load: nobody is
fenced, the running relay keeps its epoch."""

import json

import e2e

with e2e.Case() as case:
    relay = case.up()
    shop = case.shop(writers=2, rate=40).start()
    e2e.wait("events", lambda: case.seen(0.1) > 20)
    beside = case.relay({"admin": {"listen": relay.config["admin"]["listen"]}})
    for _ in range(3):
        case.command(beside, "setup", says="slot .*: in place")
        case.command(beside, "check")
        case.command(beside, "check", "--connect")
        case.command(beside, "status")
        out = case.command(beside, "status", "--json")
        json.loads(out)
    case.command(beside, "setup", "--print-sql", says="CREATE PUBLICATION")
    case.command(beside, "rebase", "--to", "lsn:0/1", code=2)
    shop.stop()
    case.drain(relay=relay)
    assert len(relay.events("epoch.opened")) == 1 and not relay.events("epoch.failed"), \
        relay.log_text()
    generations = {record["generation"] for record in case.progress()}
    assert len(generations) <= 3, generations
    case.stop(relay)
    case.judge()
