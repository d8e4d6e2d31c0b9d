"""A commit record that begins where the previous one ends, with a crash between the two: the second
transaction is not dropped, although its LSN equals the recorded position."""

import signal

import e2e
import oracle

CONFIG = {"delivery": {"batch_events": 2, "idle_progress": {"interval_ms": 60000}}}

# A server of its own: the log of other tests would come between the two commit records.
with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres, config=CONFIG) as case:
    relay = case.relay()
    case.setup(relay)
    adjacent = 0
    for attempt in range(24):
        relay.start(env={"WALFERRY_CRASH_AT": "C5:1"})
        relay.wait_log("epoch.opened")
        relay.pause()  # so that both transactions are read in one go
        n = 1000 * (attempt + 1)
        sessions = [case.pg.connect(case.db, autocommit=False) for _ in range(2)]
        for number, session in enumerate(sessions):
            session.cursor().execute("SELECT e2e.put('order', %s, 1, %s, 1, 10)",
                                     ("w%d" % number, n + number))
        for session in sessions:
            session.commit()
        for session in sessions:
            session.close()
        relay.resume()
        assert relay.wait(20) == -signal.SIGKILL
        position = case.position()
        case.start(relay)
        case.drain(relay=relay)
        relay.kill()
        lsns = {oracle.walferry_id(oracle.header(event, "walferry-id")).lsn
                for event in case.tail.events}
        adjacent += position in lsns
        if adjacent >= 2:
            break
    assert adjacent >= 1, "no two commit records were adjacent"
    print("%d adjacent pairs in %d" % (adjacent, attempt + 1))
    case.start(relay)
    case.put()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
