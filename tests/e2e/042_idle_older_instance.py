"""An idle older instance does not notice by itself that it is fenced; the newer one has the slot
within five seconds all the same, and the older one exits with code 4."""

import time

import e2e

with e2e.Case() as case:
    first = case.up()
    case.put(rows=3)
    case.drain(relay=first)
    before = case.slot()["active_pid"]
    second = case.relay()
    began = time.monotonic()
    second.start()
    e2e.wait("the newer instance has the slot",
             lambda: case.slot()["active_pid"] not in (None, before), 10)
    took = time.monotonic() - began
    assert took < 5, "it took %.1f s" % took
    second.wait_log("epoch.opened")
    code = first.wait(20)
    assert code == 4, "the first ended with %s%s" % (code, e2e.lab.process.tail(first.log))
    case.put(rows=3)
    case.drain(relay=second)
    case.stop(second)
    case.judge()
