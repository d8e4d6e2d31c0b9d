"""The same changes with sql/004_guard.sql: the relay stops at the very place of the DDL.

Nothing behind it is confirmed before a person has decided, the range that is named begins at the DDL,
and DDL in a savepoint, in a DO block and as a replica is met as well. Forged guards cost no epoch. In
mode refuse the DDL fails, so nothing is lost at all, and so does what takes a column from under a route."""

import json

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


# Rows would be sent, and the relay could make nothing of them.
COLUMNS = ("DROP COLUMN payload", "RENAME COLUMN payload TO body",
           "ALTER COLUMN payload TYPE text", "DROP COLUMN payload, ADD COLUMN payload bytea")


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
    tells(case, relay)
    said = case.mend(relay, text, "--yes")
    case._says(said, ("what has changed: .*public.outbox was taken out", "LOSS: rows .* between"))
    tells_nothing(case, relay)
    case.start(relay)
    lost = ddl_loss.lost_rows(case)
    assert len(lost) in (3,), lost
    case.put(rows=2)
    case.drain(relay=relay)


def status(case, relay):
    """What it says as JSON, and as text."""
    got, out, err = relay.run("status", "--json")
    assert got == 1, (out, err)
    return json.loads(out), case.command(relay, "status", code=1)


def tells(case, relay):
    """That it stopped, why, which rows may be missing, and how it goes on."""
    answer, text = status(case, relay)
    assert answer["refused"] == "publication_changed", answer
    assert "public.outbox was taken out" in answer["missing"]["what"], answer
    window = [e2e.oracle.lsn_number(answer["missing"][end]) for end in ("from", "to")]
    assert window[0] < window[1] <= case.current_lsn(), answer
    assert "rebase --to guard --accept-loss" in answer["hint"], answer
    case._says(text, ("refused .*public.outbox was taken out.*between %s and" % answer["missing"]["from"],
                      "hint .*rebase --to guard --accept-loss"))


def tells_nothing(case, relay):
    answer, text = status(case, relay)
    assert answer["refused"] is None and answer["missing"] is None, answer
    assert "refused" not in text, text


def status_of_the_stopped(case, relay):
    """A running one meets DDL that nobody puts back: first what is to be mended, then what may be missing."""
    case.sql('ALTER PUBLICATION "%s" DROP TABLE public.outbox' % case.slot_name)
    case.put(rows=2)
    assert relay.wait(40) == 2, relay.log_text()
    answer, text = status(case, relay)
    assert answer["refused"] == "publication_table", answer
    assert "public.outbox was taken out" in answer["missing"]["what"], answer
    case._says(text, ("refused .*ALTER PUBLICATION", "then .*public.outbox was taken out.*may be missing",
                      "rebase --to guard"))
    case.sql('ALTER PUBLICATION "%s" ADD TABLE public.outbox' % case.slot_name)
    tells(case, relay)
    case.mend(relay, case.refused(relay, 3, "has changed"), "--yes")
    case.start(relay)
    assert len(ddl_loss.lost_rows(case)) == 2
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
    for change in COLUMNS:
        try:
            case.sql("ALTER TABLE public.outbox " + change)
        except Exception as error:
            assert "keep rows from relay %s: column payload of public.outbox" % case.name in str(error), error
            case.sql("ROLLBACK")
        else:
            raise AssertionError("%s was let through" % change)
        case.put(rows=1)
    case.drain(relay=relay)
    assert relay.running()


def everything(case):
    guard(case)
    relay = case.up()
    forged(case, relay)
    stops_before_anything_behind_is_confirmed(case, relay)
    status_of_the_stopped(case, relay)
    for number, change in enumerate(ddl_loss.CHANGES[:3] + WRAPPED):
        if case.pg.major >= change.least:
            ddl_loss.course(case, relay, change, number, guarded=True)
    refusing(case, relay)
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(everything)
