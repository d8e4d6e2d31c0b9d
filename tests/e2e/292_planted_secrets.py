"""Secrets are planted wherever a file takes one, and looked for wherever the relay writes: its log at every
level, librdkafka's lines at debug: all among them, what the admin port and the commands say, the command line,
a core. The core is looked at with cores allowed, too, where they must be found."""

import concurrent.futures
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import e2e
import issuer
import secured

KAFKA = "own"

if shutil.which("openssl") is None:
    sys.exit(77)

DB, LOGIN, TOKEN, KEY, LITERAL, ADMIN = ("pl4nted-" + name for name in (
    "database", "login", "token", "keyphrase", "literal", "admin"))
SECRETS = (DB, LOGIN, TOKEN, KEY, LITERAL, ADMIN)
ROLES = "".join("CREATE ROLE %s LOGIN SUPERUSER REPLICATION PASSWORD '%s';" % (role, password)
                for role, password in (("scram", DB), ("literal", LITERAL), ("owner", ADMIN)))


def none_in(text, where):
    found = [secret for secret in SECRETS if secret in text]
    assert not found, "%s in %s: %s" % (
        found, where, [line for line in text.splitlines() if found[0] in line][:3])


def files(case):
    path = os.path.join(case.dir, "db.password")
    with open(path, "w") as file:
        file.write(DB + "\n")
    os.chmod(path, 0o600)
    return "${file:%s}" % path


def kafkas(case, papers, tokens):
    """A login by environment, one by token, a key with a passphrase; the last two stand in the file."""
    root = {"ssl.ca.location": papers.good.crt, "debug": "all"}
    login = dict(root, **{"security.protocol": "SASL_SSL", "bootstrap.servers": case.kafka.at("LOGIN")})
    locked = papers.good.issue("client", password=KEY)
    return {
        "plain": dict(login, **{"sasl.mechanism": "PLAIN", "sasl.username": "ferry",
                                "sasl.password": "${env:PLANTED}"}),
        "scram": dict(login, **{"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "ferry",
                                "sasl.password": LOGIN}),
        "token": dict(login, **{
            "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": "ferry", "sasl.oauthbearer.client.secret": TOKEN,
            "sasl.oauthbearer.token.endpoint.url": tokens.address + "/token"}),
        "key": dict(root, **{"security.protocol": "SSL", "bootstrap.servers": case.kafka.at("MTLS"),
                             "ssl.certificate.location": locked.crt,
                             "ssl.key.location": locked.key, "ssl.key.password": KEY})}


def running(case, relay):
    """What a relay that works says, everywhere, and what the commands say of it."""
    case.start(relay)
    case.put(rows=3)
    case.drain(relay=relay)
    for path in ("/", "/status", "/metrics", "/readyz", "/healthz"):
        none_in(relay.admin(path)[1], path)
    for name in ("cmdline", "comm"):
        with open("/proc/%d/%s" % (relay.pid, name)) as file:
            none_in(file.read(), name)
    case.stop(relay)
    text = relay.log_text(all=True)
    assert "level=debug event=kafka.log" in text and "facility=CONF" in text, text[:3000]
    none_in(text, "the log")


def commands(case, relay):
    for command in (("status",), ("status", "--json"), ("config", "show"), ("config", "show", "--json"),
                    ("check", "--connect"), ("doctor",), ("doctor", "-o", "json"), ("version",),
                    ("setup", "--print-sql"), ("skip", "1-0000000000000001-1"), ("teardown",)):
        code, out, err = relay.run(*command, timeout=60)
        assert not e2e.REPORT.search(out + err) and code in (0, 1, 2), (command, code, out, err)
        none_in(out + err, command)
    # The whole string may not be in its hint, which is a command line to be run.
    code, out, err = relay.run("teardown", "--admin-connection", case.dsn("owner", password=ADMIN))
    assert code == 2 and "--yes" in err and "--admin-connection" in err, (code, err)
    none_in(out + err, "a hint")


def errors(case, kafka):
    """What is said when something is wrong with the very thing that holds the secret."""
    host = "host=127.0.0.1 port=%d dbname=%s" % (case.pg.port, case.db)
    wrong = {
        "another password": {"source": {"connection": case.dsn("scram", password=LITERAL)}},
        "spaces": {"source": {"connection": host + " password=x %s user=scram" % LITERAL}},
        "an option": {"source": {"connection": host + " password=x %s=1 user=scram" % LITERAL}},
        "a quote": {"source": {"connection": host + " password='%s" % LITERAL}},
        "a port": {"source": {"connection": "postgresql://scram:%s/x@127.0.0.1:1/x" % LITERAL}},
        "a query": {"source": {"connection": "postgresql://scram:x?%s=1@127.0.0.1/x" % LITERAL}},
        "per cent": {"source": {"connection": "postgresql://scram:%%%s@127.0.0.1/x" % LITERAL}},
        "another login": {"kafka": dict(kafka["plain"], **{"sasl.password": LITERAL})},
        "another secret": {"kafka": dict(kafka["token"],
                                         **{"sasl.oauthbearer.client.secret": LITERAL})},
        "another passphrase": {"kafka": dict(kafka["key"], **{"ssl.key.password": LITERAL})},
        "a property": {"kafka": {"sasl.pasword": LITERAL}},
        "a mode": {"source": {"connection": host + " sslmode=%s" % LITERAL}},
        "a number": {"kafka": {"reconnect.backoff.ms": "${env:PLANTED}"}},
    }

    def look(item):
        name, more = item
        relay = case.relay(more, name="wrong_" + name.replace(" ", "_"))
        code, out, err = relay.run("check", "--connect", timeout=60, env={"PLANTED": LOGIN})
        assert code in (1, 2, 6) and not e2e.REPORT.search(err), (name, code, out, err)
        none_in(out + err, "%s: %s" % (name, out + err))

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(look, wrong.items()))


def hides_its_arguments(case, relay):
    """A table is locked, so setup waits while its command line is read."""
    with case.pg.connect(case.db, autocommit=False) as blocker:
        blocker.cursor().execute("LOCK TABLE public.outbox IN ACCESS EXCLUSIVE MODE")
        connection = case.dsn("owner", password=ADMIN)
        with open(os.path.join(case.dir, "setup.log"), "wb") as log:
            child = subprocess.Popen([relay.binary, "setup", "-c", relay.path, "--admin-connection",
                                      connection], env=relay._env(None), stdout=log, stderr=log)
        e2e.wait("setup asks the database", lambda: case.pg.sql(
            "SELECT 1 FROM pg_stat_activity WHERE usename = 'owner'"))
        with open("/proc/%d/cmdline" % child.pid) as file:
            words = file.read()
        assert "--admin-connection" in words and "*" * len(connection) in words, words
        none_in(words, "the command line")
        child.send_signal(signal.SIGINT)
        blocker.rollback()
    e2e.lab.process.end(child)


def core_of(case, relay, dumpable):
    """The bytes of the core that the relay leaves when it is killed at work; None: it leaves none."""
    case.start(relay, env={"WALFERRY_DUMPABLE": dumpable, "PLANTED": LOGIN, "ASAN_OPTIONS":
                           "disable_coredump=0:handle_abort=0:handle_segv=0:detect_leaks=0"})
    directory = os.readlink("/proc/%d/cwd" % relay.pid)
    name = os.path.join(directory, "core")
    names = (name, "%s.%d" % (name, relay.pid))
    before = {one: os.stat(one).st_mtime for one in names if os.path.exists(one)}
    relay.signal(signal.SIGABRT)
    assert relay.wait(60) == -signal.SIGABRT
    for one in names:
        if os.path.exists(one) and before.get(one) != os.stat(one).st_mtime:
            with open(one, "rb") as file:
                core = file.read()
            os.unlink(one)
            return core
    return None


def cores(case, relay):
    with open("/proc/sys/kernel/core_pattern") as file:
        if file.read().strip() != "core":
            print("skipped: cores of this machine go elsewhere", flush=True)
            return
    core = core_of(case, relay, "1")
    assert core is not None and DB.encode() in core and LOGIN.encode() in core
    assert core_of(case, relay, "0") is None


scratch = e2e._scratch()
tokens, papers = issuer.Issuer(scratch, {"ferry": TOKEN}), secured.Papers(scratch)
e2e.lab.process.give(scratch, e2e.lab.process.unprivileged())
# Files of this process' children may be as large as they like, cores too.
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
began = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    broker = pool.submit(secured.kafka, e2e._scratch(), papers, LOGIN, tokens)
    server = pool.submit(secured.postgres, papers)
with broker.result() as broker, server.result() as server, \
        e2e.Case(postgres=server, kafka=broker, sql=ROLES) as case:
    ways = kafkas(case, papers, tokens)
    by_file = case.dsn("scram", sslmode="verify-full", sslrootcert=papers.good.crt) + \
        " password='%s'" % files(case)
    by_word = case.dsn("literal", password=LITERAL, sslmode="verify-full", sslrootcert=papers.good.crt)
    relay = case.relay(env={"PLANTED": LOGIN})
    case.setup(relay)
    for number, (name, kafka) in enumerate(ways.items()):
        print("-- %s, %.0f s" % (name, time.monotonic() - began), flush=True)
        relay.config = case.config({
            "source": {"connection": (by_file, by_word)[number % 2]},
            "log": {"level": "debug", "format": ("logfmt", "json")[number // 3]}})
        relay.config["kafka"] = kafka
        running(case, relay)
    commands(case, relay)
    relay.config["source"]["connection"], relay.config["kafka"] = by_file, ways["plain"]
    print("-- errors, %.0f s" % (time.monotonic() - began), flush=True)
    hides_its_arguments(case, relay)
    errors(case, ways)
    print("-- cores, %.0f s" % (time.monotonic() - began), flush=True)
    cores(case, relay)
    case.judge()
tokens.close()
