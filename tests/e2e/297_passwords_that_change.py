"""Passwords of PostgreSQL that change while the relay runs: printed by source.password_command, and
read by ${file:}. Nobody sends a signal, nothing is lost or repeated, and no password is told."""

import os
import signal
import stat
import time

import e2e

HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]

# What it prints is the file's; what it does besides is for the test to say.
PROGRAM = """#!/bin/sh
echo run >> "$1.runs"
[ -e "$1.does" ] && . "$1.does"
cat "$1"
"""


def write(path, text, mode=0o600):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)


def rotate(case, password):
    case.sql("ALTER ROLE ferry PASSWORD '%s'" % password)
    case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ferry'")


def runs(path):
    with open(path + ".runs") as file:
        return len(file.readlines())


def opened(relay, count):
    relay.wait_log("epoch.opened", 40, count)


def by_program(case):
    path = os.path.join(case.dir, "password")
    program = os.path.join(case.dir, "program")
    write(program, PROGRAM, stat.S_IRWXU)
    write(path, "pl4nted-first\n")
    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD 'pl4nted-first'")
    more = {"source": {"connection": case.dsn("ferry"), "password_command": [program, path]}}
    relay = case.up(more)
    case.command(relay, "check", "--connect")
    case.command(relay, "status", says="ready")
    shop = case.shop(writers=2, rate=60).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)
    before = runs(path)

    # The program is first, the server is first, and by a second.
    write(path, "pl4nted-second")
    rotate(case, "pl4nted-second")
    opened(relay, 2)
    rotate(case, "pl4nted-third")
    e2e.wait("a refused login", lambda: "password authentication failed" in relay.log_text())
    write(path, "pl4nted-third\r\n")
    opened(relay, 3)
    assert runs(path) >= before + 3, (before, runs(path))

    # It fails, and says more than it should.
    write(path + ".does", "cat \"$1\"; echo \"no token: $(cat \"$1\")\" >&2; exit 3\n")
    rotate(case, "pl4nted-third")
    e2e.wait("a failed program", lambda: "ended with exit code 3" in relay.log_text())
    failed = [line for line in relay.events("epoch.failed") if "exit code 3" in line][0]
    print(failed)
    assert "reason=password_command" in failed and "no token: (hidden)" in failed, failed
    case.command(relay, "check", "--connect", code=6, says="ended with exit code 3")
    os.remove(path + ".does")
    opened(relay, 4)

    shop.stop()
    case.drain(relay=relay)
    assert relay.running()
    shown = case.command(relay, "config", "show", says="password_command")
    assert "pl4nted" not in shown + relay.log_text() + relay.admin("/status")[1]

    # It hangs: a SIGTERM waits for nobody, and nobody is left.
    write(path + ".does", "echo $$ > \"$1.pid\"; sleep 60\n")
    rotate(case, "pl4nted-third")
    e2e.wait("a program that hangs", lambda: os.path.exists(path + ".pid"))
    began = time.monotonic()
    relay.signal(signal.SIGTERM)
    assert relay.wait(12) == 0
    took = time.monotonic() - began
    print("stopped after %.2f s" % took)
    assert took < 3, took
    with open(path + ".pid") as file:
        assert not os.path.exists("/proc/%s" % file.read().strip())
    os.remove(path + ".does")

    # What was never good is tried for the grace, and no longer.
    write(path, "pl4nted-wrong")
    relay.config["retry"]["auth_grace_ms"] = 1000
    text = case.refused(relay, 2, "password authentication failed")
    assert text.count("event=epoch.failed") >= 2, text
    assert "source.password_command print a password that is good" in text, text
    assert "pl4nted" not in text

    # More than the password.
    write(path, "pl4nted-note: renewed\npl4nted-third\n")
    text = case.command(relay, "check", "--connect", code=1, says="it prints several lines")
    assert "pl4nted" not in text

    # Two that say it.
    relay.config["source"]["connection"] = case.dsn("ferry", password="pl4nted-third")
    text = case.command(relay, "check", code=2, says="take one of the two away")
    assert "pl4nted" not in text
    case.judge()


def by_file(case):
    path = os.path.join(case.dir, "secret")
    write(path, "pl4nted-one\n")
    case.sql("ALTER ROLE ferry PASSWORD 'pl4nted-one'")
    relay = case.up({"source": {"connection": case.dsn("ferry") + " password=${file:%s}" % path}})
    shop = case.shop(writers=2, rate=60).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)
    rotate(case, "pl4nted-two")
    e2e.wait("a refused login", lambda: "password authentication failed" in relay.log_text())
    # Away for a moment: what was read before stays.
    os.remove(path)
    relay.wait_log("config.secrets_unread")
    write(path, "pl4nted-two\n")
    relay.wait_log("config.secrets_changed")
    opened(relay, 2)
    # The watch and all others take it over, too: nothing asks with the old one.
    time.sleep(1)
    refused = relay.log_text().count("password authentication failed")
    write(path, "pl4nted-three\n")
    rotate(case, "pl4nted-three")
    opened(relay, 3)
    assert relay.log_text().count("password authentication failed") <= refused + 1
    shop.stop()
    case.drain(relay=relay)
    assert "pl4nted" not in relay.log_text() + relay.admin("/status")[1]
    case.stop(relay)
    case.judge()


with e2e.own_postgres(hba=HBA) as postgres:
    with e2e.Case(postgres=postgres, label="_program") as case:
        by_program(case)
    with e2e.Case(postgres=postgres, label="_file") as case:
        by_file(case)
