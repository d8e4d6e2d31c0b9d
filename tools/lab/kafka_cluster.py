"""Three Kafkas that are one cluster: KRaft, each a broker and a voter of the controllers' quorum.

Topics have three replicas of which two must be in sync, the internal ones too, so that any one
broker may be killed at any time. What Cluster does not have is asked of its first broker.
"""

import os
import time

from . import kafka, process

CONF = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
    "share.coordinator.state.topic.replication.factor": 3,
    "share.coordinator.state.topic.min.isr": 2,
    "unclean.leader.election.enable": "false",
    "controlled.shutdown.enable": "true",
    # Leaders go back to where they were soon after a broker is there again.
    "leader.imbalance.check.interval.seconds": 5,
    "leader.imbalance.per.broker.percentage": 0,
    "replica.lag.time.max.ms": 5000,
}
HEAP = "320m"
# Brokers that live for a minute, three on two processors: what they cost is their start.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Cluster:
    def __init__(self, dir, count=3):
        self.brokers = [kafka.Kafka(os.path.join(dir, "broker%d" % number), heap=HEAP, jvm=JVM)
                        for number in range(1, count + 1)]
        voters = ",".join("%d@127.0.0.1:%d" % (number, broker.controller_port)
                          for number, broker in enumerate(self.brokers, 1))
        for number, broker in enumerate(self.brokers, 1):
            broker.conf.update(CONF)
            broker.conf.update({"node.id": number, "controller.quorum.voters": voters})
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers)

    def __getattr__(self, name):
        return getattr(self.brokers[0], name)

    def start(self):
        """All at once, for a quorum needs two."""
        for broker in self.brokers:
            broker.prepare()
            broker.spawn()
        for broker in self.brokers:
            broker.wait(120)
        return self

    def admin(self, **conf):
        return self.brokers[0].admin(**dict({"bootstrap.servers": self.bootstrap}, **conf))

    def leader(self, topic, partition):
        """The broker that leads a partition, None while there is none."""
        number = self.admin().list_topics(topic, timeout=20).topics[topic] \
            .partitions[partition].leader
        return self.brokers[number - 1] if number > 0 else None

    def coordinator(self, transactional_id):
        """The broker that coordinates the transactions of an id."""
        topic = "__transaction_state"
        count = len(self.admin().list_topics(topic, timeout=20).topics[topic].partitions)
        return self.leader(topic, _java_hash(transactional_id) % count)

    def wait_in_sync(self, timeout=60):
        """Until every partition has all its replicas in sync, so that the next may be killed."""
        deadline = time.monotonic() + timeout
        while True:
            behind = ["%s[%d]" % (name, number)
                      for name, topic in self.admin().list_topics(timeout=20).topics.items()
                      for number, part in topic.partitions.items()
                      if len(part.isrs) < len(part.replicas) or part.leader < 0]
            if not behind:
                return
            if time.monotonic() > deadline:
                raise RuntimeError("not in sync within %d s: %s%s" % (
                    timeout, behind[:5], process.tail(self.brokers[0].log)))
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for broker in self.brokers:
            broker.__exit__()


def _java_hash(text):
    """abs(String.hashCode()), as the broker takes it."""
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF
