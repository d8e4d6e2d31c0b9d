"""A Kafka Connect worker (standalone) with the real Debezium connector in it.

One JVM runs any number of connectors beside each other, each with its own slot, topics and modes.
A worker is started once and never again: its offsets are in a file of the scratch directory.
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
        java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ \
            else shutil.which("java")
        with open(self.log, "ab") as log:
            self._child = process.spawn(
                [java, "-Xmx" + self.heap, "-XX:+UseSerialGC", "-Xshare:auto", "-Duser.timezone=UTC",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", os.path.join(self.jars, "*"),
                 "org.apache.kafka.connect.cli.ConnectStandalone", *files],
                user=self.user, stdout=log, stderr=log, cwd=self.dir)
        for name in connectors:
            process.wait_for("connector %s does not run" % name, lambda: self._runs(name), timeout,
                             self._child, self.log, interval=0.2)
        return self

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
