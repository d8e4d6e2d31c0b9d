"""Everything at once: a relay behind two proxies, writers, and a seeded sequence of harm.

One seed decides on what happens, in which order and for how long; what the schedulers of the
machine do stays theirs. The oracle judges in the end. Harm: kill -9, SIGSTOP and SIGCONT, SIGTERM,
SIGHUP, a second instance that takes over and goes, Kafka requests and answers of seven APIs cut or
held back, all Kafka or all PostgreSQL connections cut, a slow link to PostgreSQL, and transactions
large enough to be split.

Harm is dealt like cards: no kind comes again before all others have come. What counts is what has
really happened, by what process, proxy and log tell, and less than LEAST is a failure.
"""

import collections
import random
import signal
import time

import e2e
import lab.proxy

APIS = ("EndTxn", "AddPartitionsToTxn", "Produce", "InitProducerId", "Fetch", "ListOffsets",
        "FindCoordinator")
# Once for each epoch or so; passing over some would be passing over all.
RARE = ("InitProducerId", "ListOffsets", "FindCoordinator")
ACTIONS = (lab.proxy.CUT, lab.proxy.DELAY)
# How a relay may end by itself while this goes on: in order, taken over, or by our signals.
CODES = (0, 4, -signal.SIGKILL, -signal.SIGTERM)
CONFIG = {"delivery": {"transaction_timeout_ms": 5000, "batch_events": 60, "memory_limit": "8MB",
                       "idle_progress": {"interval_ms": 200}}}
# Cards in a pack, by the method that plays them.
PACK = {"kill": 3, "terminate": 1, "reload": 1, "pause": 2, "cut_postgres": 1, "cut_kafka": 1,
        "large": 2, "successor": 1, "slow": 1}
FRAMES = ["%s %s" % (action, api) for api in APIS for action in ACTIONS]
LEAST = dict(PACK, **{kind: 1 for kind in FRAMES})


class Pack:
    """Cards in an order that the dice decide on, shuffled anew when all are dealt."""

    def __init__(self, dice, cards):
        self.dice, self.cards, self.left = dice, list(cards), []

    def deal(self, among=()):
        """The next one; or any of these, where the pack has them."""
        fit = [card for card in self.cards if card in among]
        if fit:
            return self.dice.choice(fit)
        if not self.left:
            self.left = self.dice.sample(self.cards, len(self.cards))
        return self.left.pop()


class Chaos:
    def __init__(self, case, kafka, postgres, seed):
        """kafka, postgres: the proxies; the case has CONFIG."""
        self.case, self.kafka, self.postgres = case, kafka, postgres
        self.dice = random.Random(seed)
        self.seed = seed
        self.counts = collections.Counter()
        self.ends = collections.Counter()
        self.rules = []
        self.others = 0
        self.big_n = 1
        self.more = {
            "source": {"connection": case.dsn(port=postgres.port,
                                              options="-c wal_sender_timeout=3s")},
            "kafka": {"bootstrap.servers": kafka.address}}
        self.relay = case.relay(self.more)
        self.harms = Pack(self.dice, [kind for kind, n in PACK.items() for _ in range(n)])
        # Held back twice as often as cut, which ends the connection for those behind it, too.
        self.frames = Pack(self.dice, FRAMES + ["%s %s" % (lab.proxy.DELAY, api) for api in APIS])

    # ---- harm; each counts what it did ----

    def kill(self):
        self.relay.kill()
        self.counts["kill"] += self.relay.returncode == -signal.SIGKILL
        self.relay.start()

    def terminate(self):
        """It is let end, or what comes next meets it on the way."""
        self.relay.signal(signal.SIGTERM)
        if self.dice.random() < 0.6:
            self.judge_end(self.relay, self.relay.wait(25))

    def reload(self):
        """Not before its first line: a process that has not taken its signals yet is ended by it."""
        until = time.monotonic() + 10
        while self.relay.running() and time.monotonic() < until:
            if self.relay.events("relay.started"):
                self.relay.signal(signal.SIGHUP)
                return
            time.sleep(0.05)

    def pause(self):
        """Longer than the transaction's time-out, at times."""
        self.relay.pause()
        time.sleep(self.dice.uniform(0.1, 6.5))
        self.counts["pause"] += self.relay.state() == "T"
        self.relay.resume()

    def cut_postgres(self):
        self.counts["cut_postgres"] += self.postgres.cut() > 0

    def cut_kafka(self):
        self.counts["cut_kafka"] += self.kafka.cut() > 0

    def large(self):
        rows = self.dice.randint(200, 2500)
        self.case.sql("SELECT e2e.put('order', 'big', 3, %s, %s, 100)", (self.big_n, rows))
        self.big_n += rows
        self.counts["large"] += 1

    def successor(self):
        """A second instance; it stops in order or is killed, in the midst of whatever it does."""
        other = self.case.relay(self.more, name="other%d" % self.others).start()
        self.others += 1
        until = time.monotonic() + self.dice.choice((1, 2, 10))
        while time.monotonic() < until and other.running() and not other.events("epoch.opened"):
            time.sleep(0.05)
        time.sleep(self.dice.uniform(0, 1))
        self.counts["successor"] += len(other.events("epoch.opened")) > 0
        if self.dice.random() < 0.5:
            other.kill()
        else:
            self.judge_end(other, other.stop(25))

    def slow(self):
        before = self.postgres.bytes_up + self.postgres.bytes_down
        self.postgres.slow_chunk = (self.dice.choice((2000, 20000)), 0.02)
        time.sleep(self.dice.uniform(0.5, 4))
        self.postgres.slow_chunk = None
        self.counts["slow"] += self.postgres.bytes_up + self.postgres.bytes_down > before

    def frame(self, among=()):
        """The next request or answer of an API; it stays in wait until there is one."""
        kind = self.frames.deal(among)
        action, api = kind.split()
        where = self.dice.choice((lab.proxy.REQUEST, lab.proxy.RESPONSE))
        skip = self.dice.randint(0, 3)
        count = 1 if api in RARE else self.dice.randint(1, 2)
        seconds = self.dice.uniform(0.1, 1.5 if api in RARE else 5.5)
        if any(rule.api == lab.proxy.API_KEYS[api] and rule.hits < rule.count
               for _, rule in self.rules):
            return  # one after the other, or nothing ever comes to pass
        rule = self.kafka.rule(api, where, action, skip=0 if api in RARE else skip, count=count,
                               seconds=seconds)
        self.rules.append((kind, rule))

    def breathe(self):
        """Let it work, until events come, for as long as this machine takes for that: what never
        works is never hit while it does."""
        seen, until = self.case.seen(), time.monotonic() + 15
        while time.monotonic() < until and self.case.seen(0.1) == seen:
            self.revive()

    # ---- the course ----

    def judge_end(self, relay, code):
        self.ends[code] += 1
        assert code in CODES, "%s ended with %s%s" % (
            relay.name, code, e2e.lab.process.tail(relay.log))

    def revive(self):
        if not self.relay.running():
            self.judge_end(self.relay, self.relay.wait(1))
            self.relay.start()

    def happened(self):
        """How often each kind has happened by now."""
        counts = collections.Counter(self.counts)
        counts["terminate"] = self.ends[0]
        counts["reload"] = len(self.relay.events("config.reloaded", all=True))
        for kind, rule in self.rules:
            counts[kind] += rule.hits
        return counts

    def missing(self):
        counts = self.happened()
        return {kind: "%d of %d" % (counts[kind], n) for kind, n in LEAST.items()
                if counts[kind] < n}

    def run(self, seconds):
        """For that long; then what has not happened yet, one after the other."""
        print("chaos: seed %d" % self.seed, flush=True)
        self.case.setup(self.relay)
        self.case.start(self.relay)
        shop = self.case.shop(writers=3, rate=15, seed=self.seed, rows=(1, 8)).start()
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            self.revive()
            self.frame()
            getattr(self, self.harms.deal())()
            time.sleep(self.dice.uniform(0.05, 1.0))
            if self.dice.random() < 0.6:
                self.breathe()
        while self.missing() and time.monotonic() < began + 2 * seconds + 30:
            self.revive()
            missing = self.missing()
            self.frame(missing)
            if missing.keys() & PACK.keys():
                getattr(self, self.harms.deal(missing))()
            elif any(kind.split()[-1] in RARE for kind in missing):
                self.kill()  # an epoch that lasts asks for none of these
            self.breathe()
        self.kafka.clear()
        shop.stop()
        took = time.monotonic() - began
        self._drain(180)
        self.revive()
        self.relay.wait_log("epoch.opened", 40)
        self.case.stop(self.relay, timeout=25)
        self.case.judge()
        print("chaos: seed %d: %.0f s, %d events; %s; ended %s; %d splits" % (
            self.seed, took, self.case.truth_count(), dict(self.happened()), dict(self.ends),
            len(self.relay.events("transaction.split", all=True))), flush=True)
        assert not self.missing(), "too little harm: %s" % self.missing()

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
