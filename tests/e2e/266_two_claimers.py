"""Two relays claim the same table and take turns: each row is published once, in the order of its key. Two instances
of one relay begin at once: one of them works. And who rebases while rows are published and not finished is told that
they come again."""

import signal

import e2e
import oracle

CLAIM = {"source": {"mode": "poll", "poll": {"strategy": "claim", "interval_ms": 2, "idle_interval_ms": 20,
                                             "page_rows": 5}}}


def claims(label):
    case = e2e.Case(config=CLAIM, label=label)
    case.more_config = e2e.merge(CLAIM, {"routes": [dict(case.config()["routes"][0], poll={"key": "seq"})]})
    return case


def nothing_is_left(case):
    e2e.wait("rows that are finished", lambda: case.one("SELECT count(*) FROM public.outbox") == 0, 10)


def once_and_in_order(case):
    """Whoever published them."""
    truth = {row[0]: row[1:] for row in case.sql("SELECT id, key, n FROM e2e.truth")}
    got = [oracle.header(event, "id") for event in case.tail.events]
    assert sorted(got) == sorted(truth), (len(got), len(set(got)), len(truth))
    last = {}
    for event in sorted(case.tail.events, key=lambda event: event[:3]):
        key, n = truth[oracle.header(event, "id")]
        assert n > last.get((event.topic, key), 0), "%s: %d behind %d" % (key, n, last[event.topic, key])
        last[event.topic, key] = n


with claims("_names") as case:
    relays = [case.relay(name="one"), case.relay({"relay": case.name[:34] + "_two"}, name="two")]
    for relay in relays:
        case.setup(relay)
    for relay in relays:
        case.start(relay)
    case.shop(writers=3, rate=60, delete=0, seed=e2e.seed()).run(60)
    case.drain(relay=relays[0])
    by = [relay.metric("walferry_events_total", route="outbox") for relay in relays]
    assert all(by), "one of them has published all: %s" % by
    assert case.seen(0.5) == sum(by), (case.seen(0), by)
    nothing_is_left(case)
    once_and_in_order(case)
    for relay in relays:
        case.stop(relay)

with claims("_instances") as case:
    relay, other = case.relay(name="relay"), case.relay(name="other")
    case.setup(relay)
    shop = case.shop(writers=2, rate=60, delete=0, seed=e2e.seed()).start()
    for each in (relay, other):
        each.start()
    e2e.wait("one that ends", lambda: not (relay.running() and other.running()), 30)
    ended, works = (relay, other) if not relay.running() else (other, relay)
    assert ended.wait(5) == 4, ended.log_text()
    shop.stop()
    case.drain(relay=works)
    case.stop(works)
    case.judge()
    nothing_is_left(case)

with claims("_rebased") as case:
    relay = case.relay()
    case.setup(relay)
    case.put(rows=3)
    relay.start(env={"WALFERRY_CRASH_AT": "P2:1"})
    assert relay.wait(30) == -signal.SIGKILL, relay.log_text()
    count = case.one("SELECT count(*) FROM public.outbox")
    assert case.progress()[-1]["resume"]["ids"] and count == 3, "nothing is in flight"
    case.command(relay, "rebase", "--to", "beginning", "--accept-loss", "--yes", code=3, says="would repeat events")
    assert case.one("SELECT count(*) FROM public.outbox") == 3
    case.command(relay, "rebase", "--to", "beginning", "--accept-repeat", "--yes", says="rebased")
    relay.start("--until-caught-up")
    assert relay.wait(30) == 0, relay.log_text()
    case.seen(0.5)
    got = [oracle.header(event, "id") for event in case.tail.events]
    assert len(got) == 6 and len(set(got)) == 3, "all three again, and nothing else: %s" % got
    nothing_is_left(case)
