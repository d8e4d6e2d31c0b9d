"""An instance that was taken over between its claim and its slot. What it finds then looks like a loss:
a slot that has moved beyond its own progress. It used to refuse with 3 and print a line which, run as
printed, fenced the healthy successor; and it ended the session of a successor that was idle. It must
leave with 4, and leave the other alone."""

import time

import e2e
from lab.proxy import HOLD, RESPONSE, KafkaProxy, Proxy


def taken_over(case, busy):
    with KafkaProxy(case.kafka.bootstrap) as kafka, Proxy(case.pg.port) as postgres:
        first = case.relay({"source": {"connection": case.dsn(port=postgres.port)},
                            "kafka": {"bootstrap.servers": kafka.address}})
        second = case.relay()
        case.setup(second)
        case.put(rows=1)
        held = kafka.rule("EndTxn", RESPONSE, HOLD)  # of the first one's claim
        first.start()
        assert held.hit.wait(20)
        postgres.black_hole()
        held.release()
        time.sleep(0.3)  # it has claimed, and asks for its slot
        case.start(second)
        if busy:
            case.put(rows=5)
            case.drain(relay=second)
            case.wait_confirmed(case.position())
        postgres.flow()
        assert first.wait(40) == 4, first.log_text()
        assert "rebase" not in first.log_text(), first.log_text()
        assert not first.events("slot.owner_ended"), first.log_text()
        case.put(rows=3)
        case.drain(relay=second)
        assert len(second.events("epoch.opened")) == 1, second.log_text()
        case.stop(second)
        case.judge()


with e2e.Case(label="_busy") as case:
    taken_over(case, busy=True)
# Nothing moves, so only the claim tells.
with e2e.Case(label="_idle", config={"delivery": {"idle_progress": {
        "interval_ms": 3600000, "bytes": "1GB"}}}) as case:
    taken_over(case, busy=False)
