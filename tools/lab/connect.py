"""A Kafka Connect worker with the real Debezium connector in it.

One JVM runs any number of connectors beside each other, each with its own slot, topics and modes.
Worker is a standalone one: it is started once and never again, its offsets are in a file of the
scratch directory. Distributed is one that keeps them in Kafka, which exactly-once wants.
"""

import json
import os
import shutil
import signal
import urllib.request

from . import cache, ports, process

DEFAULTS = {
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "false",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "offset.flush.interval.ms": 1000,
    "topic.creation.enable": "true",
    "producer.linger.ms": 0,
}

POSTGRES = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": 1,
    "plugin.name": "pgoutput",
    "topic.creation.default.replication.factor": 1,
    "poll.interval.ms": 50,
    "snapshot.mode": "no_data",
    "publication.autocreate.mode": "disabled",
    # A row that the connector cannot convert is left out and said in its log; by default it ends.
    "event.processing.failure.handling.mode": "warn",
}


class Worker:
    def __init__(self, dir, bootstrap, heap="512m"):
        self.jars = cache.ensure("debezium")
        self.user = process.unprivileged()
        self.dir = os.path.abspath(dir)
        self.log = os.path.join(self.dir, "connect.log")
        self.bootstrap = bootstrap
        self.heap = heap
        self.port = ports.free_port()
        self._child = None

    def start(self, connectors, timeout=300):
        """connectors: {name: properties on top of POSTGRES}; returns when the tasks of all run."""
        process.give(self.dir, self.user)
        worker = dict(DEFAULTS, **{
            "bootstrap.servers": self.bootstrap,
            "listeners": "http://127.0.0.1:%d" % self.port,
            "offset.storage.file.filename": os.path.join(self.dir, "offsets")})
        files = [self._properties("worker", worker)]
        for name, properties in connectors.items():
            files.append(self._properties("connector-" + name, dict(POSTGRES, name=name,
                                                                    **properties)))
        self._spawn("org.apache.kafka.connect.cli.ConnectStandalone", files, ["-XX:+UseSerialGC"])
        self._wait(connectors, timeout)
        return self

    def _spawn(self, main_class, files, jvm):
        java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ \
            else shutil.which("java")
        with open(self.log, "ab") as log:
            self._child = process.spawn(
                [java, "-Xmx" + self.heap, *jvm, "-Xshare:auto", "-Duser.timezone=UTC",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", os.path.join(self.jars, "*"), main_class, *files],
                user=self.user, stdout=log, stderr=log, cwd=self.dir)

    def _wait(self, connectors, timeout):
        for name in connectors:
            process.wait_for("connector %s does not run" % name, lambda: self._runs(name), timeout,
                             self._child, self.log, interval=0.2)

    @property
    def pid(self):
        return self._child.pid if self._child else None

    def _properties(self, name, properties):
        path = os.path.join(self.dir, name + ".properties")
        with open(path, "w") as file:
            for key, value in properties.items():
                file.write("%s=%s\n" % (key, str(value).replace("\\", "\\\\")))
        os.chmod(path, 0o644)
        return path

    def status(self, name):
        """What the worker says of a connector, or None where it does not answer yet."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/connectors/%s/status"
                                        % (self.port, name), timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def _runs(self, name):
        status = self.status(name)
        tasks = status["tasks"] if status else []
        if status and status["connector"]["state"] == "FAILED":
            raise RuntimeError("connector %s: %s" % (name, status["connector"].get("trace")))
        if any(task["state"] == "FAILED" for task in tasks):
            raise RuntimeError("connector %s: %s" % (name, tasks[0].get("trace")))
        return bool(tasks) and all(task["state"] == "RUNNING" for task in tasks)

    def stop(self):
        if self._child is not None:
            process.end(self._child, signal.SIGTERM, 30)
            self._child = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._child is not None:
            process.end(self._child, signal.SIGKILL)
            self._child = None


class Distributed(Worker):
    """A worker of its own group: offsets, connectors and status in topics, exactly-once as asked."""

    def start(self, connectors, exactly_once=False, jvm=(), timeout=300):
        process.give(self.dir, self.user)
        worker = dict(DEFAULTS, **{
            "bootstrap.servers": self.bootstrap, "group.id": self.name,
            "listeners": "http://127.0.0.1:%d" % self.port,
            "exactly.once.source.support": "enabled" if exactly_once else "disabled",
            "config.providers": "", "connector.client.config.override.policy": "All"})
        for kind in ("config", "offset", "status"):
            worker["%s.storage.topic" % kind] = "%s.%s" % (self.name, kind)
            worker["%s.storage.replication.factor" % kind] = 1
        worker.update({"offset.storage.partitions": 1, "status.storage.partitions": 1})
        self._spawn("org.apache.kafka.connect.cli.ConnectDistributed",
                    [self._properties("worker", worker)], jvm)
        process.wait_for("Connect does not answer", lambda: self._ask("GET", "") is not None, timeout,
                         self._child, self.log, interval=0.2)
        for name, properties in connectors.items():
            config = {key: str(value) for key, value in dict(POSTGRES, name=name,
                                                             **properties).items()}
            process.wait_for("connector %s is not taken" % name,
                             lambda config=config, name=name: self._ask(
                                 "PUT", "/%s/config" % name, config) is not None,
                             timeout, self._child, self.log, interval=0.5)
        self._wait(connectors, timeout)
        return self

    @property
    def name(self):
        return os.path.basename(self.dir)

    def pause(self, name):
        """Its tasks end sending; the connector keeps its slot's connection."""
        self._ask("PUT", "/%s/pause" % name, {})
        self._until(name, "PAUSED")

    def resume(self, name):
        self._ask("PUT", "/%s/resume" % name, {})
        self._until(name, "RUNNING")

    def _until(self, name, state):
        def reached():
            status = self.status(name)
            return status and status["tasks"] and all(task["state"] == state
                                                      for task in status["tasks"])
        process.wait_for("connector %s is not %s" % (name, state), reached, 60, self._child, self.log,
                         interval=0.1)

    def _ask(self, method, path, body=None):
        """The worker's answer as JSON, or None where it refuses or does not answer yet."""
        request = urllib.request.Request(
            "http://127.0.0.1:%d/connectors%s" % (self.port, path), method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except (OSError, ValueError):
            return None
