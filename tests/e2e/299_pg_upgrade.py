"""pg_upgrade under a relay, as docs/TASKS.md says: the server has another system identifier and no slot, which is
refused; rebase --upgraded goes on without a loss where everything was published before, and refuses where that
cannot be shown. What pg_upgrade does from 17 on, where it keeps the slot, is a slot made by hand before anybody
writes: the pg_upgrade here is that of 15."""

import os
import re
import subprocess

import e2e
import lab
import oracle

SECONDS = 300


def run(server, *arguments):
    child = lab.process.spawn(list(arguments), user=server.user, cwd=server.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    text = child.communicate()[0].decode(errors="replace")
    assert child.returncode == 0, text
    return text


def shutdown_lsn(server):
    text = run(server, os.path.join(server.bin, "pg_controldata"), server.data_dir)
    assert re.search(r"cluster state: +shut down\n", text), text
    return re.search(r"Latest checkpoint location: +(\S+)", text)[1]


def upgrade(old, new):
    new._initdb()
    run(new, os.path.join(new.bin, "pg_upgrade"), "-b", old.bin, "-B", new.bin, "-d", old.data_dir, "-D",
        new.data_dir, "-U", "postgres", "-p", str(old.port), "-P", str(new.port), "-s", new.dir, "--link")
    return new.start()


def judge(case):
    """Two systems' LSNs are not to be compared, so commit order within a partition is not asked."""
    faults, _, _ = e2e.oracle.judge(case._fresh(), case.kafka, case.slot_name, case.progress_topic, case.prefix)
    faults = [fault for fault in faults if fault.kind != "reordered" or " of key " in fault.text]
    assert not faults, faults


with e2e.own_postgres() as old, e2e.Case(postgres=old) as case:
    if not os.path.exists(os.path.join(old.bin, "pg_upgrade")):
        print("skipped: no pg_upgrade")
        raise SystemExit(77)
    new = lab.postgres.Postgres(e2e._scratch())
    relay = case.up()
    case.put(rows=5, transactions=10)
    old.stop("fast", timeout=20)
    case.stop(relay)
    end = shutdown_lsn(old)
    assert case.position() >= oracle.lsn_number(end), (case.progress()[-1], end)
    with upgrade(old, new):
        case.pg, case._connection = new, None
        relay.config["source"]["connection"] = case.dsn()
        case.refused(relay, 3, "progress is of the database system .*rebase --upgraded")
        case.command(relay, "rebase", "--to", "new-slot", code=3, says="LOSS")

        # What cannot be shown.
        beyond, older = (oracle.lsn_text(case.position() + by) for by in (1, -8192))
        for arguments, code, says in (
                (("new-slot", "--upgraded", "x"), 2, "is no LSN"),
                (("guard", "--upgraded", end), 2, "goes with --to slot"),
                (("slot", "--upgraded", end), 2, "does not exist"),
                (("new-slot", "--upgraded", beyond), 3, "may not have been published"),
                (("new-slot", "--upgraded", older), 3, "not where the old server was shut down")):
            case.command(relay, "rebase", "--to", *arguments, code=code, says=says)
        case.sql("CREATE TABLE public.other (t text)")
        case.sql("INSERT INTO public.other VALUES ('early')")
        case.sql("SELECT pg_stat_force_next_flush()")
        e2e.wait("the counters", lambda: case.one("SELECT sum(n_tup_ins) FROM pg_stat_user_tables") > 0)
        case.command(relay, "rebase", "--to", "new-slot", "--upgraded", end, code=3,
                     says="were written since the upgrade")
        case.sql("DROP TABLE public.other")
        plain = relay.config["routes"]
        relay.config["routes"] = plain + [dict(plain[0], name="said", **{"from": "message:said"})]
        case.command(relay, "rebase", "--to", "new-slot", "--upgraded", end, code=3, says="takes messages")
        relay.config["routes"] = plain
        case.sql("ALTER DATABASE %s SET track_counts = off" % case.db)
        case.command(relay, "rebase", "--to", "new-slot", "--upgraded", end, code=3, says="track_counts is off")
        case.sql("ALTER DATABASE %s RESET track_counts" % case.db)

        # As pg_upgrade leaves it from 17 on; then without.
        case.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (case.slot_name,))
        case.command(relay, "rebase", "--to", "slot", "--upgraded", end, code=2,
                     says="nothing is lost or repeated")
        case.sql("SELECT pg_drop_replication_slot(%s)", (case.slot_name,))
        case.command(relay, "rebase", "--to", "new-slot", "--upgraded", end, "--yes",
                     says="nothing is lost or repeated")
        case.put(rows=5, transactions=10)
        case.start(relay)
        case.put(rows=3, transactions=3)
        case.drain(relay=relay)
        case.command(relay, "rebase", "--to", "slot", "--upgraded", end, "--take-over", code=2,
                     says="of this very server")
        case.stop(relay)
        judge(case)
