"""What systemd is told (NOTIFY_SOCKET): a start that waits for Kafka asks for more time, READY comes with the
stream, the watchdog is fed with and without a broker, STOPPING comes with SIGTERM and with a refusal."""

import os
import re
import socket
import time

import e2e
from lab.proxy import KafkaProxy


class Supervisor:
    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def hears(self, pattern, timeout=30):
        """Waits for a datagram that matches; what came before it stays in `heard`."""
        def look():
            try:
                while True:
                    self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return any(re.search(pattern, text) for text in self.heard)
        try:
            e2e.wait("a datagram with " + pattern, look, timeout)
        except RuntimeError as error:
            raise AssertionError("%s: only %s" % (error, self.heard)) from error

    def forget(self):
        self.heard = []


with e2e.Case() as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    supervisor = Supervisor(case.dir)
    relay = case.relay({"kafka": {"bootstrap.servers": proxy.address},
                        "retry": {"max_ms": 500}},
                       env={"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "4000000"})
    case.setup(relay)
    proxy.refuse()
    relay.start()
    supervisor.hears("^EXTEND_TIMEOUT_USEC=120000000$")
    supervisor.hears("^STATUS=backoff: .")
    supervisor.hears("^WATCHDOG=1$")
    assert "READY=1" not in supervisor.heard, supervisor.heard
    proxy.accept()
    supervisor.hears("^READY=1$")
    supervisor.hears("^STATUS=streaming$")

    # A broker that is away is no hang, nor another start.
    proxy.refuse()
    supervisor.forget()
    time.sleep(4)
    supervisor.hears("^WATCHDOG=1$", 1)
    assert not any("EXTEND" in text or "READY" in text for text in supervisor.heard), supervisor.heard
    proxy.accept()
    case.put(rows=5)
    case.drain(relay=relay)
    supervisor.forget()
    case.stop(relay)
    supervisor.hears("^STOPPING=1\n")

    # An end that nobody asked for is said as well.
    supervisor.forget()
    case.sql("SELECT pg_drop_replication_slot(%s)", (case.slot_name,))
    relay.start()
    assert relay.wait(30) == 3, relay.log_text()
    supervisor.hears("^STOPPING=1\n")
