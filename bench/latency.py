"""From a commit to the consumer: bench/writer and bench/reader around whatever is between them.

What is measured is warm: the broker has served small transactions for WARM_SECONDS before the first
round, because a cold JVM is what most of the first minute measures.
"""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WRITER = os.path.join(ROOT, "build", "bench", "writer")
READER = os.path.join(ROOT, "build", "bench", "reader")
TICK = os.sysconf("SC_CLK_TCK")
WARM_SECONDS = 60
SESSIONS = 8
SKIP_MS = 3000  # what is written first meets a relay that has just begun

# What kafka-server-start.sh gives the JVM; tests do without.
KAFKA_JVM = ("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
             "-XX:MaxInlineLevel=15")


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


class Latency:
    """pg, kafka: lab servers. The table is public.outbox of `database`."""

    def __init__(self, pg, kafka, database, topic):
        self.pg, self.kafka, self.database, self.topic = pg, kafka, database, topic

    def measure(self, rate, seconds, pid, skip_ms=SKIP_MS):
        """Writes at a rate for seconds; ages of what the consumer got, and who used how much CPU.
        pid: of the process that is between the two."""
        with open(os.devnull, "wb") as null:
            reader = subprocess.Popen([READER, self.kafka.bootstrap, self.topic, str(skip_ms)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      stderr=null)
        if reader.stdout.readline() != "ready\n":
            raise RuntimeError("the reader does not begin: exit code %s" % reader.wait())
        before = self.used(pid)
        writer = json.loads(subprocess.run(
            [WRITER, self.pg.dsn(self.database), str(rate), str(seconds), str(SESSIONS)],
            check=True, stdout=subprocess.PIPE, text=True).stdout)
        out, _ = reader.communicate()
        after = self.used(pid)
        got = json.loads(out)
        if got["events"] != writer["rows"] or got["doubles"]:
            raise RuntimeError("%d rows were written, %d came, %d of them again"
                               % (writer["rows"], got["events"], got["doubles"]))
        got["writer"] = writer
        got["cores"] = {name: (after[name] - before[name]) / seconds for name in before}
        got["cores"]["reader"] = got["cpu"] / seconds
        got["cores"]["writer"] = writer["cpu"] / seconds
        return got

    def used(self, pid):
        return {"relay": cpu_of(pid), "broker": cpu_of(self.kafka.pid),
                "postgres": servers_cpu(self.pg)}


def late(runs):
    """A sentence where the writer was not on time, which makes ages look smaller than they are."""
    rows = sum(run["writer"]["late"] for run in runs)
    if not rows:
        return ""
    return "the writer was late with %d of %d rows, by %.0f ms at most" % (
        rows, sum(run["writer"]["rows"] for run in runs),
        max(run["writer"]["latest_ms"] for run in runs))
