"""at_least_once: the same, but an event may be seen again after a crash; none is lost, and without a
crash none is twice."""

import e2e

with e2e.Case(config={"delivery": {"guarantee": "at_least_once"}}) as case:
    relay = case.up()
    case.shop(writers=2).run(30)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge(guarantee="at_least_once")
    shop = case.shop(writers=2, rate=40).start()
    for _ in range(5):
        case.start(relay)
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.05) > seen + 10)
        relay.kill()
    shop.stop()
    case.start(relay)
    case.drain(relay=relay)
    case.stop(relay)
    faults, _, _ = e2e.oracle.judge(case._fresh(), case.kafka, case.slot_name, case.progress_topic,
                                    case.prefix, guarantee="at_least_once")
    wrong = [fault for fault in faults if fault.kind not in ("twice", "reordered")]
    assert not wrong, wrong
