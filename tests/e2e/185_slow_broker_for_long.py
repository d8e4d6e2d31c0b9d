"""40 and 90 MB in one transaction for a broker that takes 1 MB/s, and over a link that carries no more:
at the default time-out of a minute, and at a sixth of it."""

import concurrent.futures

import e2e
import slow

LONG = True
KAFKA = "own"
SECONDS = 420
RATE = 1000000

with e2e.own_kafka() as kafka, concurrent.futures.ThreadPoolExecutor() as pool:
    runs = [("_quota40", slow.throttled, 40, 10000), ("_link90", slow.link, 90, 60000),
            ("_link40", slow.link, 40, 10000)]
    for one in [pool.submit(slow.through, kafka, label, way, RATE, mb, transaction_timeout_ms=timeout)
                for label, way, mb, timeout in runs]:
        one.result()
with e2e.own_kafka() as kafka:
    slow.through(kafka, "_quota90", slow.throttled, RATE, 90, transaction_timeout_ms=60000)
