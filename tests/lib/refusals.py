"""The course of every refusal: run, break something, see it refused, mend it as told, run again."""

import e2e


def before(case):
    """A relay that has delivered something and is stopped, everything confirmed."""
    relay = case.up()
    case.put(rows=5)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.stop(relay)
    return relay


def refused_and_mended(case, relay, says, code=3, flags=("--yes",)):
    """Refused with that text, nothing emitted; its own rebase line mends it."""
    seen, records = case.seen(0.3), len(case.progress()) if has_progress(case) else 0
    for _ in range(2):
        text = case.refused(relay, code, says)
    case.command(relay, "check", "--connect", code=1, says=says)
    case.command(relay, "setup", code=code) if code == 3 else None
    assert case.seen(0.5) == seen, "something was emitted"
    if records:
        assert len(case.progress()) == records, "something was recorded"
    return case.mend(relay, text, *flags)


def has_progress(case):
    return bool(e2e.oracle.topics_like(case.kafka.bootstrap, case.progress_topic))


def after(case, relay, expect=(), **judge):
    """It runs again, and the oracle is content."""
    case.start(relay)
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    return case.judge(expect=expect, **judge)
