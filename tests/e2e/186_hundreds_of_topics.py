"""One transaction of hundreds of rows, each for a topic that the relay has not met before: it makes all of
them; or it may make none, and half of them are there and the others missing. The link to the broker is slow.
It learns of all together, before the Kafka transaction begins, and what it has learnt outlives an epoch.
How long the cluster itself takes to make as many topics is measured, and granted where it must make them."""

import re
import time

from confluent_kafka.admin import NewTopic

import e2e
import flows
import slow

SLOW = True
KAFKA = "own"
TOPICS = 400
RATE = 200000


def rows_for(case, kinds):
    """One transaction with a row for each number and kind of topic; those of kind `miss` are no truth."""
    first = case.one("SELECT max(n) + 1 FROM e2e.truth")
    rows = {"new": "PERFORM e2e.put('new' || i, 'p', 3, %d + i, 1, 40);" % first,
            "miss": "INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
                    " VALUES ('miss' || i, 'k', 'x');"}
    case.sql("DO $$ BEGIN FOR i IN 1..%d LOOP %s END LOOP; END $$" % (
        TOPICS, " ".join(rows[kind] for kind in kinds)))


def make(case):
    """The topics of kind `new`, by an administrator; how long it took until all had their leaders."""
    began, admin = time.monotonic(), case.kafka.admin()  # held: its futures fail once it is collected
    names = ["%snew%d" % (case.prefix, number) for number in range(1, TOPICS + 1)]
    made = admin.create_topics([NewTopic(name, 1, 1) for name in names])
    for one in made.values():
        one.result(60)

    def led():
        topics = admin.list_topics(timeout=20).topics
        return all(name in topics and topics[name].partitions and
                   topics[name].partitions[0].leader > 0 for name in names)

    e2e.wait("topics without a leader", led, 60)
    return time.monotonic() - began


def come_through(case, relay, more_s=0):
    patience = slow.Patience(case, relay, more_s)
    want = case.truth_count()
    while case.seen(0.5) < want:
        assert relay.running(), "the relay ended%s" % e2e.lab.process.tail(relay.log)
        patience.look()
    print("%s: progress stood still for %.1f s at most, %d epochs failed" % (
        case.name, patience.longest_s, len(relay.events("epoch.failed"))), flush=True)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay, timeout=40)
    case.judge()


def new_ones(kafka, more_s):
    with e2e.Case(kafka=kafka, label="_new", partitions=1) as case, slow.link(kafka, RATE) as link:
        relay = case.up({"kafka": link})
        case.put(rows=1)
        case.drain(relay=relay)
        rows_for(case, ["new"])
        come_through(case, relay, more_s)


def new_and_missing_ones(kafka):
    with e2e.Case(kafka=kafka, label="_both", partitions=1,
                  config={"delivery": {"transaction_timeout_ms": 5000}}) as case, \
            slow.link(kafka, RATE) as link:
        case.more_config["kafka"] = link
        made_s = make(case)
        relay = flows.up_without_creating(case)
        rows_for(case, ["new", "miss"])
        come_through(case, relay)
        skipped = re.findall(r"event=message.skipped .*? id=(\S+) reason=topic_missing",
                             relay.log_text())
        # What an epoch passed over and did not live to commit is passed over, and said, again.
        most = TOPICS * (1 + len(relay.events("epoch.failed")))
        assert len(set(skipped)) == TOPICS and len(skipped) <= most, (len(skipped), len(set(skipped)))
        return made_s


with e2e.own_kafka() as own:
    cluster_s = new_and_missing_ones(own)
    print("the cluster made %d topics in %.1f s" % (TOPICS, cluster_s))
    new_ones(own, cluster_s)
