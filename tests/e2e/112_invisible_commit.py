"""A commit that Kafka has answered may not be visible at the last stable offset yet: then the slot seems
to be ahead of progress. That is waited for and never refused."""

import time

import e2e
import oracle

with e2e.Case() as case:
    relay = case.up()
    case.put(rows=5)
    case.drain(relay=relay)
    # Somebody else's open transaction in the topic holds the last stable offset back.
    other = oracle.confluent_kafka.Producer({"bootstrap.servers": case.kafka.bootstrap,
                                             "transactional.id": case.name + "-other",
                                             "transaction.timeout.ms": 60000})
    other.init_transactions(20)
    other.begin_transaction()
    other.produce(case.progress_topic, "{}", "somebody/0")
    assert other.flush(20) == 0
    before = case.confirmed_lsn()
    case.put(rows=5)
    e2e.wait("the relay confirms", lambda: case.confirmed_lsn() > before)
    relay.kill()

    relay.start()
    case.put(rows=5)
    time.sleep(2)
    assert relay.running(), relay.log_text()
    other.abort_transaction(20)
    relay.wait_log("epoch.opened", 60)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
