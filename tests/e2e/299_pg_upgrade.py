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


def controldata(server):
    return run(server, "/usr/bin/env", "LC_ALL=C", os.path.join(server.bin, "pg_controldata"), server.data_dir)


LSN = r"(Latest checkpoint location: +)(\S+)"


def said(text, *change):
    """A file with that, changed."""
    path = os.path.join(case.dir, "old.txt")
    with open(path, "w") as file:
        file.write(re.sub(*change, text) if change else text)
    return path


def upgrade(old, new):
    new._initdb()
    run(new, os.path.join(new.bin, "pg_upgrade"), "-b", old.bin, "-B", new.bin, "-d", old.data_dir, "-D",
        new.data_dir, "-U", "postgres", "-p", str(old.port), "-P", str(new.port), "-s", new.dir, "--link")


def crashing(server):
    """A copy of a server that does not run."""
    copy = lab.postgres.Postgres(e2e._scratch())
    lab.process.give(copy.dir, copy.user)
    run(copy, "/bin/cp", "-a", server.data_dir, copy.data_dir)
    return copy.start()


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
    text = controldata(old)
    assert re.search(r"cluster state: +shut down\n", text), text
    assert case.position() >= oracle.lsn_number(re.search(LSN, text)[2]), (case.progress()[-1], text)
    end = said(text)
    upgrade(old, new)

    # The same server, which has crashed: what its counters said is gone.
    with crashing(new) as crashed:
        case.pg, case._connection = crashed, None
        relay.config["source"]["connection"] = case.dsn()
        case.command(relay, "rebase", "--to", "new-slot", "--upgraded", end, code=2, says="nothing is lost or repeated")
        case.put(rows=1)
        crashed.stop("immediate")
        crashed.start()
        case.command(relay, "rebase", "--to", "new-slot", "--upgraded", end, code=3, says="do not reach back to")
    with new.start():
        case.pg, case._connection = new, None
        relay.config["source"]["connection"] = case.dsn()
        case.refused(relay, 3, "progress is of the database system .*rebase --upgraded")
        case.command(relay, "rebase", "--to", "new-slot", code=3, says="LOSS")

        # What cannot be shown.
        beyond, older = (r"\g<1>" + oracle.lsn_text(case.position() + by) for by in (1, -256))
        for change, code, says in (
                ((LSN, "no checkpoint"), 2, "is not what pg_controldata prints"),
                ((r"shut down\n", "in production\n"), 3, "does not say of the old server that it was shut down"),
                ((r"(system identifier: +)", r"\g<1>1"), 3, "spoke of the database system"),
                ((r"(NextXID: +0:)", r"\g<1>9999"), 3, "has not been made by pg_upgrade"),
                ((LSN, beyond), 3, "may not have been published"),
                ((LSN, older), 3, "not where the old server was shut down")):
            case.command(relay, "rebase", "--to", "new-slot", "--upgraded", said(text, *change), code=code, says=says)
        said(text)
        for arguments, says in ((("new-slot", "--upgraded", end + "x"), "No such file"),
                                (("guard", "--upgraded", end), "goes with --to slot"),
                                (("slot", "--upgraded", end), "does not exist")):
            case.command(relay, "rebase", "--to", *arguments, code=2, says=says)
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
