"""Another database system answers under the old address: refused with exit 3; rebase starts anew."""

import e2e
import refusals

with e2e.Case() as case, e2e.own_postgres() as other:
    relay = refusals.before(case)
    seen = case.truth_count()
    rows = case.sql("SELECT id, topic, key, n, md5 FROM e2e.truth")
    case.pg, case._connection = other, None
    other.sql('CREATE DATABASE "%s"' % case.db)
    case.apply("001_outbox.sql")
    case.sql(e2e.shop.TRUTH)
    for row in rows:  # what the old system delivered stays true
        case.sql("INSERT INTO e2e.truth VALUES (%s, %s, %s, %s, %s, '9999')", row)
    case.sql('CREATE PUBLICATION "%s" FOR TABLE public.outbox' % case.db)
    relay.config["source"]["connection"] = case.dsn()
    case.put(rows=2, type="gone")
    text = refusals.refused_and_mended(case, relay, "progress is of the database system")
    assert "LOSS" in text
    case.sql("DELETE FROM e2e.truth WHERE topic = 'gone'")
    assert case.truth_count() == seen
    case.start(relay)
    case.put(rows=5)
    case.drain(relay=relay)
    case.stop(relay)
    # Two systems' LSNs are not to be compared, so commit order within a partition is not asked.
    faults, _, _ = e2e.oracle.judge(case._fresh(), case.kafka, case.slot_name, case.progress_topic,
                                    case.prefix)
    faults = [fault for fault in faults if fault.kind != "reordered" or " of key " in fault.text]
    assert not faults, faults
