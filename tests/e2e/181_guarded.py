"""The same changes with sql/004_guard.sql: the relay stops at the very place of the DDL.

Nothing behind it is confirmed before a person has decided, the range that is named begins at the DDL,
and DDL in a savepoint, in a DO block and as a replica is met as well. Forged guards cost no epoch. In
mode refuse the DDL fails, so nothing is lost at all."""

import ddl_loss
import e2e


def guard(case, mode="tell"):
    case.apply("004_guard.sql")
    case.sql("INSERT INTO walferry.guarded (relay, publication, mode) VALUES (%s, %s, %s)",
             (case.name, case.slot_name, mode))


WRAPPED = (
    ddl_loss.Change("savepoint", ["BEGIN; SAVEPOINT s; ALTER PUBLICATION {p} DROP TABLE public.outbox;"
                                  " RELEASE s; COMMIT"], "taken out of the publication"),
    ddl_loss.Change("do", ["DO $$ BEGIN EXECUTE 'ALTER PUBLICATION {p} DROP TABLE public.outbox';"
                           " END $$"], "taken out of the publication"),
    ddl_loss.Change("replica", ["SET session_replication_role = replica",
                                "ALTER PUBLICATION {p} DROP TABLE public.outbox",
                                "RESET session_replication_role"], "taken out of the publication"),
)


def stops_before_anything_behind_is_confirmed(case, relay):
    """A backlog with DDL in its middle: what stands before it is published, nothing behind it is."""
    case.put(rows=1)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.stop(relay)
    case.put(rows=3)
    case.sql('ALTER PUBLICATION "%s" DROP TABLE public.outbox' % case.slot_name)
    ddl = case.current_lsn()
    case.put(rows=3)
    case.sql('ALTER PUBLICATION "%s" ADD TABLE public.outbox' % case.slot_name)
    text = case.refused(relay, 3, "has changed")
    assert case.confirmed_lsn() < ddl
    assert case.position() < ddl
    case.mend(relay, text, "--yes")
    case.start(relay)
    lost = ddl_loss.lost_rows(case)
    assert len(lost) in (3,), lost
    case.put(rows=2)
    case.drain(relay=relay)


def forged(case, relay):
    """Anybody may emit a guard. Nothing has changed, so all are passed, in one epoch."""
    opened = len(relay.events("epoch.opened"))
    case.sql("SELECT pg_logical_emit_message(true, %s, '{\"v\": 1, \"guard\": \"x\"}')"
             " FROM generate_series(1, 10000)", ("walferry:" + case.name,))
    for _ in range(300):
        case.sql("SELECT pg_logical_emit_message(true, 'walferry:*', '{\"guard\": 1}')")
    case.put(rows=2)
    case.drain(relay=relay)
    assert len(relay.events("epoch.opened")) == opened
    assert not relay.events("guard.met")
    assert relay.metric("walferry_changes_ignored_total", reason="own_message") >= 10300


def refusing(case, relay):
    case.sql("UPDATE walferry.guarded SET mode = 'refuse'")
    case.put(rows=2)
    for change in ddl_loss.CHANGES:
        if case.pg.major < change.least:
            continue
        try:
            case.sql(change.ddl[0].replace("{p}", '"%s"' % case.slot_name).replace("{n}", "x"))
        except Exception as error:
            assert "would keep rows from relay %s" % case.name in str(error), error
            case.sql("ROLLBACK")
        else:
            raise AssertionError("%s was let through" % change.name)
        case.put(rows=1)
    case.drain(relay=relay)
    assert relay.running()


def everything(case):
    guard(case)
    relay = case.up()
    forged(case, relay)
    stops_before_anything_behind_is_confirmed(case, relay)
    for number, change in enumerate(ddl_loss.CHANGES[:3] + WRAPPED):
        if case.pg.major >= change.least:
            ddl_loss.course(case, relay, change, number, guarded=True)
    refusing(case, relay)
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(everything)
