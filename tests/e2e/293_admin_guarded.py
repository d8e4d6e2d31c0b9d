"""The admin port asks for its token, speaks TLS, and takes both over by a reload; a crowd of clients that
hold their places, and requests that are none, disturb neither the pipeline nor an honest client."""

import base64
import json
import os
import random
import resource
import selectors
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request

import e2e

TOKEN = "t0ken-that-is-planted-here"
SLOW, MANY = 300, 1000
resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
dice = random.Random(e2e.seed())
anyone = ssl.create_default_context()
anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE


def get(port, path, header=None, tls=False):
    request = urllib.request.Request("http%s://127.0.0.1:%d%s" % ("s" if tls else "", port, path))
    if header:
        request.add_header("Authorization", header)
    try:
        with urllib.request.urlopen(request, timeout=5, context=anyone if tls else None) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def ready(port, tls=False):
    e2e.wait("it is ready", lambda: get(port, "/readyz", tls=tls)[0] == 200, 5)


def certify(directory, name):
    paths = [os.path.join(directory, name + end) for end in (".crt", ".key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout", paths[1], "-out", paths[0]],
                   check=True, stderr=subprocess.DEVNULL)
    return paths


def reload(relay, admin, event="config.reloaded"):
    """SIGHUP with other keys below admin; the last line that says what came of it."""
    config = e2e.merge(relay.config, {"admin": admin})
    relay.write_config(config)
    count = len(relay.events(event))
    relay.signal(signal.SIGHUP)
    return relay.wait_log(event, count=count + 1)


def guarded(case, relay, port):
    """Token and certificate, by reloads."""
    secret = os.path.join(case.dir, "token")
    with open(secret, "w") as file:
        file.write(TOKEN + "\n")
    assert get(port, "/status")[0] == 200
    reload(relay, {"token": "${file:%s}" % secret})
    code, text, headers = get(port, "/metrics")
    assert code == 401 and [h.split()[0] for h in headers.get_all("WWW-Authenticate")] == ["Bearer", "Basic"]
    assert get(port, "/status", "Bearer " + TOKEN[:-1])[0] == 401
    assert get(port, "/status", "Bearer " + TOKEN)[0] == 200
    assert get(port, "/metrics", "Basic " + base64.b64encode(b"x:" + TOKEN.encode()).decode())[0] == 200
    assert get(port, "/healthz")[0] == 200
    ready(port)
    # Who the commands ask is the same: they read the file.
    assert json.loads(case.command(relay, "status", "--json"))["live"]["relay"] == case.name
    case.command(relay, "teardown", "--yes", code=2, says="process %d" % relay.pid)
    held = certify(case.dir, "held")
    reload(relay, {"tls_cert": held[0], "tls_key": os.path.join(case.dir, "nothing")}, "config.refused")
    assert "No such file" in relay.events("config.refused")[-1]
    assert get(port, "/status", "Bearer " + TOKEN)[0] == 200
    reload(relay, {"tls_cert": held[0], "tls_key": held[1]})
    assert get(port, "/status", "Bearer " + TOKEN, tls=True)[0] == 200
    ready(port, tls=True)
    case.command(relay, "status", "--ready", says="ready")
    assert json.loads(case.command(relay, "status", "--json"))["live"]["relay"] == case.name
    # The certificate is renewed behind the same names; the command knows until when not to.
    before = ssl.get_server_certificate(("127.0.0.1", port))
    certify(case.dir, "held")
    case.command(relay, "status", "--ready", code=1, says="its certificate is not that of .*SIGHUP")
    reload(relay, {})
    assert ssl.get_server_certificate(("127.0.0.1", port)) != before
    ready(port, tls=True)
    case.command(relay, "status", "--ready", says="ready")
    assert TOKEN not in relay.log_text(all=True)
    fuzz(port, tls=True)
    reload(relay, {"tls_cert": None, "tls_key": None})
    assert get(port, "/status", "Bearer " + TOKEN)[0] == 200


def fuzz(port, tls=False, requests=150):
    """Requests that are nearly one. What comes back, if anything, begins as an answer does."""
    good = b"GET /status?x=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer aaaa\r\nX: y\r\n\r\n"
    pieces = (b"\r\n", b"\0", b"Authorization: Basic ====\r\n", b"Content-Length: -1\r\n", b"%00", b" ", b"\xff" * 30,
              b"Transfer-Encoding: chunked\r\n", b"Content-Length: 99999999999999999999\r\n", b"/" * 9000,
              b"Authorization: Basic " + b"A" * 4000 + b"\r\n", b"HTTP/9.9", b"\r\n\r\n", b"\n", b"Host: \r\n")
    answers = 0
    for _ in range(requests):
        text = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(text) + 1)
            text[at:at + dice.choice((0, 0, 1, 5, 40))] = dice.choice(pieces) if dice.random() < 0.7 else bytes(
                dice.randrange(256) for _ in range(dice.randint(1, 60)))
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=3) as sock:
                if tls and dice.random() < 0.5:
                    sock = anyone.wrap_socket(sock)
                sock.sendall(text)
                if dice.random() < 0.7:
                    sock.settimeout(0.05)
                    reply = sock.recv(12)
                    answers += reply[:9] in (b"HTTP/1.1 ", b"HTTP/1.0 ")
                sock.close()
        except OSError:
            pass
    assert answers > requests / 10, answers
    assert get(port, "/healthz", tls=tls)[0] == 200


class Crowd(threading.Thread):
    """SLOW clients that send a byte a second, and MANY that connect and say nothing; whoever is hung up on
    comes again."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.opened, self.most = port, False, 0, 0

    def run(self):
        chosen = selectors.DefaultSelector()
        text = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 10000
        clients, beat = {}, time.monotonic()
        while not self.over:
            while len(clients) < SLOW + MANY:
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", self.port))
                clients[sock] = 0 if self.opened % (SLOW + MANY) < SLOW else None  # None: says nothing
                chosen.register(sock, selectors.EVENT_READ)
                self.opened += 1
            self.most = max(self.most, len(clients))
            for key, _ in chosen.select(0.2):
                chosen.unregister(key.fileobj)
                clients.pop(key.fileobj)
                key.fileobj.close()
            if time.monotonic() - beat >= 1:
                beat = time.monotonic()
                for sock, sent in clients.items():
                    if sent is not None:
                        try:
                            clients[sock] = sent + sock.send(text[sent:sent + 1])
                        except OSError:
                            pass
            time.sleep(0.05)
        for sock in clients:
            sock.close()


def visible(case, number):
    """How long it takes until a row is seen in Kafka: of so many rows, one by one."""
    took = []
    for _ in range(number):
        began = time.monotonic()
        case.put()
        wanted = case.truth_count()
        while len(case.tail.ids) < wanted:
            case.tail.poll(0.01)
            assert time.monotonic() - began < 10, "an event does not come"
        took.append(time.monotonic() - began)
    return statistics.median(took)


def rss(relay):
    with open("/proc/%d/status" % relay.pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024


def crowded(case, relay, port):
    visible(case, 3)
    idle, small = visible(case, 15), rss(relay)
    epochs = len(relay.events("epoch.opened"))
    crowd = Crowd(port)
    crowd.start()
    e2e.wait("the crowd is there", lambda: crowd.most >= SLOW + MANY, 10)
    answers, taken, over = [], [], time.monotonic() + 6

    def ask():
        while time.monotonic() < over:
            began = time.monotonic()
            try:
                code = get(port, "/readyz")[0]
            except OSError as error:
                code = repr(error)
            answers.append((code, time.monotonic() - began))
            time.sleep(0.05)

    asker = threading.Thread(target=ask)
    asker.start()
    while time.monotonic() < over:
        taken.append(visible(case, 5))
    asker.join()
    crowd.over = True
    busy, large = statistics.median(taken), rss(relay)
    good = [seconds for code, seconds in answers if code == 200]
    print("crowd: %d connections opened; visible after %.1f ms idle, %.1f ms in the crowd; %d of %d answers, the"
          " slowest %.0f ms; RSS %.0f to %.0f MB" % (crowd.opened, idle * 1000, busy * 1000, len(good), len(answers),
                                                     max(good) * 1000, small, large))
    assert len(good) >= 0.97 * len(answers) and len(good) >= 10, [a for a in answers if a[0] != 200]
    assert max(good) < 3
    assert busy < 5 * idle + 0.05
    assert large - small < 64
    assert len(relay.events("epoch.opened")) == epochs
    crowd.join()


with e2e.Case() as case:
    port = e2e.lab.ports.free_port()
    # What is freed shall be gone, so that memory can be measured.
    relay = case.up({"admin": {"listen": "0.0.0.0:%d" % port}},
                    env={"ASAN_OPTIONS": e2e.SANITIZERS["ASAN_OPTIONS"] + ":quarantine_size_mb=4"})
    assert "set admin.token" in relay.wait_log("admin.exposed")
    guarded(case, relay, port)
    crowded(case, relay, port)
    fuzz(port)
    case.drain(20)
    case.stop(relay)
    # With the token nothing is said.
    case.start(relay)
    assert relay.events("admin.exposed") == []
    case.stop(relay)
    case.judge()
