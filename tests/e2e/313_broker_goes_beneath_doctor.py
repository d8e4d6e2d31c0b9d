"""The broker goes away, or falls silent, in the middle of doctor, and comes again or does not: doctor ends in bounded
time, names the broker in what has failed, passes over what cannot be asked, and its code says that a server was away.
The same for a probe on its way, one that is interrupted, and one for a relay that is stopped or was taken over from."""

import json
import re
import signal
import subprocess
import threading
import time

import e2e
from lab.proxy import KafkaProxy

SLOW = True
SECONDS = 600
# All that wants Kafka may find it silent, one check after the other.
LONGEST_S = 60


def doctor(relay, *arguments, after=None, then=None):
    """(code, checks, seconds), with `then` done while it runs, so many seconds after its start."""
    began = time.monotonic()
    process = subprocess.Popen([relay.binary, "doctor", "-o", "json", *arguments, "-c", relay.path],
                               env=relay._env(None), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    timer = threading.Timer(after, then, (process,)) if then else None
    if timer:
        timer.start()
    out, err = process.communicate(timeout=LONGEST_S)
    if timer:
        timer.join()
    assert not e2e.REPORT.search(err), err
    checks = {check["check"]: check for check in json.loads(out)["checks"]}
    return process.returncode, checks, time.monotonic() - began


def judge(name, code, checks, took):
    failed = {slug: check for slug, check in checks.items() if check["state"] == "failed"}
    print("%s: code %d after %.1f s, failed: %s" % (name, code, took, ", ".join(failed) or "nothing"), flush=True)
    assert code == (6 if failed else 0), (name, code, failed)
    for check in failed.values():
        assert re.search("no broker|does not answer|no answer|not answered|timed out|brokers are down", check["text"]), (
            name, check)
    for check in checks.values():
        assert check["state"] != "not_run" or check["after"], (name, check)
    return len(failed)


with e2e.Case() as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    case.put(rows=3)
    case.drain(relay=relay)
    code, checks, whole = doctor(relay)
    assert code == 0, checks

    def go(way, back):
        def do(_):
            way()
            if back:
                time.sleep(2)
                (proxy.accept if way == proxy.refuse else proxy.flow)()
        return do

    failures = 0
    for way in (proxy.refuse, proxy.black_hole):
        for back in (False, True):
            for part in (0.1, 0.3, 0.5, 0.7, 0.9):
                code, checks, took = doctor(relay, after=part * whole, then=go(way, back))
                failures += judge("%s at %.1f%s" % (way.__name__, part, ", comes again" if back else ""),
                                  code, checks, took)
                proxy.accept()
                proxy.flow()
    assert failures > 0
    code, checks, took = doctor(relay, "--probe", after=0.8 * whole, then=go(proxy.black_hole, False))
    judge("a probe", code, checks, took)
    proxy.flow()
    # Asked to end while it waits: soon, and with a code.
    proxy.black_hole()
    code, checks, took = doctor(relay, after=2, then=lambda process: process.send_signal(signal.SIGINT))
    assert code == 6 and took < 5, (code, took)
    proxy.flow()
    proxy.cut()
    case.drain(relay=relay)

    # Taken over from: either file's probe comes through the one that runs.
    second = case.relay(dict(relay.config, admin={"listen": "127.0.0.1:%d" % e2e.lab.ports.free_port()}), name="second")
    case.start(second)
    assert relay.wait(30) == 4
    for one in (relay, second):
        code, checks, took = doctor(one, "--probe")
        assert code == 0 and checks["round_trip"]["state"] == "passed", checks["round_trip"]
    case.stop(second)
    code, checks, took = doctor(second, "--probe")
    assert code == 1 and "is the relay running" in checks["round_trip"]["text"], checks["round_trip"]
    assert 29 < took < LONGEST_S, took
    case.start(second)
    case.put(rows=3)
    case.drain(relay=second)
    case.stop(second)
    case.judge()
