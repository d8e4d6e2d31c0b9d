"""A private single-node Apache Kafka (KRaft: broker and controller in one JVM; before 3.3 a broker
with a ZooKeeper beside it).

Listeners, all on 127.0.0.1 and free ports:
  PLAINTEXT       .bootstrap         what everybody uses; the principal is User:ANONYMOUS
  PROXY           .proxy_bootstrap   advertises proxy_advertised_port, where a test puts a proxy
  SASL_PLAINTEXT  .sasl_bootstrap    PLAIN users admin/admin (may do all), limited/limited (nothing
                                     until allow() says so)
and those that a test names, at .at(NAME).
"""

import os
import shutil
import signal
import socket
import subprocess

from . import cache, ports, process

DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.sasl_plaintext.plain.sasl.jaas.config":
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        "user_admin=\"admin\" user_limited=\"limited\";",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS;User:admin",
    "auto.create.topics.enable": "false",
    "num.partitions": 1,
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.num.partitions": 5,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 5,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16777216,
    # After a SIGKILL the broker may register again only when its old session has run out.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
}

# What a broker with ZooKeeper has instead.
ZOOKEEPER_DEFAULTS = {
    "broker.id": 1,
    "authorizer.class.name": "kafka.security.authorizer.AclAuthorizer",
    # After a SIGKILL the broker may register again only when ZooKeeper has forgotten the old one.
    "zookeeper.session.timeout.ms": 6000,
    "zookeeper.connection.timeout.ms": 30000,
}
KRAFT_ONLY = ("process.roles", "node.id", "controller.listener.names", "broker.session.timeout.ms",
              "broker.heartbeat.interval.ms")

HEAP = "512m"
JVM = ("-XX:+UseG1GC",)
CLUSTER_ID = "d2FsZmVycnktbGFiLTAwMQ"  # base64 of 16 bytes, as StorageTool wants it


class Kafka:
    def __init__(self, dir, conf=None, heap=HEAP, keep=False, version=None, jvm=JVM,
                 listeners=None, scram=None):
        """dir: made by us, belongs to the broker's user; conf: server properties on top of ours;
        jvm: options for the JVM.

        listeners: more of them, {NAME: {"protocol": …, "told": "host:port" where that is another
        address, and server properties of this one}}.
        scram: {user: password}, for SCRAM-SHA-256 and -512.
        version: one that has a list of checksums in tools/kafka; the usual one where none is named.
        """
        self.jars = cache.ensure("kafka" + ("-" + version if version else ""))
        self.version = version
        self.zookeeper = version is not None and _numbers(version) < (3, 3)
        self.java = _java()
        self.user = process.unprivileged()
        self.dir = os.path.abspath(dir)
        self.data_dir = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "kafka.log")
        self.properties = os.path.join(self.dir, "server.properties")
        self.conf = dict(conf or {})
        self.heap = heap
        self.jvm = list(jvm)
        self.keep = keep
        self.port, self.proxy_port, self.sasl_port, self.controller_port = (
            ports.free_port() for _ in range(4))
        self.proxy_advertised_port = ports.free_port()
        self.more_listeners = {name: dict(more) for name, more in (listeners or {}).items()}
        self.more_ports = {name: ports.free_port() for name in self.more_listeners}
        self.scram = dict(scram or {})
        self.bootstrap = "127.0.0.1:%d" % self.port
        self.proxy_bootstrap = "127.0.0.1:%d" % self.proxy_advertised_port
        self.sasl_bootstrap = "127.0.0.1:%d" % self.sasl_port
        # Its package changed after 4.1.
        self.dump_class = ("org.apache." if version and _numbers(version) > (4, 2) else "") + \
            "kafka.tools.DumpLogSegments"
        self._child = None
        self._zookeeper_child = None

    @property
    def pid(self):
        return self._child.pid if self._child else None

    def start(self, timeout=90):
        self.prepare(timeout)
        self.spawn()
        return self.wait(timeout)

    def prepare(self, timeout=90):
        """What must be there before the broker: its directory, formatted, or its ZooKeeper."""
        process.give(self.dir, self.user)
        self._write_properties()
        if self.zookeeper:
            self._start_zookeeper(timeout)
        elif not os.path.exists(os.path.join(self.data_dir, "meta.properties")):
            self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", self.properties,
                      "--ignore-formatted", *self._scram_options())

    def _scram_options(self):
        for user, password in self.scram.items():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                yield "--add-scram"
                yield "%s=[name=%s,password=%s]" % (mechanism, user, password)

    def at(self, name):
        """The address of a listener that the test has named."""
        return "127.0.0.1:%d" % self.more_ports[name]

    def wait(self, timeout=90):
        """Until the broker that was spawned answers."""
        if self.zookeeper:
            process.wait_for("Kafka does not register", self._registers, timeout, None, self.log)
            return self
        process.wait_for("Kafka does not start", self._listens, timeout, self._child, self.log)
        process.wait_for("Kafka does not answer", self._answers, timeout, self._child, self.log)
        return self

    def spawn(self):
        with open(self.log, "ab") as log:
            self._child = process.spawn(
                self._java("kafka.Kafka", self.properties, heap=self.heap), user=self.user,
                keep=self.keep, stdout=log, stderr=log, cwd=self.dir)

    def _registers(self):
        """The broker answers; one that ended because ZooKeeper still knew its predecessor is
        started once more."""
        if self._child.poll() is not None:
            self.spawn()
        return self._listens() and self._answers()

    def _start_zookeeper(self, timeout):
        """It stays while the broker is killed and started again."""
        if self._zookeeper_child is not None:
            return
        properties = os.path.join(self.dir, "zookeeper.properties")
        with open(properties, "w") as file:
            file.write("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\ntickTime=1000\n"
                       "admin.enableServer=false\n"
                       % (os.path.join(self.dir, "zookeeper"), self.controller_port))
        log_name = os.path.join(self.dir, "zookeeper.log")
        with open(log_name, "ab") as log:
            self._zookeeper_child = process.spawn(
                self._java("org.apache.zookeeper.server.ZooKeeperServerMain", properties),
                user=self.user, keep=self.keep, stdout=log, stderr=log, cwd=self.dir)
        process.wait_for("ZooKeeper does not start", lambda: _listens(self.controller_port),
                         timeout, self._zookeeper_child, log_name)

    def _write_properties(self):
        listeners = [("PLAINTEXT", self.port, self.port),
                     ("PROXY", self.proxy_port, self.proxy_advertised_port),
                     ("SASL_PLAINTEXT", self.sasl_port, self.sasl_port)]
        listeners += [(name, port, port) for name, port in self.more_ports.items()]
        ours = dict(DEFAULTS)
        ours["log.dirs"] = self.data_dir
        ours["listener.security.protocol.map"] = ",".join(
            ["PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT"]
            + ["%s:%s" % (name, more["protocol"]) for name, more in self.more_listeners.items()])
        for name, more in self.more_listeners.items():
            ours.update(("listener.name.%s.%s" % (name.lower(), key), value)
                        for key, value in more.items() if key not in ("protocol", "told"))
        bound = ["%s://127.0.0.1:%d" % (name, port) for name, port, _ in listeners]
        if self.zookeeper:
            for name in KRAFT_ONLY:
                del ours[name]
            ours.update(ZOOKEEPER_DEFAULTS)
            ours["zookeeper.connect"] = "127.0.0.1:%d" % self.controller_port
        else:
            ours["controller.quorum.voters"] = "1@127.0.0.1:%d" % self.controller_port
            bound.append("CONTROLLER://127.0.0.1:%d" % self.controller_port)
        ours["listeners"] = ",".join(bound)
        ours["advertised.listeners"] = ",".join(
            "%s://%s" % (name, self.more_listeners.get(name, {}).get("told", "127.0.0.1:%d" % port))
            for name, _, port in listeners)
        ours.update(self.conf)
        with open(self.properties, "w") as file:
            for key, value in ours.items():
                file.write("%s=%s\n" % (key, value))

    def _java(self, main_class, *arguments, heap="256m", level="warn"):
        return [self.java, "-Xmx" + heap, "-Xms" + heap, *self.jvm, "-Xshare:auto",
                "-Djava.awt.headless=true",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=" + level,
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
                "-cp", os.path.join(self.jars, "*"), main_class, *arguments]

    def _run(self, main_class, *arguments, timeout=120):
        os.makedirs(self.dir, exist_ok=True)
        child = process.spawn(self._java(main_class, *arguments), user=self.user, cwd=self.dir,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise RuntimeError("%s did not end within %d s" % (main_class, timeout)) from None
        if child.returncode != 0:
            raise RuntimeError("%s failed with code %d:\n%s%s"
                               % (main_class, child.returncode, out, err))
        return out

    def tool(self, main_class, *arguments, timeout=120):
        """Run a class of the Kafka jars to its end; its standard output."""
        return self._run(main_class, *[str(argument) for argument in arguments], timeout=timeout)

    def dump_log(self, topic, partition=0):
        """DumpLogSegments of every segment of a partition, headers and data printed."""
        directory = os.path.join(self.data_dir, "%s-%d" % (topic, partition))
        files = sorted(name for name in os.listdir(directory) if name.endswith(".log"))
        return self.tool(self.dump_class, "--print-data-log", "--files",
                         ",".join(os.path.join(directory, name) for name in files))

    def _listens(self):
        return _listens(self.port)

    def _answers(self):
        try:
            return bool(self.admin().list_topics(timeout=2).brokers)
        except Exception:  # a broker that is still loading; the deadline of the caller decides
            return False

    def admin(self, **conf):
        """A confluent_kafka AdminClient."""
        from confluent_kafka.admin import AdminClient
        return AdminClient(dict({"bootstrap.servers": self.bootstrap, "log_level": 0}, **conf))

    def create_topic(self, name, partitions=1, config=None):
        from confluent_kafka.admin import NewTopic
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1,
                         config={key: str(value) for key, value in (config or {}).items()})
        admin = self.admin()  # held: its futures fail once it is collected
        _results(admin.create_topics([topic], operation_timeout=20))

    def add_partitions(self, name, total):
        from confluent_kafka.admin import NewPartitions
        admin = self.admin()
        _results(admin.create_partitions([NewPartitions(name, total)]))

    def delete_topic(self, name, timeout=20):
        """Delete, and wait until the broker no longer lists it."""
        admin = self.admin()
        _results(admin.delete_topics([name], operation_timeout=timeout))
        process.wait_for("topic %s does not go" % name,
                         lambda: name not in admin.list_topics(timeout=5).topics, timeout)

    def topic_exists(self, name):
        return name in self.admin().list_topics(timeout=10).topics

    def allow(self, user, operations, resource, name, prefixed=False):
        """kafka-acls --add: operations like ["Write", "Describe"], resource topic | group |
        transactional-id | cluster."""
        self._acl("--add", user, operations, resource, name, prefixed)

    def disallow(self, user, operations, resource, name, prefixed=False):
        """Take back what allow() gave."""
        self._acl("--remove", user, operations, resource, name, prefixed)

    def _acl(self, action, user, operations, resource, name, prefixed):
        arguments = ["--bootstrap-server", self.bootstrap, action, "--force",
                     "--allow-principal", "User:" + user]
        for operation in operations:
            arguments += ["--operation", operation]
        arguments += ["--" + resource] + ([] if resource == "cluster" else [name])
        if prefixed:
            arguments += ["--resource-pattern-type", "prefixed"]
        self.tool("kafka.admin.AclCommand" if self.zookeeper
                  else "org.apache.kafka.tools.AclCommand", *arguments)

    def kill(self):
        """SIGKILL; what the broker had in the page cache stays."""
        process.end(self._child, signal.SIGKILL)
        self._child = None

    def stop(self, timeout=40):
        if self._child is None:
            return
        process.end(self._child, signal.SIGTERM, timeout)
        self._child = None

    def pause(self):
        """SIGSTOP: the sockets stay open and nobody answers."""
        self._child.send_signal(signal.SIGSTOP)

    def resume(self):
        self._child.send_signal(signal.SIGCONT)

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start() if self._child is None else self

    def __exit__(self, *_):
        if self._child is not None:
            self.kill()
        if self._zookeeper_child is not None:
            process.end(self._zookeeper_child, signal.SIGKILL)
            self._zookeeper_child = None


def _numbers(version):
    return tuple(int(number) for number in version.split("."))


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def _results(futures):
    for future in futures.values():
        future.result(30)


def _java():
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if not java or not os.path.exists(java):
        raise RuntimeError("java is missing; run: make deps")
    return java
