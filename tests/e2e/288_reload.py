"""walferry reload, under load: it shows what a file changes and when, takes it over and says so, and refuses
what is wrong, what wants a restart, what no epoch opens with, and a file that is not the one that was looked
at. A route comes and goes, limits change, the relay is killed in the middle; no event suffers."""

import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request

import e2e

THERE = "CREATE TABLE public.there (LIKE public.outbox INCLUDING ALL)"


def insert(case, rows):
    case.sql("INSERT INTO public.there (aggregatetype, aggregateid, type, payload)"
             " SELECT 'o', n::text, 't', '{}' FROM generate_series(1, %s) n", (rows,))


def published(case, topic):
    return len(e2e.oracle.read_topics(case.kafka.bootstrap, [topic]))


def post(relay, method="POST", **headers):
    request = urllib.request.Request(
        "http://%s/reload" % relay.config["admin"]["listen"], method=method,
        headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def epochs(relay):
    return len(relay.events("epoch.opened"))


def taken(case, relay, config, *more, says=(), **options):
    """The relay runs with this from now on, and an epoch was opened for it."""
    before = epochs(relay)
    relay.config = config
    text = case.command(relay, "reload", "--yes", *more, says=says, **options)
    assert epochs(relay) > before, relay.log_text()[-2000:]
    return text


def refused(case, relay, config, code, says, *more, epochs_more=0, **options):
    """The relay goes on with what it has."""
    before, old = epochs(relay), relay.config
    relay.config = config
    case.command(relay, "reload", *(more or ("--yes",)), code=code, says=says, **options)
    relay.config = old
    e2e.wait("the old file is in force",
             lambda: relay.running() and epochs(relay) == before + epochs_more, 20)


def killed(case, relay, delay):
    """The relay is killed that long after it was asked."""
    result = []
    asker = threading.Thread(target=lambda: result.append(relay.run("reload", "--yes")))
    asker.start()
    e2e.time.sleep(delay)
    relay.kill()
    asker.join()
    assert result[0][0] in (0, 6), result
    case.start(relay)


with e2e.Case(sql=THERE) as case:
    other = "there." + case.name
    base = case.config()["routes"][0]
    there = dict(base, name="there", topic=other, **{"from": "public.there"})
    case.setup(case.relay({"routes": [base, there]}, name="both"))
    relay = case.start(case.relay())
    one = relay.config
    both = e2e.merge(one, {"routes": [base, there], "log": {"level": "debug"},
                           "delivery": {"batch_events": 7, "commit_interval_ms": 25}})
    shop = case.shop(writers=2, rate=60).start()
    e2e.wait("events", lambda: case.seen(0.1) > 10)

    # What it says, and that it changes nothing by that.
    secret = e2e.merge(both, {"source": {"connection": case.dsn() + " password=hunter2"}})
    opened, relay.config = epochs(relay), secret
    text = case.command(relay, "reload", "--dry-run", says=(
        r'at once +log.level: "info" -> "debug"',
        r"next epoch +delivery.batch_events: 10000 -> 7",
        r'next epoch +routes\[there\].from: \(none\) -> "public.there"',
        r'next epoch +source.connection: "host=.*" -> "\(hidden\)"'))
    assert "hunter2" not in text + relay.admin("/reload")[1], text
    told = json.loads(case.command(relay, "reload", "--dry-run", "--json"))
    assert told["ok"] and told["state"] == "shown", told
    assert {"key": "delivery.commit_interval_ms", "before": 10, "after": 25,
            "when": "next_epoch"} in told["changes"], told
    assert not any(c["key"] == "routes[there].on_error" for c in told["changes"]), told
    relay.config = both
    case.command(relay, "reload", code=2, says="nobody is there to be asked.*reload --yes")
    assert epochs(relay) == opened

    # A route comes, limits change, the route goes.
    taken(case, relay, both, says="an epoch is open with it")
    insert(case, 20)
    e2e.wait("the new route's events", lambda: published(case, other) == 20)
    taken(case, relay, e2e.merge(one, {"routes": [base]}),
          says=r'next epoch +routes\[there\].name: "there" -> \(none\)')
    insert(case, 5)
    taken(case, relay, one, says="no value is another one")

    # What is refused, and that everything stays as it was.
    refused(case, relay, dict(one, sauce={}), 2, "sauce")
    refused(case, relay, e2e.merge(one, {"source": {"slot": "another"}}), 2,
            (r'needs a restart +source.slot: "walferry_.*" -> "another"', "a change of source.slot"))
    refused(case, relay, e2e.merge(one, {"relay": "another"}), 2, "a change of relay needs a restart")
    for key, value in (("source.mode", "poll"), ("source.publication", "another"), ("source.connection", case.pg.dsn("postgres")),
                       ("delivery.guarantee", "at_least_once"), ("delivery.progress_topic", case.prefix + "progress"),
                       ("delivery.transactional_id", "another")):
        section, name = key.split(".")
        refused(case, relay, e2e.merge(one, {section: {name: value}}), 2,
                (r"needs a restart +" + key, "a change of %s needs a restart" % key))
    # No topic is forgotten: events go to another one from the next epoch on, and to one that is missing they do not.
    refused(case, relay, e2e.merge(one, {"routes": [dict(base, topic=case.prefix + "nowhere")],
                                         "delivery": {"topics": {"create": False}}}), 1,
            "has not taken the file over: .*nowhere does not exist", epochs_more=1)
    refused(case, relay, dict(one, routes=[base, dict(there, **{"from": "public.nowhere"})]), 1,
            "has not taken the file over: .*nowhere", epochs_more=1)
    refused(case, relay, e2e.merge(one, {"source": {"connection": case.dsn(sslmode="require")}}), 1,
            "has not taken the file over: .*SSL", epochs_more=1)
    refused(case, relay, e2e.merge(one, {"kafka": {"security.protocol": "SSL"}}), 1,
            "has not taken the file over: .*security.protocol", epochs_more=1)
    copy = os.path.join(case.dir, "copy.yaml")
    shutil.copy(relay.path, copy)
    with open(copy, "a") as file:
        file.write("# another one\n")
    result = subprocess.run([relay.binary, "reload", "--yes", "-c", copy], text=True, check=False,
                            capture_output=True, env=relay._env(None), timeout=30)
    assert result.returncode == 2 and "is not what walferry reload has read" in result.stderr, result

    # Who may ask.
    opened = epochs(relay)
    assert post(relay) == 400
    assert post(relay, Walferry_Reload="take", Origin="http://127.0.0.1:9187") == 403
    assert post(relay, Walferry_Reload="take", Sec_Fetch_Site="same-origin") == 403
    assert post(relay, "PUT", Walferry_Reload="take") == 405
    assert post(relay, Walferry_Reload="take", Walferry_File="0" * 16) == 202
    e2e.wait("another file is refused", lambda: "file_changed" in relay.admin("/reload")[1])
    assert epochs(relay) == opened

    # Killed in the middle.
    for number, delay in enumerate((0.1, 0.25, 0.4)):
        relay.config = both if number % 2 == 0 else one
        killed(case, relay, delay)
    relay.config = one
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.command(relay, "reload", "--yes", code=6, says="no answer from the admin port")
    case.judge()
    assert published(case, other) == 20, published(case, other)


# What makes rows pending again that are published is refused, by a reload as by a start.
CLAIM = {"source": {"mode": "poll", "poll": {"strategy": "claim", "interval_ms": 5, "idle_interval_ms": 100}}}
SHAPE = "ALTER TABLE public.outbox ADD COLUMN status text, ADD COLUMN state text"
with e2e.Case(label="_claims", config=CLAIM, sql=SHAPE) as case:
    def by(column, **more):
        poll = dict({"done": "update", "column": column, "value": "OUT"}, **more)
        return [dict(case.config()["routes"][0], poll=poll)]

    relay = case.up({"routes": by("status")})
    case.put(rows=5)
    case.drain(relay=relay)
    old = relay.config
    for other in (by("state"), by("status", pending="OPEN"), [case.config()["routes"][0]]):
        refused(case, relay, dict(old, routes=other), 1, "mode_changed|finished under other values",
                epochs_more=1)
    taken(case, relay, dict(old, routes=by("status", value="DONE")))
    taken(case, relay, old)
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)
    relay.config = dict(old, routes=by("state"))
    claims = len(case.progress())
    text = case.refused(relay, 3, ("mode_changed", "finished under other values"))
    assert len(case.progress()) == claims, "it took the relay over"
    case.judge()
    case.mend(relay, text, "--yes")


# Keys that are held are let go of with their letters, and with no others.
with e2e.Case(label="_held", sql="CREATE TABLE orders (id int PRIMARY KEY, total text)") as case:
    relay = case.up({"dead_letter": {"quarantine": "key"}, "routes": [
        {"name": "orders", "from": "public.orders", "as": "event", "type": "Order", "key": "{id}",
         "topic": case.prefix + "orders", "on_error": "dead_letter", "jq": "{n: (.after.total | tonumber)}"}]})
    case.sql("INSERT INTO orders VALUES (1, 'many')")
    e2e.wait("the key is held", lambda: relay.metric("walferry_keys_held") == 1)
    refused(case, relay, e2e.merge(relay.config, {"dead_letter": {"topic": case.prefix + "others"}}), 1,
            "keys are held for dead letters in topic walferry", epochs_more=1)
    assert relay.metric("walferry_keys_held") == 1
    case.stop(relay)
