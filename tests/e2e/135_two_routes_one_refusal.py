"""Two routes take each row; the topic of one of them refuses one record. What the other route makes
of that row is published all the same: with on_error: skip, and where `skip ID --route NAME` is the
mend, word for word as it is printed. Also where only the broker knows the limit."""

import concurrent.futures

import e2e
import flows
import oracle

LIMIT = 60000


def routes(case, on_error):
    whole = dict(case.config()["routes"][0], **{"continue": True})
    small = dict(whole, name="small", topic="small." + case.name, on_error=on_error)
    return {"routes": [whole, {key: value for key, value in small.items() if key != "continue"}]}


def begin(case, on_error, known):
    """A relay that has published; the limit falls before its start, or after it was read."""
    case.kafka.create_topic("small." + case.name, 1)
    if known:
        flows.limit_topic(case, "small." + case.name, LIMIT)
    relay = case.up(routes(case, on_error))
    case.put(rows=5)
    case.drain(relay=relay)
    if not known:
        flows.limit_topic(case, "small." + case.name, LIMIT)
    return relay


def write(case):
    """40 rows in one transaction, the 21st of them too large for one of the topics."""
    case.sql("""
        BEGIN;
        SELECT e2e.put('order', 'a', 7, 6, 20, 30);
        SELECT e2e.put('order', 'large', 1, 26, 1, 100000);
        SELECT e2e.put('order', 'b', 7, 27, 19, 30);
        COMMIT""")


def end(case, relay):
    """The one topic has everything, the other everything but the large one."""
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
    assert case.truth_count() == 48
    small = oracle.read_topics(case.kafka.bootstrap, ["small." + case.name])
    assert sorted(event.key for event in small) == sorted(
        row[0].encode() for row in case.sql("SELECT key FROM e2e.truth WHERE key <> 'large-0'"))


def skip(known):
    with e2e.Case(label="_skip%d" % known) as case:
        relay = begin(case, "skip", known)
        write(case)
        case.drain(relay=relay)
        assert relay.metric("walferry_skipped_total", route="small") == 1
        assert relay.metric("walferry_skipped_total", route="outbox") == 0
        end(case, relay)


def stop(known):
    with e2e.Case(label="_stop%d" % known) as case:
        relay = begin(case, "stop", known)
        write(case)
        code = relay.wait(40)
        assert code == 5, "code %s%s" % (code, e2e.lab.process.tail(relay.log))
        text = case.refused(relay, 5, r"walferry skip \S+ --route small")
        case.mend(relay, text)
        assert [one["route"] for one in case.progress()[-1]["skip"]] == ["small"]
        case.start(relay)
        case.drain(relay=relay)
        passed = relay.events("change.passed_over")
        assert len(passed) == 1 and " route=small " in passed[0], passed
        end(case, relay)


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for run in [pool.submit(each, known) for each in (skip, stop) for known in (False, True)]:
        run.result()
