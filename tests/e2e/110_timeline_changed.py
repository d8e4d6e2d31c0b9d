"""The server is promoted to a new timeline whose history holds our position: relay and commands go on.
With a position behind the point where the timelines part, all refuse with exit 3."""

import e2e
import refusals


with e2e.own_postgres() as pg, e2e.Case(postgres=pg) as case:
    relay = refusals.before(case)
    pg.to_next_timeline()
    case.sql("CHECKPOINT")
    assert case.one("SELECT timeline_id FROM pg_control_checkpoint()") == 2
    for command in (["check", "--connect"], ["setup"]):
        case.command(relay, *command)
    case.start(relay)
    case.put(rows=5)
    case.drain(relay=relay)
    assert case.progress()[-1]["timeline"] == 2
    case.stop(relay)
    case.judge()

    # Back on the old timeline with a position that the new one left before.
    case.put(rows=3, type="gone")
    case.forge_progress(timeline=1)
    text = case.refused(relay, 3, "history does not hold position")
    case.command(relay, "check", "--connect", code=1, says="history does not hold position")
