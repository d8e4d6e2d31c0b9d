"""The slot was advanced behind our back: refused with exit 3; its rebase line goes on behind the gap."""

import e2e
import refusals

with e2e.Case() as case:
    relay = refusals.before(case)
    case.put(rows=2, type="gone")
    case.sql("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", (case.slot_name,))
    text = refusals.refused_and_mended(case, relay, "was advanced to .* behind our back")
    assert "LOSS" in text
    case.sql("DELETE FROM e2e.truth WHERE topic = 'gone'")
    refusals.after(case, relay)
