"""A transaction too long for the Kafka transaction's time-out is committed in flagged parts, exactly
once, also when the relay dies between two parts (C9); a start with another file is refused."""

import signal

import e2e
import oracle

SECONDS = 240

with e2e.Case(config={"delivery": {"transaction_timeout_ms": 2000, "batch_events": 500},
                      "retry": {"max_ms": 300}}) as case, \
        e2e.lab.proxy.Proxy(case.pg.port) as proxy:
    relay = case.relay({"source": {"connection": case.dsn(port=proxy.port)}})
    case.setup(relay)
    relay.start(env={"WALFERRY_CRASH_AT": "C9:1"})
    relay.wait_log("epoch.opened")
    case.put(rows=5)
    # Slow enough that the transaction is on its way for longer than half the time-out, without ever
    # being silent for a quarter of it.
    proxy.slow_chunk = (16384, 0.02)
    case.put(rows=40000, keys=20, pad=200)
    assert relay.wait(60) == -signal.SIGKILL
    partial = case.progress()[-1]["partial"]
    assert partial and partial["done"] > 0, partial

    other = case.relay({"source": {"connection": case.dsn(port=proxy.port)},
                        "routes": [dict(case.config()["routes"][0], key="other")]})
    case.refused(other, 3, "restore the file")
    relay.start()
    relay.wait_log("transaction.split", 60)
    relay.kill()
    case.start(relay)
    proxy.slow_chunk = None
    case.put(rows=5)
    case.drain(120, relay=relay)
    assert case.progress()[-1]["partial"] is None
    case.stop(relay)
    events = case.judge("dump")
    parts = {oracle.header(event, "walferry-part") for event in events}
    assert None in parts and "2" in parts, parts
