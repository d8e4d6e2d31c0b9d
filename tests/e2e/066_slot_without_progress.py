"""A slot that is somebody's: setup refuses it with exit 3 and prints the mend; rebase adopts it."""

import e2e
import refusals

with e2e.Case() as case:
    case.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (case.slot_name,))
    case.sql('CREATE PUBLICATION "%s" FOR TABLE public.outbox' % case.db)
    relay = case.relay()
    text = case.command(relay, "setup", code=3, says="exists already")
    case.refused(relay, 3, "holds no progress|exists")
    assert case.slot() is not None
    case.mend(relay, text, "--yes")
    refusals.after(case, relay)
