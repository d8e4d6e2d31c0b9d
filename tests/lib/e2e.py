"""What an end-to-end test is made of: servers, a database and a relay name of its own, the judge.

A test is a script with one or a few `with e2e.Case() as case:`. tests/e2e/run starts one PostgreSQL
and one Kafka for the whole suite and passes them on in $WALFERRY_E2E; a test that has to stop a
server starts one of its own. Nothing here sleeps for a fixed time: everything waits for something.
"""

import atexit
import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import lab.kafka
import lab.kafka_cluster
import lab.ports
import lab.postgres
import lab.process
import lab.proxy
import lab.relay

import oracle
import shop

SANITIZERS = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1:disable_coredump=1:handle_abort=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "LSAN_OPTIONS": "exitcode=99:suppressions=" + os.path.join(ROOT, "tests/e2e/lsan.supp"),
    "TSAN_OPTIONS": "exitcode=99:suppressions=" + os.path.join(ROOT, "tests/e2e/tsan.supp"),
}
REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
                    r"assertion failed|Assertion .* failed)")

BINARIES = {"release": "walferry", "asan": "asan/walferry", "tsan": "tsan/walferry"}


def build():
    """Which build of the relay this run of the test is for."""
    return os.environ.get("WALFERRY_E2E_BUILD", "asan")


def binary(name=None):
    # The directory of the builds: build/system is linked with the system's librdkafka.
    return os.path.join(ROOT, os.environ.get("WALFERRY_E2E_FROM", "build"), BINARIES[name or build()])


def wait(what, probe, timeout=30, interval=0.03):
    """Call probe() until it gives something true, and return that."""
    return lab.process.wait_for(what, probe, timeout, interval=interval)


def sanitizers(name):
    """The environment of a build of the relay."""
    env = dict(SANITIZERS)
    if name == "tsan":
        env["LD_PRELOAD"] = preload("tsan_threads")
    return env


def preload(name):
    """A C file of tests/e2e, compiled for LD_PRELOAD."""
    source = os.path.join(ROOT, "tests", "e2e", name + ".c")
    library = os.path.join(ROOT, "build", "e2e", name + ".so")
    os.makedirs(os.path.dirname(library), exist_ok=True)
    if not os.path.exists(library) or os.path.getmtime(library) < os.path.getmtime(source):
        fresh = "%s.%d" % (library, os.getpid())
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", fresh,
                        source, "-lpthread", "-ldl"], check=True)
        os.replace(fresh, library)
    return library


def merge(base, more):
    """base with the dict more laid over it, depth first; a value of None removes the key."""
    out = dict(base)
    for key, value in more.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


def seed():
    """What decides on this run: the script's first argument, $WALFERRY_E2E_SEED, or a new number.
    It is printed with what brings it back."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("WALFERRY_E2E_SEED")
    number = int(given or secrets.randbelow(100000))
    script = os.path.basename(sys.argv[0])
    print("%s: seed %d (again: WALFERRY_E2E_SEED=%d tests/e2e/run --only %s)" % (
        script[:-3], number, number, script[:3]), flush=True)
    return number


# ---- servers ----

def server_state(server):
    """What another process needs to know to use a server."""
    return {key: value for key, value in vars(server).items()
            if isinstance(value, (str, int, dict, list, type(None))) and not key.startswith("_")}


def _attached(kind, state):
    server = kind.__new__(kind)
    vars(server).update(state, _child=None)
    return server


_own = {}


def _shared(name, kind):
    if "WALFERRY_E2E" in os.environ:
        return _attached(kind, json.loads(os.environ["WALFERRY_E2E"])[name])
    if name not in _own:
        _own[name] = kind(_scratch()).start()
    return _own[name]


def _scratch():
    """A directory that the servers' user may reach, and whose path is short enough for a socket."""
    path = tempfile.mkdtemp(prefix="wf-e2e-", dir=os.environ.get("WALFERRY_E2E_TMP", "/tmp"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def own_postgres(**options):
    """A PostgreSQL of the test's own, started; to be used with `with`."""
    return lab.postgres.Postgres(_scratch(), **options).start()


def own_cluster():
    """Three brokers of the test's own."""
    return lab.kafka_cluster.Cluster(_scratch()).start()


def own_kafka(**options):
    return lab.kafka.Kafka(_scratch(), **options).start()


# ---- what a read_committed consumer has seen so far ----

def hold_wal_writer(case):
    """From now on no WAL is written but by who commits for certain; ended by forget().

    With synchronous_commit = off the writer is woken for each full page, and its second look writes
    whatever is there, however long its delay.
    """
    pid = case.one("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
    os.kill(pid, signal.SIGSTOP)
    return pid


def forget(case, wal_writer):
    """The server ends at once, with what is not on disk."""
    os.kill(wal_writer, signal.SIGKILL)
    case.pg.stop("immediate")


class Tail:
    """Follows the test's topics; new topics and partitions join by themselves."""

    def __init__(self, bootstrap, prefix):
        self.prefix = prefix
        self.events = []
        self.ids = set()
        self._reader = oracle.consumer(bootstrap)
        self._known = set()
        self._looked = 0.0

    def poll(self, timeout=0.1):
        now = time.monotonic()
        if now - self._looked > 0.4:
            self._look()
            self._looked = now
        if not self._known:
            time.sleep(min(timeout, 0.1))
            return
        for message in self._reader.consume(5000, timeout):
            if message.error() is None:
                event = oracle._event(message)
                self.events.append(event)
                self.ids.add(oracle.header(event, "id"))

    def _look(self):
        try:
            topics = self._reader.list_topics(timeout=5).topics
        except oracle.confluent_kafka.KafkaException:
            return
        fresh = [(name, number) for name, topic in topics.items() if name.startswith(self.prefix)
                 for number in topic.partitions if (name, number) not in self._known]
        if fresh:
            self._reader.incremental_assign(
                [oracle.confluent_kafka.TopicPartition(name, number, 0) for name, number in fresh])
            self._known.update(fresh)

    def close(self):
        self._reader.close()


# ---- the case ----

def on_each_major(test, own=False):
    """test(case) on the suite's own server, the oldest and the newest major; but where WALFERRY_MAJORS
    says "one", on the one of the three that is the script's by its number. own: never on a server that
    other tests have open transactions on."""
    majors = (None, 14, 18)
    if os.environ.get("WALFERRY_MAJORS") == "one":
        number = int(os.path.basename(sys.argv[0])[:3])
        majors = majors[number % 3:number % 3 + 1]
    for major in majors:
        with contextlib.ExitStack() as stack:
            postgres = (major or own) and stack.enter_context(own_postgres(major=major))
            test(stack.enter_context(Case(postgres=postgres,
                                          label="_%d" % major if major else "")))


class Case:
    """One relay name, one database with the outbox and the truth, and who judges them.

    config: laid over the defaults of config(); sql: more statements for the database.
    """

    def __init__(self, postgres=None, kafka=None, config=None, partitions=3, sql="", label="",
                 outbox="001_outbox.sql"):
        script = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        stem = re.sub("[^a-z0-9]+", "_", script.lower())[:22]
        self.name = "t%s%s_%s_%s" % (stem, label, build()[0], secrets.token_hex(3))
        self.pg = postgres or _shared("postgres", lab.postgres.Postgres)
        self.kafka = kafka or _shared("kafka", lab.kafka.Kafka)
        self.dir = os.path.join(ROOT, "build", "e2e", "%s%s.%s" % (script, label, build()))
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.db = self.slot_name = "walferry_" + self.name
        self.prefix = self.name + "."
        self.progress_topic = "walferry.%s.progress" % self.name
        self.more_config = config or {}
        self.partitions = partitions
        self.relays = []
        self.shops = []
        self._tail = None
        self._connection = None
        self.pg.sql('CREATE DATABASE "%s"' % self.db)
        self.apply(outbox)
        self.sql(shop.TRUTH)
        if sql:
            self.sql(sql)

    # -- PostgreSQL --

    def apply(self, migration):
        """A file of sql/, by psql."""
        code, text = self.pg.psql("-f", os.path.join(ROOT, "sql", migration), dbname=self.db)
        assert code == 0, "%s: %s" % (migration, text)

    def dsn(self, user="postgres", **more):
        return self.pg.dsn(self.db, user, **more)

    def sql(self, text, parameters=None):
        """Run in the test's database; rows or None. Reconnects where the server went away."""
        import psycopg2
        for attempt in (1, 2):
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self.pg.connect(self.db)
                with self._connection.cursor() as cursor:
                    cursor.execute(text, parameters)
                    return cursor.fetchall() if cursor.description else None
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self._connection = None
                if attempt == 2:
                    raise

    def one(self, text, parameters=None):
        return self.sql(text, parameters)[0][0]

    def put(self, rows=1, transactions=1, type="order", prefix="p", keys=3, pad=40):
        """Commit transactions of that many rows; n goes on from the truth."""
        for _ in range(transactions):
            first = self.one("SELECT coalesce(max(n), 0) + 1 FROM e2e.truth")
            self.sql("SELECT e2e.put(%s, %s, %s, %s, %s, %s)",
                     (type, prefix, keys, first, rows, pad))

    def shop(self, **options):
        options.setdefault("seed", secrets.randbelow(10000))
        self.shops.append(shop.Shop(self.dsn(), **options))
        return self.shops[-1]

    def slot(self):
        """The slot's row as a dict, or None."""
        rows = self.sql(
            "SELECT confirmed_flush_lsn::text, restart_lsn::text, active, active_pid, wal_status"
            " FROM pg_replication_slots WHERE slot_name = %s", (self.slot_name,))
        names = ("confirmed", "restart", "active", "active_pid", "wal_status")
        return dict(zip(names, rows[0])) if rows else None

    def current_lsn(self):
        return oracle.lsn_number(self.one("SELECT pg_current_wal_lsn()::text"))

    def confirmed_lsn(self):
        slot = self.slot()
        return oracle.lsn_number(slot["confirmed"]) if slot and slot["confirmed"] else 0

    # -- the relay --

    def config(self, more=None):
        config = {
            "relay": self.name,
            "source": {"connection": self.dsn()},
            "kafka": {"bootstrap.servers": self.kafka.bootstrap},
            "delivery": {
                "transaction_timeout_ms": 10000, "memory_limit": "16MB",
                "idle_progress": {"bytes": "1MB", "interval_ms": 1000},
                "topics": {"partitions": self.partitions}},
            "retry": {"min_ms": 50, "max_ms": 1000},
            "routes": [{
                "name": "outbox", "from": "public.outbox", "as": "outbox",
                "topic": self.prefix + "{aggregatetype}",
                "headers": {"id": "{id}", "eventType": "{type}"}}],
            "admin": {"listen": "127.0.0.1:%d" % lab.ports.free_port(), "ready_grace_ms": 3000},
            "log": {"level": "info"},
        }
        return merge(merge(config, self.more_config), more or {})

    def relay(self, more=None, name=None, build_name=None, env=None):
        """A relay that is not started yet; several of a case are several instances."""
        relay = lab.relay.Relay(binary(build_name), self.config(more), self.dir,
                                env=dict(sanitizers(build_name or build()), **(env or {})),
                                name=name or "relay%d" % len(self.relays))
        self.relays.append(relay)
        return relay

    def command(self, relay, *arguments, code=0, says=(), timeout=60, env=None, input=None):
        """A command to its end, with this exit code and these texts; its output and errors."""
        got, out, err = relay.run(*arguments, timeout=timeout, env=env, input=input)
        text = out + err
        with open(os.path.join(self.dir, "commands.log"), "a") as file:
            file.write("$ walferry %s\n%s[%d]\n" % (" ".join(arguments), text, got))
        assert not REPORT.search(text), text
        assert got == code, "walferry %s: code %d, not %d\n%s" % (
            " ".join(arguments), got, code, text)
        self._says(text, says)
        return text

    @staticmethod
    def _says(text, says):
        for want in (says,) if isinstance(says, str) else says:
            assert re.search(want, text, re.S), "not said: %s\n%s" % (want, text[-4000:])

    def setup(self, relay):
        return self.command(relay, "setup")

    def up(self, more=None, env=None, **options):
        """A relay, set up, running, with its first epoch open."""
        relay = self.relay(more, env=env, **options)
        self.setup(relay)
        return self.start(relay)

    def start(self, relay, *arguments, env=None):
        relay.start(*arguments, env=env)
        relay.wait_log("epoch.opened", timeout=40)
        return relay

    def refused(self, relay, code, says=(), timeout=30, env=None):
        """`run` ends by itself with this code, saying this. The log's text."""
        relay.start(env=env)
        got = relay.wait(timeout)
        text = relay.log_text()
        assert got == code, "run: code %s, not %d\n%s" % (got, code, text[-4000:])
        self._says(text, says)
        return text

    def mend(self, relay, text, *more, code=0):
        """Run the command that the hint in a log text prints, word for word; its output."""
        found = re.findall(r"(\S*walferry (?:rebase|skip) [^\"]*?-c [^\s\",;)]+)", text)
        assert found, "no mend is printed: %s" % text[-3000:]
        result = subprocess.run(
            ["sh", "-c", found[-1] + ' "$@"', "sh", *more], env=relay._env(None), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            check=False)
        assert result.returncode == code, "%s: code %d\n%s" % (
            found[-1], result.returncode, result.stdout)
        return result.stdout

    def forge_progress(self, marked=True, **changes):
        """The newest progress record once more, with changes and a generation higher; marked: with
        the header that a row cannot set."""
        record = dict(self.progress()[-1])
        record.update({"generation": record["generation"] + 1}, **changes)
        producer = oracle.confluent_kafka.Producer({"bootstrap.servers": self.kafka.bootstrap})
        producer.produce(self.progress_topic, json.dumps(record), self.name + "/0",
                         headers=[("walferry-progress", b"2")] if marked else None)
        assert producer.flush(20) == 0

    def bury_progress(self):
        """A tombstone under the relay's key."""
        producer = oracle.confluent_kafka.Producer({"bootstrap.servers": self.kafka.bootstrap})
        producer.produce(self.progress_topic, None, self.name + "/0")
        assert producer.flush(20) == 0

    # -- Kafka --

    @property
    def tail(self):
        if self._tail is None:
            self._tail = Tail(self.kafka.bootstrap, self.prefix)
        return self._tail

    def seen(self, timeout=0.0):
        """How many different events a read_committed consumer has seen by now."""
        end = time.monotonic() + timeout
        while True:
            self.tail.poll(0.05)
            if time.monotonic() >= end:
                return len(self.tail.ids)

    def read_ids(self):
        """The ids of all events that are there now, by a fresh reader, to the end of every topic."""
        topics = oracle.topics_like(self.kafka.bootstrap, self.prefix)
        return set(oracle.header(event, "id")
                   for event in oracle.read_topics(self.kafka.bootstrap, topics))

    def truth_count(self):
        return self.one("SELECT count(*) FROM e2e.truth")

    def drain(self, timeout=60, relay=None):
        """Wait until everything committed has been seen; relay: must live meanwhile."""
        want, deadline = self.truth_count(), time.monotonic() + timeout
        while len(self.tail.ids) < want:
            self.tail.poll(0.1)
            if relay is not None and not relay.running():
                raise AssertionError("the relay ended while draining: %s%s" % (
                    relay.wait(1), lab.process.tail(relay.log)))
            if time.monotonic() > deadline and len(self.read_ids()) >= want:
                print("the tail has seen %d of %d events; a fresh reader has all" % (
                    len(self.tail.ids), want), flush=True)
                self.tail.ids.update(self.read_ids())
            elif time.monotonic() > deadline:
                raise AssertionError("drained %d of %d events in %d s\n%s%s" % (
                    len(self.tail.ids), want, timeout, self._where(relay),
                    lab.process.tail((relay or self.relays[-1]).log if self.relays else None)))
        return want

    def _where(self, relay):
        """For a person: where everything stands."""
        found = ["written to %s, confirmed %s" % (
            self.one("SELECT pg_current_wal_lsn()"), oracle.lsn_text(self.confirmed_lsn()))]
        try:
            found.append("progress %s" % self.progress()[-1:])
            found += self._missing()
            found.append("status %s" % (relay.admin("/status")[1] if relay is not None else "not asked"))
        except (OSError, RuntimeError, AssertionError) as why:
            found.append(str(why))
        return "\n".join(found)

    def progress(self):
        """[record] of committed progress, oldest first."""
        return [record for _, _, record in
                oracle.progress_records(self.kafka.bootstrap, self.progress_topic)]

    def position(self):
        """The newest committed position as a number, 0 for none."""
        records = self.progress()
        return oracle.progress_place(records[-1])[0] if records else 0

    def wait_confirmed(self, lsn, timeout=15):
        wait("confirmed_flush_lsn does not reach %s" % oracle.lsn_text(lsn),
             lambda: self.confirmed_lsn() >= lsn, timeout)

    def stop(self, relay, code=0, timeout=12):
        got = relay.stop(timeout)
        assert got == code, "relay ended with %s%s" % (got, lab.process.tail(relay.log))

    def _missing(self):
        """For a person: what lacks, whether readers of uncommitted events see it, who holds the end."""
        topics = oracle.topics_like(self.kafka.bootstrap, self.prefix)
        read = {isolation: oracle.read_topics(self.kafka.bootstrap, topics, isolation)
                for isolation in ("read_committed", "read_uncommitted")}
        lacks = set(str(row[0]) for row in self.sql("SELECT id FROM e2e.truth"))
        lacks -= set(oracle.header(event, "id") for event in read["read_committed"])
        there = [event for event in read["read_uncommitted"] if oracle.header(event, "id") in lacks]
        return ["missing %s" % self.sql("SELECT * FROM e2e.truth WHERE id::text = ANY (%s)", (sorted(lacks),)),
                "of them in the log, not committed: %s" % [event[:3] + (event.headers,) for event in there],
                "open: %s" % oracle.open_partitions(self.kafka.bootstrap, topics),
                "last offsets: %s" % {event[:2]: event[2] for event in read["read_uncommitted"]}]

    def judge(self, read="python", expect=(), guarantee="exactly_once", keys_move=False):
        """The oracle. expect: kinds of faults that must be there, no others. Returns the events."""
        faults, events, _ = oracle.judge(self._fresh(), self.kafka, self.slot_name,
                                         self.progress_topic, self.prefix, read, guarantee,
                                         keys_move)
        if set(fault.kind for fault in faults) != set(expect):
            raise oracle.OracleError(faults or [oracle.Fault("none", "expected %s" % (expect,))])
        return events

    def _fresh(self):
        self.sql("SELECT 1")
        return self._connection

    # -- the end --

    def _drop(self):
        """The slots go, for a server has few of them."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if not self._server_answers():
            return
        end = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots" \
              " WHERE database = %s AND active"
        drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots" \
               " WHERE database = %s AND NOT active"
        left = "SELECT count(*) FROM pg_replication_slots WHERE database = %s"

        def gone():
            self.pg.sql(end, (self.db,))
            try:
                self.pg.sql(drop, (self.db,))
            except Exception:  # taken again in between; the next round ends that one as well
                return False
            return self.pg.sql(left, (self.db,))[0][0] == 0

        wait("slots of %s do not go" % self.db, gone, 20, interval=0.1)

    def _server_answers(self):
        try:
            return bool(self.pg.sql("SELECT 1"))
        except Exception:  # a test has stopped a server of its own
            return False

    def __enter__(self):
        return self

    def _tell_activity(self):
        """Who did what on the server when the test failed; a line each, behind all else that is said."""
        try:
            for row in self.pg.sql("SELECT pid, datname, application_name, state, wait_event, backend_xid, now() -"
                                   " xact_start, left(regexp_replace(query, '\\s+', ' ', 'g'), 80) FROM pg_stat_activity WHERE pid <>"
                                   " pg_backend_pid() AND backend_type IN ('client backend', 'walsender')"):
                print("  of the server: %s" % " ".join(str(cell) for cell in row))
        except Exception as error:
            print("  of the server: %s" % error)

    def _end_sessions(self):
        """A transaction that a failed test leaves open would hold up each slot that others make."""
        if self._server_answers():
            self.pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND"
                        " backend_type = 'client backend' AND pid <> pg_backend_pid()", (self.db,))

    def __exit__(self, kind, *_):
        if kind is not None:
            self._tell_activity()
            self._end_sessions()
        for one in self.shops:
            one._stop.set()
        for relay in self.relays:
            relay.kill()
        if self._tail is not None:
            self._tail.close()
        self._drop()
        if kind is None:
            for relay in self.relays:
                report = REPORT.search(relay.log_text(all=True))
                assert not report, "%s%s" % (report.group(0), lab.process.tail(relay.log, 60))
