"""Progress ahead of the server's WAL (restored to an earlier time): refused with exit 3, although the
server itself would accept the position; its rebase line goes on from the slot."""

import e2e
import refusals

with e2e.Case() as case:
    relay = refusals.before(case)
    case.forge_progress(position="7FFF/0")
    refusals.refused_and_mended(case, relay, "position|restored to an earlier time")
    refusals.after(case, relay)
