"""Bad Kafka: no broker, a right denied, a topic missing, replication too weak; each with a text that
names the thing and its mend."""

import e2e


def limited(case):
    return {"kafka": {"bootstrap.servers": case.kafka.sasl_bootstrap,
                      "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                      "sasl.username": "limited", "sasl.password": "limited"}}


def no_broker():
    with e2e.Case(label="_broker") as case:
        nowhere = {"kafka": {"bootstrap.servers": "127.0.0.1:%d" % e2e.lab.ports.free_port()},
                   "retry": {"give_up_ms": 1500}}
        relay, good = case.relay(nowhere), case.up()
        case.put(rows=2)
        case.drain(relay=good)
        case.stop(good)
        case.command(relay, "check", "--connect", code=6, says="127.0.0.1:", timeout=60)
        case.refused(relay, 6, "gave up", timeout=60)
        case.judge()


def topic_missing():
    with e2e.Case(label="_topic") as case:
        relay = case.relay({"delivery": {"topics": {"create": False}}})
        # The progress topic is the relay's own, but it may not be created either.
        text = case.command(relay, "setup", code=2, says=case.progress_topic)
        print(text)
        case.setup(case.relay())
        route = dict(case.config()["routes"][0], topic=case.prefix + "literal")
        literal = case.relay({"delivery": {"topics": {"create": False}}, "routes": [route]})
        case.refused(literal, 2, "literal")
        case.command(literal, "check", "--connect", code=1, says="literal")
        # A templated one is found missing at first use: a data error of its route.
        case.start(relay)
        case.put(rows=2)
        assert relay.wait(30) == 5, relay.log_text()
        assert "order" in relay.log_text()
        case.kafka.create_topic(case.prefix + "order", 2)
        case.start(relay)
        case.drain(relay=relay)
        case.stop(relay)
        case.judge()


def weak():
    with e2e.Case(label="_weak") as case:
        relay = case.up()
        assert len(relay.events("kafka.replication_weak")) == 1
        case.stop(relay)
        strict = case.relay({"delivery": {"require_replication": True}})
        case.refused(strict, 2, "replication")
        case.command(strict, "check", "--connect", code=1, says="replication")


def acl():
    with e2e.Case(label="_acl") as case:
        case.setup(case.relay())
        case.kafka.create_topic(case.prefix + "order", 2)
        relay = case.relay(limited(case))
        case.command(relay, "check", "--connect", code=1, says="denies", timeout=60)
        case.refused(relay, 2, "denies", timeout=60)
        everything = dict(user="limited", prefixed=True)
        case.kafka.allow(operations=["All"], resource="topic", name=case.progress_topic, **everything)
        case.kafka.allow(operations=["All"], resource="transactional-id", name="walferry.",
                         **everything)
        relay.start()
        relay.wait_log("epoch.opened", 40)
        case.put(rows=2)
        code = relay.wait(40)
        assert code == 2, "code %s %s" % (code, relay.log_text())
        assert case.prefix + "order" in relay.log_text()
        case.kafka.allow(operations=["All"], resource="topic", name=case.prefix, **everything)
        case.start(relay)
        case.drain(relay=relay)
        case.stop(relay)
        case.judge()


for each in (no_broker, topic_missing, weak, acl):
    print("-- " + each.__name__, flush=True)
    each()
