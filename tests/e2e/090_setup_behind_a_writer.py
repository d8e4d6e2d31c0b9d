"""A first run behind an idle writing transaction: says whom it waits for, can be interrupted, and is
done as soon as that one ends."""

import signal

import e2e

with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres) as case:
    writer = case.pg.connect(case.db, autocommit=False, application_name="the idle one")
    cursor = writer.cursor()
    cursor.execute("SELECT e2e.put('order', 'k', 1, 1, 1, 5), pg_backend_pid()")
    pid = cursor.fetchone()[1]
    relay = case.relay()
    relay.start(command="setup")
    line = relay.wait_log("slot.waiting")
    assert str(pid) in line and "the idle one" in line, line
    relay.signal(signal.SIGTERM)
    assert relay.wait(10) != 0
    relay.start(command="setup")
    relay.wait_log("slot.waiting")
    writer.commit()
    assert relay.wait(20) == 0, relay.log_text()
    case.sql("TRUNCATE e2e.truth")  # committed before the slot was consistent, or just at it
    case.start(relay)
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
