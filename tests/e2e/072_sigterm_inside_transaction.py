"""SIGTERM inside a transaction of 200,000 rows: ends within 10 s, nothing of it is visible, and the
next start delivers it whole."""

import e2e
import oracle

SECONDS = 240


def arrived(case):
    """Records of any fate at the broker."""
    reader = oracle.consumer(case.kafka.bootstrap, "read_uncommitted")
    try:
        topic = reader.list_topics(timeout=5).topics.get(case.prefix + "order")
        return sum(reader.get_watermark_offsets(
            oracle.confluent_kafka.TopicPartition(case.prefix + "order", number), timeout=5)[1]
            for number in (topic.partitions if topic else ()))
    finally:
        reader.close()


with e2e.Case(config={"delivery": {"transaction_timeout_ms": 120000}}) as case:
    relay = case.up()
    case.put(rows=1)
    case.drain(relay=relay)
    case.put(rows=200000, keys=30)
    e2e.wait("the transaction is on its way", lambda: arrived(case) > 1000, 60)
    case.stop(relay, timeout=10)
    assert case.seen(0.5) in (1, 200001), "a part of the transaction is visible"
    whole = case.seen() == 200001
    print("it had been committed already" if whole else "nothing of it was visible")
    case.start(relay)
    case.drain(120, relay=relay)
    case.stop(relay)
    case.judge()
