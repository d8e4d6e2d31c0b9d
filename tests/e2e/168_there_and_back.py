"""0.1.0, as its commit has it, and this program take turns at one relay, each with a backlog: up, back by
`setup --progress-version 1`, up again, back at once, and up. Every event comes once and in order. What the older
record cannot hold stands in the way, and a record of a row is none of either version."""

import e2e
import older

SECONDS = 400


def version(case):
    return case.progress()[-1]["v"]


def turn(case, program):
    """One of them runs, with a backlog from before and rows that come meanwhile."""
    relay = relays[program]
    case.put(rows=4, transactions=5)
    case.start(relay)
    case.put(rows=3, transactions=5)
    case.drain(relay=relay)
    case.stop(relay)


with e2e.Case(config={"delivery": {"topics": {"partitions": 3}}}) as case:
    new = case.relay()
    old = case.relay()
    old.binary = older.build_0_1_0()
    relays = {"new": new, "old": old}
    case.setup(old)
    turn(case, "old")
    assert version(case) == 1

    turn(case, "new")
    record = case.progress()[-1]
    assert record["v"] == 3 and record["fingerprint"] and record["last"]["lsn"], record
    assert [p["name"] for p in record["publications"]] == [case.slot_name], record

    # Back, forth, back and forth.
    case.refused(old, 3, "version 3")
    case.command(new, "setup", "--progress-version", "1", says="in version 1 of the record now")
    assert version(case) == 1
    case.command(new, "setup", "--progress-version", "1", says="in version 1 of the record already")
    turn(case, "old")
    turn(case, "new")
    assert version(case) == 3
    case.command(new, "setup", "--progress-version", "1")
    turn(case, "new")  # at once, with nothing by 0.1.0 in between
    assert version(case) == 3

    # Version 2 differs in that number alone, and says what it followed.
    case.command(new, "setup", "--progress-version", "2", says="in version 2 of the record now")
    record = case.progress()[-1]
    assert record["v"] == 2 and record["version_before"] == 3 and record["fingerprint"], record
    turn(case, "new")
    assert version(case) == 3

    # What a running relay is told, and what stands in the way.
    case.start(new)
    case.command(new, "setup", "--progress-version", "1", code=2, says="--take-over")
    case.command(new, "setup", "--progress-version", "1", "--take-over", says="will end with exit code 4")
    assert new.wait(20) == 4, new.log_text()
    turn(case, "old")
    turn(case, "new")
    last = case.progress()[-1]
    case.forge_progress(skip=[{"id": "%s-00000000FFFFFFFF-1" % last["system_identifier"], "route": "outbox"}])
    case.command(new, "setup", "--progress-version", "1", code=1, says="only route outbox")
    assert version(case) == 3
    case.forge_progress(skip=[])
    for text in ("0", "4", "x", "11"):
        case.command(new, "setup", "--progress-version", text, code=2, says="no version of the record")

    # 0.1.0 is stopped and awakes beside its successor, whose record it cannot read.
    case.command(new, "setup", "--progress-version", "1")
    shop = case.shop(writers=2, rate=30).start()
    case.start(old)
    seen = case.seen()
    e2e.wait("events by 0.1.0", lambda: case.seen(0.1) > seen + 20)
    old.pause()
    seen = case.seen()
    case.start(new)
    e2e.wait("events by the new one", lambda: case.seen(0.1) > seen + 50)
    old.resume()
    assert old.wait(30) in (3, 4), old.log_text()
    shop.stop()
    case.drain(relay=new)
    case.stop(new)
    case.judge()

    # A row could have written such a record; only the header says that a relay did.
    case.forge_progress(marked=False, v=1, version_before=3)
    case.refused(new, 3, "lacks the header walferry-progress")
