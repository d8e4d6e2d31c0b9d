"""A relay that was set up without a publication for change routes gets one, with a backlog and beside an
open transaction: nothing of the outbox is lost or repeated, and changes come from then on."""

import e2e


def upgrade(case):
    relay = case.up()
    case.put(5)
    case.drain(relay=relay)
    case.stop(relay)
    # As an older version leaves it.
    case.sql("DROP PUBLICATION %s_changes; CREATE TABLE customers (id int PRIMARY KEY, name text)"
             % case.slot_name)
    record = case.progress()[-1]
    case.forge_progress(publications=record["publications"][:1], fingerprint=None)
    case.put(rows=3, transactions=20)
    case.sql("INSERT INTO customers VALUES (1, 'before')")
    routes = case.config()["routes"] + [
        {"name": "customers", "from": "public.customers", "as": "change",
         "topic": "c." + case.name}]
    relay = case.relay({"routes": routes})
    case.refused(relay, 2, "publication_missing")
    # It has written before the publication is made, and commits long after.
    older = case.pg.connect(case.db, autocommit=False)
    cursor = older.cursor()
    cursor.execute("SELECT e2e.put('order', 'p', 3, 1000, 1, 40)")
    case.command(relay, "setup", says="%s_changes: created" % case.slot_name)
    case.start(relay)
    relay.wait_log("publication.waits")
    case.drain(relay=relay)
    assert len(relay.events("epoch.opened")) == 1, relay.log_text()
    case.sql("INSERT INTO customers VALUES (2, 'not yet')")
    older.commit()
    older.close()
    relay.wait_log("epoch.opened", count=2)
    case.sql("INSERT INTO customers VALUES (3, 'from now on')")
    case.put(3)

    def look():
        return e2e.oracle.read_topics(case.kafka.bootstrap, ["c." + case.name])
    events = e2e.wait("the change", look)
    assert [event.key for event in events] == [b'{"id":3}'], events
    case.drain(relay=relay)
    record = case.progress()[-1]
    assert [p["name"] for p in record["publications"]] == [
        case.slot_name, case.slot_name + "_changes"], record
    case.stop(relay)
    # The next start asks for both at once.
    case.start(relay)
    case.sql("DELETE FROM customers WHERE id = 3")
    e2e.wait("the change", lambda: len(look()) == 3)
    case.stop(relay)
    case.judge()


e2e.on_each_major(upgrade)
