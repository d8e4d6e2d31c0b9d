"""The kcat lines of docs/MESSAGES.md and of the demo show what they promise, as they are printed."""

import json
import os
import re
import subprocess
import sys

import e2e

sys.path.insert(0, os.path.join(e2e.ROOT, "tools"))

import demo  # noqa: E402


def shell(line):
    return subprocess.run(line, shell=True, text=True, timeout=60, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout


with e2e.Case() as case:
    relay = case.up()
    case.put(rows=3, transactions=4)
    case.drain(relay=relay)
    case.stop(relay)
    with open(os.path.join(e2e.ROOT, "docs", "MESSAGES.md")) as file:
        line = re.search(r"^    (kcat .*progress.*)$", file.read(), re.M).group(1)
    line = line.replace("BROKER", case.kafka.bootstrap)
    line = line.replace("walferry.orders.progress", case.progress_topic)
    shown = shell(line)
    assert json.loads(shown) == case.progress()[-1], "%s\n%s" % (line, shown)

    # The demo's line follows the topics without an end; -e ends it at theirs.
    line = demo.EVENTS_LINE % case.kafka.bootstrap
    line = line.replace("-G me", "-e -G %s" % case.name)
    line = line.replace(r"^demo\.event\.", "^" + re.escape(case.prefix))
    assert len(shell(line).splitlines()) == 12, line
