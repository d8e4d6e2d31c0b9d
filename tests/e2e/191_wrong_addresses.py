"""A broker that answers and then names an address that does not, and ports that speak another
security.protocol than the file says: told within seconds, with the address and the key to change.

With advertised.listeners wrong, `run` was in state "starting" for minutes without a word and without regard
to retry.give_up_ms. A wrong security.protocol read "check that the broker is up"."""

import os
import shutil
import socket
import ssl
import sys
import threading
import time

import e2e
from lab import certificates

SLOW = True

if shutil.which("openssl") is None:
    sys.exit(77)


def tls_kafka():
    """A broker with a port for TLS, and two whose advertised addresses lead nowhere."""
    dir = e2e._scratch()
    made = certificates.Authority(dir, "authority").issue("127.0.0.1")
    e2e.lab.process.give(dir, e2e.lab.process.unprivileged())
    dead = "127.0.0.1:%d" % e2e.lab.ports.free_port()
    kafka = e2e.lab.kafka.Kafka(e2e._scratch(), listeners={
        "TLS": {"protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.keystore.location": made.both},
        "FAR": {"protocol": "PLAINTEXT", "told": "no-such-host.invalid:9092"},
        "DEAD": {"protocol": "PLAINTEXT", "told": dead}})
    kafka.root, kafka.certificate, kafka.key = os.path.join(dir, "authority/authority.crt"), made.crt, made.key
    kafka.dead = dead
    return kafka.start()


def nowhere(case):
    """The address that a broker advertises."""
    case.setup(case.relay())
    for listener, says in (("DEAD", case.kafka.dead), ("FAR", "no-such-host.invalid:9092")):
        at = case.kafka.at(listener)
        away = {"kafka": {"bootstrap.servers": at}}
        want = ("%s answers, but the broker that it says is at %s does not" % (at, says),
                "advertised.listeners")
        began = time.monotonic()
        for command in (("check", "--connect"), ("setup",)):
            case.command(case.relay(away), *command, code=6, says=want)
        relay = case.relay(e2e.merge(away, {"retry": {"give_up_ms": 4000}}))
        case.refused(relay, 6, want + ("gave up",), timeout=40)
        print("%s: three times after %.1f s" % (says, time.monotonic() - began), flush=True)
        assert time.monotonic() - began < 60

        # Without a limit it goes on trying, and says so.
        relay = case.relay(away)
        relay.start()
        line = relay.wait_log("epoch.failed", 20)
        assert "reason=broker_unreachable" in line and says in line, line
        case.stop(relay)


def protocols(case):
    """What the file says, what the port speaks, and what is to be changed."""
    login = {"sasl.mechanism": "PLAIN", "sasl.username": "admin", "sasl.password": "admin"}
    kafka = case.kafka
    case.setup(case.relay())
    plain, sasl, tls = kafka.bootstrap, kafka.sasl_bootstrap, kafka.at("TLS")
    root = {"ssl.ca.location": kafka.root}
    for port, given, says, mended in (
            (tls, {}, "speaks TLS, but security.protocol is PLAINTEXT.*to SSL",
             dict(root, **{"security.protocol": "SSL"})),
            (tls, dict(login, **{"security.protocol": "sasl_plaintext"}),
             "speaks TLS, but security.protocol is SASL_PLAINTEXT.*to SASL_SSL", None),
            (plain, dict(root, **{"security.protocol": "SSL"}),
             "without TLS and takes no login.*is SSL.*to PLAINTEXT, or", {}),
            (plain, dict(login, **{"security.protocol": "SASL_PLAINTEXT"}),
             "takes no login.*is SASL_PLAINTEXT.*to PLAINTEXT", {}),
            (sasl, {}, "wants a login .SASL., but security.protocol is PLAINTEXT.*to SASL_PLAINTEXT",
             dict(login, **{"security.protocol": "SASL_PLAINTEXT"})),
            (sasl, dict(root, **{"security.protocol": "SSL"}),
             "wants a login .SASL., but security.protocol is SSL.*to SASL_PLAINTEXT", None)):
        began = time.monotonic()
        relay = case.relay({"kafka": dict(given, **{"bootstrap.servers": port})})
        # On a machine that is busy a port may take longer than it is given: then it is asked again.
        e2e.wait("check says no", lambda: relay.run("check", "--connect")[0] == 1, 60)
        case.command(relay, "check", "--connect", code=1, says=says)
        case.refused(relay, 2, (says, "reason=security_protocol"), timeout=40)
        took = time.monotonic() - began
        print("%s: %s: %.1f s" % (given.get("security.protocol"), says[:30], took), flush=True)
        assert took < 90
        if mended is not None:
            good = case.relay({"kafka": dict(mended, **{"bootstrap.servers": port})})
            case.command(good, "check", "--connect")


class Impostor:
    """A server that speaks TLS where the broker was."""

    def __init__(self, port, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = e2e.wait("port %d is taken" % port, lambda: self._listen(port))
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def _listen(port):
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            return None

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.context.wrap_socket(client, server_side=True).close()
            except OSError:
                client.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def in_between(case):
    """A relay that has worked does not end for what answers while its broker is away."""
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    case.kafka.stop()
    impostor = Impostor(case.kafka.port, case.kafka.certificate, case.kafka.key)
    case.put(rows=3)
    e2e.wait("the relay says what answers",
             lambda: "reason=security_protocol" in relay.log_text(), 60)
    impostor.close()
    case.kafka.start()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


with tls_kafka() as kafka:
    for test in (nowhere, protocols, in_between):
        with e2e.Case(kafka=kafka, label="_" + test.__name__) as case:
            print("-- " + test.__name__, flush=True)
            test(case)
