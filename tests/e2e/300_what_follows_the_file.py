"""Webhook, exporter and the token of the admin port go by the file in force, however it came to be that: also by
one that a held relay has read by itself. And by what ${file:} reads for them: nobody sends a signal, no epoch ends,
what was refused meanwhile is sent again, and what cannot be used for a moment changes nothing."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request

import e2e

SLOW = True
os.environ.update({"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"})
FIRST, SECOND, THIRD = ("pl4nted-%s-and-no-less-than-that" % name for name in ("first", "second", "third"))


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", 0o600)
    os.replace(path + ".new", path)


class Receiver:
    """A webhook's receiver and a collector, which take what is signed, or comes, with this secret."""

    def __init__(self, secret):
        receiver = self
        self.secret, self.told, self.refused, self.spans, self.metrics = secret, [], 0, [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                good = receiver.take(self.path, self.headers, body)
                self.send_response(200 if good else 401)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, body):
        signed = b".".join((headers.get("webhook-id", "").encode(), headers.get("webhook-timestamp", "").encode(), body))
        mac = base64.b64encode(hmac.new(self.secret.encode(), signed, hashlib.sha256).digest()).decode()
        good = headers["webhook-signature"] == "v1," + mac if path == "/hook" else headers["x-key"] == self.secret
        if not good:
            self.refused += 1
        elif path == "/hook":
            self.told.append(json.loads(body)["type"])
        elif path == "/v1/metrics":
            self.metrics += 1
        else:
            self.spans += json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
        return good

    def wait(self, type, timeout=30):
        e2e.wait("the webhook is told %s, and not %s" % (type, self.told), lambda: type in self.told, timeout)
        del self.told[:self.told.index(type) + 1]  # what came behind it is waited for next


def get(relay, path, token=None):
    request = urllib.request.Request("http://%s%s" % (relay.config["admin"]["listen"], path))
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def known(relay, token, old):
    e2e.wait("the token", lambda: get(relay, "/status", token) == 200, 10)
    assert get(relay, "/status", old) == get(relay, "/status") == 401


def bad(case):
    case.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('no topic!', 'k', 't', '{}')")


def traced(case, trace):
    case.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers) VALUES ('traced', 'k', 't', '{}',"
             " jsonb_build_object('traceparent', %s))", ("00-%032x-b7ad6b7169203331-01" % trace,))


def config(case, hook, path):
    return {"notify": {"url": hook.url + "/hook", "secret": "${file:%s}" % path, "lag_limit_ms": 0, "quiet_ms": 1000},
            "otlp": {"endpoint": hook.url, "metrics_interval_ms": 500, "headers": {"x-key": "${file:%s}" % path}},
            "admin": {"token": "${file:%s}" % path},
            "routes": [dict(case.config()["routes"][0], columns={"headers": "headers"}, on_error="dead_letter")]}


def epochs(relay):
    return len(relay.events("epoch.opened"))


def adopted(case, hook, path):
    """A file that a held relay has read by itself holds for all that the process has."""
    good = case.config(config(case, hook, path))
    relay = case.relay()
    relay.config = good
    case.setup(relay)
    relay.config = e2e.merge(good, {"notify": None, "otlp": None, "log": {"level": "info"}, "admin": {"token": None},
                                    "routes": [dict(good["routes"][0], topic="{@nothing}")]})
    relay.start("--hold-on-refusal")
    relay.wait_log("relay.held")
    assert get(relay, "/status") == 200 and not hook.told
    relay.write_config(e2e.merge(good, {"log": {"format": "json"}}))
    assert relay.wait_log("epoch.opened").startswith("{"), "the log does not follow"
    hook.wait("relay.started", 5)
    e2e.wait("metrics", lambda: hook.metrics > 0, 5)
    known(relay, FIRST, THIRD)
    # And so does one that it takes back.
    relay.write_config(e2e.merge(relay.config, {"log": {"format": "logfmt"}}))
    relay.signal(signal.SIGHUP)
    e2e.wait("the second epoch", lambda: epochs(relay) == 2, 30)
    return relay


def rotated(case, hook, relay, path):
    """Who is to receive has the new secret first; what is refused until the file has it is sent again."""
    opened, spans = epochs(relay), len(hook.spans)
    hook.secret, refused = SECOND, hook.refused
    traced(case, 0xabc001)
    bad(case)
    e2e.wait("refusals", lambda: hook.refused >= refused + 3, 20)
    write(path, SECOND + "\n")
    relay.wait_log("process.secrets_changed")
    hook.wait("dead_letters.raised")
    e2e.wait("the span", lambda: len(hook.spans) > spans, 30)
    hook.wait("dead_letters.recovered")
    known(relay, SECOND, FIRST)
    assert epochs(relay) == opened, "an epoch was ended for it"


def unread(case, hook, relay, path):
    """Away, too short: what was read before stays, and it is said once, without what stands there."""
    for spoil in (lambda: os.remove(path), lambda: write(path, "pl4nt")):
        count = len(relay.events("process.secrets_unread"))
        spoil()
        relay.wait_log("process.secrets_unread", count=count + 1)
        time.sleep(2.2)
        assert len(relay.events("process.secrets_unread")) == count + 1, relay.events("process.secrets_unread")
        bad(case)
        hook.wait("dead_letters.raised")
        hook.wait("dead_letters.recovered")
        assert get(relay, "/status", SECOND) == 200
    write(path, SECOND)


def refused(case, hook, relay, path):
    """A reload that no epoch opens with leaves the newest secrets in force, and not those of the start."""
    old = relay.config
    relay.config = e2e.merge(old, {"kafka": {"security.protocol": "SSL"}})
    case.command(relay, "reload", "--yes", code=1, says="has not taken the file over")
    relay.write_config(old)
    write(path, THIRD)
    hook.secret = THIRD
    # The token is that of the file at once, whoever is first.
    case.command(relay, "reload", "--yes", says="an epoch is open with it")
    known(relay, THIRD, SECOND)
    bad(case)
    hook.wait("dead_letters.raised")


def reloaded(case, relay):
    """A token that stands in the file itself is not known before a reload, which SIGHUP is then."""
    relay.config = e2e.merge(relay.config, {"admin": {"token": FIRST}})
    before = epochs(relay)
    case.command(relay, "reload", "--yes", code=2, says=("asks for another token than admin.token", "SIGHUP"))
    assert epochs(relay) == before and get(relay, "/status", FIRST) == 401
    relay.signal(signal.SIGHUP)
    known(relay, FIRST, THIRD)
    case.command(relay, "reload", "--yes", says="an epoch is open with it")


with e2e.Case() as case:
    hook, path = Receiver(FIRST), os.path.join(case.dir, "secret")
    write(path, FIRST)
    relay = adopted(case, hook, path)
    rotated(case, hook, relay, path)
    unread(case, hook, relay, path)
    refused(case, hook, relay, path)
    reloaded(case, relay)
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    assert "pl4nt" not in relay.log_text(all=True)
    hook.server.shutdown()
