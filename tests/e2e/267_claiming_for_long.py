"""200,000 rows are pending when claiming begins; and the broker is killed while it ends a transaction, again and again."""

import time

import e2e
from lab.proxy import HOLD, REQUEST, RESPONSE, KafkaProxy

LONG = True
SECONDS = 300
ROWS = 200000
CLAIM = {"source": {"mode": "poll", "poll": {"strategy": "claim", "interval_ms": 5, "idle_interval_ms": 100}}}

with e2e.Case(config=CLAIM, label="_backlog") as case:
    case.more_config = e2e.merge(CLAIM, {"routes": [dict(case.config()["routes"][0], poll={"key": "seq"})]})
    relay = case.relay()
    case.setup(relay)
    case.put(rows=ROWS, keys=50)
    began = time.monotonic()
    case.start(relay)
    e2e.wait("all of them", lambda: case.one("SELECT count(*) FROM public.outbox") == 0, 200)
    took = time.monotonic() - began
    peak = relay.peak_rss_kb()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
    print("%d rows in %.1f s, at most %d MB" % (ROWS, took, peak // 1024))

with e2e.own_kafka() as kafka, e2e.Case(config=CLAIM, label="_broker", kafka=kafka) as case, \
        KafkaProxy(kafka.bootstrap) as proxy:
    case.more_config = e2e.merge(CLAIM, {"kafka": {"bootstrap.servers": proxy.address}, "routes": [
        dict(case.config()["routes"][0], poll={"key": "seq"})]})
    relay = case.relay()
    case.setup(relay)
    shop = case.shop(writers=2, rate=40, delete=0, seed=e2e.seed()).start()
    case.start(relay)
    for number in range(4):
        held = proxy.rule("EndTxn", (REQUEST, RESPONSE)[number % 2], HOLD)
        assert held.hit.wait(40), "no EndTxn"
        kafka.kill()
        proxy.clear()
        kafka.start()
        time.sleep(2)
        assert relay.running(), relay.log_text()
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
