"""The webhook, to the receiver that docs/WEBHOOK.md prints: what the relay tells when its slot fills, its
progress stands, it is late, writes dead letters, ends with an error, and when that is over; signed, repeated,
and in nobody's way where the receiver fails, hangs or is away."""

import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time

import e2e

SLOW = True
SECONDS = 240
SECRET, OTHER = "a secret of more than 16 bytes", "whsec_c2l4dGVlbiBieXRlcyBvciBtb3Jl"
os.environ.update({"WALFERRY_WEBHOOK_SECRET": SECRET, "no_proxy": "127.0.0.1,localhost",
                   "NO_PROXY": "127.0.0.1,localhost"})
with open(os.path.join(e2e.ROOT, "docs", "WEBHOOK.md")) as file:
    RECEIVER = re.search(r"^```python\n(.*?)^```$", file.read(), re.M | re.S).group(1)


class Hook:
    """The receiver of the page. mode: None, or what is done instead of its answer."""

    def __init__(self, tls=None):
        page = {"__name__": "page", "print": self.note}
        exec(compile(RECEIVER, "docs/WEBHOOK.md", "exec"), page)
        hook = self
        self.page, self.mode, self.told, self.attempts, self.gate = page, None, [], [], threading.Event()

        class Receiver(page["Receiver"]):
            def do_POST(self):
                hook.attempts.append((self.headers["webhook-id"], self.headers["webhook-timestamp"], time.time()))
                if hook.mode == "hang":
                    hook.gate.wait(60)
                elif hook.mode:
                    self.rfile.read(int(self.headers["content-length"]))
                    self.answer(hook.mode)
                else:
                    super().do_POST()

            def answer(self, code):
                hook.attempts[-1] += (code,)
                super().answer(code)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "http%s://127.0.0.1:%d/hook?token=tok3n" % ("s" if tls else "", self.server.server_port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, type, relay, detail, **_):
        self.told.append((type, relay, detail))

    def wait(self, *types, timeout=30):
        """The next ones are these, in this order, and nothing else; their details. A slow machine may lag meanwhile."""
        def enough():
            if not any(type.startswith("lag.") for type in types):
                for one in [one for one in self.told if one[0].startswith("lag.")]:
                    self.told.remove(one)  # others are added meanwhile
            return len(self.told) >= len(types)
        e2e.wait("the webhook is told %s, and not %s" % (types, self.told), enough, timeout, interval=0.1)
        got, self.told[:] = list(self.told[:len(types)]), self.told[len(types):]
        assert [one[0] for one in got] == list(types), got
        return [one[2] for one in got]

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


def write(case, mb):
    case.sql("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000))"
             " FROM generate_series(1, %d)" % mb)


def metric(relay, name):
    return float(re.search(r"^%s (\S+)$" % re.escape(name).replace("RELAY", '[^"]*'),
                           relay.admin("/metrics")[1], re.M).group(1))


def notified(relay, state):
    return metric(relay, 'walferry_notifications_total{relay="RELAY",state="%s"}' % state)


def bad(case):
    case.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('no topic!', 'k', 't', '{}')")


def config(hook, **more):
    return {"notify": dict({"url": hook.url, "secret": SECRET, "timeout_ms": 30000, "lag_limit_ms": 2000,
                            "stuck_ms": 60000, "quiet_ms": 1500}, **more)}


def guarded(case, hook, relay):
    """The guardian's states: all three are told as they come, and are over as it goes on."""
    walsender = case.slot()["active_pid"]
    os.kill(walsender, signal.SIGSTOP)
    try:
        seen = set()

        def said(type, mb=1):
            write(case, mb)
            seen.update(one[0] + " " + one[2] for one in hook.told)
            hook.told.clear()
            return any(one.startswith(type) for one in seen)

        e2e.wait("stuck and late", lambda: said("stuck.raised") and said("lag.raised", 0), 40, interval=1)
        said("", 25)
        e2e.wait("filling", lambda: said("slot.raised"), 40, interval=0.5)
        said("", 12)
        e2e.wait("at risk", lambda: said("slot.raised") and sum(one.startswith("slot") for one in seen) == 2,
                 40, interval=0.5)
    finally:
        os.kill(walsender, signal.SIGCONT)
    texts = "\n".join(sorted(seen))
    assert re.search(r"lag.raised what the server wrote \d+ s ago is not published yet; \d+ MB", texts), texts
    assert re.search(r"stuck.raised progress stands for \d+ s while the server has written", texts), texts
    assert re.search(r"slot.raised slot \S+ keeps \d+ MB of log, and is lost after \d+ MB more", texts), texts
    assert len(seen) == 4, texts
    over = set()

    def recovered():
        case.sql("CHECKPOINT")
        over.update(one[0] for one in hook.told)
        return over >= {"lag.recovered", "stuck.recovered", "slot.recovered"}

    e2e.wait("over", recovered, 60, interval=1)
    hook.told.clear()


def letters(hook, case, relay):
    """Dead letters, by way of a receiver that fails twice: the same message, signed anew."""
    hook.mode, before = 500, len(hook.attempts)
    bad(case)
    e2e.wait("two attempts", lambda: len(hook.attempts) >= before + 2, 20)
    hook.mode = None
    assert hook.wait("dead_letters.raised") == ["1 change could not be published and went to the dead-letter topic"]
    tries = hook.attempts[before:before + 3]
    assert len({one[0] for one in tries}) == 1 and tries[0][1] < tries[2][1], tries
    assert [one[3] for one in tries] == [500, 500, 204], tries
    assert tries[1][2] - tries[0][2] >= 0.4, tries
    assert re.search("detail=.the server answered 500", relay.events("webhook.failed")[0])
    hook.wait("dead_letters.recovered")
    relay.wait_log("webhook.works", 5)
    assert metric(relay, 'walferry_notification_retries_total{relay="RELAY"}') == 2


def reloaded(hook, case, relay):
    """A secret that is another one: until the receiver has it, too, what comes is refused and tried again."""
    relay.write_config(e2e.merge(relay.config, {"notify": {"secret": OTHER}}))
    relay.signal(signal.SIGHUP)
    relay.wait_log("config.reloaded")
    before = len(hook.attempts)
    bad(case)
    e2e.wait("a refusal", lambda: len(hook.attempts) > before and hook.attempts[before][-1] == 401, 20)
    hook.page["SECRET"] = b"sixteen bytes or more"
    hook.wait("dead_letters.raised", "dead_letters.recovered")


def hanging(hook, case, relay):
    """A receiver that takes connections and says nothing delays neither events nor the end."""
    hook.mode = "hang"
    before = len(hook.attempts)
    bad(case)
    e2e.wait("an attempt", lambda: len(hook.attempts) > before, 20)
    case.put(rows=20, transactions=50)
    case.drain(relay=relay, timeout=20)
    began = time.monotonic()
    case.stop(relay)
    assert 1.5 < time.monotonic() - began < 6, "%.1f s" % (time.monotonic() - began)
    assert re.search("messages=1$", relay.events("webhook.unsent")[0])
    assert "tok3n" not in relay.log_text(all=True) and SECRET not in relay.log_text(all=True)


def ended(case, tls):
    """Over TLS with a certificate of one's own, and away at first; then the relay ends with an error."""
    hook = Hook(tls)
    relay = case.relay(dict(config(hook, ca_file=tls[0], stuck_ms=60000), routes=[dict(case.config()["routes"][0])]))
    case.start(relay)
    hook.wait("relay.started")
    bad(case)
    assert relay.wait(20) == 5
    text, = hook.wait("relay.stopped")
    assert text.startswith("the process ended: ") and "no topic!" in text, text
    case.command(relay, "skip", re.search(r"skip '?([0-9A-Fa-f-]+)", relay.log_text()).group(1))
    hook.close()
    relay = case.relay(config(hook, ca_file=tls[0], stuck_ms=0))
    case.start(relay)
    relay.wait_log("webhook.failed")
    began = time.monotonic()
    case.stop(relay)
    assert time.monotonic() - began < 4


def certificate(dir):
    names = os.path.join(dir, "cert.pem"), os.path.join(dir, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hook",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", names[0], "-keyout", names[1]],
                   check=True, stderr=subprocess.DEVNULL)
    return names


LIMIT = {"max_slot_wal_keep_size": "80MB", "wal_sender_timeout": 0, "min_wal_size": "32MB"}
CONFIG = {"admin": {"ready_grace_ms": 120000},
          "delivery": {"transaction_timeout_ms": 1500, "idle_progress": {"bytes": "1MB", "interval_ms": 500}}}
with e2e.own_postgres(conf=LIMIT) as pg, e2e.Case(postgres=pg, config=CONFIG) as case:
    hook = Hook()
    letter = {"routes": [dict(case.config()["routes"][0], on_error="dead_letter")]}
    relay = case.up(dict(config(hook), **letter))
    hook.wait("relay.started")
    case.put(rows=3)
    case.drain(relay=relay)
    letters(hook, case, relay)
    guarded(case, hook, relay)
    reloaded(hook, case, relay)
    assert notified(relay, "sent") >= 12 and notified(relay, "failed") == notified(relay, "dropped") == 0
    hanging(hook, case, relay)
    hook.close()
    ended(case, certificate(case.dir))
    case.judge()
