"""examples/order-saga as a test: it is run as it stands, with what its own count does not look at."""

import os
import sys

import e2e

sys.path.insert(0, os.path.join(e2e.ROOT, "examples", "order-saga"))

import run as example  # noqa: E402


def drop_slots(case, shop):
    """The server of the suite has few of them."""
    mine = " FROM pg_replication_slots WHERE database LIKE '%s_%%'" % shop.prefix
    case.sql("SELECT pg_terminate_backend(active_pid)" + mine + " AND active")
    e2e.wait("slots are in use", lambda: case.one("SELECT count(*)" + mine + " AND active") == 0)
    case.sql("SELECT pg_drop_replication_slot(slot_name)" + mine)


def check(case, sagas, kills):
    shop = example.Example(case.pg, case.kafka, e2e.binary(), case.dir, prefix=case.name,
                           seed=e2e.seed(), env=e2e.sanitizers(e2e.build()))
    try:
        shop.run(sagas, kills)
        ended = shop.settle()
        wrong = shop.wrong()
    finally:
        shop.close()
        drop_slots(case, shop)
    assert not wrong, wrong
    assert set(shop.kills) == set(shop.parts), "not killed: %s" % (set(shop.parts) - set(shop.kills))
    assert sum(shop.kills.values()) >= kills, shop.kills
    assert shop.in_flight > 0, "no saga was under way at any kill"
    assert ended.get("compensated", 0) * 10 >= shop.sagas, ended
    assert ended.get("completed", 0) * 10 >= shop.sagas, ended
    modes = shop.sql("order", "SELECT mode, state, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2")
    assert len(modes) == 4, modes
    assert shop.late() > 0
    open_sagas = shop.sql("order", "SELECT count(*) FROM walferry.saga WHERE ended_at IS NULL")
    assert open_sagas == [(0,)], open_sagas
    for part in shop.parts.values():
        with open(part.log, errors="replace") as log:
            text = log.read()
        assert not e2e.REPORT.search(text) and "Traceback" not in text, text[-3000:]
    print("%s; kills %s, %d with sagas under way; %d steps sent again" % (
        modes, sorted(shop.kills.items()), shop.in_flight, shop.late()))
