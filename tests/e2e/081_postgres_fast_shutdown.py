"""PostgreSQL is stopped (fast) with the relay connected and Kafka up: the server waits until the relay
has confirmed everything, stops within 10 s, and no storm of keepalives is answered; then it goes on."""

import time

import e2e
from lab.proxy import Proxy

with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres) as case, \
        Proxy(postgres.port) as proxy:
    relay = case.up({"source": {"connection": case.dsn(port=proxy.port)}})
    for idle in (False, True):
        case.put(rows=20, transactions=5)
        if idle:
            case.drain(relay=relay)
        case.sql("CREATE TABLE IF NOT EXISTS public.other (t text)")
        case.sql("INSERT INTO public.other VALUES ('WAL that is no event')")
        before, began = proxy.bytes_up, time.monotonic()
        postgres.stop("fast", timeout=10)
        sent = proxy.bytes_up - before
        print("stopped after %.1f s, %d bytes sent" % (time.monotonic() - began, sent))
        assert sent < 100000, "%d bytes of answers" % sent
        postgres.start()
        e2e.wait("an epoch after the shutdown", lambda: case.slot()["active"], 30)
        case.drain(relay=relay)
    case.stop(relay)
    case.judge()
