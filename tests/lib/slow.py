"""A broker, or a link to it, that is slow and yet alive, and what is asked of a relay then.

What comes back with the data must not be tried for ever: within three transaction time-outs or five
epochs the position has moved, or another change of a split transaction is done; and all together takes
no more than twice as long as what is slow needs for the bytes alone."""

import contextlib
import time

import e2e
import oracle
from lab.proxy import KafkaProxy

# The user that the quota of throttled() is for.
SASL = {"security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN",
        "sasl.username": "admin", "sasl.password": "admin"}


@contextlib.contextmanager
def link(kafka, rate):
    """A relay's settings for a link to the broker that carries so many bytes a second."""
    with KafkaProxy(kafka.bootstrap) as proxy:
        proxy.rate = rate
        yield {"bootstrap.servers": proxy.address}


@contextlib.contextmanager
def throttled(kafka, rate):
    """A relay's settings for a broker whose quota lets it produce so many bytes a second."""
    quota = ("--entity-type", "users", "--entity-name", "admin")
    alter = ("kafka.admin.ConfigCommand", "--bootstrap-server", kafka.bootstrap, "--alter")
    kafka.tool(*alter, "--add-config", "producer_byte_rate=%d" % rate, *quota)
    yield dict(SASL, **{"bootstrap.servers": kafka.sasl_bootstrap})
    kafka.tool(*alter, "--delete-config", "producer_byte_rate", *quota)


def _place(case):
    records = case.progress()
    return oracle.progress_place(records[-1]) if records else (0, 0)


class Patience:
    """How long progress has stood still; look() fails where that is too long. more_s: how much of
    it is not the relay's."""

    def __init__(self, case, relay, more_s=0):
        self.case, self.relay = case, relay
        self.most_s = more_s + 3 * relay.config["delivery"]["transaction_timeout_ms"] / 1000
        self.longest_s = 0.0
        self._moved(_place(case))

    def _moved(self, place):
        self.place, self.since = place, time.monotonic()
        self.failed = len(self.relay.events("epoch.failed"))

    def look(self):
        place = _place(self.case)
        still_s = time.monotonic() - self.since
        self.longest_s = max(self.longest_s, still_s)
        failed = len(self.relay.events("epoch.failed")) - self.failed
        assert still_s <= self.most_s and failed <= 5, \
            "progress stands still at %s for %.0f s and %d epochs%s" % (
                self.place, still_s, failed, e2e.lab.process.tail(self.relay.log, 30))
        if place > self.place:
            self._moved(place)


def carry(case, relay, rate, mb, row=10000):
    """So many megabytes in one transaction over what carries `rate` bytes a second, to the end."""
    first = case.one("SELECT coalesce(max(n), 0) + 1 FROM e2e.truth")
    case.sql("SELECT e2e.put('order', 'p', 3, %s, %s, %s)", (first, mb * 1000000 // row, row))
    began, want = time.monotonic(), case.truth_count()
    most_s = 2 * mb * 1e6 / rate
    patience = Patience(case, relay)
    while case.seen(1) < want:
        assert relay.running(), "the relay ended%s" % e2e.lab.process.tail(relay.log)
        patience.look()
        took_s = time.monotonic() - began
        assert took_s <= most_s, "%d of %d events after %.0f s, %d epochs failed%s" % (
            case.seen(), want, took_s, len(relay.events("epoch.failed")),
            e2e.lab.process.tail(relay.log, 30))
    print("%s: %d MB in %.1f s where %.1f were needed; progress stood still for %.1f s at most, %d"
          " parts, %d epochs failed" % (
              case.name, mb, time.monotonic() - began, mb * 1e6 / rate, patience.longest_s,
              len(relay.events("transaction.split")), len(relay.events("epoch.failed"))), flush=True)


def through(kafka, label, way, rate, mb, **delivery):
    """A relay behind way (link or throttled) carries it; then the oracle."""
    with e2e.Case(kafka=kafka, label=label, config={"delivery": delivery}) as case, \
            way(kafka, rate) as settings:
        relay = case.up({"kafka": settings})
        case.put(rows=1)
        case.drain(relay=relay)
        carry(case, relay, rate, mb)
        case.stop(relay, timeout=40)
        case.judge()
