"""DDL takes the outbox out of the publication and puts it back while several writers commit, without and
with the guard, on each major. Every row that is missing was written by a transaction that ended in the
range that the refusal names; whatever was written before or after is there once, in order."""

import ddl_loss
import e2e


def one(case, guarded):
    if guarded:
        case.apply("004_guard.sql")
        case.sql("INSERT INTO walferry.guarded (relay, publication) VALUES (%s, %s)",
                 (case.name, case.slot_name))
    relay = case.up()
    shop = case.shop(writers=3, rate=20, types=("order",)).start()
    e2e.wait("nothing comes", lambda: case.seen(0.1) > 40, 30)
    publication = '"%s"' % case.slot_name
    # Transactions that are open now may have written before the DDL and end behind it.
    oldest = case.one("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    first = case.current_lsn()
    case.sql("ALTER PUBLICATION %s DROP TABLE public.outbox" % publication)
    e2e.time.sleep(0.5)
    case.sql("ALTER PUBLICATION %s ADD TABLE public.outbox" % publication)
    last = case.current_lsn()
    # The next id, for a snapshot's xmax stands behind what has ended: above it, too, some are open.
    newest = case.one("SELECT pg_current_xact_id()::text::bigint")
    code = relay.wait(30)
    assert code in (2, 3), (code, relay.log_text()[-2000:])
    text = relay.log_text()
    assert ("guard.met" in text) == guarded, text[-3000:]
    if code == 2:  # it looked before the table was put back
        text = case.refused(relay, 3, "has changed")
    low, high = ddl_loss.window(text)
    assert low <= (last if guarded else first) and high >= last, (low, first, last, high)
    shop.stop()
    case.mend(relay, text, "--yes")
    case.start(relay)
    case.wait_confirmed(case.current_lsn(), 60)
    lost = case.sql("SELECT id, xid::text::bigint FROM e2e.truth WHERE NOT (id = ANY (%s))",
                    (sorted(case.read_ids()),))
    assert lost, "nothing was lost: the test has tested nothing"
    outside = [row for row in lost if not oldest <= row[1] < newest]
    assert not outside, "lost outside of %d to %d: %s" % (oldest, newest, outside[:5])
    case.sql("DELETE FROM e2e.truth WHERE id = ANY (%s)", ([row[0] for row in lost],))
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(lambda case: one(case, False))
e2e.on_each_major(lambda case: one(case, True))
