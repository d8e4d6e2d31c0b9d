"""Logins that are hardly good for anything: tokens of Kafka that last five seconds, and a program that prints the
password of PostgreSQL in every way but the one that is asked for, while connections are cut again and again. Nothing
is lost, repeated or told; it stalls for seconds at most, and no program is run more often than connections are made."""

import os
import re
import stat
import sys
import time

import e2e

SLOW = True
SECONDS = 420
KAFKA = "own"
HANDLERS = "org.apache.kafka.common.security.oauthbearer."
LISTENER = "listener.name.sasl_plaintext."
CONF = {
    "sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER",
    LISTENER + "oauthbearer.sasl.jaas.config":
        HANDLERS + "OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";",
    LISTENER + "oauthbearer.sasl.server.callback.handler.class":
        HANDLERS + "internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
    LISTENER + "oauthbearer.connections.max.reauth.ms": 3000,
    "super.users": "User:ANONYMOUS;User:admin;User:pl4nted-relay",
}
HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]
TOKEN = """#!/bin/sh
dir=$(dirname "$0")
echo run >> "$dir/tokens"
b64() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
now=$(date +%s)
head=$(printf '{"alg":"none"}' | b64)
body=$(printf '{"sub":"pl4nted-relay","iat":%d,"exp":%d}' $((now - 30)) $((now + LIFE)) | b64)
echo "$head.$body."
"""
PASSWORD = """#!/bin/sh
dir=$(dirname "$0")
date +%s.%N >> "$dir/passwords"
[ -e "$dir/does" ] && . "$dir/does"
echo "$pl4nted"
"""
GOOD = "pl4nted=pl4nted-word\n"


def write(path, text, mode=0o600):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)


def lines(path):
    with open(path) as file:
        return file.read().split("\n")[:-1]


def stalls(case, seconds):
    """The longest time in which no event was seen."""
    longest, last, count = 0.0, time.monotonic(), case.seen()
    end = last + seconds
    while time.monotonic() < end:
        now, seen = time.monotonic(), case.seen(0.05)
        if seen > count:
            longest, last, count = max(longest, now - last), now, seen
    return max(longest, time.monotonic() - last)


def tokens(case):
    program = os.path.join(case.dir, "token")
    write(program, TOKEN.replace("LIFE", "60"), stat.S_IRWXU)
    relay = case.up({"kafka": {"bootstrap.servers": case.kafka.sasl_bootstrap, "security.protocol": "SASL_PLAINTEXT",
                               "sasl.mechanism": "OAUTHBEARER"}, "kafka_token_command": [program]})
    shop = case.shop(writers=3, rate=100).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)
    plain = stalls(case, 10)
    case.stop(relay)
    write(program, TOKEN.replace("LIFE", "5"), stat.S_IRWXU)
    case.start(relay)
    before = len(lines(os.path.join(case.dir, "tokens")))
    small = relay.rss_kb()
    longest = stalls(case, 120)
    runs = len(lines(os.path.join(case.dir, "tokens"))) - before
    print("tokens of 5 s for 120 s: %d runs, the longest stall %.1f s (%.1f s with tokens of a minute), %d epochs, %d"
          " kB grown" % (runs, longest, plain, len(relay.events("epoch.opened")), relay.rss_kb() - small), flush=True)
    assert longest < 10, longest
    shop.stop()
    case.drain(relay=relay)
    assert "eyJ" not in relay.log_text(all=True)
    case.stop(relay)
    case.judge()


# What the program does, and what is said of it; None: nothing is wrong.
WAYS = {
    "ten megabytes": ("yes pl4nted-yes | head -c 10000000\n", "prints more than 64 KB"),
    "nothing": ("exit 0\n", "printed nothing"),
    "binary": ("head -c 20000 /dev/urandom; exit 0\n", "printed a NUL character"),
    "two lines": ("echo pl4nted-first; pl4nted=pl4nted-word\n", "it prints several lines"),
    "a daemon that keeps the pipe": ("(sleep 120 & echo $! >> $dir/daemons) ; echo pl4nted-no; exit 0\n",
                                     "password authentication failed"),
    "a daemon and failure": ("(sleep 120 & echo $! >> $dir/daemons) ; echo pl4nted-no >&2; echo pl4nted-no; exit 1\n",
                             r"ended with exit code 1; it says: \(hidden\)"),
    "the word on both": ("pl4nted=pl4nted-word; echo pl4nted-word >&2\n", None),
    "stderr for ever": ("yes no word >&2\n", "did not end within 10000 ms"),
    "killed": ("kill -9 $$\n", "was ended by signal 9"),
}


def passwords(case):
    program, does = os.path.join(case.dir, "program"), os.path.join(case.dir, "does")
    write(program, PASSWORD, stat.S_IRWXU)
    write(does, GOOD)
    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD 'pl4nted-word'")
    relay = case.up({"source": {"connection": case.dsn("ferry"), "password_command": [program]},
                     "retry": {"auth_grace_ms": 600000}})
    shop = case.shop(writers=2, rate=60, reconnect=True).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)
    fds = len(os.listdir("/proc/%d/fd" % relay.pid))
    for name, (way, says) in WAYS.items():
        failed, opened = len(relay.events("epoch.failed")), len(relay.events("epoch.opened"))
        write(does, way)
        case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ferry'")
        if says:
            e2e.wait("it says of %s: %s" % (name, says), lambda: any(
                re.search(says, line) for line in relay.events("epoch.failed")[failed:]), 30)
        write(does, GOOD)
        relay.wait_log("epoch.opened", 40, opened + 1)
        case.drain(relay=relay)
    # Cut ten times a second: a program is run for each connection and no more often.
    before, lines_before = len(lines(os.path.join(case.dir, "passwords"))), len(relay.log_lines())
    end = time.monotonic() + 20
    while time.monotonic() < end:
        case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ferry'")
        time.sleep(0.1)
    runs = len(lines(os.path.join(case.dir, "passwords"))) - before
    print("cut ten times a second for 20 s: %d runs, %d lines" % (runs, len(relay.log_lines()) - lines_before))
    assert 5 < runs < 100, runs
    # Nobody listens.
    before = len(lines(os.path.join(case.dir, "passwords")))
    case.pg.stop("immediate")
    time.sleep(15)
    runs = len(lines(os.path.join(case.dir, "passwords"))) - before
    print("nobody listens for 15 s: %d runs" % runs, flush=True)
    assert 5 < runs < 75, runs
    shop.stop()
    case.pg.start()
    e2e.wait("ready", relay.ready, 60)
    case.drain(relay=relay)
    e2e.wait("no more descriptors than before", lambda: len(os.listdir("/proc/%d/fd" % relay.pid)) <= fds + 1, 20)
    for task in os.listdir("/proc/%d/task" % relay.pid):
        with open("/proc/%d/task/%s/children" % (relay.pid, task)) as file:
            assert file.read().split() == [], "children are left"
    assert "pl4nted" not in relay.log_text(all=True) + "".join(
        relay.admin(path)[1] for path in ("/status", "/history", "/config", "/readyz", "/metrics")), "told"
    case.stop(relay)
    case.judge()
    for pid in lines(os.path.join(case.dir, "daemons")):
        try:
            os.kill(int(pid), 9)
        except OSError:
            pass


def scram(kafka, case):
    """The broker is told another password, first and second, and asks for it again every few seconds."""
    path = os.path.join(case.dir, "secret")
    write(path, "pl4nted-one\n")
    relay = case.up({"kafka": {"bootstrap.servers": kafka.at("LOGIN"), "security.protocol": "SASL_PLAINTEXT",
                               "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "ferry",
                               "sasl.password": "${file:%s}" % path}})
    shop = case.shop(writers=2, rate=60).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)

    def tell(password):
        kafka.tool("kafka.admin.ConfigCommand", "--bootstrap-server", kafka.bootstrap, "--alter", "--entity-type",
                   "users", "--entity-name", "ferry", "--add-config", "SCRAM-SHA-256=[password=%s]" % password)

    for number, (first, second) in enumerate((("file", "broker"), ("broker", "file"), ("file", "broker"))):
        password = "pl4nted-%d" % number
        for who in (first, second):
            if who == "file":
                write(path, password + "\n")
            else:
                tell(password)
            longest = stalls(case, 8)
            print("%d: %s knows, the longest stall %.1f s, %d epochs" % (
                number, who, longest, len(relay.events("epoch.opened"))), flush=True)
        case.drain(relay=relay)
    shop.stop()
    case.drain(relay=relay)
    assert "pl4nted" not in relay.log_text(all=True)
    case.stop(relay)
    case.judge()


which = sys.argv[2:] or ["tokens", "passwords", "scram"]
if "passwords" in which:
    with e2e.own_postgres(hba=HBA) as postgres, e2e.Case(postgres=postgres, label="_words") as case:
        passwords(case)
if "scram" in which:
    LOGIN = {"protocol": "SASL_PLAINTEXT", "sasl.enabled.mechanisms": "SCRAM-SHA-256",
             "scram-sha-256.connections.max.reauth.ms": 4000,
             "scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;"}
    with e2e.own_kafka(listeners={"LOGIN": LOGIN}, scram={"ferry": "pl4nted-one"},
                       conf={"super.users": "User:ANONYMOUS;User:admin;User:ferry"}) as kafka, \
            e2e.Case(kafka=kafka, label="_scram") as case:
        scram(kafka, case)
if "tokens" in which:
    with e2e.own_kafka(conf=CONF) as kafka, e2e.Case(kafka=kafka, label="_tokens") as case:
        tokens(case)
