"""A broker that is killed at each append, for minutes, and started again each time. The record at hand is
large, so that it might be the record's fault: a broker that hangs up on one that is too large for it looks the
same from here. A broker that was away condemns none. With on_error: skip nothing is skipped, and everything is
there once."""

import threading

import e2e
from lab.proxy import CUT, REQUEST, KafkaProxy

LONG = True
KAFKA = "own"
SECONDS = 600
DEATHS = 20  # more in a row than any verdict waits for


def put_large(case):
    """A row of 300 kB that does not compress, and others around it."""
    case.put(rows=2)
    case.put(rows=1, type="big", pad=300000)
    case.put(rows=2)


class Reaper(threading.Thread):
    """Kills the broker whenever a Produce request has come, before the broker has it, and starts it again."""

    def __init__(self, kafka, proxy, deaths):
        super().__init__(daemon=True)
        self.kafka, self.proxy, self.deaths, self.died = kafka, proxy, deaths, 0

    def run(self):
        while self.died < self.deaths:
            rule = self.proxy.rule("Produce", REQUEST, CUT)
            if not rule.hit.wait(120):
                return
            self.kafka.kill()
            self.proxy.cut()
            self.kafka.start()
            self.died += 1


with e2e.own_kafka() as kafka, e2e.Case(kafka=kafka) as case, \
        KafkaProxy(kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address},
                     "delivery": {"transaction_timeout_ms": 60000},
                     "routes": [dict(case.config()["routes"][0], on_error="skip")]})
    case.put(rows=2)
    case.drain(relay=relay)
    reaper = Reaper(kafka, proxy, DEATHS)
    reaper.start()
    put_large(case)
    reaper.join(500)
    assert reaper.died == DEATHS, "%d deaths%s" % (reaper.died, e2e.lab.process.tail(relay.log))
    case.drain(120, relay=relay)
    assert relay.metric("walferry_skipped_total", route="outbox") == 0
    assert not relay.events("message.skipped") and not relay.events("event.skipped")
    print("%d deaths, %d epochs failed" % (reaper.died, len(relay.events("epoch.failed"))))
    case.stop(relay)
    case.judge()
