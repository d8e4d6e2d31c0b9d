"""A file that changes the routes comes while a split transaction is half published and the database is
away: the transaction is ended under the old file, then the new one is taken; nobody exits."""

import signal

import e2e
import oracle

SECONDS = 240

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 2000, "batch_events": 500},
                      "retry": {"min_ms": 300, "max_ms": 300}}) as case, \
        e2e.lab.proxy.Proxy(case.pg.port) as proxy:
    relay = case.up({"source": {"connection": case.dsn(port=proxy.port)}})
    case.put(rows=5)
    proxy.slow_chunk = (16384, 0.02)
    case.put(rows=40000, keys=20, pad=200)
    relay.wait_log("transaction.split", 60)
    proxy.refuse()
    proxy.cut()
    relay.wait_log("epoch.failed")
    config = dict(relay.config)
    config["routes"] = [dict(config["routes"][0], headers={"id": "{id}", "eventType": "{type}",
                                                           "fresh": "yes"})]
    relay.write_config(config)
    relay.signal(signal.SIGHUP)
    relay.wait_log("config.reloaded")
    proxy.accept()
    relay.wait_log("config.deferred")
    proxy.slow_chunk = None
    relay.wait_log("config.reloaded", 60, count=2)
    case.put(rows=5)
    case.drain(120, relay=relay)
    case.stop(relay)
    events = case.judge("dump")
    fresh = [oracle.header(event, "fresh") for event in events]
    assert fresh.count("yes") == 5, fresh.count("yes")
