"""OpenTelemetry: metrics and spans of live traffic reach a collector, which holds each request against the
names and types of opentelemetry-proto; a span continues the traceparent that the application wrote, where that
is sampled and within the ratio. A collector that hangs or is away costs neither events nor the end."""

import http.server
import json
import os
import re
import signal
import threading
import time

import e2e
import oracle

os.environ.update({"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"})

# The messages of opentelemetry-proto 1.x as JSON has them: {field: type}; [type]: repeated, {a: b}: another one.
U64, I64 = re.compile(r"\d{1,20}$"), re.compile(r"-?\d{1,19}$")
ATTRIBUTES = [{"key": str, "value": {"stringValue": str}}]
RESOURCE = {"attributes": ATTRIBUTES}
SCOPE = {"name": str, "version": str}
NUMBER = {"attributes": ATTRIBUTES, "startTimeUnixNano": U64, "timeUnixNano": U64, "asInt": I64}
HISTOGRAM = {"attributes": ATTRIBUTES, "startTimeUnixNano": U64, "timeUnixNano": U64, "count": U64, "sum": float,
             "bucketCounts": [U64], "explicitBounds": [(float, int)]}
METRIC = {"name": str, "description": str, "unit": str,
          "gauge?": {"dataPoints": [NUMBER]},
          "sum?": {"dataPoints": [NUMBER], "aggregationTemporality": int, "isMonotonic": bool},
          "histogram?": {"dataPoints": [HISTOGRAM], "aggregationTemporality": int}}
SPAN = {"traceId": re.compile("[0-9a-f]{32}$"), "spanId": re.compile("[0-9a-f]{16}$"),
        "parentSpanId": re.compile("[0-9a-f]{16}$"), "flags": int, "name": str, "kind": int,
        "startTimeUnixNano": U64, "endTimeUnixNano": U64, "attributes": ATTRIBUTES}
REQUESTS = {"/v1/metrics": {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [
                {"scope": SCOPE, "metrics": [METRIC]}]}]},
            "/v1/traces": {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [
                {"scope": SCOPE, "spans": [SPAN]}]}]}}


def holds(value, kind, path):
    """The value has this shape, and nothing that the protocol does not know."""
    if isinstance(kind, dict):
        assert isinstance(value, dict), path
        known = {name.rstrip("?"): name for name in kind}
        assert set(value) <= set(known), "%s: %s" % (path, set(value) - set(known))
        for name, key in known.items():
            assert name in value or key.endswith("?"), "%s has no %s" % (path, name)
            if name in value:
                holds(value[name], kind[key], path + "." + name)
    elif isinstance(kind, list):
        assert isinstance(value, list), path
        for item in value:
            holds(item, kind[0], path + "[]")
    elif isinstance(kind, re.Pattern):
        assert isinstance(value, str) and kind.match(value), "%s: %r" % (path, value)
    else:
        assert isinstance(value, kind), "%s: %r" % (path, value)


class Collector:
    def __init__(self):
        collector = self
        self.mode, self.bad, self.metrics, self.spans, self.asked = None, [], {}, [], 0
        self.gate = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                collector.asked += 1
                if collector.mode == "hang":
                    collector.gate.wait(60)
                body = self.rfile.read(int(self.headers["content-length"]))
                code = 200
                try:
                    assert self.headers["content-type"] == "application/json"
                    assert self.headers["x-team"] == "s3cret-key", "no header"
                    collector.take(self.path, json.loads(body))
                except Exception as error:
                    collector.bad.append(repr(error))
                    code = 400
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, request):
        holds(request, REQUESTS[path], path)
        if path == "/v1/traces":
            self.spans += request["resourceSpans"][0]["scopeSpans"][0]["spans"]
            return
        for metric in request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]:
            data = next(metric[kind] for kind in ("sum", "gauge", "histogram") if kind in metric)
            for point in data["dataPoints"]:
                labels = ",".join(sorted('%s="%s"' % (a["key"], a["value"]["stringValue"]) for a in point["attributes"]))
                self.metrics["%s{%s}" % (metric["name"], labels)] = point.get("asInt", point.get("count"))

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


def traceparent(trace, flags="01"):
    return "00-%s-b7ad6b7169203331-%s" % (trace, flags)


def put(case, parents):
    case.sql("""
        WITH o AS (INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers)
                   SELECT 'traced', 'k', 't', '{}', jsonb_build_object('traceparent', p)
                   FROM unnest(%s::text[]) WITH ORDINALITY AS u(p, i) ORDER BY i RETURNING *)
        INSERT INTO e2e.truth (id, topic, key, n, md5)
        SELECT id::text, 'traced', 'k', row_number() OVER (ORDER BY seq) + (SELECT coalesce(max(n), 0) FROM e2e.truth),
               md5(payload::text) FROM o""", (list(parents),))


def page(relay):
    """{series: value} of /metrics, as the collector names them."""
    found = {}
    for name, labels, value in re.findall(r"^(walferry_\w+)\{(.*)\} (\d+)$", relay.admin("/metrics")[1], re.M):
        found["%s{%s}" % (name, ",".join(sorted(re.findall(r'\w+="[^"]*"', labels))))] = value
    return found


def same_values(collector, relay):
    """What was sent is what the page has, but for what goes on counting."""
    def agree():
        mine = {name: value for name, value in page(relay).items()
                if re.match("walferry_(events|event_bytes|epochs|transactions|ready|dead_letters)", name)
                and "idle" not in name}
        return len(mine) >= 6 and all(collector.metrics.get(name) == value for name, value in mine.items())

    e2e.wait("the collector has the values of /metrics", agree, 20, interval=0.3)


def attributes(span):
    return {a["key"]: a["value"]["stringValue"] for a in span["attributes"]}


with e2e.Case() as case:
    collector = Collector()
    config = {"otlp": {"endpoint": "http://127.0.0.1:%d/" % collector.server.server_port, "metrics_interval_ms": 300,
                       "timeout_ms": 20000, "headers": {"x-team": "s3cret-key"}},
              "routes": [dict(case.config()["routes"][0], columns={"headers": "headers"})]}
    relay = case.up(config)
    case.put(rows=5)  # without a traceparent
    sampled = ["%032x" % (0xabc000 + i) for i in range(3)]
    before = time.time()
    put(case, [traceparent(trace) for trace in sampled] + [traceparent("%032x" % 77, "00"), "no traceparent", ""])
    e2e.wait("three spans", lambda: len(collector.spans) >= 3, 20)
    spans = sorted(collector.spans, key=lambda span: span["traceId"])
    assert [span["traceId"] for span in spans] == sampled and len({span["spanId"] for span in spans}) == 3, spans
    ids = {oracle.header(event, "walferry-id")
           for event in oracle.read_topics(case.kafka.bootstrap, [case.prefix + "traced"])}
    for span in spans:
        assert span["parentSpanId"] == "b7ad6b7169203331" and span["kind"] == 4 and span["flags"] & 1, span
        assert span["name"] == "send %straced" % case.prefix, span
        says = attributes(span)
        assert says["messaging.destination.name"] == case.prefix + "traced" and says["messaging.system"] == "kafka"
        assert says["walferry.relay"] == case.name and says["walferry.id"] in ids, (says, ids)
        start, end = int(span["startTimeUnixNano"]) / 1e9, int(span["endTimeUnixNano"]) / 1e9
        assert before - 1 <= start <= end <= time.time(), span
    same_values(collector, relay)

    # One in 4, by the trace: the low half of its id decides. Reloaded, not restarted.
    relay.write_config(e2e.merge(relay.config, {"otlp": {"sample_one_in": 4}}))
    relay.signal(signal.SIGHUP)
    relay.wait_log("config.reloaded")
    e2e.wait("the next epoch", lambda: len(relay.events("epoch.opened")) >= 2, 20)
    time.sleep(1.2)  # the thread looks twice a second
    put(case, [traceparent("1%015x%016x" % (0, i << 60 | 1)) for i in range(16)])
    e2e.wait("a quarter", lambda: len(collector.spans) >= 3 + 4, 20)
    put(case, [traceparent("2%031x" % 5)])
    e2e.wait("one more", lambda: collector.spans[-1]["traceId"][0] == "2", 20)
    assert sorted(int(s["traceId"][16], 16) for s in collector.spans if s["traceId"][0] == "1") == [0, 1, 2, 3]
    assert not collector.bad, collector.bad

    # A collector that hangs delays nothing: not 3,000 events with more spans than have room, not the end.
    collector.mode = "hang"
    asked = collector.asked
    e2e.wait("a request", lambda: collector.asked > asked, 10)
    put(case, [traceparent("3%031x" % i) for i in range(3000)])
    case.put(rows=20, transactions=30)
    case.drain(relay=relay, timeout=20)
    e2e.wait("spans without room are counted", lambda: re.search(
        r"walferry_spans_dropped_total\{[^}]*\} [1-9]", relay.admin("/metrics")[1]), 10)
    began = time.monotonic()
    case.stop(relay)
    assert time.monotonic() - began < 6, "%.1f s" % (time.monotonic() - began)
    collector.close()

    # Nobody there: said once. And off, nothing is asked, and the secret of a header is nowhere.
    case.start(relay)
    relay.wait_log("otlp.failed", 10)
    case.stop(relay)
    assert len(relay.events("otlp.failed")) == 1
    assert "s3cret" not in relay.log_text(all=True)
    assert "s3cret" not in case.command(relay, "config", "show")
    case.judge()
