"""A broker that answers and then names an address that does not, and ports that speak another
security.protocol than the file says: told within seconds, with the address and the key to change.

With advertised.listeners wrong, `run` was in state "starting" for minutes without a word and without regard
to retry.give_up_ms. A wrong security.protocol read "check that the broker is up"."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import e2e

SLOW = True

if shutil.which("openssl") is None:
    sys.exit(77)


def tls_kafka():
    """A broker with a port for TLS, and two whose advertised addresses lead nowhere."""
    kafka = e2e.lab.kafka.Kafka(e2e._scratch())
    key, certificate, both = (os.path.join(kafka.dir, "tls." + end) for end in ("key", "crt", "pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    with open(both, "w") as file:
        for name in (key, certificate):
            with open(name) as part:
                file.write(part.read())
    kafka.tls_port, kafka.far_port, kafka.dead_port = (e2e.lab.ports.free_port() for _ in range(3))
    kafka.certificate, kafka.key = certificate, key
    bound = {"PLAINTEXT": kafka.port, "SASL_PLAINTEXT": kafka.sasl_port, "TLS": kafka.tls_port,
             "FAR": kafka.far_port, "PROXY": kafka.proxy_port}
    told = {name: "127.0.0.1:%d" % port for name, port in bound.items()}
    told.update(FAR="no-such-host.invalid:9092", PROXY="127.0.0.1:%d" % kafka.dead_port)
    kafka.conf.update({
        "listeners": ",".join("%s://127.0.0.1:%d" % item for item in bound.items())
                     + ",CONTROLLER://127.0.0.1:%d" % kafka.controller_port,
        "advertised.listeners": ",".join("%s://%s" % item for item in told.items()),
        "listener.security.protocol.map":
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,TLS:SSL,"
            "FAR:PLAINTEXT,PROXY:PLAINTEXT",
        "ssl.keystore.type": "PEM", "ssl.keystore.location": both})
    return kafka.start()


def nowhere(case):
    """The address that a broker advertises."""
    case.setup(case.relay())
    for port, says in ((case.kafka.proxy_port, "127.0.0.1:%d" % case.kafka.dead_port),
                       (case.kafka.far_port, "no-such-host.invalid:9092")):
        away = {"kafka": {"bootstrap.servers": "127.0.0.1:%d" % port}}
        want = ("127.0.0.1:%d answers, but the broker that it says is at %s does not" % (port, says),
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
    plain, sasl, tls = (("127.0.0.1:%d" % port) for port in (kafka.port, kafka.sasl_port,
                                                             kafka.tls_port))
    root = {"ssl.ca.location": kafka.certificate}
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
