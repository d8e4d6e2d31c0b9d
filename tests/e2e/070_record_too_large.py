"""One record too large among 1,000 good ones. skip: exactly that one is missing. stop: exit 5 that
names it, and `skip ID` mends it. Also where only the broker knows the limit, and where many small
records together are over it."""

import concurrent.futures

import confluent_kafka.admin as kafka

import e2e

LIMIT = 60000


def write(case, large=True):
    """1,000 good ones in one transaction, and one of them too large; the id of that one."""
    case.sql("""
        BEGIN;
        SELECT e2e.put('order', 'a', 7, 1, 600, 30);
        SELECT e2e.put('order', 'large', 1, 601, {0}, 100000);
        SELECT e2e.put('order', 'b', 7, 602, 400, 30);
        COMMIT""".format(1 if large else 0))


def good_only(case):
    case.sql("DELETE FROM e2e.truth WHERE key = 'large-0'")


def routes(case, on_error):
    return {"routes": [dict(case.config()["routes"][0], on_error=on_error)]}


def skip():
    with e2e.Case(label="_skip") as case:
        case.kafka.create_topic(case.prefix + "order", 3, {"max.message.bytes": LIMIT})
        relay = case.up(routes(case, "skip"))
        write(case)
        good_only(case)
        case.drain(relay=relay)
        case.put(rows=3)
        case.drain(relay=relay)
        assert relay.metric("walferry_skipped_total", route="outbox") == 1
        case.stop(relay)
        case.judge()


def stop():
    with e2e.Case(label="_stop") as case:
        case.kafka.create_topic(case.prefix + "order", 3, {"max.message.bytes": LIMIT})
        relay = case.up(routes(case, "stop"))
        case.put(rows=2, type="other")
        write(case)
        code = relay.wait(40)
        assert code == 5, "code %s%s" % (code, e2e.lab.process.tail(relay.log))
        assert case.seen(0.5) == 2, "part of the transaction was published"
        text = case.refused(relay, 5, "walferry skip")
        case.mend(relay, text)
        good_only(case)
        case.start(relay)
        case.drain(relay=relay)
        assert relay.events("change.passed_over")
        case.put(rows=3)
        case.drain(relay=relay)
        case.stop(relay)
        case.judge()


def known_to_the_broker_only():
    """The limit falls after it was read; the broker condemns the whole batch."""
    with e2e.Case(label="_broker") as case:
        case.kafka.create_topic(case.prefix + "order", 3)
        relay = case.up(routes(case, "skip"))
        case.put(rows=5)
        case.drain(relay=relay)
        resource = kafka.ConfigResource(kafka.ConfigResource.Type.TOPIC, case.prefix + "order",
                                        set_config={"max.message.bytes": str(LIMIT)})
        admin = case.kafka.admin()
        for future in admin.alter_configs([resource]).values():
            future.result(20)
        write(case)
        good_only(case)
        case.drain(relay=relay)
        case.stop(relay)
        assert case.truth_count() == 1005
        case.judge()


def small_ones_together():
    with e2e.Case(label="_small") as case:
        case.kafka.create_topic(case.prefix + "order", 1, {"max.message.bytes": 2000})
        relay = case.up(routes(case, "stop"))
        case.put(rows=100, pad=300)
        case.drain(relay=relay)
        case.stop(relay)
        case.judge()


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for run in [pool.submit(each) for each in (skip, stop, known_to_the_broker_only,
                                               small_ones_together)]:
        run.result()
