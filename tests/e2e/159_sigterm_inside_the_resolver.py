"""SIGTERM while the session that watches the server looks up its name, or the relay itself does, and the
name server does not answer: the relay ends within ten seconds, as it does wherever it is."""

import os
import signal
import time

import e2e

BUILDS = ("release",)
SESSION = "FROM pg_stat_activity WHERE application_name LIKE %s AND datname = %s"


def ends_in_time(case, session, inside_s, limit_s):
    flag = os.path.join(case.dir, "slow")
    relay = case.up(env={"LD_PRELOAD": e2e.preload("slow_resolver"), "SLOW_RESOLVER": flag})
    case.put(rows=1)
    case.drain(relay=relay)
    e2e.wait("the session", lambda: case.one("SELECT count(*) " + SESSION, (session, case.db)) > 0)
    with open(flag, "w"):
        pass
    case.sql("SELECT pg_terminate_backend(pid) " + SESSION, (session, case.db))
    time.sleep(inside_s)
    began = time.monotonic()
    relay.signal(signal.SIGTERM)
    try:
        code = relay.wait(12)
    finally:
        os.unlink(flag)
    took = time.monotonic() - began
    print("%s: ended with %s after %.1f s" % (session, code, took))
    assert code == 0, code
    assert took < limit_s, "%.1f s" % took


# It notices within two seconds, connects anew after five, and is inside then; there is nothing to be done.
with e2e.Case(label="_watch") as case:
    ends_in_time(case, "%:watch", 9, 5)
with e2e.Case(label="_relay") as case:
    ends_in_time(case, "walferry:" + case.name, 6, 10)
