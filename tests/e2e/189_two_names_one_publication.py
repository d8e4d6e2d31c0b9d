"""The relays x and x_changes: the publication of x's change routes has the name of the other's own.

Whoever comes second is told so before anything is made, and what belongs to the other is neither altered
nor dropped. Where an older version has let both use it, teardown of one leaves what is the other's."""

import e2e


def comes(case, relay, topic):
    before = len(e2e.oracle.read_topics(case.kafka.bootstrap, [topic]))
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES ('x', '1', 'Put')")
    e2e.wait("an event of %s" % topic, lambda: len(
        e2e.oracle.read_topics(case.kafka.bootstrap, [topic])) > before or not relay.running(), 30)
    assert relay.running(), relay.log_text()[-2000:]


def relays(case, first, second):
    """x and x_changes, each with an outbox route of its own."""
    made = []
    for name in (first, second):
        config = case.config({"relay": name, "routes": [
            {"name": "outbox", "from": "public.outbox", "as": "outbox", "topic": "o." + name}]})
        one = case.relay(name=name)
        one.config = config
        made.append(one)
    return made


def there(case, name):
    return case.one("SELECT count(*) FROM pg_publication WHERE pubname = %s", ("walferry_" + name,)) == 1


with e2e.Case() as case:
    SHORT = "t" + case.name[-6:]
    case.sql("CREATE TABLE customers (id int PRIMARY KEY)")
    changes = {"name": "customers", "from": "public.customers", "as": "change", "topic": "c." + case.name}

    # x_changes was first. x has no route for it and leaves it alone; with one it is told.
    x = SHORT + "_a"
    one, other = relays(case, x, x + "_changes")
    case.start(other, "--setup")
    case.command(one, "setup", says="publication walferry_%s_changes: not made, it is another relay's" % x)
    case.start(one)
    comes(case, other, "o.%s_changes" % x)
    case.stop(one)
    plain = one.config
    one.config = dict(plain, routes=plain["routes"] + [changes])
    for command, code in (("check", 1), ("setup", 2)):
        case.command(one, command, *(["--connect"] if command == "check" else []), code=code,
                     says="another relay's, as its comment says: walferry relay %s_changes: outbox" % x)
    case.refused(one, 2, "publication_taken")
    one.config = plain
    case.command(one, "teardown", "--yes", says="walferry_%s_changes: left, because its comment says" % x)
    assert there(case, x + "_changes") and not there(case, x)
    comes(case, other, "o.%s_changes" % x)
    case.stop(other)
    case.command(other, "teardown", "--yes", says="publication walferry_%s_changes: dropped" % x)
    assert not there(case, x + "_changes")

    # x was first.
    x = SHORT + "_b"
    one, other = relays(case, x, x + "_changes")
    case.start(one, "--setup")
    case.command(other, "setup", code=2, says="as its comment says: walferry relay %s: change routes" % x)
    assert case.one("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s",
                    ("walferry_%s_changes" % x,)) == 0
    comes(case, one, "o." + x)
    case.stop(one)
    text = case.command(one, "teardown", "--yes", says="publication walferry_%s_changes: dropped" % x)
    assert "publication walferry_%s: dropped" % x in text, text

    # An older version marked nothing, so that both have it.
    for first_is_x in (True, False):
        x = SHORT + ("_c" if first_is_x else "_d")
        one, other = relays(case, x, x + "_changes")
        for relay in (one, other) if first_is_x else (other, one):
            case.command(relay, "setup")
            for name in (x, x + "_changes"):
                if there(case, name):
                    case.sql('COMMENT ON PUBLICATION "walferry_%s" IS NULL' % name)
        case.start(other)
        comes(case, other, "o.%s_changes" % x)
        case.command(one, "teardown", "--yes", says="walferry_%s_changes: left, because it" % x)
        assert there(case, x + "_changes")
        comes(case, other, "o.%s_changes" % x)
        case.stop(other)
        case.command(other, "teardown", "--yes")
