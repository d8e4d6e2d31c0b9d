"""Progress written by a newer version, or unreadable: refused with exit 3, never taken for none; its
rebase line goes on from the slot."""

import e2e
import refusals

with e2e.Case() as case:
    relay = refusals.before(case)
    case.forge_progress(v=99)
    refusals.refused_and_mended(case, relay, "version 99|v 99|newer")
    refusals.after(case, relay)

    # A tombstone as the newest record: what is behind it is older and must not be taken for it.
    case.bury_progress()
    refusals.refused_and_mended(case, relay, "progress record is unreadable")
    refusals.after(case, relay)

    case.forge_progress(position="nowhere")
    seen = case.seen(0.2)
    text = case.refused(relay, 3, "progress")
    assert case.seen(0.3) == seen
    case.mend(relay, text, "--yes")
    case.start(relay)
    case.put()
    case.drain(relay=relay)
    case.stop(relay)
