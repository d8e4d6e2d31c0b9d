"""docker/'s rules and dashboard on a real relay: promtool takes its /metrics, Prometheus scrapes it, each
query of the dashboard answers, each rule is evaluated, and an alert begins when the relay is gone."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import e2e
import lab.ports
import lab.process

# Those of which a relay that carries events must have series; the others may be empty.
FILLED = ("Ready", "Behind", "WAL kept by the slot", "Commit to Kafka, p99", "Events", "Bytes",
          "From COMMIT to Kafka", "From the end of a batch to its Kafka commit", "WAL", "Transactions",
          "Batches with the writer", "Changes in another place than their topic", "Versions")

if shutil.which("prometheus") is None:
    print("prometheus is not installed", flush=True)
    sys.exit(77)
spec = importlib.util.spec_from_file_location("kit", os.path.join(e2e.ROOT, "tests/metrics/run.py"))
kit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kit)


def ask(port, path, **parameters):
    url = "http://127.0.0.1:%d/api/v1/%s?%s" % (port, path, urllib.parse.urlencode(parameters))
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        raise AssertionError("%s: %s" % (url, error.read().decode())) from error


with e2e.Case() as case:
    relay = case.up()
    case.put(rows=5, transactions=20)
    case.drain(relay=relay)
    text = relay.admin("/metrics")[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout
    shown = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    table = {name.rsplit("_", 1)[0] if kind == "HISTOGRAM" else name
             for name, kind in kit.table().items()}
    assert shown == table, "told apart: %s" % sorted(shown ^ table)

    port = lab.ports.free_port()
    directory = os.path.join(case.dir, "prometheus")
    os.makedirs(directory)
    with open(os.path.join(directory, "prometheus.yml"), "w") as file:
        json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                   "rule_files": [kit.RULES],
                   "scrape_configs": [{"job_name": "walferry", "static_configs": [
                       {"targets": [relay.config["admin"]["listen"]]}]}]}, file)
    with open(os.path.join(directory, "log"), "wb") as log:
        server = lab.process.spawn(
            ["prometheus", "--config.file=" + os.path.join(directory, "prometheus.yml"),
             "--storage.tsdb.path=" + os.path.join(directory, "data"),
             "--web.listen-address=127.0.0.1:%d" % port, "--log.level=warn"], stdout=log, stderr=log)
    try:
        def scraped():
            try:
                found = ask(port, "query", query='count_over_time(walferry_ready[1m])')["result"]
            except OSError:
                return False
            case.put(rows=5)
            return found and float(found[0]["value"][1]) >= 4
        e2e.wait("Prometheus has scraped the relay", scraped, 40, interval=0.5)
        for panel, expression in kit.queries():
            found = ask(port, "query", query=kit.plain(expression, "20s"))["result"]
            assert found or panel not in FILLED, "%s: nothing for %s" % (panel, expression)
        for group in ask(port, "rules")["groups"]:
            assert len(group["rules"]) == len(kit.rules())
            for rule in group["rules"]:
                assert rule["health"] == "ok" and not rule["alerts"], rule
        case.drain(relay=relay)
        case.stop(relay)
        e2e.wait("WalferryDown is pending", lambda: ask(
            port, "query", query='ALERTS{alertname="WalferryDown",alertstate="pending"}')["result"], 20)
    finally:
        server.terminate()
        server.wait(20)
    case.judge()
