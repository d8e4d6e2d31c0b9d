"""The demo: a shop writes orders, its relay is killed in the middle, and everything is counted.

  make demo [KEEP=1]

Starts a private PostgreSQL and a private Apache Kafka on free loopback ports, sets up walferry
between them, and lets a small shop place, pay and ship orders: each step is one transaction that
changes the shop's own table and inserts outbox rows, and some are rolled back. A read_committed
consumer shows what arrives. In the middle the relay gets a SIGKILL. At the end: committed in
PostgreSQL, seen in Kafka, lost, twice. With --keep (KEEP=1) it all stays up, Kafka at
127.0.0.1:9092 where nobody else listens there.
"""

import argparse
import collections
import json
import os
import random
import shlex
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import kafka, ports, postgres, process, relay  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.join(ROOT, "build", "walferry")
MIGRATIONS = ("001_outbox.sql", "002_role.sql", "003_monitoring.sql")
DATABASE = "shop"

SHOP_TABLE = """CREATE TABLE orders (
    id bigint PRIMARY KEY, customer text NOT NULL, total numeric NOT NULL, status text NOT NULL)"""
EVENT = """INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
    VALUES (%s, %s, %s, %s, %s)"""
CUSTOMERS = ("Ada", "Barbara", "Edsger", "Grace", "Leslie", "Niklaus", "Tony")
STEPS = (("placed", "OrderPlaced"), ("paid", "OrderPaid"), ("shipped", "OrderShipped"))

# Without auto.offset.reset a new group begins at the end and shows nothing.
EVENTS_LINE = ("kcat -b %s -G me -X isolation.level=read_committed -X auto.offset.reset=earliest"
               " '^demo\\.event\\..*'")

SHOWN_A_SECOND = 6  # lines of events; the others are counted


def say(text=""):
    print(text, flush=True)


def step(text):
    say("== " + text)


class Shop(threading.Thread):
    """Writes orders at a steady pace until told to stop.

    Each transaction is one step of one order; every sixth is rolled back after its last write.
    """

    def __init__(self, server, transactions_a_second):
        super().__init__(name="shop", daemon=True)
        self.connection = server.connect(DATABASE, autocommit=False)
        self.pause = 1.0 / transactions_a_second
        self.random = random.Random(7)
        self.committed = 0
        self.rolled_back = 0
        self.rolled_back_ids = set()
        self.error = None
        self.orders = 0
        self.open = collections.deque()
        self.stopping = threading.Event()

    def run(self):
        try:
            due = time.monotonic()
            while not self.stopping.is_set():
                self.transaction()
                due += self.pause
                self.stopping.wait(max(0.0, due - time.monotonic()))
        except Exception as error:  # shown by the main thread
            self.error = error
        finally:
            self.connection.close()

    def transaction(self):
        fresh = not self.open or self.random.random() < 0.4
        order, next_step = (self.orders + 1, 0) if fresh else self.open[0]
        status, event = STEPS[next_step]
        ids = []
        with self.connection.cursor() as cursor:
            if fresh:
                cursor.execute("INSERT INTO orders VALUES (%s, %s, %s, %s)", (
                    order, self.random.choice(CUSTOMERS),
                    "%.2f" % (self.random.randrange(100, 9999) / 100), status))
            else:
                cursor.execute("UPDATE orders SET status = %s WHERE id = %s", (status, order))
            cursor.execute("SELECT customer, total::text FROM orders WHERE id = %s", (order,))
            customer, total = cursor.fetchone()
            payload = {"order": order, "customer": customer, "total": total, "step": next_step + 1}
            ids.append(self.emit(cursor, "order", order, event, payload))
            if status == "placed":
                ids.append(self.emit(cursor, "customer", customer, "CustomerOrdered",
                                     {"customer": customer, "order": order}))
        if self.random.random() < 1 / 6:
            self.connection.rollback()
            self.rolled_back += 1
            self.rolled_back_ids.update(ids)
            return
        self.connection.commit()
        self.committed += 1
        if fresh:
            self.orders = order
        else:
            self.open.popleft()
        if next_step + 1 < len(STEPS):
            self.open.append((order, next_step + 1))

    def emit(self, cursor, kind, key, event, payload):
        identity = "%032x" % self.random.getrandbits(128)
        cursor.execute(EVENT, (identity, kind, str(key), event, json.dumps(payload)))
        return identity

    def stop(self):
        self.stopping.set()
        self.join()
        if self.error:
            raise self.error


class Watcher(threading.Thread):
    """A read_committed consumer of every event topic; shows some of it, counts it all."""

    def __init__(self, bootstrap):
        super().__init__(name="watcher", daemon=True)
        from confluent_kafka import Consumer
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "demo-watcher",
            "isolation.level": "read_committed", "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 500,
            "log_level": 0})
        self.consumer.subscribe(["^demo\\.event\\..*"])
        self.seen = collections.Counter()
        self.steps = {}
        self.out_of_order = 0
        self.error = None
        self.stopping = threading.Event()
        self.second, self.shown, self.hidden = 0, 0, 0

    def run(self):
        try:
            while not self.stopping.is_set():
                message = self.consumer.poll(0.1)
                if message is not None and message.error() is None:
                    self.take(message)
        except Exception as error:  # shown by the main thread
            self.error = error
        finally:
            self.consumer.close()

    def take(self, message):
        headers = {name: (value or b"").decode() for name, value in message.headers() or []}
        payload = json.loads(message.value())
        key = message.key().decode()
        self.seen[headers.get("id", "").replace("-", "")] += 1
        if "step" in payload:
            if payload["step"] != self.steps.get(key, 0) + 1:
                self.out_of_order += 1
            self.steps[key] = payload["step"]
        self.show(message, key, headers)

    def show(self, message, key, headers):
        second = int(time.monotonic())
        if second != self.second:
            if self.hidden:
                say("   ... and %d more" % self.hidden)
            self.second, self.shown, self.hidden = second, 0, 0
        if self.shown >= SHOWN_A_SECOND:
            self.hidden += 1
            return
        self.shown += 1
        say("   %s[%d]@%-5d %-8s %-16s %s" % (
            message.topic(), message.partition(), message.offset(), key,
            headers.get("eventType", ""), message.value().decode()))

    def total(self):
        return sum(self.seen.values())

    def stop(self):
        self.stopping.set()
        self.join()
        if self.error:
            raise self.error


def configuration(server, broker):
    """The relay's whole configuration; the rest is defaults."""
    return {
        "relay": "demo",
        "source": {"connection": server.dsn(DATABASE, "walferry")},
        "kafka": {"bootstrap.servers": broker.bootstrap},
        "delivery": {"topics": {"create": True, "partitions": 3, "replication_factor": 1}},
        "routes": [{
            "name": "outbox", "from": "public.outbox", "as": "outbox",
            "topic": "demo.event.{aggregatetype}", "key": "{aggregateid}",
            "headers": {"id": "{id}", "eventType": "{type}"}}],
        "admin": {"listen": "127.0.0.1:%d" % ports.free_port()},
    }


class Demo:
    def __init__(self, keep):
        self.keep = keep
        self.dir = tempfile.mkdtemp(prefix="walferry-demo-")
        self.server = self.broker = self.relay = self.shop = self.watcher = None

    def run(self, seconds):
        self.start_servers()
        self.set_up()
        step("the relay: walferry run -c %s" % self.relay.path)
        self.relay.start()
        self.relay.wait_ready()
        step("the shop opens; below is what a read_committed consumer sees")
        self.watcher = Watcher(self.broker.bootstrap)
        self.watcher.start()
        self.shop = Shop(self.server, transactions_a_second=100)
        self.shop.start()
        time.sleep(seconds / 2)
        self.kill_relay()
        time.sleep(seconds / 2)
        self.shop.stop()
        step("the shop closes: %d transactions committed, %d rolled back"
             % (self.shop.committed, self.shop.rolled_back))
        return self.count()

    def start_servers(self):
        step("a private PostgreSQL")
        self.server = postgres.Postgres(os.path.join(self.dir, "postgres"), keep=self.keep)
        self.server.start()
        say("   %s" % self.server.dsn(DATABASE))
        step("a private Apache Kafka")
        self.broker = kafka.Kafka(os.path.join(self.dir, "kafka"), keep=self.keep)
        if self.keep:  # the address that README's relay has
            self.broker.port = ports.preferred(9092)
            self.broker.bootstrap = "127.0.0.1:%d" % self.broker.port
        self.broker.start()
        say("   %s" % self.broker.bootstrap)

    def set_up(self):
        self.server.sql("CREATE DATABASE %s" % DATABASE)
        self.server.sql(SHOP_TABLE, dbname=DATABASE)
        for name in MIGRATIONS:
            step("psql -v ON_ERROR_STOP=1 -f sql/%s" % name)
            code, output = self.server.psql("-f", os.path.join(ROOT, "sql", name), dbname=DATABASE)
            if code != 0:
                raise RuntimeError("sql/%s: %s" % (name, output))
        self.relay = relay.Relay(BINARY, configuration(self.server, self.broker), self.dir,
                                 name="walferry", keep=self.keep)
        step("walferry setup -c %s --admin-connection ..." % self.relay.path)
        code, out, err = self.relay.run("setup", "--admin-connection", self.server.dsn(DATABASE))
        say("".join("   %s\n" % line for line in (out + err).splitlines()).rstrip("\n"))
        if code != 0:
            raise RuntimeError("walferry setup ended with code %d" % code)

    def kill_relay(self):
        step("kill -9 %d: the relay is gone, the shop goes on" % self.relay.pid)
        self.relay.kill()
        time.sleep(1)
        step("the relay again, from what the progress topic says")
        started = time.monotonic()
        self.relay.start()
        self.relay.wait_ready()
        step("ready after %.1f s" % (time.monotonic() - started))

    def count(self):
        """Wait for what was committed, print the table; whether all is well."""
        rows = self.server.sql("SELECT replace(id::text, '-', '') FROM outbox", dbname=DATABASE)
        committed = {identity for identity, in rows}
        deadline = time.monotonic() + 30
        while committed - set(self.watcher.seen) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)  # whatever comes twice may come now
        self.watcher.stop()
        seen = self.watcher.seen
        lost = len(committed - set(seen))
        twice = sum(times - 1 for times in seen.values())
        strangers = set(seen) - committed
        say()
        say("  committed in PostgreSQL | seen in Kafka | lost | twice")
        say("  ------------------------+---------------+------+------")
        say("  %23d | %13d | %4d | %5d" % (len(committed), self.watcher.total(), lost, twice))
        say()
        say("  written in transactions that were rolled back: %d, seen of them: %d"
            % (len(self.shop.rolled_back_ids), len(self.shop.rolled_back_ids & set(seen))))
        say("  steps of one order that came out of order: %d" % self.watcher.out_of_order)
        say()
        return bool(committed) and not (lost or twice or strangers or self.watcher.out_of_order)

    def explain(self):
        """What --keep leaves behind."""
        admin = self.relay.config["admin"]["listen"]
        event = ("INSERT INTO outbox (aggregatetype, aggregateid, type, payload)"
                 " VALUES ('order', '1', 'OrderCancelled', '{}')")
        stop = os.path.join(self.dir, "stop")
        with open(stop, "w") as file:
            file.write("#!/bin/sh\nkill %d\nsleep 1\nkill -INT %d\nkill %d\nsleep 3\nrm -rf %s\n"
                       % (self.relay.pid, self.server.pid, self.broker.pid,
                          shlex.quote(self.dir)))
        os.chmod(stop, 0o755)
        say("Left running:")
        say("  PostgreSQL    %s" % self.server.dsn(DATABASE))
        say("  Kafka         %s" % self.broker.bootstrap)
        say("  the relay     http://%s/  and /status  /readyz  /metrics   (log: %s)"
            % (admin, self.relay.log))
        say("  a new event   psql \"%s\" -c \"%s\"" % (self.server.dsn(DATABASE), event))
        say("  the events    %s" % (EVENTS_LINE % self.broker.bootstrap))
        say("  how far       %s status -c %s" % (BINARY, self.relay.path))
        say("  stop it all   %s" % stop)

    def close(self):
        """Stop what was started, in the order in which the data walks."""
        if self.shop is not None:
            self.shop.stopping.set()
        if self.watcher is not None:
            self.watcher.stopping.set()
            self.watcher.join(10)
        for part in (self.relay, self.server, self.broker):
            try:
                if part is not None and part.pid is not None:
                    part.stop()
            except RuntimeError as error:
                say("demo: %s" % error)
                part.kill()
        process.remove(self.dir)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave it all running")
    parser.add_argument("--seconds", type=float, default=12, help="how long the shop is open")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo = Demo(arguments.keep)
    fine = False
    try:
        fine = demo.run(arguments.seconds)
    except KeyboardInterrupt:
        say("demo: interrupted")
    except Exception as error:
        say("demo: %s" % error)
        if demo.relay is not None:
            say(process.tail(demo.relay.log))
    finally:
        if fine and arguments.keep:
            demo.explain()
        else:
            step("stopping what was started")
            demo.close()
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
