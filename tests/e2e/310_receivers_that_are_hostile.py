"""What the webhook and the traces are sent to does its worst, one after the other, while events flow: answers a
byte a second, answers that never end, headers that never end, a redirect to somebody else, a refusal for an hour,
a connection that is cut, a name that nobody resolves. Events come as fast as without, the relay works no more and
grows no more than without, and it stops in time; no address's login is told anywhere."""

import os
import socket
import statistics
import threading
import time

import e2e

BUILDS = ("release",)
SLOW = True
SECONDS = 300
os.environ.update({"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"})
LOGIN = "pl4nted-address"


class Hostile:
    """A server that reads a request and then does what `mode` says."""

    def __init__(self):
        self.mode, self.asked, self.over = "good", 0, threading.Event()
        self.sent, self.bodies = 0, []
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def read(self, sock):
        text = b""
        while b"\r\n\r\n" not in text:
            text += sock.recv(65536) or b"\r\n\r\n"
        head, _, body = text.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            got = sock.recv(65536)
            if not got:
                break
            body += got
        return body

    def serve(self, sock):
        try:
            body = self.read(sock)
            self.asked += 1
            self.bodies.append(body)
            getattr(self, "do_" + self.mode)(sock)
        except OSError:
            pass
        finally:
            sock.close()

    def do_good(self, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def do_drip(self, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not self.over.wait(1):
            sock.sendall(b"x")

    def flood(self, sock, begin, piece):
        sock.sendall(begin)
        piece *= 1 + 262144 // len(piece)
        while not self.over.is_set():
            self.sent += sock.send(piece)

    def do_body(self, sock):
        self.flood(sock, b"HTTP/1.1 503 No\r\n\r\n", b"x")

    def do_headers(self, sock):
        self.flood(sock, b"HTTP/1.1 200 OK\r\n", b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")

    def do_continue(self, sock):
        self.flood(sock, b"", b"HTTP/1.1 100 Continue\r\n\r\n")

    def do_redirect(self, sock):
        sock.sendall(b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
                     % elsewhere.port)

    def do_later(self, sock):
        sock.sendall(b"HTTP/1.1 429 Slower\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n")

    def do_partial(self, sock):
        text = b'{"partialSuccess":{"rejectedSpans":"7","errorMessage":"%s"}}' % (b"no" * 1000)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))

    def do_cut(self, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Len")

    def do_garbage(self, sock):
        sock.sendall(b"\0\xff SSH-2.0\n" * 1000)

    def close(self):
        self.over.set()
        self.server.close()


MODES = ("drip", "body", "headers", "continue", "redirect", "later", "partial", "cut", "garbage")


def traced(case, number):
    case.sql("""
        WITH o AS (INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers)
                   SELECT 'traced', 'k' || i, 't', '{}', jsonb_build_object('traceparent',
                          '00-' || md5(i::text || clock_timestamp()::text) || '-b7ad6b7169203331-01')
                   FROM generate_series(1, %s) i RETURNING *)
        INSERT INTO e2e.truth (id, topic, key, n, md5)
        SELECT id::text, 'traced', aggregateid, (SELECT coalesce(max(n), 0) FROM e2e.truth) + row_number() OVER (),
               md5(payload::text) FROM o""", (number,))


def bad(case):
    case.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('no topic!', 'k', 't', '{}')")


def seconds(case, relay, what, lasting=6.0):
    """Events one by one, each with a span, for so long: how long until each is seen, and what the relay used."""
    took, cpu, began = [], relay.cpu_seconds(), time.monotonic()
    bad(case)
    while time.monotonic() - began < lasting:
        start = time.monotonic()
        traced(case, 1)
        wanted = case.truth_count()
        while len(case.tail.ids) < wanted:
            case.tail.poll(0.005)
            assert time.monotonic() - start < 15, "%s: an event does not come" % what
        took.append(time.monotonic() - start)
    used = (relay.cpu_seconds() - cpu) / (time.monotonic() - began)
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    print("%-9s %3d events, median %.0f ms, p99 %.0f ms, %.0f %% of a processor, %.0f MB, hook asked %d, collector %d,"
          " sent to us %.1f MB" % (what, len(took), 1000 * statistics.median(took), 1000 * p99, 100 * used,
                                   relay.rss_kb() / 1024, hook.asked, collector.asked,
                                   (hook.sent + collector.sent) / 1e6), flush=True)
    return p99, used


def hostile(case, relay):
    seconds(case, relay, "warm", 3)
    idle = seconds(case, relay, "good")
    small = relay.rss_kb()
    for mode in MODES:
        hook.mode = collector.mode = mode
        hook.over.set()
        collector.over.set()
        hook.over, collector.over = threading.Event(), threading.Event()
        hook.sent = collector.sent = 0
        p99, used = seconds(case, relay, mode)
        assert used < idle[1] + 0.25, "%s: %.0f %% of a processor" % (mode, 100 * used)
        assert p99 < 3 * idle[0] + 0.25, "%s: %.0f ms" % (mode, 1000 * p99)
        assert relay.rss_kb() - small < 16 * 1024, "%s: %d kB" % (mode, relay.rss_kb() - small)
        assert hook.sent + collector.sent < 200e6, "%s: it reads %.0f MB" % (mode, (hook.sent + collector.sent) / 1e6)


def told_nowhere(case, relay):
    text = relay.log_text(all=True) + "".join(relay.admin(path)[1] for path in (
        "/", "/status", "/metrics", "/metrics.json", "/readyz", "/readyz.json", "/history", "/events", "/config",
        "/reload"))
    text += case.command(relay, "config", "show") + case.command(relay, "config", "show", "--json")
    assert LOGIN not in text, [line for line in text.splitlines() if LOGIN in line][:3]


def stops(case, relay, what, limit_s=5):
    bad(case)
    time.sleep(1.5)
    began = time.monotonic()
    case.stop(relay)
    took = time.monotonic() - began
    print("%-9s stopped after %.1f s" % (what, took), flush=True)
    assert took < limit_s, took


hook, collector, elsewhere = Hostile(), Hostile(), Hostile()
with e2e.Case() as case:
    flag = os.path.join(case.dir, "slow")
    config = {"notify": {"url": "http://me:%s@127.0.0.1:%d/hook" % (LOGIN, hook.port), "secret": LOGIN * 3,
                         "quiet_ms": 1000, "timeout_ms": 4000, "stuck_ms": 0},
              "otlp": {"endpoint": "http://me:%s@127.0.0.1:%d" % (LOGIN, collector.port),
                       "headers": {"x-key": LOGIN}, "metrics_interval_ms": 500, "timeout_ms": 4000},
              "routes": [dict(case.config()["routes"][0], on_error="dead_letter", columns={"headers": "headers"})]}
    relay = case.up(config, env={"LD_PRELOAD": e2e.preload("slow_resolver"), "SLOW_RESOLVER": flag,
                                "SLOW_NAMES": ".invalid"})
    hostile(case, relay)
    told_nowhere(case, relay)
    assert elsewhere.asked == 0
    for mode in ("drip", "headers", "later"):
        hook.mode = collector.mode = mode
        stops(case, relay, mode)
        case.start(relay)
    # Names that nobody resolves.
    relay.config = e2e.merge(relay.config, {"notify": {"url": "http://me:%s@hook.invalid/" % LOGIN},
                                            "otlp": {"endpoint": "http://me:%s@collector.invalid" % LOGIN}})
    case.stop(relay)
    case.start(relay)
    relay.wait_log("otlp.failed", 20)
    with open(flag, "w"):
        pass
    seconds(case, relay, "names", 12)
    told_nowhere(case, relay)
    stops(case, relay, "names", 10)
    os.unlink(flag)
    hook.close(), collector.close(), elsewhere.close()
    case.judge()
