"""Everything at once: a relay behind two proxies, writers, and a seeded sequence of harm.

One seed decides on what happens, in which order and for how long; what the schedulers of the
machine do stays theirs. The oracle judges in the end. Harm: kill -9, SIGSTOP and SIGCONT, SIGTERM,
SIGHUP, a second instance that takes over and goes, Kafka requests and answers of seven APIs cut or
held back, all Kafka or all PostgreSQL connections cut, a slow link to PostgreSQL, and transactions
large enough to be split.
"""

import collections
import random
import signal
import time

import e2e
import lab.proxy

APIS = ("EndTxn", "AddPartitionsToTxn", "Produce", "InitProducerId", "Fetch", "ListOffsets",
        "FindCoordinator")
# How a relay may end by itself while this goes on: in order, taken over, or by our signals.
CODES = (0, 4, -signal.SIGKILL, -signal.SIGTERM)
CONFIG = {"delivery": {"transaction_timeout_ms": 3000, "batch_events": 60, "memory_limit": "8MB",
                       "idle_progress": {"interval_ms": 200}}}


class Chaos:
    def __init__(self, case, kafka, postgres, seed):
        """kafka, postgres: the proxies; the case has CONFIG."""
        self.case, self.kafka, self.postgres = case, kafka, postgres
        self.dice = random.Random(seed)
        self.seed = seed
        self.counts = collections.Counter()
        self.ends = collections.Counter()
        self.big_n = 1
        self.more = {
            "source": {"connection": case.dsn(port=postgres.port,
                                              options="-c wal_sender_timeout=3s")},
            "kafka": {"bootstrap.servers": kafka.address}}
        self.relay = case.relay(self.more)
        # Weights stand here once, so that a seed means the same sequence.
        self.harms = [self.kill] * 3 + [self.terminate, self.reload] + [self.pause] * 2 + \
            [self.frames] * 4 + [self.cut_postgres, self.cut_kafka] + [self.large] * 2 + \
            [self.successor, self.slow]

    # ---- harm ----

    def kill(self):
        self.relay.kill()
        self.relay.start()

    def terminate(self):
        self.relay.signal(signal.SIGTERM)

    def reload(self):
        self.relay.signal(signal.SIGHUP)

    def pause(self):
        """Longer than the transaction's time-out, at times."""
        self.relay.pause()
        time.sleep(self.dice.uniform(0.1, 4.5))
        self.relay.resume()

    def frames(self):
        self.kafka.rule(
            self.dice.choice(APIS), self.dice.choice((lab.proxy.REQUEST, lab.proxy.RESPONSE)),
            self.dice.choice((lab.proxy.CUT, lab.proxy.DELAY, lab.proxy.DELAY)),
            skip=self.dice.randint(0, 3), count=self.dice.randint(1, 2),
            seconds=self.dice.uniform(0.1, 3.5))

    def cut_postgres(self):
        self.postgres.cut()

    def cut_kafka(self):
        self.kafka.cut()

    def large(self):
        rows = self.dice.randint(200, 2500)
        self.case.sql("SELECT e2e.put('order', 'big', 3, %s, %s, 100)", (self.big_n, rows))
        self.big_n += rows

    def successor(self):
        """A second instance; it stops in order or is killed, in the midst of whatever it does."""
        other = self.case.relay(self.more, name="other%d" % self.counts["successor"]).start()
        time.sleep(self.dice.uniform(0.5, 3))
        if self.dice.random() < 0.5:
            other.kill()
        else:
            self.judge_end(other, other.stop(25))

    def slow(self):
        self.postgres.slow_chunk = (self.dice.choice((2000, 20000)), 0.02)
        time.sleep(self.dice.uniform(0.5, 4))
        self.postgres.slow_chunk = None

    # ---- the course ----

    def judge_end(self, relay, code):
        self.ends[code] += 1
        assert code in CODES, "%s ended with %s%s" % (
            relay.name, code, e2e.lab.process.tail(relay.log))

    def revive(self):
        if not self.relay.running():
            self.judge_end(self.relay, self.relay.wait(1))
            self.relay.start()

    def run(self, seconds):
        print("chaos: seed %d" % self.seed, flush=True)
        self.case.setup(self.relay)
        self.case.start(self.relay)
        shop = self.case.shop(writers=3, rate=15, seed=self.seed, rows=(1, 8)).start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.revive()
            harm = self.dice.choice(self.harms)
            harm()
            self.counts[harm.__name__] += 1
            time.sleep(self.dice.uniform(0.05, 2.0))
            self.case.seen()
        self.kafka.clear()
        shop.stop()
        self._drain(120)
        self.revive()
        self.relay.wait_log("epoch.opened", 40)
        self.case.stop(self.relay, timeout=25)
        self.case.judge()
        print("chaos: seed %d: %d events; %s; ended %s; %d splits" % (
            self.seed, self.case.truth_count(), dict(self.counts), dict(self.ends),
            len(self.relay.events("transaction.split", all=True))), flush=True)

    def _drain(self, seconds):
        """What was asked for last, a stop say, may still be on its way."""
        want, deadline = self.case.truth_count(), time.monotonic() + seconds
        while self.case.seen(0.2) < want:
            self.revive()
            assert time.monotonic() < deadline, "drained %d of %d%s" % (
                self.case.seen(), want, e2e.lab.process.tail(self.relay.log))


def chaos(seconds, seed, label=""):
    """One case on the shared servers."""
    with e2e.Case(label=label, partitions=2, config=CONFIG) as case, \
            lab.proxy.KafkaProxy(case.kafka.bootstrap) as kafka, \
            lab.proxy.Proxy(case.pg.port) as postgres:
        Chaos(case, kafka, postgres, seed).run(seconds)


def late_answers(seconds, seed, label=""):
    """Produce and EndTxn answered when the broker has given the transaction up, while the relay
    closes its handle: the bad moment for a client library."""
    dice = random.Random(seed)
    print("late answers: seed %d" % seed, flush=True)
    config = {"delivery": {"transaction_timeout_ms": 2000, "batch_events": 40}}
    with e2e.Case(label=label, partitions=2, config=config) as case, \
            lab.proxy.KafkaProxy(case.kafka.bootstrap) as kafka:
        relay = case.up({"kafka": {"bootstrap.servers": kafka.address}})
        shop = case.shop(writers=2, rate=40, seed=seed).start()
        end = time.monotonic() + seconds
        rounds = 0
        while time.monotonic() < end:
            assert relay.running(), "ended with %s%s" % (
                relay.wait(1), e2e.lab.process.tail(relay.log))
            closed, until = len(relay.events("epoch.closed")), time.monotonic() + 6
            rounds += 1
            kafka.rule("Produce", dice.choice((lab.proxy.REQUEST, lab.proxy.RESPONSE)),
                       lab.proxy.DELAY, seconds=dice.uniform(1.3, 4.2), skip=dice.randint(0, 2))
            if dice.random() < 0.3:
                kafka.rule("EndTxn", lab.proxy.REQUEST, lab.proxy.DELAY,
                           seconds=dice.uniform(1.0, 3.5))
            while len(relay.events("epoch.closed")) == closed and relay.running() and \
                    time.monotonic() < until:
                case.seen(0.1)
        kafka.clear()
        shop.stop()
        case.drain(90, relay=relay)
        case.stop(relay)
        case.judge()
        closed = len(relay.events("epoch.closed"))
        print("late answers: seed %d: %d rounds, %d epochs closed" % (seed, rounds, closed),
              flush=True)
        assert closed > rounds // 10, "the delays ended no epoch"
