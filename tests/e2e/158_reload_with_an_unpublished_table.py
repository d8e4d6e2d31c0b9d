"""SIGHUP with a route whose table is not there, or not in the publication. The file is one that a start
refuses: a running relay keeps the file that it has, says why, and goes on publishing."""

import signal

import e2e

with e2e.Case() as case:
    relay = case.up()
    case.put(rows=1)
    case.drain(relay=relay)
    good = relay.config
    base = good["routes"][0]
    case.sql("CREATE TABLE public.there (LIKE public.outbox INCLUDING ALL)")
    for number, table in enumerate(("public.nowhere", "public.there"), 1):
        relay.write_config(dict(good, routes=[base, dict(base, name="two", **{"from": table})]))
        relay.signal(signal.SIGHUP)
        e2e.wait("the file is refused",
                 lambda: len(relay.events("config.refused")) == number or not relay.running(), 30)
        assert relay.running(), "%s ended it%s" % (table, e2e.lab.process.tail(relay.log))
        assert table in relay.events("config.refused")[-1], relay.events("config.refused")[-1]
        case.put(rows=2)
        case.drain(relay=relay)
    relay.config = good
    case.stop(relay)
    case.judge()
