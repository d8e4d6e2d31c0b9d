"""The proxy does what the tests rely on: it is found by clients, and its rules hit what they name."""

import time

import confluent_kafka

import e2e
from lab.proxy import CUT, DELAY, DROP, HOLD, REQUEST, RESPONSE, KafkaProxy, Proxy


def producer(proxy, name):
    made = confluent_kafka.Producer({"bootstrap.servers": proxy.address, "linger.ms": 0,
                                     "transactional.id": name, "socket.timeout.ms": 1500,
                                     "transaction.timeout.ms": 20000, "log_level": 0})
    made.init_transactions(20)
    return made


with e2e.Case() as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    case.kafka.create_topic(case.prefix + "t", 1)
    one = producer(proxy, case.name)
    assert proxy.seen["InitProducerId"] >= 1, "the coordinator was reached past the proxy"

    def send(value):
        one.begin_transaction()
        one.produce(case.prefix + "t", value, "k", headers=[("id", value)])
        began = time.monotonic()
        one.commit_transaction(20)
        return time.monotonic() - began

    send("plain")
    late = proxy.rule("EndTxn", REQUEST, DELAY, seconds=0.7)
    assert send("delayed") > 0.6 and late.hits == 1
    dropped = proxy.rule("EndTxn", RESPONSE, DROP)
    sent = proxy.seen["EndTxn"]
    send("answer dropped")
    assert dropped.hits == 1 and proxy.seen["EndTxn"] >= sent + 2, "no second EndTxn"
    cut = proxy.rule("EndTxn", RESPONSE, CUT)
    send("connection cut")
    assert cut.hits == 1
    held = proxy.rule("Produce", REQUEST, HOLD)
    one.begin_transaction()
    one.produce(case.prefix + "t", "held", "k", headers=[("id", "held")])
    assert held.hit.wait(10)
    held.release()
    one.commit_transaction(20)
    proxy.black_hole()
    before = proxy.bytes_down
    time.sleep(0.3)
    assert proxy.bytes_down == before
    proxy.flow()
    send("after the black hole")
    e2e.wait("not everything arrived", lambda: case.seen(0.1) == 6)

    with Proxy(case.pg.port) as plain:
        session = case.pg.connect(case.db, port=plain.port)
        session.cursor().execute("SELECT 1")
        plain.cut()
        try:
            session.cursor().execute("SELECT 1")
            raise AssertionError("the connection was not cut")
        except e2e.lab.proxy.socket.error:
            pass
        except Exception as error:  # psycopg2's own
            assert "server closed" in str(error) or "reset" in str(error), error
