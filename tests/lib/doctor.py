"""`walferry doctor` in tests: what it says of each check, and its mends run as they were printed."""

import json
import os
import re
import subprocess

import e2e

TABLE = os.path.join(e2e.ROOT, "src/recover/checks.def")
MEND = re.compile(r"(GRANT .*$|CREATE INDEX [^;]*)")
# Which test makes a check fail, runs its mend, and sees it pass; or why none can.
WHERE = {
    **{slug: "285" for slug in (
        "routes", "connection", "kafka_properties", "secret_files", "session", "wal_level", "free_slot",
        "free_sender", "wal_limit", "sender_timeout", "slot_timeout", "synchronous", "origin", "tables",
        "commands", "polled", "identity", "primary_keys", "outbox_index", "slot_state", "slot_reader",
        "slot_room", "progress")},
    **{slug: "286" for slug in ("transaction_timeout", "topics", "message_bytes", "acls", "round_trip",
                                "broker", "coordinator", "claims", "clock_database", "clock_broker")},
    "replication": "145",
    "transaction_log": "145",
    "retention": "265",
    "librdkafka": "not run: it is another build; 286 sees what each build says of itself",
}
RAN = set()


def slugs():
    with open(TABLE, encoding="utf-8") as file:
        return re.findall(r'^CHECK\(\w+, "(\w+)"', file.read(), re.M)


def look(relay, *arguments, code=None, env=None):
    """What is said of each check, by its slug."""
    got, out, err = relay.run("doctor", "-o", "json", *arguments, env=env, timeout=120)
    assert not e2e.REPORT.search(err), err
    answer = json.loads(out)
    checks = {check["check"]: check for check in answer["checks"]}
    states = [check["state"] for check in checks.values()]
    assert code is None or got == code, (got, out, err)
    assert answer["worst"] == ("failed" if "failed" in states else "warned" if "warned" in states
                               else "passed"), answer
    assert got == (0 if "failed" not in states else got) and got in (0, 1, 6), (got, out)
    return checks


def states(checks, *of):
    return {slug: checks[slug]["state"] for slug in of}


def finds(relay, state, *of, env=None):
    """Each of them is in this state."""
    checks = look(relay, env=env)
    for slug in of:
        assert checks[slug]["state"] == state, checks[slug]
    return checks


def passes(relay, *of):
    finds(relay, "passed", *of)
    RAN.update(of)


def line_of(check, kind):
    """The mend of that kind; of what warns without one, the statement in its text."""
    for mend in check["mends"]:
        if mend["kind"] == kind:
            return mend["line"]
    found = MEND.search(check["text"] or "") if kind == "sql" else None
    assert found, check
    return found.group(1) + ";"


def mend_sql(case, check):
    """By psql, from its standard input, as somebody pastes it."""
    path = os.path.join(case.dir, "mend.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(line_of(check, "sql") + "\n")
    code, text = case.pg.psql("-f", path, dbname=case.db)
    assert code == 0, (check, text)


def mend_shell(relay, check, kind="shell", bin=None, more=""):
    environment = relay._env(None)
    if bin is not None:
        environment["PATH"] = bin + os.pathsep + os.environ["PATH"]
    done = subprocess.run(["sh", "-c", line_of(check, kind) + more], env=environment, cwd=bin, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, check=False)
    assert done.returncode == 0, (check, done.stdout)


def all_run(number):
    """What this test has to see mended it has, and nothing is left out."""
    assert sorted(WHERE) == sorted(slugs()), set(WHERE) ^ set(slugs())
    wanted = {slug for slug, where in WHERE.items() if where == number}
    assert RAN == wanted, RAN ^ wanted
