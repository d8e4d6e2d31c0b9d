"""The relay dies at each named point, under load, and goes on from there: all once, in order.

C9 has its own test (032), C7 (a failover that lost its tail) is refused by system identifier,
timeline or position (062, 110, 065), C8 is the zombie of 041, C11 the lost progress topic of 063.
"""

import concurrent.futures
import signal

import e2e

RUNNING = [("C1", 3), ("C2", 7), ("C2", 1), ("C3", 2), ("C4", 2), ("C5", 2), ("C6", 2)]


def crashes(case, relay, point, *arguments, command="run"):
    relay.start(*arguments, command=command, env={"WALFERRY_CRASH_AT": point})
    code = relay.wait(40)
    assert code == -signal.SIGKILL, "%s did not crash: %s%s" % (
        point, code, e2e.lab.process.tail(relay.log))


def finish(case, relay):
    case.start(relay)
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge("dump")


def while_running(point, nth):
    with e2e.Case(label="_%s_%d" % (point.lower(), nth)) as case:
        relay = case.relay()
        case.setup(relay)
        shop = case.shop(writers=2, rate=50).start()
        crashes(case, relay, "%s:%d" % (point, nth))
        shop.stop()
        finish(case, relay)


def idle(point="C10"):
    """In a progress-only transaction: WAL of others moves, the outbox is quiet."""
    with e2e.Case(label="_c10") as case:
        relay = case.relay({"delivery": {"idle_progress": {"interval_ms": 100}}})
        case.setup(relay)
        case.sql("CREATE TABLE public.busy (t text)")
        relay.start(env={"WALFERRY_CRASH_AT": point + ":2"})

        def crashed():
            case.sql("INSERT INTO public.busy SELECT repeat('x', 1000) FROM generate_series(1, 50)")
            return not relay.running()

        e2e.wait("no crash at C10", crashed, 40, interval=0.1)
        assert relay.wait(1) == -signal.SIGKILL
        finish(case, relay)


def in_setup(nth):
    """Between intent and publication, publication and slot, slot and first progress."""
    with e2e.Case(label="_c12_%d" % nth) as case:
        relay = case.relay()
        case.put(rows=2)
        case.sql("TRUNCATE e2e.truth")  # what came before the slot is not promised
        crashes(case, relay, "C12:%d" % nth, command="setup")
        case.refused(relay, 2, "walferry setup")
        case.command(relay, "setup", timeout=30)
        finish(case, relay)


def before_claim():
    with e2e.Case(label="_c13") as case:
        relay = case.relay()
        case.setup(relay)
        case.put(rows=3)
        crashes(case, relay, "C13:1")
        crashes(case, relay, "C13:1")
        finish(case, relay)


def between_the_inits():
    """A transaction is open, whichever producer has it, and whoever takes over dies half-way."""
    for nth in (2, 3):
        with e2e.Case(label="_c14_%d" % nth) as case:
            relay = case.relay()
            case.setup(relay)
            shop = case.shop(writers=2, rate=50).start()
            crashes(case, relay, "C3:%d" % nth)
            shop.stop()
            crashes(case, relay, "C14:1")
            crashes(case, relay, "C14:1")
            finish(case, relay)


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    runs = [pool.submit(while_running, *each) for each in RUNNING]
    runs += [pool.submit(idle), pool.submit(before_claim), pool.submit(between_the_inits)]
    runs += [pool.submit(in_setup, nth) for nth in (1, 2, 3)]
    for run in concurrent.futures.as_completed(runs):
        run.result()
