"""A topic that a row chose has one replica, on three brokers whose other topics have three, and
`require_replication` is set: the relay stops at that row. The skip that it prints is run as printed, and
what its sentence asks for is done: with three replicas the next row for that topic is published."""

import json
import os

from confluent_kafka.admin import ConfigResource, NewTopic

import e2e
from doctor import finds, mend_shell, passes
from mends import kafka_scripts, last, mend

SLOW = True
KAFKA = "own"
ALONE = True  # beside other tests two cores are too few for three brokers
SECONDS = 300


def replicas(cluster, topic):
    return len(cluster.admin().list_topics(topic, timeout=20).topics[topic].partitions[0].replicas)


def raise_factor(case, cluster, topic):
    path = os.path.join(case.dir, "reassignment.json")
    with open(path, "w") as file:
        json.dump({"version": 1, "partitions": [
            {"topic": topic, "partition": 0, "replicas": [1, 2, 3]}]}, file)
    cluster.tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--bootstrap-server",
                 cluster.bootstrap, "--reassignment-json-file", path, "--execute")
    e2e.wait("three replicas", lambda: replicas(cluster, topic) == 3, 60)
    cluster.wait_in_sync()


with e2e.own_cluster() as cluster, e2e.Case(kafka=cluster, config={
        "log": {"format": "json"}, "delivery": {"require_replication": True}}) as case:
    topic = case.prefix + "weak"
    admin = cluster.admin()  # held: its futures fail once it is collected
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    relay = case.up()

    scripts = kafka_scripts(case)

    # Doctor looks at Kafka's own topic of transactions.
    passes(relay, "transaction_log")
    log = ConfigResource(ConfigResource.Type.TOPIC, "__transaction_state", set_config={"min.insync.replicas": "1"})
    admin.alter_configs([log])[log].result(30)
    mend_shell(relay, finds(relay, "warned", "transaction_log")["transaction_log"], bin=scripts)
    passes(relay, "transaction_log")

    case.put(rows=2)
    case.drain(relay=relay)
    assert replicas(cluster, case.prefix + "order") == 3
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES ('weak', 'k', 'x')")
    assert relay.wait(60) == 5, relay.log_text()[-3000:]
    hint = last(relay.log_text(), "replication_weak")
    assert "raise replication factor" in hint and hint.index("start again") < hint.index(" skip "), hint
    mend(relay, "replication_weak", hint)
    raise_factor(case, cluster, topic)
    case.start(relay)
    case.put(rows=2, type="weak")
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
