"""The publication is dropped and made again while the relay runs, or while it is behind.

From 18 on the server leaves rows out in between and only warns; before, it cannot read them even once
the publication is back, and a relay would fail there for ever. Whoever is asked, setup, check or run, names
the same range and the one mend that helps, which is run as it is printed, without and with the guard.
Only rows of that range are lost. Where the publication of change routes alone was made again, nothing of
the outbox is lost at all."""

import re

import ddl_loss
import e2e

UNREADABLE = "it was made after .*: the server cannot read rows from before it; rows that were written"


def printed(text):
    """The mend that a text prints, without what stands before the command."""
    return re.findall(r"walferry (rebase --to \S+ --accept-loss)", text)[-1]


def refused_alike(case, relay, reason, says):
    """By run, check and setup, with the same words; the log's text of run."""
    text = case.refused(relay, 3, (reason, says))
    e2e.wait("the slot is held", lambda: not case.slot()["active"])
    asked = case.command(relay, "check", "--connect", code=1, says=says)
    again = case.command(relay, "setup", code=3, says=says)
    assert printed(asked) == printed(again) == printed(text), (asked, again, text[-2000:])
    for other in (asked, again):
        assert ddl_loss.window(other)[0] == ddl_loss.window(text)[0], (other, text[-2000:])
    return text


def made_again(case, relay):
    case.put(rows=2)
    case.drain(relay=relay)
    first = case.current_lsn()
    case.sql('DROP PUBLICATION "%s"' % case.slot_name)
    case.put(rows=3)
    code = relay.wait(30)
    assert code == 2, (code, relay.log_text()[-2000:])
    assert "publication_missing" in relay.log_text().splitlines()[-1]
    case.command(relay, "rebase", "--to", "guard", "--accept-loss", "--yes", code=2, says="does not exist")
    case.command(relay, "setup", code=3, says="has changed")
    last = case.current_lsn()
    text = refused_alike(case, relay, "publication_changed", "was dropped and made again")
    low, high = ddl_loss.window(text)
    assert low <= first and high >= last
    anew = case.pg.major < 18
    assert printed(text) == "rebase --to %s --accept-loss" % ("new-slot" if anew else "guard"), text
    if anew:
        case.command(relay, "rebase", "--to", "guard", "--accept-loss", "--yes", code=3, says=UNREADABLE)
    case.mend(relay, text, "--yes")
    case.command(relay, "check", "--connect")
    case.start(relay)
    lost = ddl_loss.lost_rows(case)
    assert len(lost) == 3, lost
    case.put(rows=3)
    case.drain(relay=relay)


def behind(case, relay):
    """What was written before the drop can be read, and is published first."""
    case.stop(relay)
    case.put(rows=4)
    case.sql('DROP PUBLICATION "%s"' % case.slot_name)
    first = case.current_lsn()
    case.put(rows=3)
    last = case.current_lsn()
    case.sql(ddl_loss.PUBLICATION % case.slot_name)
    case.put(rows=2)
    text = refused_alike(case, relay, "publication_changed", "was dropped and made again")
    assert printed(text) == "rebase --to guard --accept-loss", text
    case.mend(relay, text, "--yes")
    if case.pg.major < 18:
        text = refused_alike(case, relay, "publication_gone", UNREADABLE)
        assert printed(text) == "rebase --to new-slot --accept-loss", text
        low, high = ddl_loss.window(text)
        assert low <= first and high >= last, (low, first, last, high)
        case.mend(relay, text, "--yes")
        case.command(relay, "check", "--connect")
    case.start(relay)
    lost = ddl_loss.lost_rows(case)
    assert len(lost) == (5 if case.pg.major < 18 else 3), lost
    case.put(rows=3)
    case.drain(relay=relay)


def begun_without(case, relay):
    """A new slot while there is no publication: what is written until there is one is a loss that is told."""
    case.stop(relay)
    case.sql('DROP PUBLICATION "%s"' % case.slot_name)
    case.command(relay, "rebase", "--to", "new-slot", "--accept-loss", "--yes")
    first = case.current_lsn()
    case.put(rows=2)
    last = case.current_lsn()
    text = case.command(relay, "setup", code=3, says="has changed.*does not exist")
    low, high = ddl_loss.window(text)
    assert low <= first and high >= last, (low, first, last, high)
    assert ("new-slot" in printed(text)) == (case.pg.major < 18), text
    case.mend(relay, text, "--yes")
    case.start(relay)
    lost = ddl_loss.lost_rows(case)
    assert len(lost) == 2, lost
    case.put(rows=3)
    case.drain(relay=relay)


def of_changes(case, relay):
    """Only the publication of change routes: that alone is not read through until it was made."""
    changes = "c." + case.name
    case.sql("CREATE TABLE customers (id int PRIMARY KEY)")
    case.stop(relay)
    relay.config = case.config({"routes": case.config()["routes"] + [
        {"name": "customers", "from": "public.customers", "as": "change", "topic": changes}]})
    case.setup(relay)
    case.start(relay)

    def comes(number):
        case.sql("INSERT INTO customers VALUES (%s)", (number,))
        e2e.wait("the change", lambda: b'{"id":%d}' % number in [
            event.key for event in e2e.oracle.read_topics(case.kafka.bootstrap, [changes])], 60)

    comes(1)
    case.stop(relay)
    case.put(rows=2)
    case.sql('DROP PUBLICATION "%s_changes"' % case.slot_name)
    case.put(rows=3)
    case.sql("INSERT INTO customers VALUES (2)")
    case.setup_refused = case.command(relay, "setup", code=3, says="%s_changes was dropped and made again"
                                      % case.slot_name)
    for _ in range(3):  # as often as it takes: a backlog first
        mend = printed(case.setup_refused)
        assert mend == "rebase --to guard --accept-loss", case.setup_refused
        case.mend(relay, case.setup_refused, "--yes")
        relay.start()
        e2e.wait("neither open nor ended", lambda: relay.events("epoch.opened") or not relay.running())
        e2e.time.sleep(2)
        if relay.running():
            break
        case.setup_refused = relay.log_text()
        assert "publication %s_changes exists, but" % case.slot_name in case.setup_refused
        case.command(relay, "check", "--connect", code=1, says="%s_changes exists, but" % case.slot_name)
    case.put(rows=2)
    case.drain(relay=relay)
    comes(3)
    assert not ddl_loss.lost_rows(case)


def everything(case):
    relay = case.up()
    made_again(case, relay)
    behind(case, relay)
    begun_without(case, relay)
    case.apply("004_guard.sql")
    case.sql("INSERT INTO walferry.guarded (relay, publication) VALUES (%s, %s)",
             (case.name, case.slot_name))
    made_again(case, relay)
    of_changes(case, relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(everything)
