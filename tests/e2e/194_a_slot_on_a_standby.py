"""A slot on a standby of PostgreSQL 18. Set-up says what is made on the primary. The relay is killed, the
standby started again, what is published changed on the primary, and the standby promoted under the relay in the end, which its next
start refuses: every event is there once, but for those that the change kept back, and that is said."""

import os
import random
import shutil
import threading
import time

import e2e
import lab.process
from lab.postgres import Postgres

SECONDS = 240


def standby_of(primary, directory):
    """A copy of the stopped primary, which follows it once both are started."""
    primary.sql("SELECT pg_create_physical_replication_slot('standby', true)")
    primary.stop()
    standby = Postgres(directory, major=primary.major, conf={
        "primary_conninfo": "host=127.0.0.1 port=%d user=postgres" % primary.port,
        "primary_slot_name": "standby", "hot_standby_feedback": "on",
        "wal_receiver_status_interval": "1"})
    shutil.copytree(primary.data_dir, standby.data_dir)
    with open(os.path.join(standby.data_dir, "standby.signal"), "w"):
        pass
    lab.process.give(directory, standby.user)
    primary.start()
    return standby


def set_up(case, relay):
    case.command(relay, "setup", code=2, says=("leads to a standby", "--admin-connection"))
    to_primary = ("setup", "--admin-connection", case.dsn())
    # Nobody writes, so nothing comes by itself; who waits says for what.
    waits = threading.Timer(4, lambda: case.pg.sql("SELECT pg_log_standby_snapshot()"))
    waits.start()
    said = case.command(relay, *to_primary, says=("slot .*: created", "progress: begins"))
    assert "slot.waiting" in said and "pg_log_standby_snapshot" in said, said
    case.command(relay, *to_primary, says=("publication .*: in place", "slot .*: in place"))


def killed_and_restarted(case, relay, standby, dice):
    shop = case.shop(writers=2, rate=30, seed=dice.randrange(10000)).start()
    for number in range(6):
        time.sleep(dice.uniform(0.3, 1.2))
        relay.kill()
        if number % 3 == 2:
            standby.restart()
        relay.start()
    shop.stop()
    case.drain(90, relay=relay)


def changed(case, relay):
    """On the primary; the relay at the standby notices."""
    case.sql('ALTER PUBLICATION "%s" DROP TABLE public.outbox' % case.slot_name)
    case.put(rows=2)
    assert relay.wait(40) == 2, relay.log_text()[-3000:]
    case.sql('ALTER PUBLICATION "%s" ADD TABLE public.outbox' % case.slot_name)
    e2e.wait("its replay", lambda: "publication_changed" in relay.run("status", "--json")[1], 20)
    case.mend(relay, case.refused(relay, 3, "public.outbox was taken out"), "--yes")
    case.sql("DELETE FROM e2e.truth WHERE n > (SELECT max(n) - 2 FROM e2e.truth)")
    case.start(relay)
    case.put(rows=4, prefix="q")
    case.drain(relay=relay)


def promoted(case, relay, primary, standby):
    e2e.wait("replay", lambda: standby.sql("SELECT pg_last_wal_replay_lsn()") ==
             primary.sql("SELECT pg_current_wal_lsn()"), 20)
    primary.stop()
    assert standby.sql("SELECT pg_promote(true, 60)") == [(True,)]
    case.pg, case._connection = standby, None
    case.put(rows=5, prefix="r")
    case.drain(60, relay=relay)
    # Its record has the timeline of before, so the next start cannot tell this from a lost tail.
    case.wait_confirmed(case.current_lsn())
    case.stop(relay)
    case.mend(relay, case.refused(relay, 3, "was promoted"), "--yes")
    case.start(relay)
    assert case.progress()[-1]["timeline"] == 2
    case.put(rows=5, prefix="s")
    case.drain(60, relay=relay)


seed = e2e.seed()
with e2e.own_postgres(major=18) as primary, e2e.Case(postgres=primary) as case:
    with standby_of(primary, e2e._scratch()) as standby:
        e2e.wait("the standby", lambda: standby.sql("SELECT 1 FROM pg_stat_wal_receiver"), 30)
        relay = case.relay({"source": {"connection": standby.dsn(case.db)}})
        set_up(case, relay)
        assert case.slot() is None, "the slot is on the primary"
        case.start(relay)
        killed_and_restarted(case, relay, standby, random.Random(seed))
        changed(case, relay)
        promoted(case, relay, primary, standby)
        case.stop(relay)
        case.judge()
        case._connection.close()
        case._connection = None
