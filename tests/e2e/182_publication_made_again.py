"""The publication is dropped and made again while the relay runs.

From 18 on the server leaves rows out in between and only warns; before, it cannot read them even once
the publication is back, and a relay would fail there for ever. Each step is mended as it is printed,
without and with the guard, and only rows of that time are lost."""

import ddl_loss
import e2e


def made_again(case, relay):
    case.put(rows=2)
    case.drain(relay=relay)
    first = case.current_lsn()
    case.sql('DROP PUBLICATION "%s"' % case.slot_name)
    case.put(rows=3)
    code = relay.wait(30)
    assert code == 2, (code, relay.log_text()[-2000:])
    assert "publication_missing" in relay.log_text().splitlines()[-1]
    case.command(relay, "setup", code=3, says="has changed")
    last = case.current_lsn()
    text = case.refused(relay, 3, ("publication_changed", "was dropped and made again"))
    low, high = ddl_loss.window(text)
    assert low <= first and high >= last
    case.mend(relay, text, "--yes")
    if case.pg.major < 18:
        text = case.refused(relay, 3, "publication_gone")
        case.mend(relay, text, "--yes")
    case.start(relay)
    lost = ddl_loss.lost_rows(case)
    assert len(lost) == 3, lost
    case.put(rows=3)
    case.drain(relay=relay)


def everything(case):
    relay = case.up()
    made_again(case, relay)
    case.apply("004_guard.sql")
    case.sql("INSERT INTO walferry.guarded (relay, publication) VALUES (%s, %s)",
             (case.name, case.slot_name))
    made_again(case, relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(everything)
