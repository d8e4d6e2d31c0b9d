"""The progress topic is deleted under a running relay (C11): it stops with exit 3 and never begins
from nowhere; its rebase line goes on from the slot."""

import e2e
import refusals

with e2e.Case() as case:
    relay = case.up()
    case.put(rows=5)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.kafka.delete_topic(case.progress_topic)
    case.put(rows=3)
    code = relay.wait(60)
    assert code == 3, "ended with %s%s" % (code, e2e.lab.process.tail(relay.log))
    assert case.seen(0.5) == 5, "published without progress"
    refusals.refused_and_mended(case, relay, "holds no progress of relay")
    refusals.after(case, relay)
