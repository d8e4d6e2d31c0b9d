"""What decides which rows the server sends changes under a running relay, or while it is down.

Each of these lost events without a word. Now the relay ends within the watch's interval, names what
changed and the range of LSNs in which rows may be missing, refuses until a person has accepted the
loss, and loses nothing else. What only adds (a table, a partition) is said and passed by itself."""

import ddl_loss
import e2e


def while_down(case, relay):
    """There and back while nobody looked."""
    case.put(rows=1)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.stop(relay)
    publication = '"%s"' % case.slot_name
    case.sql("ALTER PUBLICATION %s SET (publish = 'delete')" % publication)
    case.put(rows=3)
    case.sql("ALTER PUBLICATION %s SET (publish = 'insert')" % publication)
    text = case.refused(relay, 3, ("publication_changed", "was altered"))
    case.mend(relay, text, "--yes")
    case.start(relay)
    assert len(ddl_loss.lost_rows(case)) == 3


def what_only_adds(case, relay):
    """No exit, no refusal, nothing lost; the log says what has come."""
    case.sql("CREATE TABLE public.later (LIKE public.outbox INCLUDING ALL);"
             'ALTER PUBLICATION "%s" ADD TABLE public.later' % case.slot_name)
    case.sql('CREATE ROLE "%s_heir" SUPERUSER; ALTER PUBLICATION "%s" OWNER TO "%s_heir"'
             % (case.name, case.slot_name, case.name))
    before = len(relay.events("epoch.opened"))
    case.put(rows=2)
    relay.wait_log("publication.grew", timeout=15)
    e2e.wait("no new epoch", lambda: len(relay.events("epoch.opened")) > before, 15)
    case.put(rows=2)
    case.drain(relay=relay)
    assert relay.running()


def everything(case):
    relay = case.up()
    what_only_adds(case, relay)
    for number, change in enumerate(ddl_loss.CHANGES):
        if case.pg.major >= change.least:
            ddl_loss.course(case, relay, change, number)
    while_down(case, relay)
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(everything)
