"""Partitions are added under load: the relay goes over to the new count at a transaction's boundary
and says so; nothing is lost, twice or split."""

import e2e

with e2e.Case(partitions=2, config={"kafka": {"topic.metadata.refresh.interval.ms": 1000,
                                              "metadata.max.age.ms": 3000}}) as case:
    relay = case.up()
    shop = case.shop(writers=2, rate=40, keys=20, types=("order",)).start()
    e2e.wait("events", lambda: case.seen(0.1) > 50)
    case.kafka.add_partitions(case.prefix + "order", 6)
    e2e.wait("the change is counted",
             lambda: relay.metric("walferry_partition_changes_total") >= 1, 60, interval=0.2)
    e2e.wait("events in the new partitions", lambda: case.seen(0.1) and any(
        event.partition >= 2 for event in case.tail.events), 60)
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge(keys_move=True)
