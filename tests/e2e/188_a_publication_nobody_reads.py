"""The publication of change routes, of a relay that has none: whatever becomes of it stops nobody.

Change routes come and go with a reload and with a restart, and meanwhile it is altered, dropped and made
again. The outbox loses nothing, and changes come while there is a route for them."""

import signal

import e2e


def everything(case):
    changes = "c." + case.name
    publication = '"%s_changes"' % case.slot_name
    case.sql("CREATE TABLE customers (id int PRIMARY KEY)")
    relay = case.up()
    without = relay.config
    with_changes = dict(without, routes=without["routes"] + [
        {"name": "customers", "from": "public.customers", "as": "change", "topic": changes}])

    def stays(*statements):
        opened = len(relay.events("epoch.opened"))
        for statement in statements:
            case.sql(statement)
        e2e.time.sleep(3)
        case.put(rows=2)
        case.drain(relay=relay)
        assert len(relay.events("epoch.opened")) == opened, relay.log_text()[-3000:]
        case.command(relay, "check", "--connect")

    def reload(config):
        opened = len(relay.events("epoch.opened"))
        relay.write_config(config)
        relay.signal(signal.SIGHUP)
        e2e.wait("no new epoch", lambda: len(relay.events("epoch.opened")) > opened or not relay.running(), 30)
        assert relay.running(), relay.log_text()[-3000:]

    def comes(number):
        case.sql("INSERT INTO customers VALUES (%s)", (number,))
        e2e.wait("the change", lambda: b'{"id":%d}' % number in [
            event.key for event in e2e.oracle.read_topics(case.kafka.bootstrap, [changes])], 60)

    case.put(rows=2)
    case.drain(relay=relay)
    stays("ALTER PUBLICATION %s SET (publish = 'delete')" % publication)
    stays("ALTER PUBLICATION %s ADD TABLE public.outbox" % publication,
          "ALTER PUBLICATION %s DROP TABLE public.outbox" % publication)
    stays("DROP PUBLICATION %s" % publication)
    case.stop(relay)
    case.start(relay)
    case.put(rows=2)
    case.drain(relay=relay)

    # Gained by a reload, and lost by one, after which it is dropped again.
    relay.config = with_changes
    case.command(relay, "setup", says="created")
    reload(with_changes)
    comes(1)
    reload(without)
    stays("DROP PUBLICATION %s" % publication)
    case.stop(relay)

    # Gained by a restart behind a backlog, from before it was made.
    case.put(rows=3, transactions=3)
    relay.config = with_changes
    text = case.command(relay, "setup", code=0 if case.pg.major >= 18 else 3)
    if case.pg.major < 18:
        assert "publication %s_changes exists, but it was made after" % case.slot_name in text, text
        case.mend(relay, text, "--yes")
    case.start(relay)
    case.put(rows=2)
    case.drain(relay=relay)
    comes(2)

    # While there is a route for it, it is a loss.
    there_and_back = ("ALTER PUBLICATION %s SET (publish = 'update')" % publication,
                      "ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate')" % publication)
    for statement in there_and_back:
        case.sql(statement)
    assert relay.wait(30) == 3, relay.log_text()[-3000:]
    text = case.refused(relay, 3, ("publication_changed", "%s_changes was altered" % case.slot_name))
    case.mend(relay, text, "--yes")
    case.start(relay)
    case.stop(relay)

    # And none any more once the file has lost it, where it was not recorded by then.
    for statement in there_and_back:
        case.sql(statement)
    case.refused(relay, 3, ("publication_changed", "%s_changes was altered" % case.slot_name))
    relay.config = without
    case.start(relay)
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()


e2e.on_each_major(everything)
