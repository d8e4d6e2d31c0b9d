#!/usr/bin/python3
"""Orders, payments and stock in three databases, while services and relays are killed.

  make example-saga                          or, after make:
  examples/order-saga/run.py [--sagas 60] [--kills 12] [--mode both|choreography|orchestration]

Starts a private PostgreSQL and Apache Kafka, three services and a relay for each, places orders, and
ends services and relays by kill -9 meanwhile. At the end every order is completed or compensated, and
money and goods are counted.
"""

import argparse
import collections
import json
import os
import random
import sys
import tempfile
import time
import uuid

import confluent_kafka

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from lab import kafka, ports, postgres, process, relay  # noqa: E402

MODES = ("choreography", "orchestration")
EMIT = ("001_outbox.sql", "006_emit.sql", "008_inbox.sql", "012_causality.sql")
CAUSALITY = ("correlation_id", "causation_id", "traceparent")
# The files of each service, and the topics that it reads.
SERVICES = {
    "order": (EMIT + ("010_saga.sql",), ("say.sql", "order.sql"), ("stock", "reply")),
    "payment": (EMIT, ("say.sql", "participant.sql", "payment.sql"), ("stock", "command")),
    "stock": (EMIT, ("say.sql", "participant.sql", "stock.sql"), ("order", "payment", "command")),
}
TOPICS = ("order", "stock", "payment", "command", "reply")
ACCOUNTS = ITEMS = 10
PARTITIONS = 3
RESENT = "SELECT count(*) FROM walferry.saga_step WHERE attempts > 1"


class Service:
    """service.py as a process."""

    def __init__(self, name, arguments, log):
        self.name, self.arguments, self.log, self.child = name, arguments, log, None

    def start(self):
        with open(self.log, "ab") as log:
            self.child = process.spawn(
                [sys.executable, os.path.join(HERE, "service.py"), *self.arguments],
                stdout=log, stderr=log)

    def running(self):
        return self.child.poll() is None

    def kill(self):
        if self.child is not None:
            self.child.kill()
            self.child.wait()


class Example:
    """The three services with their databases and relays, on servers that run already."""

    def __init__(self, server, broker, binary, directory, prefix="shop", seed=1, env=None):
        self.server, self.broker, self.prefix = server, broker, prefix
        self.dice = random.Random(seed)
        self.kills = {}
        self.in_flight = 0                  # kills that met sagas under way
        self.parts = {}
        self.sagas = 0
        for topic in TOPICS:
            broker.create_topic("%s.%s" % (prefix, topic), partitions=PARTITIONS)
        for name in SERVICES:
            self.set_up(name, binary, directory, env)

    def database(self, name):
        return "%s_%s" % (self.prefix, name)

    def sql(self, name, text, parameters=None):
        return self.server.sql(text, parameters, dbname=self.database(name))

    def set_up(self, name, binary, directory, env):
        database = self.database(name)
        migrations, own, topics = SERVICES[name]
        self.server.sql('CREATE DATABASE "%s"' % database)
        files = [os.path.join(ROOT, "sql", file) for file in migrations]
        files += [os.path.join(HERE, file) for file in own]
        code, said = self.server.psql(*(part for file in files for part in ("-f", file)),
                                      dbname=database)
        if code != 0:
            raise RuntimeError(said)
        config = {
            "relay": database, "source": {"connection": self.server.dsn(database)},
            "kafka": {"bootstrap.servers": self.broker.bootstrap},
            "retry": {"min_ms": 50, "max_ms": 1000},
            "routes": [{
                "name": "outbox", "from": "public.outbox", "as": "outbox",
                "topic": self.prefix + ".{aggregatetype}", "key": "{aggregateid}",
                "headers": {"id": "{id}", "eventType": "{type}",
                            **{name: "{%s|optional}" % name for name in CAUSALITY}}}],
            "admin": {"listen": "127.0.0.1:%d" % ports.free_port()}}
        part = relay.Relay(binary, config, directory, env=env, name="relay-" + name)
        code, out, err = part.run("setup", "--admin-connection", self.server.dsn(database))
        if code != 0:
            raise RuntimeError("walferry setup: %s%s" % (out, err))
        self.parts["relay of " + name] = part
        self.parts[name] = Service(
            name, [self.prefix + "." + name, self.server.dsn(database), self.broker.bootstrap]
            + ["%s.%s" % (self.prefix, topic) for topic in topics],
            os.path.join(directory, "service-%s.log" % name))

    def start(self, sagas):
        """More is ordered than can be paid, and one item is scarce."""
        for number in range(ACCOUNTS):
            self.sql("payment", "INSERT INTO account VALUES (%s, %s)",
                     ("a%d" % number, sagas * 35 // ACCOUNTS + 1))
            self.sql("stock", "INSERT INTO item VALUES (%s, %s)",
                     ("i%d" % number, sagas if number else sagas // 20))
        self.had = self.count()
        for part in self.parts.values():
            part.start()
        for name in SERVICES:
            self.parts["relay of " + name].wait_ready()

    def place(self, mode):
        self.sagas += 1
        data = {"account": "a%d" % self.dice.randrange(ACCOUNTS),
                "item": "i%d" % self.dice.randrange(ITEMS),
                "quantity": self.dice.randint(1, 3), "total": self.dice.randint(1, 99)}
        self.sql("order", "SELECT place_order(%s, %s, %s)", (
            str(uuid.UUID(int=self.dice.getrandbits(128))), mode, json.dumps(data)))

    def open(self):
        return self.sql("order", "SELECT count(*) FROM orders WHERE state = 'placed'")[0][0]

    def kill(self, name, again=True):
        part = self.parts[name]
        if not part.running():
            raise RuntimeError("%s has ended by itself%s" % (name, process.tail(part.log)))
        self.in_flight += self.open() > 0
        part.kill()
        self.kills[name] = self.kills.get(name, 0) + 1
        if again:
            part.start()

    def run(self, sagas, kills, modes=MODES):
        """Place that many, kill that often, each part in turn and in another order each round."""
        self.start(sagas)
        names, done = [], 0
        for number in range(sagas):
            self.place(modes[number % len(modes)])
            while done < kills * (number + 1) // sagas:
                names = names or self.dice.sample(sorted(self.parts), len(self.parts))
                self.kill(names.pop())
                done += 1
            time.sleep(self.dice.uniform(0.02, 0.12))
        if "orchestration" in modes:
            self.be_late()

    def be_late(self):
        """Payments stay away until a step was found in walferry.saga_overdue and sent again."""
        before = self.late()
        self.kill("payment", again=False)
        for _ in range(4):
            self.place("orchestration")
        process.wait_for("nothing is sent again", lambda: self.late() > before, 30, interval=0.2)
        self.parts["payment"].start()

    def late(self):
        """How many steps were sent more than once."""
        return self.sql("order", RESENT)[0][0]

    def settle(self, timeout=90):
        """Until every saga has ended; what has become of them."""
        process.wait_for("sagas do not end", lambda: self.open() == 0, timeout, interval=0.2)
        # What they have said last may still be on its way to somebody who does not mind.
        until = time.monotonic() + 20
        while any(self.misdelivered().values()) and time.monotonic() < until:
            time.sleep(1)
        return dict(self.sql("order", "SELECT state, count(*) FROM orders GROUP BY 1"))

    def count(self):
        """All money, all goods."""
        return (self.sql("payment", "SELECT sum(balance + spent)::bigint FROM account")[0][0],
                self.sql("stock", "SELECT sum(available + held + sold)::bigint FROM item")[0][0])

    def untold(self):
        """Messages that do not say which order's story they belong to, or which message, in whose outbox
        ever, they answer. Those that nobody asked for answer none."""
        said = [row for name in SERVICES for row in self.sql(
            name, "SELECT id::text, correlation_id = 'order ' || aggregateid, causation_id,"
                  " type LIKE 'do %%' OR type LIKE 'undo %%' OR type = 'OrderPlaced'"
                  " FROM public.outbox", ())]
        ids = {id for id, *_ in said}
        return sum(not told or not (by_itself if cause is None else cause in ids)
                   for _, told, cause, by_itself in said)

    def in_kafka(self):
        """How often each message is in the topics: {id: count}."""
        reader = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.bootstrap, "group.id": "%s.count" % self.prefix,
            "isolation.level": "read_committed", "enable.partition.eof": True, "enable.auto.commit": False})
        parts = [confluent_kafka.TopicPartition("%s.%s" % (self.prefix, topic), number, 0)
                 for topic in TOPICS for number in range(PARTITIONS)]
        reader.assign(parts)
        seen, ends = collections.Counter(), 0
        while ends < len(parts):
            message = reader.poll(10)
            if message is None:
                raise RuntimeError("the topics cannot be read to their end")
            if message.error():
                ends += 1
            else:
                seen[dict(message.headers())["id"].decode()] += 1
        reader.close()
        return seen

    def misdelivered(self):
        """What was said is in Kafka once, and taken by each who reads that topic; nobody answers anything twice.
        {sentence: number}"""
        said = {name: self.sql(name, "SELECT id::text, aggregatetype, causation_id FROM public.outbox")
                for name in SERVICES}
        seen, all_ids = self.in_kafka(), [row[0] for rows in said.values() for row in rows]
        missed, twice = 0, 0
        for name, (_, _, topics) in SERVICES.items():
            taken = {row[0] for row in self.sql(name, "SELECT message_id FROM public.inbox")}
            missed += sum(topic in topics and id not in taken
                          for rows in said.values() for id, topic, _ in rows)
            causes = collections.Counter(cause for _, _, cause in said[name] if cause is not None)
            twice += sum(count - 1 for count in causes.values())
        return {"messages that are not in Kafka": sum(seen[id] == 0 for id in all_ids),
                "messages that are in Kafka again": sum(seen.values()) - len(seen),
                "messages in Kafka that nobody said": len(set(seen) - set(all_ids)),
                "messages that were not taken": missed, "messages that were answered again": twice}

    def wrong(self):
        """What does not add up: a list of sentences, empty if all is well."""
        total, quantity = self.sql(
            "order", "SELECT coalesce(sum((data->>'total')::bigint), 0)::bigint,"
                     " coalesce(sum((data->>'quantity')::bigint), 0)::bigint"
                     " FROM orders WHERE state = 'completed'")[0]
        spent = self.sql("payment", "SELECT sum(spent)::bigint FROM account")[0][0]
        held, sold = self.sql("stock", "SELECT sum(held)::bigint, sum(sold)::bigint FROM item")[0]
        number = self.sql("order", "SELECT count(*) FROM orders")[0][0]
        return ["%s: %s, not %s" % (what, is_now, should) for what, is_now, should in (
            ("money and goods", self.count(), self.had), ("orders", number, self.sagas),
            ("money spent", spent, total), ("goods sold", sold, quantity),
            ("goods held", held, 0), ("messages of unknown cause", self.untold(), 0),
            *((what, count, 0) for what, count in self.misdelivered().items())) if is_now != should]

    def close(self):
        for part in self.parts.values():
            part.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sagas", type=int, default=60)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--mode", choices=("both",) + MODES, default="both")
    parser.add_argument("--seed", type=int, default=random.randrange(100000))
    options = parser.parse_args()
    modes = MODES if options.mode == "both" else (options.mode,)
    directory = tempfile.mkdtemp(prefix="walferry-saga-")
    os.chmod(directory, 0o755)
    try:
        print("seed %d; servers start" % options.seed, flush=True)
        with postgres.Postgres(os.path.join(directory, "postgres")) as server, \
                kafka.Kafka(os.path.join(directory, "kafka")) as broker:
            example = Example(server, broker, os.path.join(ROOT, "build", "walferry"), directory,
                              seed=options.seed)
            try:
                print("%d orders, %d times kill -9" % (options.sagas, options.kills), flush=True)
                example.run(options.sagas, options.kills, modes)
                ended = example.settle()
                wrong = example.wrong()
            finally:
                example.close()
        print("kill -9: %s" % ", ".join("%s %d" % item for item in sorted(example.kills.items())))
        print("orders:  %s" % ", ".join("%s %d" % item for item in sorted(ended.items())))
        print("\n".join(wrong) or "no money and no goods lost or doubled")
        return 1 if wrong else 0
    finally:
        process.remove(directory)


if __name__ == "__main__":
    sys.exit(main())
