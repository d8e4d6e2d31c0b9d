"""Thousands of topics that are not there, each named by one row: what the relay keeps of a name that it
has looked for does not grow with their number.

Two things are measured, at the highest that the relay ever took. The working set comes with the first
names: four batches full, a look-up of one batch's names, some thousand names that are remembered. It
stays within what OPERATIONS.md promises, memory_limit and 32 MB. After that more names add nothing:
four megabytes are less than half of the bare names, which are 150 bytes long and more, and a fortieth of
what a client of Kafka keeps of a name that it was asked about."""

import e2e
import flows

BUILDS = ("release",)
SECONDS = 240
WARM, MORE = 20000, 60000  # a batch of 2 MB takes some thousand, so that the first fill all four
LIMIT_MB = 8


def skip(case, names):
    """Rows for so many topics that nobody has named yet, skipped to the last."""
    before = case.one("SELECT count(*) FROM public.outbox WHERE aggregatetype LIKE 'miss%'")
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " SELECT 'miss' || i || repeat('x', 150), 'k', 'x' FROM generate_series(%d, %d) AS i"
             % (before + 1, before + names))
    case.wait_confirmed(case.current_lsn(), 180)
    assert relay.metric("walferry_skipped_total", route="outbox") == before + names


with e2e.Case(config={"delivery": {"transaction_timeout_ms": 600000,
                                   "memory_limit": "%dMB" % LIMIT_MB}}) as case:
    relay = flows.up_without_creating(case)
    idle = relay.peak_rss_kb()
    skip(case, WARM)
    warm = relay.peak_rss_kb()
    skip(case, MORE)
    full = relay.peak_rss_kb()
    print("kB at most: %d before, %d after %d names, %d after %d more" % (
        idle, warm, WARM, full, MORE))
    assert warm < (LIMIT_MB + 32) * 1024, "%d names: %d kB, before %d kB" % (WARM, warm, idle)
    assert full < warm + 4 * 1024, "%d more names: %d kB, before %d kB" % (MORE, full, warm)
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
