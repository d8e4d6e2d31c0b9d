"""wal_sender_timeout is off on the server, and the connection falls silent with its sockets open. The
relay has a time of its own after which it asks, and opens again: nothing waits for ever."""

import time

import e2e
from lab.proxy import Proxy

LONG = True  # our time is a minute
SECONDS = 240

with e2e.Case() as case, Proxy(case.pg.port) as postgres:
    relay = case.up({"source": {"connection": case.dsn(
        port=postgres.port, options="-c wal_sender_timeout=0")}})
    case.put(rows=1)
    case.drain(relay=relay)
    postgres.black_hole()
    case.put(rows=3)
    began = time.monotonic()
    e2e.wait("the silence is noticed", lambda: relay.events("epoch.failed"), 120)
    assert "reason=server_silent" in relay.events("epoch.failed")[0], relay.log_text()
    print("noticed after %.0f s" % (time.monotonic() - began))
    postgres.cut()
    postgres.flow()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
