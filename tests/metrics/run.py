#!/usr/bin/python3
"""The metrics kit without a server: rules, their tests, the dashboard, the runbook, and the names in all of
them against src/metrics/metrics.def. TAP. tests/e2e/281_metrics_kit.py runs the queries on real data."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = os.path.join(ROOT, "docker", "alerts.yaml")
RULE_TESTS = os.path.join(ROOT, "tests", "metrics", "alerts_test.yaml")
DASHBOARD = os.path.join(ROOT, "docker", "grafana-dashboard.json")
RUNBOOK = os.path.join(ROOT, "docs", "RUNBOOK.md")
OPERATIONS = os.path.join(ROOT, "docs", "OPERATIONS.md")
# Those that neither an alert nor the dashboard has, each for a reason.
UNSHOWN = {
    "walferry_claims_deleted_total": "house-keeping",
    "walferry_retention_deleted_total": "house-keeping",
    "walferry_retention_partitions_dropped_total": "house-keeping",
    "walferry_retention_last_run_seconds": "house-keeping; what goes wrong is counted",
    "walferry_slot_room_bytes": "there only with max_slot_wal_keep_size; walferry_slot_risk reckons with it",
    "walferry_notifications_total": "who has a Prometheus has its alerts; the log says what was not sent",
    "walferry_notification_retries_total": "the same",
    "walferry_otlp_requests_total": "of another way to see all this; the log says what is not taken",
    "walferry_spans_total": "the same",
    "walferry_spans_dropped_total": "the same",
    "walferry_progress_stands": "readiness says so, and WalferryStands reckons it for a Prometheus of its own",
    "walferry_timestamps_clamped_total": "a matter of a topic's settings, seen in check",
    "walferry_values_as_text_total": "a matter of types, said once in the log",
    "walferry_producers_recreated_total": "a matter of delivery.strict, harmless",
}


def promtool(*args):
    done = subprocess.run(["promtool", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.returncode, done.stdout


def read(path):
    with open(path) as file:
        return file.read()


def rules(text=None):
    return [rule for group in yaml.safe_load(text or read(RULES))["groups"] for rule in group["rules"]]


def queries():
    """[(panel, expression)] of the dashboard."""
    return [(panel["title"], target["expr"]) for panel in json.loads(read(DASHBOARD))["panels"]
            for target in panel["targets"]]


def table():
    """{name of a series: kind} of the program, with the series of histograms."""
    names = {"walferry_build_info": "GAUGE"}
    for name, kind in re.findall(r'^METRIC\([A-Z_0-9]+, "([a-z_0-9]+)", ([A-Z]+)',
                                 read(os.path.join(ROOT, "src/metrics/metrics.def")), re.M):
        for suffix in ("_bucket", "_sum", "_count") if kind == "HISTOGRAM" else ("",):
            names[name + suffix] = kind
    return names


def names_in(text):
    return set(re.findall(r"\bwalferry_[a-z_0-9]+", text))


def test_rules():
    """promtool takes the rules"""
    code, text = promtool("check", "rules", RULES)
    assert code == 0, text


def test_rule_tests():
    """promtool test rules: each alert fires when it must"""
    code, text = promtool("test", "rules", RULE_TESTS)
    assert code == 0, text
    tested = [case for one in yaml.safe_load(read(RULE_TESTS))["tests"]
              for case in one["alert_rule_test"]]
    for rule in rules():
        for fires in (True, False):
            assert any(case["alertname"] == rule["alert"] and bool(case["exp_alerts"]) == fires
                       for case in tested), "%s: no test that it %s" % (
                           rule["alert"], "fires" if fires else "is silent")


def test_rule_tests_fail():
    """and they fail for each rule whose condition or time is another one"""
    with tempfile.TemporaryDirectory() as work:
        tests = os.path.join(work, "alerts_test.yaml")
        with open(tests, "w") as file:
            file.write(read(RULE_TESTS).replace("../../docker/alerts.yaml", "alerts.yaml"))
        for change in (lambda rule: {"expr": "vector(0) > 1"},
                       lambda rule: {"expr": selector(rule) + " or up"},
                       lambda rule: {"for": "0s" if "for" in rule else "40m"}):
            broken = yaml.safe_load(read(RULES))
            for rule in broken["groups"][0]["rules"]:
                rule.update(change(rule))
            with open(os.path.join(work, "alerts.yaml"), "w") as file:
                yaml.safe_dump(broken, file)
            code, text = promtool("test", "rules", tests)
            assert code != 0
            for rule in rules():
                assert re.search("alertname: %s\\b" % rule["alert"], text), "%s with %s passes" % (
                    rule["alert"], change(rule))


def selector(rule):
    return re.search(r"\b(walferry_\w+|up)\b", rule["expr"]).group(1)


def test_names():
    """what rules and dashboard ask for is what the program has, and it shows what it has"""
    known = table()
    asked = names_in(" ".join(rule["expr"] for rule in rules())) | names_in(
        " ".join(expression for _, expression in queries()))
    assert asked <= set(known), "the program has no %s" % sorted(asked - set(known))
    bases = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
    for name in {re.sub("_(bucket|sum|count)$", "", name) for name in known}:
        assert (name in bases) != (name in UNSHOWN), "%s is shown nowhere, or is and stands in UNSHOWN" % name
    # A counter is only of use as a rate, and a gauge never is.
    for text in [rule["expr"] for rule in rules()] + [expression for _, expression in queries()]:
        for function, name in re.findall(r"\b([a-z_]+)\((walferry_[a-z_0-9]+)", text):
            counts = known[name] != "GAUGE"
            assert counts == (function in ("rate", "increase")), "%s(%s)" % (function, name)


def test_dashboard():
    """each panel has a title, a place of its own and queries that parse"""
    panels = json.loads(read(DASHBOARD))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert panel["title"] and not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "rules.yaml")
        for expressions in ([plain(expression) for _, expression in queries()], ["rate(walferry_ready["]):
            with open(path, "w") as file:
                yaml.safe_dump({"groups": [{"name": "panels", "rules": [
                    {"record": "panel:%d" % number, "expr": expression}
                    for number, expression in enumerate(expressions)]}]}, file)
            code, text = promtool("check", "rules", path)
            assert (code == 0) == (len(expressions) > 1), text


def plain(expression, interval="1m"):
    """As Grafana asks it for all relays."""
    return expression.replace("$__rate_interval", interval).replace("$relay", ".*")


def test_runbook():
    """each alert has its paragraph, with meaning, impact, diagnosis and mitigation, and a link to it"""
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", read(RUNBOOK), re.M | re.S))
    for rule in rules():
        name = rule["alert"]
        assert name in sections, "docs/RUNBOOK.md has no paragraph " + name
        for word in ("Meaning", "Impact", "Diagnosis", "Mitigation"):
            assert "**%s.**" % word in sections[name], "%s: no %s" % (name, word)
        assert rule["annotations"]["runbook_url"] == "docs/RUNBOOK.md#" + name.lower(), name
        assert rule["labels"]["severity"] in ("page", "ticket"), name
    assert set(sections) <= {rule["alert"] for rule in rules()}, "a paragraph of no alert"
    titles = {panel["title"] for panel in json.loads(read(DASHBOARD))["panels"]}
    named = re.findall(r'[Pp]anel\s"([^"]+)"', read(RUNBOOK))
    assert named and set(named) <= titles, "the dashboard has no %s" % sorted(set(named) - titles)
    # A command in the midst of a sentence is one that stands apart somewhere, where e2e 303 runs it.
    apart = set(re.findall(r"^    (.+)$", read(RUNBOOK), re.M))
    prose = re.sub(r"^    .*$", "", sections_text(), flags=re.M)
    for command in re.findall(r"`((?:walferry [a-z]|systemctl|journalctl|SELECT|ALTER|GRANT|DROP)[^`]*)`", prose):
        assert any(line.startswith(command) for line in apart), "run by no test: " + command
    events = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", read(OPERATIONS), re.M))
    for event in re.findall(r"event=([a-z]+\.[a-z_]+)\b|`([a-z]+\.[a-z_]+)` in the log", sections_text()):
        event = "".join(event)
        assert event in events, "docs/OPERATIONS.md has no event " + event


def sections_text():
    return read(RUNBOOK).split("\n## ", 1)[1]


def test_compose():
    """the profile monitoring mounts all of it where it is looked for"""
    services = yaml.safe_load(read(os.path.join(ROOT, "docker", "compose.yaml")))["services"]
    mounts = {}
    for name in ("prometheus", "grafana"):
        assert services[name]["profiles"] == ["monitoring"]
        for volume in services[name]["volumes"]:
            source, target, _ = volume.split(":")
            assert os.path.exists(os.path.join(ROOT, "docker", source)), source
            mounts[target] = source
    with tempfile.TemporaryDirectory() as work:
        for target, source in mounts.items():
            if target.startswith("/etc/prometheus/"):
                text = read(os.path.join(ROOT, "docker", source)).replace("/etc/prometheus", work)
                with open(os.path.join(work, os.path.basename(target)), "w") as file:
                    file.write(text)
        code, text = promtool("check", "config", os.path.join(work, "prometheus.yml"))
        assert code == 0 and "SUCCESS: 14 rules" in text.replace(
            "%d rules" % len(rules()), "14 rules"), text
    provider = yaml.safe_load(read(os.path.join(ROOT, "docker", "grafana-dashboards.yaml")))
    path = provider["providers"][0]["options"]["path"]
    assert any(os.path.dirname(target) == path for target in mounts), mounts


def main():
    if shutil.which("promtool") is None:
        print("not ok 1 - promtool is not installed (apt-get install prometheus)")
        return 1
    failed = 0
    tests = [test_rules, test_rule_tests, test_rule_tests_fail, test_names, test_dashboard,
             test_runbook, test_compose]
    for number, test in enumerate(tests, 1):
        title = test.__doc__.strip()
        try:
            test()
            print("ok %d - %s" % (number, title))
        except (AssertionError, KeyError, OSError, ValueError) as error:
            failed += 1
            print("not ok %d - %s\n%s" % (number, title, error))
    print("1..%d" % len(tests))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
