"""Polling: the same rows drained by source.mode: poll, both strategies, by the stream of a slot, and by a bare keyset
SELECT that goes nowhere; what an idle relay costs; latency where a NOTIFY wakes it.

The tables are in a database of their own, because each part writes into public.outbox."""

import os
import time

import latency

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATABASE = "polled"
PAGE = 10000
IDLE_SECONDS = 20
KINDS = {"select": "a bare keyset SELECT, pages of %d rows" % PAGE, "wal": "`source.mode: wal`",
         "snapshot": "`source.mode: poll`, `strategy: snapshot`", "claim": "`strategy: claim`, `done: delete`"}


def source(bench, **poll):
    connection = {"connection": bench.pg.dsn(DATABASE)}
    return dict(connection, mode="poll", poll=poll) if poll else connection


def prepare(bench):
    bench.pg.sql("CREATE DATABASE %s" % DATABASE)
    for file in ("001_outbox.sql", "007_poll.sql"):
        code, out = bench.pg.psql("-f", os.path.join(ROOT, "sql", file), dbname=DATABASE)
        assert code == 0, out
    bench.pg.sql("CREATE INDEX ON public.outbox (xid)", dbname=DATABASE)


def relay_of(bench, name, kind):
    polls = {} if kind == "wal" else {"strategy": kind}
    table = {"from": "public.claimed"} if kind == "claim" else {}
    one = bench.relay(name, False, "exactly_once", headers=bench.sample_headers, how=table,
                      source=source(bench, **polls))
    code, _, err = one.run("setup")
    assert code == 0, err
    return one


def copy(bench):
    """What claiming deletes is there for each round."""
    bench.pg.sql("CREATE TABLE public.claimed (LIKE public.outbox INCLUDING ALL)", dbname=DATABASE)
    bench.pg.sql("INSERT INTO public.claimed OVERRIDING SYSTEM VALUE SELECT * FROM public.outbox", dbname=DATABASE)
    bench.pg.sql("ANALYZE public.claimed", dbname=DATABASE)


def select(bench):
    connection, rows, last, began = bench.pg.connect(DATABASE), 0, 0, time.monotonic()
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT * FROM public.outbox WHERE seq > %s ORDER BY seq LIMIT %s", (last, PAGE))
            if cursor.rowcount == 0:
                break
            rows += cursor.rowcount
            cursor.scroll(cursor.rowcount - 1, mode="absolute")
            last = cursor.fetchone()[[column.name for column in cursor.description].index("seq")]
    connection.close()
    return {"rows": rows, "seconds": time.monotonic() - began}


def drained(bench, kind, number, streams):
    if kind == "claim":
        copy(bench)
    one = streams[number] if kind == "wal" else None
    if kind in ("snapshot", "claim"):
        one = relay_of(bench, "p%d_%s" % (number, kind), kind)
    before = latency.servers_cpu(bench.pg)
    got = select(bench) if kind == "select" else bench.drain(one)
    got["postgres"] = latency.servers_cpu(bench.pg) - before
    got["rate"] = got["rows"] / got["seconds"]
    if kind == "wal":
        bench.drop_slot(one)
    if kind == "claim":
        left = bench.pg.sql("SELECT count(*) FROM public.claimed", dbname=DATABASE)[0][0]
        assert left == 0, "%d rows are left" % left
        bench.pg.sql("DROP TABLE public.claimed", dbname=DATABASE)
    bench.say("round %d %-8s %7.0f rows/s, PostgreSQL %.2f s" % (number + 1, kind, got["rate"], got["postgres"]))
    return got


def drains(bench):
    streams = [relay_of(bench, "p%d_wal" % number, "wal") for number in range(bench.arguments.rounds)]
    bench.load(bench.arguments.rows, DATABASE)
    bench.pg.sql("VACUUM ANALYZE public.outbox", dbname=DATABASE)
    bench.drain(relay_of(bench, "p_warm", "snapshot"))
    results = {kind: [] for kind in KINDS}
    for number in range(bench.arguments.rounds):
        for kind in list(KINDS) if number % 2 == 0 else list(KINDS)[::-1]:
            results[kind].append(drained(bench, kind, number, streams))
    return results


def transactions(bench):
    return bench.pg.sql("SELECT xact_commit FROM pg_stat_database WHERE datname = '%s'" % DATABASE)[0][0]


def idle(bench):
    """CPU seconds a second of the relay, and looks a second, with the keys' defaults and nothing to do."""
    one = bench.relay("p_idle", False, "exactly_once", source=dict(source(bench, strategy="snapshot"),
                                                                   poll={"start": "now"}))
    assert one.run("setup")[0] == 0
    one.start()
    one.wait_log("epoch.opened")
    time.sleep(5)
    used, looks, began = latency.cpu_of(one.pid), transactions(bench), time.monotonic()
    time.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    got = ((latency.cpu_of(one.pid) - used) / seconds, (transactions(bench) - looks) / seconds)
    one.stop()
    return got


def woken(bench, rate):
    """Ages where each row's transaction wakes the relay."""
    name = "p_woken_%d" % rate
    one = bench.relay(name, False, "exactly_once", headers=bench.sample_headers,
                      source=dict(source(bench, strategy="snapshot"), poll={"start": "now"}))
    assert one.run("setup")[0] == 0
    bench.pg.sql("SELECT walferry.poll_keep('public.outbox', '%s')" % name, dbname=DATABASE)
    one.start()
    one.wait_log("epoch.opened")
    got = latency.Latency(bench.pg, bench.kafka, DATABASE, "outbox.event.order").measure(rate, 20, one.pid)
    one.stop()
    bench.pg.sql("DROP TRIGGER \"walferry_poll_wake_%s\" ON public.outbox" % name, dbname=DATABASE)
    return got


def report(bench, spread, out):
    prepare(bench)
    results = drains(bench)
    out.append("\n### Polling: %d rows, exactly-once, over TCP (min / median / max of the rounds)\n\n"
               "| what | rows/s | : `source.mode: wal` | CPU s of the relay | PostgreSQL CPU s | RSS MB |\n"
               "|---|---|---|---|---|---|" % bench.arguments.rows)
    for kind, runs in results.items():
        ratios = "-" if kind == "select" else spread(
            [a["rate"] / b["rate"] for a, b in zip(runs, results["wal"])], "%.2f")
        own = [spread([run[name] for run in runs], form) if name in runs[0] else "-"
               for name, form in (("cpu", "%.2f"), ("rss_mb", "%.0f"))]
        out.append("| %s | %s | %s | %s | %s | %s |" % (
            KINDS[kind], spread([run["rate"] for run in runs]), ratios, own[0],
            spread([run["postgres"] for run in runs], "%.2f"), own[1]))
    cpu, looks = idle(bench)
    out.append("\nIdle, with the defaults: %.2f %% of a core, %.1f transactions/s at the server.\n"
               % (cpu * 100, looks))
    bench.warm()
    out.append("\n| woken by NOTIFY, events/s | p50 | p95 | p99 | max, ms |\n|---|---|---|---|---|")
    for rate in [int(rate) for rate in bench.arguments.rates.split(",")]:
        runs = [woken(bench, rate)]
        out.append("| %d | %s |" % (rate, " | ".join("%.1f" % runs[0][name] for name in ("p50", "p95", "p99", "max"))))
        out.append("\n%s\n" % latency.late(runs) if latency.late(runs) else "")
