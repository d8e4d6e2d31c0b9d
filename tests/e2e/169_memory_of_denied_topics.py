"""Thousands of topics that ACLs hide, each named by one row: what the relay keeps of such a name does not grow
with their number either, nor does the time. A client of Kafka keeps some kilobytes of a name that it asked about
by a handle for it, and 60 ms go by: 80,000 names would take 300 MB and more than an hour."""

import time

import e2e

BUILDS = ("release",)
SECONDS = 240
WARM, MORE = 20000, 60000  # the first fill all four batches, as in 165
LIMIT_MB = 8


def limited(case):
    return {"kafka": {"bootstrap.servers": case.kafka.sasl_bootstrap,
                      "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                      "sasl.username": "limited", "sasl.password": "limited"},
            "delivery": {"topics": {"create": False}},
            "routes": [dict(case.config()["routes"][0], on_error="skip")]}


def skip(case, relay, names):
    """Rows for so many topics that nobody has named yet; all are skipped, and none is called missing."""
    before = case.one("SELECT count(*) FROM public.outbox WHERE aggregatetype LIKE 'hidden%'")
    began = time.monotonic()
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " SELECT 'hidden' || i || repeat('x', 100), 'k', 'x' FROM generate_series(%d, %d) AS i"
             % (before + 1, before + names))
    case.wait_confirmed(case.current_lsn(), 200)
    assert relay.metric("walferry_skipped_total", route="outbox") == before + names
    return time.monotonic() - began


with e2e.Case(config={"delivery": {"transaction_timeout_ms": 600000,
                                   "memory_limit": "%dMB" % LIMIT_MB}}) as case:
    case.kafka.create_topic(case.prefix + "order", 1)
    case.setup(case.relay())
    everything = dict(user="limited", operations=["All"])
    case.kafka.allow(resource="topic", name=case.progress_topic, **everything)
    case.kafka.allow(resource="topic", name=case.prefix + "order", **everything)
    case.kafka.allow(resource="transactional-id", name="walferry.", prefixed=True, **everything)
    relay = case.start(case.relay(limited(case)))
    case.put(rows=1)
    case.drain(relay=relay)
    idle = relay.peak_rss_kb()
    seconds = skip(case, relay, WARM)
    warm = relay.peak_rss_kb()
    seconds += skip(case, relay, MORE)
    full = relay.peak_rss_kb()
    print("kB at most: %d before, %d after %d names, %d after %d more; %.1f s" % (
        idle, warm, WARM, full, MORE, seconds))
    skipped = relay.events("message.skipped")
    assert all("acl_denied" in str(line) for line in skipped), skipped[-1]
    assert full < warm + 4 * 1024, "%d more names: %d kB, before %d kB" % (MORE, full, warm)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
