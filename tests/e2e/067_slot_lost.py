"""max_slot_wal_keep_size has cost the slot its WAL: refused with exit 3; a new slot mends it."""

import e2e
import refusals

with e2e.own_postgres(conf={"max_slot_wal_keep_size": "16MB", "min_wal_size": "32MB",
                            "max_wal_size": "64MB"}) as postgres, \
        e2e.Case(postgres=postgres) as case:
    relay = refusals.before(case)
    case.sql("CREATE TABLE public.bulk (t text)")
    for _ in range(12):
        case.sql("INSERT INTO public.bulk SELECT repeat('x', 1000) FROM generate_series(1, 8000)")
        case.sql("SELECT pg_switch_wal()")
        case.sql("CHECKPOINT")
        if case.slot()["wal_status"] == "lost":
            break
    assert case.slot()["wal_status"] == "lost", case.slot()
    refusals.refused_and_mended(case, relay, "is lost")
    refusals.after(case, relay)
