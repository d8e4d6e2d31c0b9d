"""A broker whose quota is 1 MB/s, and a link of 1 MB/s to one, take a transaction that is larger than what
goes through within the transaction's time-out: it comes in parts, each event once and in order, and
nothing is begun anew without end."""

import concurrent.futures

import e2e
import slow

SLOW = True
KAFKA = "own"
RATE, MB = 1000000, 24

with e2e.own_kafka() as kafka, concurrent.futures.ThreadPoolExecutor() as pool:
    for one in [pool.submit(slow.through, kafka, label, way, RATE, MB, transaction_timeout_ms=10000)
                for label, way in (("_quota", slow.throttled), ("_link", slow.link))]:
        one.result()
