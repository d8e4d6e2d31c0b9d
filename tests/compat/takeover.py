"""A real Debezium connector is replaced by a relay under load, on its slot, from its offset.

Writers go on all the time. The connector runs under Kafka Connect, at-least-once or exactly-once, and is
stopped in order, ended with its worker, or killed. Its topic and the relay's together are held against
what was committed: no event is missing; what both have is only what was said to come again. Small batches
stop it inside of transactions, too; heartbeats and transaction metadata store offsets that are of no change.
"""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests", "lib"))

import oracle  # noqa: E402
from lab import connect, kafka, postgres, process  # noqa: E402

OFFSETS = "connect.offset"
NAME = "taken"
SMALL = {"max.batch.size": 7, "max.queue.size": 20}
OPTIONS = ({}, dict(SMALL, **{"heartbeat.interval.ms": 200}),
           dict(SMALL, **{"provide.transaction.metadata": "true"}))
WAYS = ("killed", "stopped", "ended")


class Writers:
    """Transactions of one to six rows, or of some more, by several sessions, until they are told to stop."""

    def __init__(self, server, count=3):
        self.server, self.over, self.written = server, threading.Event(), 0
        self.threads = [threading.Thread(target=self._write, args=(n,)) for n in range(count)]
        for one in self.threads:
            one.start()

    def _write(self, number):
        pick = random.Random(number)
        connection = self.server.connect(autocommit=False)
        with connection.cursor() as cursor:
            while not self.over.is_set():
                for _ in range(pick.randint(1, 6) if pick.random() < 0.9 else 30):
                    cursor.execute("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
                                   " VALUES ('order', %s, 'Placed', '{}')", (str(pick.randint(1, 50)),))
                if pick.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()
                time.sleep(pick.random() * 0.02)
        connection.close()

    def stop(self):
        self.over.set()
        for one in self.threads:
            one.join()


def connector(server, options):
    return {"database.hostname": "127.0.0.1", "database.port": server.port, "database.user": "postgres",
            "database.password": "", "database.dbname": "postgres", "topic.prefix": NAME,
            "slot.name": NAME, "publication.name": "dbz", "table.include.list": "public.outbox",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "transforms": "outbox", "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
            "transforms.outbox.route.topic.replacement": "dbz.${routedByValue}",
            "topic.creation.default.partitions": 3, "producer.override.transaction.timeout.ms": 10000, **options}


def read(broker, topic):
    """Committed records from the beginning to what is there now: [(key, value, headers)]."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "takeover",
                         "isolation.level": "read_committed", "enable.auto.commit": False,
                         "enable.partition.eof": True})
    metadata = consumer.list_topics(topic, 20).topics[topic]
    parts = [TopicPartition(topic, number, 0) for number in metadata.partitions]
    consumer.assign(parts)
    out, open_parts = [], {part.partition for part in parts}
    deadline = time.monotonic() + 60
    while open_parts:
        assert time.monotonic() < deadline, "topic %s does not end" % topic
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            open_parts.discard(message.partition())
        else:
            out.append((message.key(), message.value(), dict(message.headers() or [])))
    consumer.close()
    return out


def ids(broker, topic):
    return collections.Counter(headers["id"].decode() for _, _, headers in read(broker, topic))


def ask(worker, method, path):
    request = urllib.request.Request("http://127.0.0.1:%d/connectors/%s%s" % (worker.port, NAME, path),
                                     method=method, data=b"" if method == "PUT" else None,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


class Relay:
    def __init__(self, binary, dir, server, broker, transforms):
        self.binary, self.dir = binary, dir
        path = os.path.join(dir, "connector.json")
        with open(path, "w") as file:
            json.dump({"name": NAME, "config": dict(connect.POSTGRES, **transforms)}, file)
        code, text = self("config", "migrate-from-debezium", "--partial", path, config=False)
        assert code == 0, text
        text = text.replace("fill-in.invalid:9092", broker.bootstrap).replace('"dbz.{', '"wfy.{')
        self.path = os.path.join(dir, "walferry.yaml")
        with open(self.path, "w") as file:
            file.write(text + "admin:\n  listen: \"off\"\n")

    def __call__(self, *arguments, config=True):
        got = subprocess.run([self.binary, *arguments, *(["-c", self.path] if config else [])],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        print("$ walferry %s [%d]\n%s%s" % (" ".join(arguments), got.returncode,
                                           "" if arguments[0] == "config" else got.stdout, got.stderr), flush=True)
        return got.returncode, got.stdout if arguments[0] == "config" else got.stdout + got.stderr


# As docs/TASKS.md has it.
PAST = """SELECT bool_and(age(p.xmin) > age(s.catalog_xmin)) FROM pg_publication p, pg_replication_slots s
          WHERE p.pubname IN ('walferry_taken', 'walferry_taken_changes') AND s.slot_name = 'taken'"""


def get_past(server):
    """The connector confirms behind what the server has written down of running transactions."""

    def is_past():
        server.sql("CHECKPOINT")
        return server.sql(PAST)[0][0]
    process.wait_for("the slot does not get past the publications", is_past, 300, interval=1)


def replace(binary, scratch, exactly_once, way, options):
    """How many events of both came twice."""
    dir = tempfile.mkdtemp(prefix="%s-%s-" % ("eos" if exactly_once else "alo", way), dir=scratch)
    os.chmod(dir, 0o755)
    with postgres.Postgres(os.path.join(dir, "pg")) as server, kafka.Kafka(os.path.join(dir, "kafka")) as broker:
        code, text = server.psql("-f", os.path.join(ROOT, "sql", "001_outbox.sql"))
        assert code == 0, text
        server.sql("CREATE PUBLICATION dbz FOR TABLE public.outbox")
        with connect.Distributed(os.path.join(dir, "connect"), broker.bootstrap) as worker:
            worker.start({NAME: connector(server, options)}, exactly_once=exactly_once)
            writers = Writers(server)
            try:
                relay = Relay(binary, dir, server, broker, connector(server, options))
                return take_over(relay, server, broker, worker, writers, way, exactly_once)
            finally:
                writers.stop()


def offsets(dir, broker, worker, way):
    path = os.path.join(dir, "offsets")
    if way == "stopped":
        ask(worker, "PUT", "/stop")
        process.wait_for("the connector does not stop", lambda: worker.status(NAME)["connector"]["state"] ==
                         "STOPPED", 60)
        with open(path, "w") as file:
            file.write(ask(worker, "GET", "/offsets"))
        return path
    process.end(worker._child, signal.SIGKILL if way == "killed" else signal.SIGTERM, 60)
    # Of a transaction that is being ended a topic may have the marker before the other.
    process.wait_for("a transaction stays open", lambda: not oracle.open_partitions(
        broker.bootstrap, [OFFSETS, "dbz.order"]), 90, interval=0.5)
    with open(path, "w") as file:
        for key, value, _ in read(broker, OFFSETS):
            file.write("%s\t%s\n" % (key.decode(), value.decode() if value is not None else "null"))
    return path


def take_over(relay, server, broker, worker, writers, way, exactly_once):
    process.wait_for("the connector does not publish", lambda: server.sql(
        "SELECT count(*) FROM pg_replication_slots WHERE active")[0][0] == 1, 60)
    process.wait_for("no topic", lambda: "dbz.order" in broker.admin().list_topics(timeout=10).topics, 60)
    code, sql = relay("setup", "--print-sql")
    assert code == 0 and server.psql("-c", sql)[0] == 0, sql
    get_past(server)
    time.sleep(random.random())
    path = offsets(relay.dir, broker, worker, way)
    process.wait_for("the slot is held", lambda: not server.sql(
        "SELECT active FROM pg_replication_slots WHERE slot_name = %s", (NAME,))[0][0], 30)
    began = time.monotonic()
    code, text = relay("setup", "--from-debezium", path)
    assert code == 0, text
    print("taken over in %.1f s" % (time.monotonic() - began))
    time.sleep(2)
    writers.stop()
    code, log = relay("run", "--until-caught-up")
    assert code == 0, log
    return judge(server, broker, text, exactly_once)


def judge(server, broker, said, exactly_once):
    truth = {str(row[0]) for row in server.sql("SELECT id FROM public.outbox")}
    theirs, ours = ids(broker, "dbz.order"), ids(broker, "wfy.order")
    both = set(theirs) & set(ours)
    assert len(theirs) > 100 and len(ours) > 20, (len(theirs), len(ours))
    assert set(theirs) | set(ours) == truth, "missing: %s" % (truth - set(theirs) - set(ours))
    assert max(ours.values()) == 1
    if exactly_once:
        assert max(theirs.values()) == 1
        assert not both, "%d events came twice although nothing was to" % len(both)
        assert "none where it ran with exactly.once.support" in said, said
    print("%d events: %d of Debezium, %d of walferry, %d of both" % (len(truth), len(theirs), len(ours), len(both)))
    return len(both)


def run(binary, rounds):
    """rounds: 1 is a quick look; of 3 each way meets each of OPTIONS."""
    with tempfile.TemporaryDirectory(prefix="wf-compat-", dir="/tmp") as scratch:
        os.chmod(scratch, 0o755)
        for number in range(rounds):
            for exactly_once in (True, False):
                for at, way in enumerate(WAYS[:2 if rounds == 1 else 3]):
                    options = OPTIONS[(number + at + exactly_once) % len(OPTIONS)]
                    print("exactly-once: %s, %s, %s" % (exactly_once, way, options), flush=True)
                    replace(binary, scratch, exactly_once, way, options)
    return 0
