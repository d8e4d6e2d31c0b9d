"""Bad Kafka: no broker, a right denied, a topic missing, replication too weak; each with a text that
names the thing and its mend."""

import re

import e2e
import oracle


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
        assert code == 5, "code %s %s" % (code, relay.log_text())
        assert case.prefix + "order" in relay.log_text()
        case.kafka.allow(operations=["All"], resource="topic", name=case.prefix, **everything)
        case.start(relay)
        case.drain(relay=relay)
        case.stop(relay)
        case.judge()


def by_row(case, on_error):
    return dict(limited(case), routes=[dict(case.config()["routes"][0], topic="{aggregatetype}",
                                            on_error=on_error)])


def insert(case, topic):
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES (%s, 'k', 't')",
             (topic,))


def acl_by_row():
    """A row chooses a topic that the ACLs refuse: to look at, to make, or only to write. That is the fault of
    the row and not of the relay."""
    with e2e.Case(label="_acl_row") as case:
        good, seen, hidden = (case.prefix + name for name in ("good", "seen", "hidden"))
        case.kafka.create_topic(good, 2)
        case.kafka.create_topic(seen, 2)
        case.kafka.create_topic(hidden, 2)
        case.setup(case.relay())
        everything = dict(user="limited", operations=["All"])
        case.kafka.allow(resource="topic", name=case.progress_topic, **everything)
        case.kafka.allow(resource="transactional-id", name="walferry.", prefixed=True, **everything)
        case.kafka.allow(resource="topic", name=good, **everything)
        case.kafka.allow(user="limited", operations=["Describe"], resource="topic", name=seen)
        relay = case.start(case.relay(by_row(case, "skip")))
        for topic in (good, seen, hidden, good, case.prefix + "unmade", seen, good):
            insert(case, topic)
        case.wait_confirmed(case.current_lsn(), 60)
        skipped = relay.events("message.skipped")
        # What the epoch that failed skipped is skipped again by the next one.
        ids = {re.search(r"[0-9]+-[0-9A-F]{16}-[0-9]+", str(line)).group() for line in skipped}
        assert len(ids) == 4, relay.log_text()
        assert all("acl_denied" in str(line) for line in skipped), skipped
        assert len(oracle.read_topics(case.kafka.bootstrap, [good])) == 3
        assert len(relay.events("epoch.failed")) == 1, relay.log_text()
        case.stop(relay)
        relay = case.start(case.relay(by_row(case, "stop")))
        for topic in (hidden, seen):
            insert(case, topic)
            assert relay.wait(40) == 5, relay.log_text()
            assert topic in relay.log_text() and "kafka-acls.sh" in relay.log_text()
            case.mend(relay, relay.log_text())
            case.start(relay)
        case.kafka.allow(resource="topic", name=seen, **everything)
        insert(case, seen)
        case.wait_confirmed(case.current_lsn(), 60)
        assert len(oracle.read_topics(case.kafka.bootstrap, [seen])) == 1
        case.stop(relay)


def weak_by_row():
    """Topics of templates are looked at when a row first chooses them, and told of once, over epochs."""
    with e2e.Case(label="_weak_row") as case:
        relay = case.up()
        for kind in ("order", "invoice", "order"):
            case.put(rows=2, type=kind)
        case.drain(relay=relay)
        case.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                 " WHERE slot_name = %s", (case.slot_name,))
        relay.wait_log("epoch.opened", 40, 2)
        case.put(rows=2)
        case.drain(relay=relay)
        told = relay.events("topic.replication_weak")
        assert len(told) == 2, told
        for kind in ("order", "invoice"):
            assert sum(case.prefix + kind in str(line) for line in told) == 1, told
        case.stop(relay)
        case.judge()


for each in (no_broker, topic_missing, weak, weak_by_row, acl, acl_by_row):
    print("-- " + each.__name__, flush=True)
    each()
