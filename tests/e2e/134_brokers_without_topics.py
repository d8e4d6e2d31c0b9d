"""Brokers that have just come up, or lag, deny topics that are there: nobody concludes anything.

Under ZooKeeper a broker answers before it has the cluster's metadata, as if there were no topics;
under KRaft one that lags does not know the newest. A proxy makes such answers out of true ones. A
start, a reopen, a command and a topic at its first use wait until the topic is listed again.
"""

import struct
import threading
import time

import e2e
import lab.proxy

METADATA = lab.proxy.API_KEYS["Metadata"]


class Denying(lab.proxy.KafkaProxy):
    """Brokers that deny one topic, or list none at all.

    The broker is asked for another name of the same length, which does not exist, and the answer
    speaks of the right one again. In a list of all topics the same exchange of names hides it.
    """

    def __init__(self, target):
        self.name = b""
        self.lists_none = False
        self.denied = 0
        super().__init__(target)

    def deny(self, name, lists_none):
        self.lists_none, self.denied, self.name = lists_none, 0, name.encode()
        self.cut()

    def admit(self):
        self.name = b""

    def _rewrite(self, frame, api, direction):
        frame = super()._rewrite(frame, api, direction)
        if api != METADATA or not self.name:
            return frame
        other = b"x" + self.name[1:]
        if direction == lab.proxy.REQUEST:
            self.denied += self.name in frame
            frame = frame.replace(self.name, other)
            return ask_for_none(frame) if self.lists_none else frame
        mark = bytes(len(other))
        return frame.replace(other, mark).replace(self.name, other).replace(mark, self.name)


def ask_for_none(frame):
    """A Metadata request for all topics, made one for no topic; others stay."""
    version, client = struct.unpack_from(">h4xh", frame, 6)
    at = 14 + client
    every, none = (b"\0\0", b"\0\1") if version >= 9 else (b"\xff" * 4, b"\0" * 4)
    assert version >= 1, "version 0 says it otherwise"
    return frame[:at] + frame[at:].replace(every, none, 1) if frame[at:].startswith(every) else frame


def denied_for(proxy, seconds, relay):
    """The topic is denied all that time, was asked for, and the relay lives on."""
    e2e.wait("not asked for", lambda: proxy.denied > 0 or not relay.running(), 30)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert relay.running(), "ended with %s%s" % (relay.wait(1), e2e.lab.process.tail(relay.log))
        time.sleep(0.05)
    proxy.admit()


def start(case, proxy, relay, lists_none, seconds):
    """A start that meets such a broker."""
    proxy.deny(case.progress_topic, lists_none)
    relay.start()
    denied_for(proxy, seconds, relay)
    relay.wait_log("epoch.opened", 40)
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)


def reopen(case, proxy, relay, lists_none):
    """A running relay loses its broker and finds one that denies, for longer than a start waits.

    Its stream ends, too: with a connection to the broker that was made again in time nobody need
    ask for anything.
    """
    case.start(relay)
    proxy.deny(case.progress_topic, lists_none)
    case.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
             " WHERE slot_name = %s", (case.slot_name,))
    case.put(rows=2)
    denied_for(proxy, 5, relay)
    case.drain(relay=relay)
    case.stop(relay)


def commands(case, proxy, relay):
    """What a person would act upon."""
    for name, arguments, code, says in (
            ("setup", (), 0, "progress: at"), ("check", ("--connect",), 0, "can go on from there"),
            ("status", (), 1, "mode wal, generation")):
        proxy.deny(case.progress_topic, lists_none=name != "status")
        timer = threading.Timer(1.0, proxy.admit)
        timer.start()
        case.command(relay, name, *arguments, code=code, says=says)
        timer.join()
        assert proxy.denied > 0, name


def routed(case, proxy, relay):
    """A topic at its first use: no verdict on the event because the broker does not know it yet."""
    topic = case.prefix + "late"
    case.kafka.create_topic(topic, 2)
    case.start(relay)
    proxy.deny(topic, lists_none=True)
    case.put(type="late")
    denied_for(proxy, 2, relay)
    case.drain(relay=relay)
    assert not relay.events("event.skipped"), relay.log_text()
    case.stop(relay)


with e2e.Case() as case, Denying(case.kafka.bootstrap) as proxy:
    case.kafka.create_topic(case.prefix + "order", 2)
    route = dict(case.config()["routes"][0], on_error="skip")
    relay = case.relay({"kafka": {"bootstrap.servers": proxy.address}, "routes": [route],
                        "delivery": {"topics": {"create": False}}})
    case.kafka.create_topic(case.progress_topic, 1, {"cleanup.policy": "compact"})
    case.setup(relay)
    start(case, proxy, relay, lists_none=True, seconds=4)
    start(case, proxy, relay, lists_none=False, seconds=1)
    reopen(case, proxy, relay, lists_none=True)
    reopen(case, proxy, relay, lists_none=False)
    commands(case, proxy, relay)
    routed(case, proxy, relay)
    case.judge()
