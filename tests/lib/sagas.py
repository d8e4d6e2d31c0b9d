"""examples/order-saga as a test: it is run as it stands, with what its own count does not look at."""

import os
import sys

import confluent_kafka

import e2e

sys.path.insert(0, os.path.join(e2e.ROOT, "examples", "order-saga"))

import run as example  # noqa: E402


def drop_slots(case, shop):
    """The server of the suite has few of them."""
    mine = " FROM pg_replication_slots WHERE database LIKE '%s_%%'" % shop.prefix
    case.sql("SELECT pg_terminate_backend(active_pid)" + mine + " AND active")
    e2e.wait("slots are in use", lambda: case.one("SELECT count(*)" + mine + " AND active") == 0)
    case.sql("SELECT pg_drop_replication_slot(slot_name)" + mine)


def copy_a_message(shop):
    """As a relay that sends again what is sent."""
    topic = shop.prefix + ".order"
    reader = confluent_kafka.Consumer({"bootstrap.servers": shop.broker.bootstrap, "group.id": "copy",
                                       "auto.offset.reset": "earliest"})
    reader.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in range(3)])
    message = reader.poll(20)
    reader.close()
    writer = confluent_kafka.Producer({"bootstrap.servers": shop.broker.bootstrap})
    writer.produce(topic, message.value(), message.key(), headers=message.headers())
    assert writer.flush(20) == 0


def planted(shop):
    """A fault of each kind in what went well, behind the others: the count tells of each, and of no other."""
    one = "(SELECT %s FROM public.outbox WHERE causation_id IS NOT NULL ORDER BY seq LIMIT 1)"
    again = ("INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, correlation_id, causation_id)"
             " SELECT gen_random_uuid(), 'nowhere', aggregateid, 'Again', correlation_id, causation_id"
             " FROM public.outbox WHERE id = " + one % "id")
    told = set()
    for expected, plant in (
            ("messages that were not taken", lambda: shop.sql(
                "stock", "DELETE FROM public.inbox WHERE message_id = (SELECT message_id FROM public.inbox"
                         " ORDER BY received_at LIMIT 1)")),
            ("messages that are in Kafka again", lambda: copy_a_message(shop)),
            ("messages that are not in Kafka|messages that were answered again",
             lambda: shop.sql("payment", again)),
            ("messages of unknown cause|messages in Kafka that nobody said", lambda: shop.sql(
                "stock", "DELETE FROM public.outbox WHERE type = 'StockReserved' AND id = (SELECT id FROM"
                         " public.outbox WHERE type = 'StockReserved' ORDER BY seq LIMIT 1)")),
            ("money and goods|money spent", lambda: shop.sql(
                "payment", "UPDATE account SET spent = spent + 1 WHERE id = 'a0'"))):
        plant()
        now = {sentence.split(":")[0] for sentence in shop.wrong()}
        assert now - told == set(expected.split("|")), "planted %s, told %s" % (expected, sorted(now - told))
        told = now


def check(case, sagas, kills):
    shop = example.Example(case.pg, case.kafka, e2e.binary(), case.dir, prefix=case.name,
                           seed=e2e.seed(), env=e2e.sanitizers(e2e.build()))
    try:
        shop.run(sagas, kills)
        ended = shop.settle()
        wrong = shop.wrong()
        shop.close()
        if not wrong:
            planted(shop)
    finally:
        shop.close()
        drop_slots(case, shop)
    assert not wrong, wrong
    assert set(shop.kills) == set(shop.parts), "not killed: %s" % (set(shop.parts) - set(shop.kills))
    assert sum(shop.kills.values()) >= kills, shop.kills
    assert shop.in_flight > 0, "no saga was under way at any kill"
    assert ended.get("compensated", 0) * 10 >= shop.sagas, ended
    assert ended.get("completed", 0) * 10 >= shop.sagas, ended
    modes = shop.sql("order", "SELECT mode, state, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2")
    assert len(modes) == 4, modes
    assert shop.late() > 0
    open_sagas = shop.sql("order", "SELECT count(*) FROM walferry.saga WHERE ended_at IS NULL")
    assert open_sagas == [(0,)], open_sagas
    for part in shop.parts.values():
        with open(part.log, errors="replace") as log:
            text = log.read()
        assert not e2e.REPORT.search(text) and "Traceback" not in text, text[-3000:]
    print("%s; kills %s, %d with sagas under way; %d steps sent again" % (
        modes, sorted(shop.kills.items()), shop.in_flight, shop.late()))
