"""A table is renamed, or a partition detached, rows are written, and it is put back before anybody has looked.

Nothing is different then but the versions of catalogue rows. With the guard the relay stops at its place
all the same, although it was down at the time, and so it does where the partition was dropped instead, or the
publication got another owner meanwhile; what was changed by harmless DDL, or is told by nobody but a forger, is passed. Without the guard
a relay that has seen the change, and then found no way to open an epoch, still knows it when it is undone,
and so does the next process, also behind a rebase that decides about something else.

A commit that waits for a synchronous standby is in the log before anybody sees it: at its guard the relay
asks now and then until it does, and the range that is named begins before it."""

import threading

import ddl_loss
import e2e

WRITE = "INSERT INTO public.%s (aggregatetype, aggregateid, type, payload)" \
        " SELECT 'order', 'k', 'Put', to_jsonb(i) FROM generate_series(1, 3) AS i"
PARTED = """
    CREATE TABLE public.parted (id uuid NOT NULL DEFAULT gen_random_uuid(), aggregatetype text NOT NULL,
        aggregateid text NOT NULL, type text NOT NULL, payload jsonb) PARTITION BY LIST (aggregatetype);
    CREATE TABLE public.parted_order PARTITION OF public.parted FOR VALUES IN ('order')"""


def guard(case):
    case.apply("004_guard.sql")
    case.sql("INSERT INTO walferry.guarded (relay, publication) VALUES (%s, %s)", (case.name, case.slot_name))


def down(case, relay, statements, says):
    """While the relay is down: there, three rows that are not sent, and back. Refused, again and again."""
    case.put(rows=1)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.stop(relay)
    placed = []
    for statement in statements:
        case.sql(statement.replace("{p}", '"%s"' % case.slot_name))
        placed.append(case.current_lsn())
    case.put(rows=2)
    for met in ("guard.met.*", ""):  # at its place, then by the record
        text = case.refused(relay, 3, (met + "publication_changed", says))
        low, high = ddl_loss.window(text)
        assert low < placed[-2] and high >= placed[-1], (low, placed, high)
        assert case.confirmed_lsn() <= placed[-2]
    return text


def accepted(case, relay, text):
    case.mend(relay, text, "--yes")
    case.start(relay)
    case.put(rows=2)
    case.drain(relay=relay)
    assert not ddl_loss.lost_rows(case)


def harmless(case, relay):
    """DDL of the table, a guard that names another one, forged ones: no epoch ends."""
    case.stop(relay)
    case.sql("ALTER TABLE public.outbox ADD COLUMN note text; CREATE INDEX ON public.outbox (type);"
             "GRANT SELECT ON public.outbox TO PUBLIC; ANALYZE public.outbox")
    case.sql("CREATE TABLE public.other (id int); ALTER PUBLICATION {p} ADD TABLE public.other"
             .replace("{p}", '"%s"' % case.slot_name))
    case.sql("DROP TABLE public.other")
    case.put(rows=2)
    case.start(relay)
    case.drain(relay=relay)
    opened = len(relay.events("epoch.opened"))
    for body in ('{"guard": "x"}', "no JSON", "", "{"):
        case.sql("SELECT pg_logical_emit_message(true, %s, %s)", ("walferry:" + case.name, body))
    case.put(rows=2)
    case.drain(relay=relay)
    assert len(relay.events("epoch.opened")) == opened
    assert not relay.events("guard.met")


def guarded(case):
    case.sql(PARTED)
    guard(case)
    relay = case.up({"routes": case.config()["routes"] + [{
        "name": "parted", "from": "public.parted", "as": "outbox",
        "topic": case.prefix + "{aggregatetype}", "headers": {"id": "{id}"}}]})
    harmless(case, relay)
    accepted(case, relay, down(case, relay, (
        "ALTER TABLE public.outbox RENAME TO elsewhere", WRITE % "elsewhere",
        "ALTER TABLE public.elsewhere RENAME TO outbox"), "public.outbox.*put back"))
    accepted(case, relay, down(case, relay, (
        "ALTER TABLE public.parted DETACH PARTITION public.parted_order", WRITE % "parted_order",
        "ALTER TABLE public.parted ATTACH PARTITION public.parted_order FOR VALUES IN ('order')"),
        "public.parted_order.*put back"))
    accepted(case, relay, down(case, relay, (
        "ALTER TABLE public.parted DETACH PARTITION public.parted_order CONCURRENTLY", WRITE % "parted_order",
        "DROP TABLE public.parted_order"), "a partition that is gone was changed"))
    accepted(case, relay, down(case, relay, (
        "CREATE ROLE \"%s_heir\" SUPERUSER" % case.name,
        "ALTER PUBLICATION {p} OWNER TO \"%s_heir\"" % case.name,
        "ALTER PUBLICATION {p} SET (publish = 'delete')", WRITE % "outbox",
        "ALTER PUBLICATION {p} SET (publish = 'insert')"), "publication.*put back"))
    case.stop(relay)
    case.judge()


def remembered(case):
    """No guard. The watch sees the change; it is undone while the relay waits for its next open."""
    relay = case.up({"retry": {"min_ms": 4000, "max_ms": 4000}})
    case.put(rows=1)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.sql("ALTER TABLE public.outbox RENAME TO elsewhere")
    placed = case.current_lsn()
    case.sql(WRITE % "elsewhere")
    relay.wait_log("epoch.backoff")
    case.sql("ALTER TABLE public.elsewhere RENAME TO outbox")
    last = case.current_lsn()
    assert len(relay.events("epoch.opened")) == 1 and relay.running()
    assert relay.wait(60) == 3, relay.log_text()[-3000:]
    text = relay.log_text()
    assert len(relay.events("epoch.failed")) == 1, text[-3000:]
    for _ in range(2):  # by what was seen, then by the record
        case._says(text, ("publication_changed", "public.outbox was dropped or renamed"))
        low, high = ddl_loss.window(text)
        assert low < placed and high >= last, (low, placed, high, last)
        text = case.refused(relay, 3)
    # Whoever only moves the position has not decided about that.
    case.command(relay, "rebase", "--to", "slot", "--accept-loss", "--accept-repeat", "--yes")
    again = case.refused(relay, 3, ("publication_changed", "public.outbox was dropped or renamed"))
    assert ddl_loss.window(again)[0] == low, (ddl_loss.window(again), low)
    case.command(relay, "rebase", "--to", "lsn:" + case.slot()["confirmed"], "--accept-loss", "--yes")
    case.command(relay, "check", "--connect", code=1, says="public.outbox was dropped or renamed")
    accepted(case, relay, text)
    case.stop(relay)
    case.judge()


def queries(case):
    return case.one("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")


def awaited(case):
    """DDL whose commit waits for a standby that does not come, and then no longer."""
    guard(case)
    relay = case.up()
    case.put(rows=2)
    case.drain(relay=relay)
    other = case.pg.connect(case.db)
    case.sql("SET synchronous_commit = local")
    case.pg.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    case.pg.sql("SELECT pg_reload_conf()")
    thread = threading.Thread(target=lambda: other.cursor().execute(
        "ALTER TABLE public.outbox RENAME TO elsewhere"))
    thread.start()
    e2e.wait("nobody waits", lambda: case.one(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1, 20)
    placed = case.current_lsn()
    case.sql("SELECT pg_logical_emit_message(false, 'else', 'x')")  # with an id, it would be over behind the DDL
    e2e.time.sleep(2)
    before = queries(case)
    e2e.time.sleep(4)
    asked = queries(case) - before
    print("%d transactions in 4 s at a guard" % asked)
    assert 20 < asked < 800, asked
    assert relay.running() and not relay.events("guard.met")
    assert case.confirmed_lsn() <= placed
    case.pg.sql("ALTER SYSTEM RESET synchronous_standby_names")
    case.pg.sql("SELECT pg_reload_conf()")
    thread.join(20)
    assert relay.wait(20) in (2, 3), relay.log_text()[-3000:]
    assert relay.events("guard.met")
    case.sql("ALTER TABLE public.elsewhere RENAME TO outbox")
    text = case.refused(relay, 3, ("publication_changed", "public.outbox was dropped or renamed"))
    assert ddl_loss.window(text)[0] < placed, (ddl_loss.window(text), placed)
    accepted(case, relay, text)
    case.stop(relay)
    case.judge()


e2e.on_each_major(guarded)
with e2e.Case(label="_seen") as one:
    remembered(one)
with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres, label="_awaited") as one:
    awaited(one)
