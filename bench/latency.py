"""From a commit to the consumer: bench/writer and bench/reader around whatever is between them.

What is measured is warm: the broker has served small transactions for WARM_SECONDS before the first
round, because a cold JVM is what most of the first minute measures.
"""

import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WRITER = os.path.join(ROOT, "build", "bench", "writer")
FLOOR = os.path.join(ROOT, "build", "bench", "floor")
READER = os.path.join(ROOT, "build", "bench", "reader")
TICK = os.sysconf("SC_CLK_TCK")
WARM_SECONDS = 60
SESSIONS = 8
SKIP_MS = 3000  # what is written first meets a relay that has just begun

# What kafka-server-start.sh gives the JVM; tests do without.
KAFKA_JVM = ("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
             "-XX:MaxInlineLevel=15")


def say(text):
    print("# " + text, file=sys.stderr, flush=True)


def spread(values, form="%.0f"):
    """Minimum, median and maximum."""
    values = sorted(values)
    return " / ".join(form % value for value in
                      (values[0], statistics.median(values), values[-1]))


def cpu_of(pid):
    """User and system seconds of a process so far, or None when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICK


def servers_cpu(pg):
    """Of PostgreSQL's processes, those that have ended and were waited for among them."""
    total = 0.0
    for pid in [pg.pid] + children(pg.pid):
        total += cpu_of(pid) or 0.0
    with open("/proc/%d/stat" % pg.pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return total + (int(fields[13]) + int(fields[14])) / TICK


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


class Reader:
    """bench/reader, from the ends of the topic's partitions on."""

    def __init__(self, kafka, topic, skip_ms):
        self.child = subprocess.Popen([READER, kafka.bootstrap, topic, str(skip_ms)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      stderr=subprocess.DEVNULL)
        if self.child.stdout.readline() != "ready\n":
            raise RuntimeError("the reader does not begin: exit code %s" % self.child.wait())

    def until(self, events, timeout=300):
        """What it saw when it had so many; every one once."""
        self.child.stdin.write("%d\n" % events)
        out, _ = self.child.communicate(timeout=timeout)
        return checked(json.loads(out), events)


def checked(got, events):
    if got["events"] != events or got["doubles"]:
        raise RuntimeError("%d rows were written, %d came, %d of them again"
                           % (events, got["events"], got["doubles"]))
    return got


class Latency:
    """pg, kafka: lab servers. The table is public.outbox of `database`."""

    def __init__(self, pg, kafka, database, topic):
        self.pg, self.kafka, self.database, self.topic = pg, kafka, database, topic

    def measure(self, rate, seconds, pid, skip_ms=SKIP_MS):
        """Writes at a rate for seconds; ages of what the consumer got, and who used how much CPU.
        pid: of the process that is between the two."""
        reader = Reader(self.kafka, self.topic, skip_ms)
        before = self.used(pid)
        writer = json.loads(subprocess.run(
            [WRITER, self.pg.dsn(self.database), str(rate), str(seconds), str(SESSIONS)],
            check=True, stdout=subprocess.PIPE, text=True).stdout)
        got = reader.until(writer["rows"])
        after = self.used(pid)
        got["writer"] = writer
        got["cores"] = {name: (after[name] - before[name]) / seconds for name in before}
        got["cores"]["reader"] = got["cpu"] / seconds
        got["cores"]["writer"] = writer["cpu"] / seconds
        return got

    def used(self, pid):
        return {"relay": cpu_of(pid), "broker": cpu_of(self.kafka.pid),
                "postgres": servers_cpu(self.pg)}


def floor(kafka, topic, partitions, progress, rate, seconds, skip_ms=SKIP_MS):
    """Ages of events that bench/floor makes itself, and what it tells of its transactions."""
    reader, broker = Reader(kafka, topic, skip_ms), cpu_of(kafka.pid)
    told = json.loads(subprocess.run(
        [FLOOR, kafka.bootstrap, topic, str(partitions), progress, str(rate), str(seconds)],
        check=True, stdout=subprocess.PIPE, text=True).stdout)
    got = reader.until(told["rows"])
    got["floor"] = told
    got["cores"] = {"floor": told["cpu"] / seconds, "broker": (cpu_of(kafka.pid) - broker) / seconds,
                    "reader": got["cpu"] / seconds}
    return got


def late(runs):
    """A sentence where the writer was not on time, which makes ages look smaller than they are."""
    rows = sum(run["writer"]["late"] for run in runs)
    if not rows:
        return ""
    return "the writer was late with %d of %d rows, by %.0f ms at most" % (
        rows, sum(run["writer"]["rows"] for run in runs),
        max(run["writer"]["latest_ms"] for run in runs))
