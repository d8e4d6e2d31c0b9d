"""A progress record that cannot follow the one before it: refused with exit 3 before anybody is fenced,
nothing emitted; its rebase line mends it."""

import e2e
import refusals

with e2e.Case() as case:
    relay = refusals.before(case)
    case.forge_progress(mode="intent")
    refusals.refused_and_mended(case, relay, "cannot follow the one before it")
    refusals.after(case, relay)

    newest = case.progress()[-1]
    case.forge_progress(generation=newest["generation"], xid=1)
    refusals.refused_and_mended(case, relay, "cannot follow the one before it")
    refusals.after(case, relay, expect=("regressed",))

    # No row can set the header of our records, so one without it was written by nobody of ours.
    case.forge_progress(marked=False)
    refusals.refused_and_mended(case, relay, "lacks the header walferry-progress")
    refusals.after(case, relay, expect=("regressed",))
