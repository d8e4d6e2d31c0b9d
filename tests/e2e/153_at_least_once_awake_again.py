"""at_least_once: an instance is stopped, another takes over and goes on. Nobody fences the handle that
takes the events, so awake again the first asks before it hands anything over: it ends with 4, and what it
had received and not sent is not written behind newer events of the same keys. Of what it had sent, but the
broker not received, the same cannot be had (GUARANTEES): it may come again, and nothing behind it does."""

import json
import time

import e2e
import oracle
from lab.proxy import HOLD, REQUEST, RESPONSE, KafkaProxy


def order(case):
    """The rows' numbers, as they stand in the topic."""
    time.sleep(1)  # what was held must have arrived by now, if it is taken at all
    return [json.loads(event.value)["n"] for event in
            oracle.read_topics(case.kafka.bootstrap, [case.prefix + "order"])]


def quiet(case, relay):
    case.put(rows=1, keys=1)
    case.drain(relay=relay)
    e2e.wait("all of it is confirmed", lambda: case.confirmed_lsn() >= case.position())


def succeed(case):
    second = case.start(case.relay())
    case.drain(relay=second)
    case.put(rows=5, keys=1)
    case.drain(relay=second)
    return second


def ends(first):
    assert first.wait(40) == 4, first.log_text()


OPTIONS = {"partitions": 1, "config": {"delivery": {
    "guarantee": "at_least_once", "transaction_timeout_ms": 30000}}}
ROWS = 3000  # of small batches: the writer has some before the reader sees that its session is gone

with e2e.Case(label="_a", **OPTIONS) as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    first = case.up({"kafka": {"bootstrap.servers": proxy.address}, "delivery": {"batch_events": 100}})
    quiet(case, first)
    # Who follows the progress topic may tell of the successor first; here it comes too late.
    held = proxy.rule("Fetch", RESPONSE, HOLD, count=None)
    assert held.hit.wait(20)
    first.pause()
    case.put(rows=ROWS, keys=1)
    time.sleep(1)  # the server has sent them
    second = succeed(case)
    first.resume()
    time.sleep(3)
    held.release()
    ends(first)
    numbers = order(case)
    print("received, not sent: %d, then %s" % (ROWS + 6, numbers[ROWS + 6:]))
    assert numbers == list(range(1, ROWS + 7)), numbers[ROWS:]
    case.stop(second)

with e2e.Case(label="_b", **OPTIONS) as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    first = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    quiet(case, first)
    held = proxy.rule("Produce", REQUEST, HOLD)
    case.put(rows=5, keys=1)
    assert held.hit.wait(20)
    case.put(rows=5, keys=1)
    time.sleep(1)  # the relay has them
    first.pause()
    second = succeed(case)
    held.release()
    first.resume()
    ends(first)
    numbers = order(case)
    print("sent, not received: %s" % numbers)
    late = numbers[16:]
    assert numbers[:16] == list(range(1, 17)), numbers
    assert late == sorted(late) and set(late) <= set(range(2, 7)), numbers
    case.stop(second)
