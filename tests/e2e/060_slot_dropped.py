"""The slot was dropped: refused with exit 3; a new slot goes on behind the gap."""

import e2e
import refusals

with e2e.Case() as case:
    relay = refusals.before(case)
    case.sql("SELECT pg_drop_replication_slot(%s)", (case.slot_name,))
    case.put(rows=2, type="gone")
    text = refusals.refused_and_mended(case, relay, "slot %s does not exist" % case.slot_name)
    assert "LOSS" in text
    case.sql("DELETE FROM e2e.truth WHERE topic = 'gone'")  # as was said; more must not be missing
    refusals.after(case, relay)
